//! The crates' layers and the edges between them: what docs/ARCHITECTURE.md allows against what cargo says.

use super::{ARCHITECTURE, Violation};
use crate::tree::Tree;
use cargo_metadata::{DependencyKind, Metadata, PackageId};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::{BTreeMap, BTreeSet};

const RULE: &str = "edges";

/// The comment that stands before the table.
const MARK: &str = "<!-- tidy:edges -->";

/// Crates below this layer hold no clock, thread or socket.
const FIRST_WITH_IO: u8 = 3;

/// What no crate below [`FIRST_WITH_IO`] may reach through ordinary dependencies, and why.
const UNREACHABLE: [(&str, &str); 4] = [
    ("tokio", "an executor"),
    ("crossbeam-channel", "a channel between threads"),
    ("rtp", "which pulls in tokio"),
    ("rtcp", "which pulls in tokio"),
];

/// The table of the architecture: a row for each crate.
pub(super) struct Table {
    rows: BTreeMap<String, Row>,
}

struct Row {
    /// None for tools, which stand outside of the layers.
    layer: Option<u8>,
    depends: BTreeSet<String>,
    tests_depend: BTreeSet<String>,
}

/// What cargo says of a package of the workspace; names are without `tureen-`.
pub(super) struct Package {
    pub(super) name: String,
    /// Relative to the root.
    pub(super) folder: String,
    depends: BTreeSet<String>,
    tests_depend: BTreeSet<String>,
}

impl Table {
    /// Reads the table after the mark: crate, layer, what it may depend on, what its tests may use besides.
    pub(super) fn parse(markdown: &str) -> Result<Self, String> {
        let mut rows = BTreeMap::new();
        for cells in marked_rows(markdown)? {
            let [name, layer, depends, tests] = cells.as_slice() else {
                return Err(format!(
                    "a row of the edges table has {} cells, not 4: {}",
                    cells.len(),
                    cells.join(" | ")
                ));
            };
            let layer = match layer.as_str() {
                "tool" => None,
                _ => match layer.strip_prefix('L').and_then(|number| number.parse().ok()) {
                    Some(number) => Some(number),
                    None => return Err(format!("the layer of {name} is `{layer}`, not L0 to L7 or tool")),
                },
            };
            let row = Row { layer, depends: names(depends), tests_depend: names(tests) };
            if rows.insert(name.clone(), row).is_some() {
                return Err(format!("{name} has two rows in the edges table"));
            }
        }
        Ok(Self { rows })
    }

    /// Whether the crate stands below the layers that may have clocks, threads and sockets.
    pub(super) fn is_pure(&self, name: &str) -> bool {
        self.rows.get(name).and_then(|row| row.layer).is_some_and(|layer| layer < FIRST_WITH_IO)
    }
}

/// The body rows of the first table after the mark.
fn marked_rows(markdown: &str) -> Result<Vec<Vec<String>>, String> {
    let after = markdown.split_once(MARK).ok_or_else(|| format!("the mark {MARK} is missing"))?.1;
    let mut rows = Vec::new();
    let mut cells = Vec::new();
    for event in Parser::new_ext(after, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::TableRow) => cells.clear(),
            Event::Start(Tag::TableCell) => cells.push(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(cell) = cells.last_mut() {
                    cell.push_str(&text);
                }
            }
            Event::End(TagEnd::TableRow) => rows.push(cells.clone()),
            Event::End(TagEnd::Table) => return Ok(rows),
            _ => {}
        }
    }
    Err(format!("no table follows the mark {MARK}"))
}

fn names(cell: &str) -> BTreeSet<String> {
    let names = cell.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "-");
    names.map(str::to_owned).collect()
}

