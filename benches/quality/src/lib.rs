//! Quality over bad networks, in virtual time: the sending half of the congestion crate against links of known capacity.
//!
//! A run is a scenario and a seed, and gives the same numbers each time; but for a pair of endpoints, which draw their own
//! randomness. What a number means stands at
//! [`metrics::COLUMNS`]; what was measured last stands in `docs/CONGESTION.md`.
//!
//! ```
//! let scenario = tureen_quality::scenario::Scenario::find("steady-1").expect("it is there");
//! let short = tureen_quality::scenario::Scenario { duration: std::time::Duration::from_secs(3), ..scenario };
//! let metrics = tureen_quality::world::run(&short, 1);
//! assert!(metrics.get("util").is_some_and(|part| part > 0.0));
//! ```

pub mod decoder;
pub mod ends;
pub mod forwarding;
pub mod metrics;
pub mod pair;
pub mod plot;
pub mod quic;
mod random;
pub mod receiver;
pub mod rival;
pub mod scenario;
pub mod sender;
pub mod source;
pub mod system;
pub mod table;
pub mod world;
