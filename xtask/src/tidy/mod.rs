//! `cargo xtask tidy`: the rules of docs/STYLE.md and docs/ARCHITECTURE.md that the compiler and clippy do not know.
//!
//! Each rule is a pure function from what was read to violations, so that the tests can plant one. This file reads,
//! and knows which files a rule looks at.

mod edges;
mod exceptions;
mod features;
mod links;
mod manifests;
mod size;
mod source;
mod text;

use crate::step::{Failure, Outcome, Step, while_doing};
use crate::tree::Tree;
use edges::Table;
use source::RustFile;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;

const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
const FEATURES: &str = "docs/FEATURES.md";
const EXCEPTIONS: &str = "xtask/tidy-exceptions.toml";

/// One broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    /// Path relative to the root.
    path: String,
    /// From 1; 0 means the file as a whole.
    line: usize,
    rule: &'static str,
    what: String,
}

impl Violation {
    fn new(rule: &'static str, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": [{}] {}", self.rule, self.what)
    }
}

/// A text file of the repository.
struct File {
    path: String,
    text: String,
}

pub(crate) fn run(tree: &Tree) -> Outcome {
    let step = Step::begin("tidy", "cargo xtask tidy");
    let files = read(tree)?;
    let violations = check(tree, &files)?;
    for violation in &violations {
        eprintln!("{violation}");
    }
    if !violations.is_empty() {
        return Err(step.failure(&format!("{} violations in {} files", violations.len(), files.len())));
    }
    println!("    {} files follow the rules", files.len());
    step.end();
    Ok(())
}

/// All files that are text; the others (corpora, captures) have no rules.
fn read(tree: &Tree) -> Outcome<Vec<File>> {
    let paths = tree.files()?.into_iter().filter(|path| !path.starts_with("fuzz/corpus/"));
    Ok(paths
        .filter_map(|path| fs::read_to_string(tree.root().join(&path)).ok().map(|text| File { path, text }))
        .collect())
}

fn check(tree: &Tree, files: &[File]) -> Outcome<Vec<Violation>> {
    let table = table(files)?;
    let packages = edges::packages(tree);
    let mut found = edges::check_table(&table);
    found.extend(edges::check(&table, &packages));
    found.extend(edges::check_reach(&table, tree.metadata()));
    found.extend(manifests::check_packages(tree));
    found.extend(manifests::check_rust_version(files, &edges::manifests(tree)));

    if let Some(file) = files.iter().find(|file| file.path == FEATURES) {
        found.extend(features::check(file, &features::Known::of(files)));
    }

    let exceptions = files.iter().find(|file| file.path == EXCEPTIONS).map_or("", |file| file.text.as_str());
    let exceptions = exceptions::parse(exceptions).map_err(while_doing(EXCEPTIONS))?;
    let mut measures = Vec::new();
    let mut sources = Vec::new();
    for file in files {
        found.extend(text::check(file));
        match file.path.rsplit('.').next() {
            Some("rs") => {
                found.extend(text::check_opening(file));
                match RustFile::parse(file) {
                    Ok(parsed) => {
                        measures.extend(size::measure(&parsed));
                        sources.push(parsed);
                    }
                    Err(violation) => found.push(violation),
                }
            }
            Some("md") => found.extend(links::check(file, |path| tree.root().join(path).exists())),
            _ => {}
        }
    }
    found.extend(exceptions::check(&measures, &exceptions));
    found.extend(check_sources(&table, &packages, &sources));
    found.sort();
    Ok(found)
}

fn check_sources(table: &Table, packages: &[edges::Package], sources: &[RustFile]) -> Vec<Violation> {
    let tests: BTreeSet<String> = sources.iter().flat_map(RustFile::test_modules).collect();
    let mut found = Vec::new();
    for source in sources {
        found.extend(source.check_stubs());
        found.extend(source.check_unsafe());
        let Some(package) =
            packages.iter().find(|package| source.path.starts_with(&format!("{}/src/", package.folder)))
        else {
            continue;
        };
        let module = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let is_test = tests.iter().any(|test| module == test || module.starts_with(&format!("{test}/")));
        if table.is_pure(&package.name) && !is_test {
            found.extend(source.check_pure());
        }
    }
    found
}

fn table(files: &[File]) -> Outcome<Table> {
    let file = files
        .iter()
        .find(|file| file.path == ARCHITECTURE)
        .ok_or_else(|| Failure::new(format!("{ARCHITECTURE} is missing")))?;
    Table::parse(&file.text).map_err(while_doing(ARCHITECTURE))
}