/// The table itself: edges point to lower layers, and to crates that have a row.
pub(super) fn check_table(table: &Table) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut say = |what: String| found.push(Violation::new(RULE, ARCHITECTURE, 0, what));
    for (name, row) in &table.rows {
        for below in row.depends.union(&row.tests_depend) {
            match table.rows.get(below) {
                None => say(format!("{name} may depend on {below}, which has no row")),
                Some(Row { layer: None, .. }) if row.layer.is_some() => {
                    say(format!("{name} may depend on {below}, which is a tool"))
                }
                Some(_) => {}
            }
        }
        for below in &row.depends {
            let target = table.rows.get(below).and_then(|row| row.layer);
            if let (Some(from), Some(to)) = (row.layer, target)
                && to >= from
            {
                say(format!(
                    "{name} (L{from}) may depend on {below} (L{to}): edges point to lower layers only"
                ));
            }
        }
    }
    found
}

/// The packages against the table, both ways.
pub(super) fn check(table: &Table, packages: &[Package]) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in packages {
        let manifest = format!("{}/Cargo.toml", package.folder);
        let Some(row) = table.rows.get(&package.name) else {
            let what = format!("{} has no row in the edges table of {ARCHITECTURE}", package.name);
            found.push(Violation::new(RULE, &manifest, 0, what));
            continue;
        };
        for below in package.depends.difference(&row.depends) {
            let what = format!("{} must not depend on {below} (edges table of {ARCHITECTURE})", package.name);
            found.push(Violation::new(RULE, &manifest, 0, what));
        }
        for below in package.tests_depend.iter().filter(|name| !row.depends.contains(*name)) {
            if !row.tests_depend.contains(below) {
                let what =
                    format!("the tests of {} must not use {below} (edges table, last column)", package.name);
                found.push(Violation::new(RULE, &manifest, 0, what));
            }
        }
    }
    for name in table.rows.keys().filter(|name| !packages.iter().any(|package| package.name == **name)) {
        found.push(Violation::new(
            RULE,
            ARCHITECTURE,
            0,
            format!("{name} has a row, but there is no such package"),
        ));
    }
    found
}

/// Nothing below the layers with I/O reaches an executor or a channel, however far down.
pub(super) fn check_reach(table: &Table, metadata: &Metadata) -> Vec<Violation> {
    let Some(resolve) = &metadata.resolve else { return Vec::new() };
    let below: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let ordinary = |kinds: &[cargo_metadata::DepKindInfo]| {
                kinds.iter().any(|kind| matches!(kind.kind, DependencyKind::Normal))
            };
            let ordinary = node.deps.iter().filter(|dependency| ordinary(&dependency.dep_kinds));
            (&node.id, ordinary.map(|dependency| &dependency.pkg).collect())
        })
        .collect();
    let mut found = Vec::new();
    for package in metadata.workspace_packages() {
        let name = short(&package.name);
        if !table.is_pure(&name) {
            continue;
        }
        for id in reached(&below, &package.id) {
            let reached = &metadata[id].name;
            if let Some((_, why)) = UNREACHABLE.iter().find(|(name, _)| *reached == *name) {
                let what =
                    format!("{name} reaches {reached}, {why}; layers below L{FIRST_WITH_IO} have none");
                found.push(Violation::new(RULE, package.manifest_path.as_str(), 0, what));
            }
        }
    }
    found
}

/// Everything reachable from `from`, itself included.
fn reached<'a>(
    below: &BTreeMap<&'a PackageId, Vec<&'a PackageId>>,
    from: &'a PackageId,
) -> BTreeSet<&'a PackageId> {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        for next in below.get(id).into_iter().flatten() {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen
}

/// The packages of the workspace with their edges to one another.
pub(super) fn packages(tree: &Tree) -> Vec<Package> {
    let ours: BTreeSet<String> =
        tree.metadata().workspace_packages().iter().map(|p| p.name.to_string()).collect();
    let package = |package: &cargo_metadata::Package| {
        let of = |tests: bool| {
            let kind = move |kind: DependencyKind| (kind == DependencyKind::Development) == tests;
            let mine = package.dependencies.iter().filter(|d| kind(d.kind) && ours.contains(&d.name));
            // A crate's own name among its dev-dependencies turns on features for its tests, and is no edge.
            mine.filter(|d| d.name != *package.name).map(|d| short(&d.name)).collect()
        };
        let folder = package.manifest_path.parent().map(|folder| folder.as_std_path()).unwrap_or(tree.root());
        let folder = folder.strip_prefix(tree.root()).unwrap_or(folder).display().to_string();
        Package { name: short(&package.name), folder, depends: of(false), tests_depend: of(true) }
    };
    tree.metadata().workspace_packages().into_iter().map(package).collect()
}

