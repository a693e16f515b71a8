//! The map of features: each test that it names has to be there.

use super::{File, Violation};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::BTreeSet;

const RULE: &str = "features";
/// The heading of the column that names tests.
const COLUMN: &str = "test";

/// Checks the names in the columns of tests; `known` are the functions and files that there are.
pub(super) fn check(file: &File, known: &Known) -> Vec<Violation> {
    let mut found = Vec::new();
    let (mut column, mut tests, mut in_head, mut heading) = (0, None, false, String::new());
    for (event, place) in Parser::new_ext(&file.text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Table(_)) => tests = None,
            Event::Start(Tag::TableHead) => (in_head, column) = (true, 0),
            Event::End(TagEnd::TableHead) => in_head = false,
            Event::Start(Tag::TableRow) => column = 0,
            Event::Start(Tag::TableCell) => heading.clear(),
            Event::Text(text) if in_head => heading.push_str(&text),
            Event::End(TagEnd::TableCell) => {
                if in_head && heading == COLUMN {
                    tests = Some(column);
                }
                column += 1;
            }
            Event::Code(name) if !in_head && tests == Some(column) && !known.has(&name) => {
                let line = 1 + file.text.bytes().take(place.start).filter(|byte| *byte == b'\n').count();
                found.push(Violation::new(RULE, &file.path, line, format!("there is no test {name}")));
            }
            _ => {}
        }
    }
    found
}

/// What a name can mean.
#[derive(Default)]
pub(super) struct Known {
    functions: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Known {
    pub(super) fn of(files: &[File]) -> Self {
        let mut known = Self::default();
        for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
            known.files.extend(file.path.trim_end_matches(".rs").split('/').map(str::to_owned));
            let functions = file.text.split("fn ").skip(1);
            known.functions.extend(functions.map(|rest| {
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
            }));
        }
        known
    }

    /// `file::function`, a function, a file, `start_of_functions_*`, or `..._end_of_a_function`.
    fn has(&self, name: &str) -> bool {
        let last = name.rsplit("::").next().unwrap_or(name);
        if let Some(start) = last.strip_suffix('*') {
            return self.functions.iter().any(|function| function.starts_with(start));
        }
        if let Some(end) = last.strip_prefix("...") {
            return self.functions.iter().any(|function| function.ends_with(end));
        }
        self.functions.contains(last) || self.files.contains(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_test_that_is_not_there_is_found_with_its_line() {
        let known = Known::of(&[file("crates/a/tests/api.rs", "fn one() {}\nfn real_media_two() {}")]);
        let table = "| member | test |\n|---|---|\n| `gone` | `api::one`, `api`, `real_media_*`, `..._two` |\n\
                     | `x` | `api::gone` |\n";
        let found = check(&file("docs/FEATURES.md", table), &known);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "docs/FEATURES.md:4: [features] there is no test api::gone");
    }
}
