//! Simulcast in scenarios that a seed draws: layers that are wanted and vanish, loss, reordering, wraps, sources that start anew.
//! What comes out is judged by a model that knows the source alone, and shares nothing with the selector.

mod model;
mod scenario;

use proptest::prelude::*;

fn scenarios() -> u32 {
    if std::env::var_os("TUREEN_TEST_FULL").is_some() { 10_000 } else { 256 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: scenarios(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_can_be_decoded_and_has_no_gaps_but_those_of_loss(seed: u64) {
        let record = scenario::play(seed);
        if let Err(fault) = model::judge(&record) {
            return Err(TestCaseError::fail(format!("{fault:?}")));
        }
    }
}

#[test]
fn the_model_is_not_content_with_everything() {
    let faults = (0..20).flat_map(|seed| {
        let record = scenario::play(seed);
        assert!(record.decided.len() > 500 && model::runs(&record).len() > 3, "something happens");
        model::spoilt(&record).into_iter().map(|record| model::judge(&record).is_err())
    });
    let faults: Vec<bool> = faults.collect();
    assert!(faults.len() >= 100 && faults.iter().all(|found| *found), "{faults:?}");
}
