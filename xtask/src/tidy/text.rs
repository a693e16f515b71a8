//! Rules on the text of a file, whatever its language: no marks of unfinished work, no paths of one machine, no
//! registry hosts. The forbidden words are put together here from parts, so that this file keeps its own rules.

use super::{File, Violation};

/// Marks of unfinished work.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Where one machine keeps its files.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Hosts of package registries; a lock or script that names one works on some networks only.
const REGISTRIES: [&str; 6] = [
    concat!("static", ".crates.io"),
    concat!("index", ".crates.io"),
    concat!("registry", ".npmjs.org"),
    concat!("files.python", "hosted.org"),
    concat!("deb", ".debian.org"),
    concat!("proxy.golang", ".org"),
];

/// The rules for every text file.
pub(super) fn check(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let mut say = |rule, what: String| found.push(Violation::new(rule, &file.path, number, what));
        for mark in MARKS.iter().filter(|mark| has_word(line, mark)) {
            say("stubs", format!("{mark}: finish it, or write down what is missing as a fact"));
        }
        for path in MACHINE_PATHS.iter().filter(|path| has_path(line, path)) {
            say("paths", format!("{path} is a path of one machine"));
        }
        for host in REGISTRIES.iter().filter(|host| line.contains(**host)) {
            say("paths", format!("{host} is the host of a registry"));
        }
    }
    found
}

/// The rule for Rust files: the first line is a module comment.
pub(super) fn check_opening(file: &File) -> Option<Violation> {
    let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let says_something = first.strip_prefix("//!").is_some_and(|rest| !rest.trim().is_empty());
    let what = "the file has to open with `//!`: what it is for and what it must not know";
    (!says_something).then(|| Violation::new("opening", &file.path, 1, what))
}

/// Whether `word` stands in the line with no letter, digit or underscore beside it.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// Whether an absolute path begins with `path`: nothing that could be the end of a longer path stands before it.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-*}$)".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: impl Into<String>) -> File {
        File { path: "a.rs".to_owned(), text: text.into() }
    }

    #[test]
    fn marks_of_unfinished_work_are_found_as_words_only() {
        for mark in MARKS {
            assert_eq!(check(&file(format!("// {mark}: later"))).len(), 1, "{mark}");
            assert_eq!(check(&file(format!("// {mark}S and A{mark} and {mark}_A"))), []);
        }
    }

    #[test]
    fn machine_paths_and_registries_are_found() {
        for path in MACHINE_PATHS {
            assert_eq!(check(&file(format!("see \"{path}x\""))).len(), 1, "{path}");
            assert_eq!(check(&file(format!("see frame{path}x and ../a{path}"))), []);
        }
        for host in REGISTRIES {
            assert_eq!(check(&file(format!("https://{host}/x"))).len(), 1, "{host}");
        }
    }

    #[test]
    fn a_rust_file_opens_with_what_it_is_for() {
        assert_eq!(check_opening(&file("//! What.\nfn f() {}\n")), None);
        assert_eq!(check_opening(&file("\n//! What.\n")), None);
        for text in ["", "//!\nfn f() {}", "#![x]\n//! late\n", "// plain\n"] {
            assert!(check_opening(&file(text)).is_some(), "{text:?}");
        }
    }
}
