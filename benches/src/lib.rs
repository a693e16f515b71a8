//! Shared fixtures of the criterion benchmarks.
