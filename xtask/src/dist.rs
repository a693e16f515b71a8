//! The archive that other machines get: the binary, its licences, a systemd unit and a container file. The same
//! commit and compiler give the same bytes: entries are in a fixed order, with the commit's time and no owner.

use crate::step::{Failure, Outcome, while_doing};
use crate::third_party;
use crate::tree::Tree;
use flate2::{Compression, GzBuilder};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Files of the repository that go into the archive as they are.
const KEPT: [&str; 6] =
    ["README.md", "LICENSE", "LICENSE-APACHE", "LICENSE-MIT", "dist/tureen.service", "dist/Containerfile"];

/// Packs `target/dist/tureen-<version>-<arch>.tar.gz`.
pub(crate) fn pack(tree: &Tree, binary: &Path) -> Outcome<PathBuf> {
    let name = format!("tureen-{}-{}", tree.version()?, std::env::consts::ARCH);
    let time =
        tree.git(&["log", "-1", "--format=%ct"])?.trim().parse().map_err(while_doing("the commit's time"))?;
    let mut entries = vec![Entry { name: "tureen".to_owned(), mode: 0o755, bytes: read(binary)? }];
    for path in KEPT {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        entries.push(Entry { name, mode: 0o644, bytes: read(&tree.root().join(path))? });
    }
    let licences = third_party::licences(tree)?;
    entries.push(Entry {
        name: "THIRD-PARTY-LICENCES.txt".to_owned(),
        mode: 0o644,
        bytes: licences.into_bytes(),
    });
    let folder = tree.target().join("dist");
    fs::create_dir_all(&folder).map_err(while_doing(folder.display()))?;
    let path = folder.join(format!("{name}.tar.gz"));
    let packed = archive(&name, time, &entries).map_err(while_doing(path.display()))?;
    fs::write(&path, packed).map_err(while_doing(path.display()))?;
    Ok(path)
}

struct Entry {
    name: String,
    mode: u32,
    bytes: Vec<u8>,
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    fs::read(path).map_err(|error| Failure::new(format!("dist: {}: {error}", path.display())))
}

fn archive(folder: &str, time: u64, entries: &[Entry]) -> std::io::Result<Vec<u8>> {
    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(entry.bytes.len() as u64);
        header.set_mode(entry.mode);
        header.set_mtime(time);
        tar.append_data(&mut header, format!("{folder}/{}", entry.name), entry.bytes.as_slice())?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;

    fn entries() -> Vec<Entry> {
        vec![
            Entry { name: "tureen".to_owned(), mode: 0o755, bytes: vec![1, 2, 3] },
            Entry { name: "README.md".to_owned(), mode: 0o644, bytes: b"hello".to_vec() },
        ]
    }

    #[test]
    fn an_archive_holds_its_entries_below_one_folder() {
        let packed = archive("tureen-1", 7, &entries()).unwrap();
        let mut tar = tar::Archive::new(GzDecoder::new(packed.as_slice()));
        let found: Vec<(String, u32, u64)> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                (entry.path().unwrap().display().to_string(), header.mode().unwrap(), header.size().unwrap())
            })
            .collect();
        assert_eq!(
            found,
            [("tureen-1/tureen".to_owned(), 0o755, 3), ("tureen-1/README.md".to_owned(), 0o644, 5)]
        );
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        assert_eq!(archive("a", 7, &entries()).unwrap(), archive("a", 7, &entries()).unwrap());
    }
}
