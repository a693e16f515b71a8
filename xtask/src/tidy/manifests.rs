//! What the manifests promise: a published crate explains itself, and one place states the oldest compiler.

use super::{File, Violation};
use crate::tree::Tree;
use cargo_metadata::TargetKind;
use std::collections::BTreeSet;

/// What a published crate shows to somebody who finds it.
struct Shown<'a> {
    manifest: &'a str,
    description: bool,
    readme: bool,
    example: bool,
    names_anyhow: bool,
}

pub(super) fn check_packages(tree: &Tree) -> Vec<Violation> {
    let root = tree.root().to_string_lossy();
    let mut found = Vec::new();
    for package in tree.metadata().workspace_packages() {
        let published = package.publish.as_ref().is_none_or(|registries| !registries.is_empty());
        let has = |kind: &TargetKind| package.targets.iter().any(|target| target.kind.contains(kind));
        if !published || !has(&TargetKind::Lib) {
            continue;
        }
        let manifest = package.manifest_path.as_str();
        found.extend(check_shown(&Shown {
            manifest: manifest.strip_prefix(&*root).unwrap_or(manifest).trim_start_matches('/'),
            description: package.description.as_ref().is_some_and(|text| !text.trim().is_empty()),
            readme: package.manifest_path.with_file_name("README.md").is_file() && package.readme.is_some(),
            example: has(&TargetKind::Example),
            names_anyhow: package.dependencies.iter().any(|dependency| dependency.name == "anyhow"),
        }));
    }
    found
}

fn check_shown(shown: &Shown<'_>) -> Vec<Violation> {
    let rules = [
        (shown.description, "published", "a published crate has a description"),
        (shown.readme, "published", "a published crate has a README.md that its manifest names"),
        (shown.example, "published", "a published crate has a program under examples/"),
        (!shown.names_anyhow, "errors", "a library has its own error types, not anyhow"),
    ];
    let broken = rules.into_iter().filter(|(kept, ..)| !kept);
    broken.map(|(_, rule, what)| Violation::new(rule, shown.manifest, 0, what)).collect()
}

/// `rust-version` stands in the root manifest; the packages in `members` inherit it, and nobody else states one.
pub(super) fn check_rust_version(files: &[File], members: &BTreeSet<String>) -> Vec<Violation> {
    let manifests =
        files.iter().filter(|file| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml"));
    manifests.filter_map(|file| check_one_rust_version(file, members.contains(&file.path))).collect()
}

fn check_one_rust_version(file: &File, is_member: bool) -> Option<Violation> {
    let say = |what: &str| Some(Violation::new("msrv", &file.path, 0, what));
    let manifest: toml::Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return say(&format!("does not parse: {error}")),
    };
    let of_workspace = manifest.get("workspace").and_then(|table| table.get("package")?.get("rust-version"));
    if file.path == "Cargo.toml" {
        return if of_workspace.is_some() {
            None
        } else {
            say("[workspace.package] has to state the rust-version")
        };
    }
    let of_package = manifest.get("package").and_then(|package| package.get("rust-version"));
    let inherits = of_package.and_then(|value| value.get("workspace")) == Some(&toml::Value::Boolean(true));
    match (is_member, of_package) {
        _ if of_workspace.is_some() => say("the root manifest alone states a rust-version"),
        (true, _) if !inherits => say("rust-version.workspace = true is missing"),
        (false, Some(_)) if !inherits => say("the root manifest alone states a rust-version"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_crate_explains_itself() {
        let good = Shown {
            manifest: "Cargo.toml",
            description: true,
            readme: true,
            example: true,
            names_anyhow: false,
        };
        assert_eq!(check_shown(&good), []);
        assert_eq!(check_shown(&Shown { description: false, ..good }).len(), 1);
        let bare =
            Shown { manifest: "", description: false, readme: false, example: false, names_anyhow: true };
        assert_eq!(check_shown(&bare).len(), 4);
    }

    #[test]
    fn the_oldest_compiler_is_stated_once() {
        let root = ("Cargo.toml", "[workspace.package]\nrust-version = \"1.95\"\n");
        let inherits = "[package]\nname = \"a\"\nrust-version.workspace = true\n";
        let states = "[package]\nname = \"a\"\nrust-version = \"1.95\"\n";
        let silent = "[package]\nname = \"a\"\n";
        let members = BTreeSet::from(["a/Cargo.toml".to_owned()]);
        let broken = |files: &[(&str, &str)]| {
            let files: Vec<File> = files
                .iter()
                .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
                .collect();
            check_rust_version(&files, &members).len()
        };
        assert_eq!(broken(&[root, ("a/Cargo.toml", inherits), ("fuzz/Cargo.toml", silent)]), 0);
        assert_eq!(broken(&[root, ("a/Cargo.toml", states)]), 1);
        assert_eq!(broken(&[root, ("a/Cargo.toml", silent)]), 1);
        assert_eq!(broken(&[root, ("fuzz/Cargo.toml", states)]), 1);
        assert_eq!(broken(&[("Cargo.toml", "[workspace]\n")]), 1);
    }
}
