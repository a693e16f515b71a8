//! Planted violations of the rules on Rust source.

use super::*;

fn parse(path: &str, text: &str) -> RustFile {
    RustFile::parse(&File { path: path.to_owned(), text: text.to_owned() }).unwrap()
}

fn lines(found: Vec<Violation>) -> Vec<usize> {
    found.iter().map(|violation| violation.line).collect()
}

#[test]
fn stubs_and_ignored_tests_are_found() {
    let text = "//! x\nfn a() { todo!() }\nfn b() { unimplemented!(\"later\") }\n#[test]\n#[ignore]\nfn c() {}\n\
                #[ignore = \"slow\"]\nfn d() {}\n#[cfg_attr(miri, ignore)]\nfn e() {}\nmacro_rules! m { () => { todo!() } }\n";
    let mut found = lines(parse("crates/x/src/a.rs", text).check_stubs());
    found.sort_unstable();
    assert_eq!(found, [2, 3, 5, 7, 9, 11]);
}

#[test]
fn words_in_strings_and_comments_are_not_code() {
    let text = "//! x: `todo!()`\n/// unsafe, tokio::spawn\nfn a() { let _ = (\"todo!()\", r#\"unsafe { }\"#); /* #[ignore] */ }\n";
    let file = parse("crates/x/src/a.rs", text);
    assert_eq!(file.check_stubs(), []);
    assert_eq!(file.check_unsafe(), []);
    assert_eq!(file.check_pure(), []);
}

#[test]
fn unsafe_code_stands_in_one_crate() {
    let text = "//! x\n#![forbid(unsafe_code)]\nfn a() { unsafe { b() } }\n";
    assert_eq!(lines(parse("crates/forwarding/src/a.rs", text).check_unsafe()), [3]);
}

#[test]
fn unsafe_code_has_its_reason_before_it() {
    let good = "//! x\nfn a() {\n    // SAFETY: the pointer is ours.\n    let x =\n        unsafe { b() };\n    \
                // SAFETY: initialised above,\n    // and not shared.\n    #[cfg(unix)]\n    unsafe { c() }\n}\n\
                /// Reads.\n///\n/// # Safety\n/// `p` is valid.\nunsafe fn d(p: *const u8) {}\n";
    assert_eq!(parse("crates/udp/src/a.rs", good).check_unsafe(), []);
    let bad = "//! x\nfn a() {\n    // SAFETY: this is for the first.\n    unsafe { b() };\n    unsafe { c() }\n}\n\
               // Not a reason.\nunsafe impl Send for X {}\n";
    assert_eq!(lines(parse("crates/udp/src/a.rs", bad).check_unsafe()), [5, 8]);
}

#[test]
fn clocks_threads_and_executors_are_found() {
    let text = "//! x\nuse std::{fmt, thread};\nuse crossbeam_channel as channel;\nuse tokio;\nfn a() {\n    \
                let _ = std::time::Instant::now();\n    let _ = SystemTime :: now();\n    std::thread::yield_now();\n    \
                tokio::spawn(b());\n}\n";
    assert_eq!(lines(parse("crates/x/src/a.rs", text).check_pure()), [2, 3, 4, 6, 7, 8, 9]);
}

#[test]
fn neighbours_of_forbidden_names_are_fine() {
    let text = "//! x\nuse std::time::{Duration, Instant};\nfn a(now: Instant) -> Instant { now + Duration::ZERO }\n\
                thread_local! { static X: u8 = 0; }\n";
    assert_eq!(parse("crates/x/src/a.rs", text).check_pure(), []);
}

#[test]
fn tests_may_read_the_clock() {
    let text = "//! x\n#[cfg(test)]\nuse std::thread;\n#[cfg(test)]\n#[allow(missing_docs)]\nmod tests {\n    \
                fn a() { let _ = Instant::now(); }\n}\n#[cfg(not(test))]\nfn b() { let _ = Instant::now(); }\n";
    assert_eq!(lines(parse("crates/x/src/a.rs", text).check_pure()), [10]);
    let whole = "//! x\n#![cfg(test)]\nfn a() { let _ = Instant::now(); }\n";
    assert_eq!(parse("crates/x/src/a.rs", whole).check_pure(), []);
}

#[test]
fn test_modules_in_files_of_their_own_are_known() {
    let text =
        "//! x\nmod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) mod inline { mod not_this; }\n";
    assert_eq!(parse("crates/x/src/lib.rs", text).test_modules(), ["crates/x/src/tests"]);
    assert_eq!(parse("crates/x/src/b/mod.rs", text).test_modules(), ["crates/x/src/b/tests"]);
    assert_eq!(parse("crates/x/src/c.rs", text).test_modules(), ["crates/x/src/c/tests"]);
}

#[test]
fn a_file_that_does_not_parse_is_a_violation() {
    let file = File { path: "a.rs".to_owned(), text: "fn (".to_owned() };
    assert!(RustFile::parse(&file).is_err());
}
