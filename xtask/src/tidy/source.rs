//! Rules on Rust source, read as syntax and tokens, so that strings and comments cannot fool them: no stubs, no
//! ignored tests, `unsafe` in one crate with its reason, and no clock, thread or executor below the runtime.

use super::{File, Violation};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::ops::RangeInclusive;
use std::str::FromStr;
use syn::UseTree;
use syn::visit::{self, Visit};

/// The one folder whose code may be unsafe.
const UNSAFE_FOLDER: &str = "crates/udp/";

/// What crates below the layers with I/O do not name. A step is a word, `::` written out as two colons.
const IMPURE: [&[&str]; 4] = [
    &["Instant", ":", ":", "now"],
    &["SystemTime", ":", ":", "now"],
    &["std", ":", ":", "thread"],
    &["tokio", ":", ":"],
];

/// Crates and modules that the same crates do not import.
const IMPURE_IMPORTS: [&str; 3] = ["std::thread", "tokio", "crossbeam"];

/// A Rust file, read.
pub(super) struct RustFile {
    pub(super) path: String,
    pub(super) lines: Vec<String>,
    pub(super) syntax: syn::File,
    words: Vec<Word>,
    tests: Vec<TestItem>,
}

/// A token: an identifier, one character of punctuation, or a bracket. Literals are empty words.
struct Word {
    text: String,
    line: usize,
}

/// An item that is compiled for tests only.
struct TestItem {
    lines: RangeInclusive<usize>,
    /// The name in `mod name;`.
    module: Option<String>,
}

impl RustFile {
    pub(super) fn parse(file: &File) -> Result<Self, Violation> {
        let fails =
            |error: String| Violation::new("syntax", &file.path, 0, format!("does not parse: {error}"));
        let tokens = TokenStream::from_str(&file.text).map_err(|error| fails(error.to_string()))?;
        let syntax: syn::File = syn::parse2(tokens.clone()).map_err(|error| fails(error.to_string()))?;
        let lines: Vec<String> = file.text.lines().map(str::to_owned).collect();
        let mut words = Vec::new();
        flatten(tokens.clone(), &mut words);
        let mut tests = Vec::new();
        find_tests(tokens, lines.len(), &mut tests);
        Ok(Self { path: file.path.clone(), lines, syntax, words, tests })
    }

    /// Modules that this file declares for tests only, as paths without `.rs`.
    pub(super) fn test_modules(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let folder = match stem.rsplit_once('/') {
            Some((folder, "lib" | "main" | "mod")) => folder,
            _ => stem,
        };
        self.tests.iter().filter_map(|test| Some(format!("{folder}/{}", test.module.as_ref()?))).collect()
    }

    /// No placeholder, no ignored test.
    pub(super) fn check_stubs(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for name in ["todo", "unimplemented"] {
            for line in self.sequences(&[name, "!"]) {
                found.push(Violation::new(
                    "stubs",
                    &self.path,
                    line,
                    format!("{name}! is no implementation"),
                ));
            }
        }
        let ignored = self.sequences(&["#", "[", "ignore"]).into_iter().chain(self.conditional_ignores());
        found.extend(
            ignored.map(|line| Violation::new("stubs", &self.path, line, "an ignored test tests nothing")),
        );
        found
    }

    /// `#[cfg_attr(condition, ignore)]`: the word inside of that attribute.
    fn conditional_ignores(&self) -> Vec<usize> {
        let attribute = ["#", "[", "cfg_attr", "("];
        let starts = (0..self.words.len()).filter(|at| self.stands_at(*at, &attribute));
        starts
            .filter_map(|at| {
                let inside = self.words.iter().skip(at).take_while(|word| word.text != "]");
                inside.into_iter().find(|word| word.text == "ignore").map(|word| word.line)
            })
            .collect()
    }

    /// `unsafe` stands in one crate only, each time with the reason why it is sound.
    pub(super) fn check_unsafe(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for line in self.sequences(&["unsafe"]) {
            if !self.path.starts_with(UNSAFE_FOLDER) {
                found.push(Violation::new(
                    "unsafe",
                    &self.path,
                    line,
                    format!("unsafe stands in {UNSAFE_FOLDER} only"),
                ));
            } else if !self.has_reason(line) {
                found.push(Violation::new(
                    "unsafe",
                    &self.path,
                    line,
                    "a SAFETY comment has to stand before it",
                ));
            }
        }
        found
    }

    /// Whether the comment before the statement on that line, or on the line itself, says why it is sound.
    fn has_reason(&self, line: usize) -> bool {
        let says_why = |text: &str| text.contains("SAFETY:") || text.contains("# Safety");
        let mut above = self.lines.iter().take(line).rev().map(|text| text.trim());
        if above.next().is_some_and(says_why) {
            return true;
        }
        // Up through attributes, comments and the beginning of the same statement, to the end of the one before.
        above
            .take_while(|text| {
                text.starts_with("//")
                    || text.starts_with('#')
                    || !(text.is_empty() || text.ends_with([';', '{', '}']))
            })
            .any(says_why)
    }

