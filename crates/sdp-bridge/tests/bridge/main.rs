//! The bridge against offers that browsers and other clients made: what is read, what a router is told, what is answered.

mod answers;
mod offers;
mod properties;
mod refusals;
mod shared;
mod trickle;
