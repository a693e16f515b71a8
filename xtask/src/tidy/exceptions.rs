//! The list of sizes that are over their limit for now. It may only shrink: an entry that is no longer needed, or
//! whose number can be lowered, is itself a violation.

use super::size::Measure;
use super::{EXCEPTIONS, Violation};
use serde::Deserialize;

const RULE: &str = "size";

/// `[[over]]` tables of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    over: Vec<Exception>,
}

/// One item that is larger than the limit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    path: String,
    /// `file`, `fn name` or `struct Name`.
    item: String,
    /// The size that it has now.
    size: usize,
    /// Why it cannot be smaller yet.
    why: String,
}

pub(super) fn parse(text: &str) -> Result<Vec<Exception>, toml::de::Error> {
    Ok(toml::from_str::<List>(text)?.over)
}

/// The sizes against their limits and the list, and the list against the sizes.
pub(super) fn check(measures: &[Measure], exceptions: &[Exception]) -> Vec<Violation> {
    let mut found = Vec::new();
    for measure in measures.iter().filter(|measure| measure.size > measure.limit) {
        let recorded = exceptions.iter().find(|exception| concerns(exception, measure));
        let Measure { path, line, item, size, limit } = measure;
        match recorded {
            None => {
                let what = format!("{item} has {size} {}, at most {limit}", unit(item));
                found.push(Violation::new(RULE, path, *line, what));
            }
            Some(exception) if *size > exception.size => {
                let what = format!(
                    "{item} grew from {} to {size} {}; the list only shrinks",
                    exception.size,
                    unit(item)
                );
                found.push(Violation::new(RULE, path, *line, what));
            }
            Some(_) => {}
        }
    }
    for exception in exceptions {
        // Items of one name in one file share an entry, which the largest of them decides.
        let largest =
            measures.iter().filter(|measure| concerns(exception, measure)).max_by_key(|measure| measure.size);
        let Exception { path, item, size, why } = exception;
        let what = match largest {
            None => format!("{path}: {item} is gone; remove the entry"),
            Some(measure) if measure.size <= measure.limit => {
                format!("{path}: {item} is small enough; remove the entry")
            }
            Some(measure) if measure.size < *size => {
                format!("{path}: {item} has {}; lower the {size}", measure.size)
            }
            Some(_) if why.trim().is_empty() => format!("{path}: {item} has no reason"),
            Some(_) => continue,
        };
        found.push(Violation::new(RULE, EXCEPTIONS, 0, what));
    }
    found
}

fn concerns(exception: &Exception, measure: &Measure) -> bool {
    exception.path == measure.path && exception.item == measure.item
}

fn unit(item: &str) -> &'static str {
    if item.starts_with("struct ") { "fields" } else { "lines" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(item: &str, size: usize) -> Measure {
        Measure { path: "a.rs".to_owned(), line: 3, item: item.to_owned(), size, limit: 80 }
    }

    fn listed(size: usize) -> Vec<Exception> {
        parse(&format!("[[over]]\npath = \"a.rs\"\nitem = \"fn f\"\nsize = {size}\nwhy = \"one table\"\n"))
            .unwrap()
    }

    fn texts(measures: &[Measure], exceptions: &[Exception]) -> Vec<String> {
        check(measures, exceptions).iter().map(Violation::to_string).collect()
    }

    #[test]
    fn at_the_limit_is_fine_and_above_is_not() {
        assert_eq!(texts(&[measure("fn f", 80)], &[]), [""; 0]);
        assert_eq!(texts(&[measure("fn f", 81)], &[]), ["a.rs:3: [size] fn f has 81 lines, at most 80"]);
    }

    #[test]
    fn an_entry_covers_exactly_what_it_records() {
        assert_eq!(texts(&[measure("fn f", 90)], &listed(90)), [""; 0]);
        assert!(texts(&[measure("fn f", 91)], &listed(90))[0].contains("grew from 90 to 91"));
        assert!(texts(&[measure("fn f", 89)], &listed(90))[0].contains("lower the 90"));
    }

    #[test]
    fn an_entry_that_is_not_needed_has_to_go() {
        assert!(texts(&[measure("fn f", 80)], &listed(90))[0].contains("small enough"));
        assert!(texts(&[measure("fn g", 10)], &listed(90))[0].contains("gone"));
    }

    #[test]
    fn the_largest_item_of_a_name_decides() {
        assert_eq!(texts(&[measure("fn f", 5), measure("fn f", 90)], &listed(90)), [""; 0]);
    }

    #[test]
    fn an_entry_needs_a_reason_and_no_unknown_keys() {
        let silent = "[[over]]\npath = \"a.rs\"\nitem = \"fn f\"\nsize = 90\nwhy = \"\"\n";
        assert!(texts(&[measure("fn f", 90)], &parse(silent).unwrap())[0].contains("no reason"));
        assert!(parse("[[over]]\npath = \"a.rs\"\nitem = \"file\"\nlines = 3\n").is_err());
    }
}
