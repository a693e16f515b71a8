//! The program `tureen`.

fn main() {}
