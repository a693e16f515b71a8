//! How long files and functions are, and how many fields a struct has.

use super::source::RustFile;
use proc_macro2::Span;
use syn::visit::{self, Visit};

/// One size, and the most that it may be.
pub(super) struct Measure {
    pub(super) path: String,
    /// Where it begins, from 1; 0 for a whole file.
    pub(super) line: usize,
    /// `file`, `fn name` or `struct Name`.
    pub(super) item: String,
    pub(super) size: usize,
    pub(super) limit: usize,
}

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 80;
const STRUCT_FIELDS: usize = 20;

/// The file, every function with a body, and every struct in it. Bodies of macro calls are not syntax yet and count
/// with their file only.
pub(super) fn measure(file: &RustFile) -> Vec<Measure> {
    let whole = Measure {
        path: file.path.clone(),
        line: 0,
        item: "file".to_owned(),
        size: file.lines.len(),
        limit: FILE_LINES,
    };
    let mut visitor = Items { path: &file.path, found: vec![whole] };
    visitor.visit_file(&file.syntax);
    visitor.found
}

struct Items<'a> {
    path: &'a str,
    found: Vec<Measure>,
}

impl Items<'_> {
    /// From the line of `fn` to the line of the closing brace: attributes and documentation are free.
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let line = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        self.push(format!("fn {}", signature.ident), line, last + 1 - line, FUNCTION_LINES);
    }

    fn push(&mut self, item: String, line: usize, size: usize, limit: usize) {
        self.found.push(Measure { path: self.path.to_owned(), line, item, size, limit });
    }
}

impl<'ast> Visit<'ast> for Items<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let line = Span::start(&item.struct_token.span).line;
        self.push(format!("struct {}", item.ident), line, item.fields.len(), STRUCT_FIELDS);
        visit::visit_item_struct(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::*;

    fn sizes(text: &str) -> Vec<(String, usize, usize)> {
        let file = File { path: "crates/x/src/a.rs".to_owned(), text: text.to_owned() };
        let parsed = RustFile::parse(&file).unwrap();
        measure(&parsed).into_iter().map(|measure| (measure.item, measure.line, measure.size)).collect()
    }

    #[test]
    fn functions_are_measured_wherever_they_are() {
        let text = "//! x\n/// Docs.\n#[inline]\nfn one(\n    a: u8,\n) {\n    fn two() {}\n}\n\
                    impl X {\n    fn three() {\n    }\n}\ntrait Y {\n    fn four();\n    fn five() {\n    }\n}\n";
        let expected =
            [("file", 0, 17), ("fn one", 4, 5), ("fn two", 7, 1), ("fn three", 10, 2), ("fn five", 15, 2)];
        assert_eq!(sizes(text), expected.map(|(item, line, size)| (item.to_owned(), line, size)));
    }

    #[test]
    fn braces_in_strings_and_comments_do_not_count() {
        let text = "//! x\nfn one() {\n    let _ = \"}\";\n    let _ = r#\"} \"}\"#; // }\n    /* } /* } */ */\n    let _ = '}';\n}\n";
        assert_eq!(sizes(text)[1], ("fn one".to_owned(), 2, 6));
    }

    #[test]
    fn fields_of_structs_are_counted() {
        let text = "//! x\nstruct A { a: u8, b: u8 }\nstruct B(u8);\nstruct C;\n";
        let fields: Vec<usize> = sizes(text).into_iter().skip(1).map(|(_, _, size)| size).collect();
        assert_eq!(fields, [2, 1, 0]);
    }
}
