//! The transport traits, and the plain and direct adapters composed from a path and a cipher.
