//! Two associations talk over a link that loses every tenth datagram. Time is virtual: it jumps to what is next.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::time::Duration;
use tureen_data::{Association, AssociationEvent, AssociationOptions, Ppid, Reliability};
use tureen_rtp_dictionaries::SctpState;
use tureen_rtp_wire::Time;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut now = Time::ZERO;
    let mut ann = Association::new(now, AssociationOptions::default())?;
    let mut bob = Association::new(now, AssociationOptions::default())?;
    let (mut datagrams, mut lost, mut said) = (0, 0, 0);

    while now < Time::from_millis(60_000) {
        now += Duration::from_millis(20);
        for side in [&mut ann, &mut bob] {
            if side.poll_timeout() <= now {
                side.handle_timeout(now);
            }
        }
        if ann.state() == SctpState::Connected && said < 100 {
            ann.send(now, 0, Ppid::String, format!("line {said}").as_bytes(), Reliability::default())?;
            said += 1;
        }
        let mut carry = |from: &mut Association, to: &mut Association| {
            while let Some(datagram) = from.poll_transmit() {
                datagrams += 1;
                if datagrams % 10 == 0 {
                    lost += 1;
                } else {
                    to.handle_datagram(now, &datagram);
                }
            }
        };
        carry(&mut ann, &mut bob);
        carry(&mut bob, &mut ann);
        while let Some(event) = bob.poll_event() {
            match event {
                AssociationEvent::State(state) => println!("{:>6} ms: {state:?}", now.as_millis()),
                AssociationEvent::Message(message) if message.payload.ends_with(b"9") => {
                    println!("{:>6} ms: {}", now.as_millis(), String::from_utf8_lossy(&message.payload));
                }
                _ => {}
            }
        }
    }
    println!("{datagrams} datagrams, {lost} of them lost");
    Ok(())
}
