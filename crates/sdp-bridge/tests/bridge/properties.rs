//! Whatever the text: no panic, and what is read is valid for a router and can be answered.

use proptest::prelude::*;
use tureen_rtp_dictionaries::*;
use tureen_sdp_bridge::{Answer, Offer, TrickleFragment, parse_candidate};

use crate::shared::{Local, full_router, names, text};

/// Everything that a server does with a text.
fn exercise(text: &str) {
    let _ = TrickleFragment::parse(text);
    let _ = parse_candidate(text);
    let Ok(offer) = Offer::parse(text) else { return };
    let (router, local) = (full_router(), Local::new(DtlsRole::Auto));
    let mut merged = offer.rtp_capabilities();
    validate_rtp_capabilities(&mut merged).expect("merged capabilities are valid");
    let media: Vec<_> =
        offer.media.iter().map(|section| section.producer_rtp_parameters(&router, None).ok()).collect();
    let mut answer = Answer::new(&offer, local.transport()).expect("a free role fits");
    for (section, producer) in offer.media.iter().zip(&media) {
        let (Some(mid), Some(producer)) = (&section.mid, producer) else { continue };
        let mut valid = producer.clone();
        validate_rtp_parameters(&mut valid).expect("parameters of a producer are valid");
        get_producer_rtp_parameters_mapping(&valid, &router, 1).expect("the router has what was chosen");
        answer.receive(mid, producer).expect("what was offered can be received");
    }
    if let Ok(text) = answer.to_sdp() {
        let accepted = media.iter().any(Option::is_some);
        assert_eq!(Offer::parse(&text).is_ok(), accepted, "{text}");
    }
}

/// A recorded offer with some lines dropped, doubled, swapped or with other bytes.
fn damaged() -> impl Strategy<Value = String> {
    let change = (0..4_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[ -~]{0,6}");
    (prop::sample::select(names()), prop::collection::vec(change, 1..8)).prop_map(|(name, changes)| {
        let text = text(&name);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (what, one, other, insert) in changes {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            match what {
                0 => drop(lines.remove(one)),
                1 => lines.insert(other, lines[one].clone()),
                2 => lines.swap(one, other),
                _ => {
                    let at = other.min(lines[one].len());
                    let end = (at + 1).min(lines[one].len());
                    lines[one].replace_range(at..end, &insert);
                }
            }
        }
        lines.join("\r\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_offers_do_no_harm(text in damaged()) {
        exercise(&text);
    }

    #[test]
    fn any_text_does_no_harm(text in "\\PC{0,300}|([a-z]=[ -~]{0,20}\r?\n){0,30}") {
        exercise(&text);
    }

    #[test]
    fn any_attributes_do_no_harm(lines in prop::collection::vec(
        "a=(rtpmap|fmtp|rtcp-fb|extmap|ssrc|ssrc-group|rid|simulcast|msid|mid|candidate|setup|fingerprint|group)(:[0-9a-z~;,=/: \\-]{0,24})?",
        0..20,
    )) {
        exercise(&(text("chromium-simulcast") + &lines.join("\n")));
        exercise(&lines.join("\r\n"));
    }
}
