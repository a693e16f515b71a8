//! The licences of everything that is linked into the server, from `cargo metadata` and the packages' own files.

use crate::step::{Failure, Outcome};
use crate::tree::Tree;
use cargo_metadata::{DependencyKind, Metadata, Package, PackageId, TargetKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// One line for each package, then each distinct licence text with the packages that carry it.
pub(crate) fn licences(tree: &Tree) -> Outcome<String> {
    let server =
        tree.package("tureen-server").ok_or_else(|| Failure::new("there is no package tureen-server"))?;
    let metadata = tree.metadata_of_this_platform()?;
    let linked = linked(&metadata, &server.id)?;
    // A procedural macro runs in the compiler; nothing of it is in the program.
    let is_macro =
        |package: &Package| package.targets.iter().any(|target| target.kind.contains(&TargetKind::ProcMacro));
    let mut packages: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_some() && linked.contains(&package.id) && !is_macro(package))
        .collect();
    packages.sort_by_key(|package| (package.name.to_string(), package.version.clone()));
    let mut text = String::from("Software of others that the program tureen contains.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let licence = package.license.as_deref().unwrap_or("see its licence text below");
        let repository = package.repository.as_deref().unwrap_or("");
        let name = format!("{} {}", package.name, package.version);
        text.push_str(&format!("{name}: {licence} {repository}\n"));
        for licence in licence_texts(package) {
            texts.entry(licence).or_default().push(name.clone());
        }
    }
    for (licence, packages) in texts {
        text.push_str(&format!("\n{}\n{}\n\n{licence}\n", "=".repeat(80), packages.join(", ")));
    }
    Ok(text)
}

/// The packages that `from` reaches through ordinary dependencies.
fn linked(metadata: &Metadata, from: &PackageId) -> Outcome<BTreeSet<PackageId>> {
    let resolve = metadata.resolve.as_ref().ok_or_else(|| Failure::new("cargo metadata resolved nothing"))?;
    let mut found = BTreeSet::from([from.clone()]);
    let mut open = vec![from.clone()];
    while let Some(id) = open.pop() {
        let Some(node) = resolve.nodes.iter().find(|node| node.id == id) else { continue };
        for dependency in &node.deps {
            let ordinary = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if ordinary && found.insert(dependency.pkg.clone()) {
                open.push(dependency.pkg.clone());
            }
        }
    }
    Ok(found)
}

fn licence_texts(package: &Package) -> Vec<String> {
    let Some(folder) = package.manifest_path.parent() else { return Vec::new() };
    let mut paths: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_licence(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read_to_string(path).ok()).map(|text| text.trim().to_owned()).collect()
}

fn is_licence(file: &str) -> bool {
    let file = file.to_ascii_uppercase();
    ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"].iter().any(|start| file.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_files_are_known_by_their_names() {
        assert!(is_licence("LICENSE-MIT") && is_licence("Licence.md") && is_licence("COPYING"));
        assert!(!is_licence("README.md"));
    }
}
