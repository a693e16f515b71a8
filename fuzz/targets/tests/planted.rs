//! Each target finds the bug planted for it, within a number of mutations that does not depend on luck.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "how long each took is of interest")]

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::panic::catch_unwind;
use std::path::Path;
use tureen_fuzz_targets::{Fault, TARGETS, Target};

const MUTATIONS: usize = 3000;

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target.name);
    let files = std::fs::read_dir(folder).expect("a corpus folder");
    let mut paths: Vec<_> = files.map(|file| file.expect("a folder entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
}

/// A corpus file with a few bits, bytes or ranges changed.
fn mutated(rng: &mut Pcg64Mcg, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut below = |limit: usize| (rng.next_u64() % limit.max(1) as u64) as usize;
    let mut input = corpus[below(corpus.len())].clone();
    for _ in 0..below(4) {
        let at = below(input.len());
        match below(5) {
            0 if !input.is_empty() => input[at] ^= 1 << below(8),
            1 if !input.is_empty() => input[at] = below(256) as u8,
            2 => input.truncate(at),
            3 => input.insert(at, below(256) as u8),
            _ => {
                let other = &corpus[below(corpus.len())];
                let from = below(other.len());
                input.splice(at.., other[from..].iter().copied());
            }
        }
    }
    input
}

#[test]
fn every_planted_bug_is_found_and_nothing_else() {
    // The planted bugs panic on purpose; their messages say nothing.
    let hook = std::panic::take_hook();
    for target in TARGETS {
        let corpus = corpus(target);
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut found = None;
        for round in 0..MUTATIONS {
            let input = mutated(&mut rng, &corpus);
            std::panic::set_hook(Box::new(|_| ()));
            let planted = catch_unwind(|| (target.run)(&input, Fault::Planted));
            std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
            if planted.is_err() {
                let sound = catch_unwind(|| (target.run)(&input, Fault::None));
                assert!(sound.is_ok(), "{}: a real bug: {input:02x?}", target.name);
                found = Some(round);
                break;
            }
        }
        println!("{}: found after {found:?}", target.name);
        assert!(found.is_some(), "{}: the planted bug was not found", target.name);
    }
    std::panic::set_hook(hook);
}

#[test]
fn mutations_of_the_corpus_find_nothing() {
    for target in TARGETS {
        let corpus = corpus(target);
        let mut rng = Pcg64Mcg::seed_from_u64(2);
        for _ in 0..300 {
            let input = mutated(&mut rng, &corpus);
            let result = catch_unwind(|| (target.run)(&input, Fault::None));
            assert!(result.is_ok(), "{}: {input:02x?}", target.name);
        }
    }
}
