//! Every corpus file runs through its target on the stable toolchain.
#![allow(clippy::print_stdout, reason = "the last line names the culprit")]

use std::path::Path;
use tureen_fuzz_targets::{Fault, TARGETS};

#[test]
fn every_corpus_file_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    for target in TARGETS {
        let folder = corpus.join(target.name);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for file in files {
            let path = file.expect("a folder entry").path();
            println!("{}", path.display());
            (target.run)(&std::fs::read(&path).expect("a readable file"), Fault::None);
            count += 1;
        }
        assert!(count >= 5, "{}: {count} files", target.name);
    }
}
