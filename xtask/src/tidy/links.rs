//! Links between the files of the repository: a relative link in a Markdown file has to lead somewhere.

use super::{File, Violation};
use pulldown_cmark::{Event, Options, Parser, Tag};

const RULE: &str = "links";

/// Checks every relative link and picture; `exists` is asked with paths relative to the root.
pub(super) fn check(file: &File, exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    for (event, place) in Parser::new_ext(&file.text, Options::ENABLE_TABLES).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event else { continue };
        let Some(target) = relative(&dest_url) else { continue };
        let leads_somewhere = resolve(folder, target).is_some_and(|path| exists(&path));
        if !leads_somewhere {
            let line = 1 + file.text.bytes().take(place.start).filter(|byte| *byte == b'\n').count();
            found.push(Violation::new(RULE, &file.path, line, format!("{dest_url} leads nowhere")));
        }
    }
    found
}

/// The path of a link within the repository; None for addresses and for places in the same file.
fn relative(link: &str) -> Option<&str> {
    let path = link.split(['#', '?']).next().unwrap_or_default();
    let has_scheme =
        path.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric()));
    (!path.is_empty() && !has_scheme && !path.starts_with("//")).then_some(path)
}

/// `folder/path` without `.` and `..`; None when it leaves the repository.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        let exists = |path: &str| ["README.md", "docs/STYLE.md", "docs"].contains(&path);
        check(&file, exists).iter().map(Violation::to_string).collect()
    }

    #[test]
    fn links_are_relative_to_their_file() {
        assert_eq!(broken("README.md", "[a](docs/STYLE.md#sizes) [b](./docs) [c](#here)"), [""; 0]);
        assert_eq!(broken("docs/STYLE.md", "[a](../README.md)\n[b][r]\n\n[r]: STYLE.md"), [""; 0]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found_with_its_line() {
        let found = broken("docs/STYLE.md", "one\n\n[a](README.md) ![p](../../out.png)\n");
        let expected = ["README.md leads nowhere", "../../out.png leads nowhere"];
        assert_eq!(found, expected.map(|what| format!("docs/STYLE.md:3: [links] {what}")));
    }

    #[test]
    fn addresses_and_code_are_not_paths() {
        let text =
            "[a](https://example.org/x) <mailto:a@example.org> `[b](gone.md)`\n```\n[c](gone.md)\n```\n";
        assert_eq!(broken("README.md", text), [""; 0]);
    }
}