    /// No clock, thread, executor or channel outside of tests.
    pub(super) fn check_pure(&self) -> Vec<Violation> {
        let mut named: Vec<(usize, String)> = Vec::new();
        for sequence in IMPURE {
            named.extend(self.sequences(sequence).into_iter().map(|line| (line, sequence.concat())));
        }
        let crossbeam = self.words.iter().filter(|word| word.text.starts_with("crossbeam"));
        named.extend(crossbeam.map(|word| (word.line, word.text.clone())));
        let mut imports = Imports::default();
        imports.visit_file(&self.syntax);
        for (line, path) in imports.found {
            let begins = |with: &&str| path == **with || path.starts_with(&format!("{with}::"));
            if IMPURE_IMPORTS.iter().any(begins) {
                named.push((line, path));
            }
        }
        named.retain(|(line, _)| !self.tests.iter().any(|test| test.lines.contains(line)));
        named.sort();
        named.dedup_by_key(|(line, _)| *line);
        named
            .into_iter()
            .map(|(line, name)| {
                let what =
                    format!("{name}: below the runtime, time and randomness are arguments and nothing waits");
                Violation::new("pure", &self.path, line, what)
            })
            .collect()
    }

    /// The lines on which these words stand in a row.
    fn sequences(&self, wanted: &[&str]) -> Vec<usize> {
        let starts = (0..self.words.len()).filter(|at| self.stands_at(*at, wanted));
        starts.filter_map(|at| self.words.get(at)).map(|word| word.line).collect()
    }

    fn stands_at(&self, at: usize, wanted: &[&str]) -> bool {
        let here = self.words.iter().skip(at).map(|word| word.text.as_str());
        here.take(wanted.len()).eq(wanted.iter().copied())
    }
}

fn flatten(tokens: TokenStream, words: &mut Vec<Word>) {
    for token in tokens {
        let line = token.span().start().line;
        let mut push = |text: &str, line| words.push(Word { text: text.to_owned(), line });
        match token {
            TokenTree::Ident(ident) => push(&ident.to_string(), line),
            TokenTree::Punct(punct) => push(&punct.as_char().to_string(), line),
            TokenTree::Literal(_) => push("", line),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(open, line);
                flatten(group.stream(), words);
                words.push(Word { text: close.to_owned(), line: group.span_close().end().line });
            }
        }
    }
}

/// Finds items after `#[cfg(test)]`, at any depth; `#![cfg(test)]` makes the whole file one.
fn find_tests(tokens: TokenStream, lines: usize, found: &mut Vec<TestItem>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        match (tree, trees.get(at + 1), trees.get(at + 2)) {
            (TokenTree::Punct(hash), Some(TokenTree::Group(group)), _)
                if hash.as_char() == '#' && is_test(group) =>
            {
                found.push(test_item(trees.iter().skip(at)));
            }
            (TokenTree::Punct(hash), Some(TokenTree::Punct(not)), Some(TokenTree::Group(group)))
                if hash.as_char() == '#' && not.as_char() == '!' && is_test(group) =>
            {
                found.push(TestItem { lines: 1..=lines, module: None });
            }
            (TokenTree::Group(group), ..) => find_tests(group.stream(), lines, found),
            _ => {}
        }
    }
}

/// `[cfg(test)]` and `[cfg(all(test, ...))]`.
fn is_test(group: &proc_macro2::Group) -> bool {
    let mut words = Vec::new();
    flatten(group.stream(), &mut words);
    let mut texts = words.iter().map(|word| word.text.as_str());
    texts.next() == Some("cfg")
        && words.iter().any(|word| word.text == "test")
        && !words.iter().any(|word| word.text == "not" || word.text == "any")
}

/// The item that begins with this attribute: it ends with its first `;` or braces.
fn test_item<'a>(trees: impl Iterator<Item = &'a TokenTree>) -> TestItem {
    let mut first = None;
    let mut last = 0;
    let mut module = None;
    let mut after_mod = false;
    for tree in trees {
        first.get_or_insert(tree.span().start().line);
        last = tree.span().end().line;
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                // The item has its body here, and no file of its own.
                module = None;
                break;
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => break,
            TokenTree::Ident(ident) if after_mod => {
                module = Some(ident.to_string());
                after_mod = false;
            }
            TokenTree::Ident(ident) => after_mod = ident == "mod",
            _ => {}
        }
    }
    TestItem { lines: first.unwrap_or(0)..=last, module }
}

/// Every imported path, written out.
#[derive(Default)]
struct Imports {
    found: Vec<(usize, String)>,
}

impl Imports {
    fn expand(&mut self, line: usize, prefix: &str, tree: &UseTree) {
        let join = |name: &syn::Ident| {
            if prefix.is_empty() { name.to_string() } else { format!("{prefix}::{name}") }
        };
        match tree {
            UseTree::Path(path) => self.expand(line, &join(&path.ident), &path.tree),
            UseTree::Name(name) => self.found.push((line, join(&name.ident))),
            UseTree::Rename(rename) => self.found.push((line, join(&rename.ident))),
            UseTree::Glob(_) => self.found.push((line, prefix.to_owned())),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.expand(line, prefix, item)),
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.expand(item.use_token.span.start().line, "", &item.tree);
        visit::visit_item_use(self, item);
    }
}

#[cfg(test)]
mod tests;