/// The manifests of the workspace's packages, relative to the root.
pub(super) fn manifests(tree: &Tree) -> BTreeSet<String> {
    packages(tree).into_iter().map(|package| format!("{}/Cargo.toml", package.folder)).collect()
}

fn short(name: &str) -> String {
    name.strip_prefix("tureen-").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# A\n\n| other | table |\n|---|---|\n| no | no |\n\n<!-- tidy:edges -->\n\n\
        | crate | layer | may depend on | its tests also on |\n|---|---|---|---|\n\
        | `wire` | L0 | - | - |\n| `core` | L1 | `wire` | - |\n| `sim` | L3 | core, wire | - |\n\
        | `model` | L2 | wire, core | sim |\n| `bench` | tool | core | - |\n\n| later | table |\n|---|---|\n| no | no |\n";

    fn table() -> Table {
        Table::parse(DOCUMENT).unwrap()
    }

    fn package(name: &str, depends: &[&str], tests: &[&str]) -> Package {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Package {
            name: name.to_owned(),
            folder: format!("crates/{name}"),
            depends: set(depends),
            tests_depend: set(tests),
        }
    }

    fn all(core: Package) -> Vec<Package> {
        let sim = package("sim", &[], &[]);
        vec![
            package("wire", &[], &[]),
            core,
            package("model", &[], &["sim", "wire"]),
            sim,
            package("bench", &["core"], &[]),
        ]
    }

    fn texts(found: Vec<Violation>) -> Vec<String> {
        found.iter().map(Violation::to_string).collect()
    }

    #[test]
    fn the_table_after_the_mark_is_read() {
        let table = table();
        assert_eq!(table.rows.keys().collect::<Vec<_>>(), ["bench", "core", "model", "sim", "wire"]);
        assert_eq!(table.rows["model"].depends, ["core", "wire"].map(str::to_owned).into());
        assert_eq!(table.rows["model"].tests_depend, ["sim"].map(str::to_owned).into());
        assert!(
            table.is_pure("model")
                && !table.is_pure("sim")
                && !table.is_pure("bench")
                && !table.is_pure("none")
        );
    }

    #[test]
    fn a_broken_table_is_an_error() {
        assert!(Table::parse("# no mark").is_err());
        assert!(Table::parse("<!-- tidy:edges -->\n\nno table").is_err());
        assert!(Table::parse(&DOCUMENT.replace("| L0 |", "| zero |")).is_err());
        assert!(Table::parse(&DOCUMENT.replace("`core` | L1", "`wire` | L1")).is_err());
    }

    #[test]
    fn allowed_edges_pass() {
        assert_eq!(texts(check(&table(), &all(package("core", &["wire"], &["wire"])))), [""; 0]);
        assert_eq!(texts(check_table(&table())), [""; 0]);
    }

    #[test]
    fn an_edge_upwards_is_found() {
        let found = texts(check(&table(), &all(package("core", &["wire", "model"], &["sim"]))));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("core must not depend on model") && found[1].contains("must not use sim"));
    }

    #[test]
    fn packages_and_rows_match_both_ways() {
        let mut packages = all(package("core", &[], &[]));
        packages[0] = package("stranger", &[], &[]);
        let found = texts(check(&table(), &packages));
        assert!(found[0].contains("stranger has no row"), "{found:?}");
        assert!(found[1].contains("wire has a row"), "{found:?}");
    }

    #[test]
    fn a_table_that_allows_siblings_or_strangers_is_wrong() {
        let table =
            Table::parse(&DOCUMENT.replace("| core, wire |", "| model, gone |").replace("L3", "L2")).unwrap();
        let found = texts(check_table(&table));
        assert!(found.iter().any(|text| text.contains("sim (L2) may depend on model (L2)")), "{found:?}");
        assert!(found.iter().any(|text| text.contains("gone, which has no row")), "{found:?}");
    }
}
