//! Protecting one packet: each profile over each provider, at the sizes of video and of audio.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tureen_benches::{SLOT_STRIDE, keying_material, vp8_packet};
use tureen_rtp_wire::rtp::{self, RtpLayout};
use tureen_srtp::{AwsLc, CryptoProvider, Profile, RustCrypto, SrtpReceiver, SrtpSender};

fn seal(criterion: &mut Criterion) {
    let providers: [&dyn CryptoProvider; 2] = [&AwsLc, &RustCrypto];
    let mut group = criterion.benchmark_group("seal");
    for len in [160, 1200] {
        let packet = vp8_packet(len);
        let header_len = RtpLayout::parse(&packet).expect("a packet").header_len();
        group.throughput(Throughput::Bytes(len as u64));
        for provider in providers {
            for profile in Profile::ALL {
                let material = &keying_material(1)[..profile.keying_material_len()];
                let name = format!("{} {} {len}", profile.suite_name(), provider.name());
                group.bench_function(name, |bencher| {
                    let mut sender = SrtpSender::new(profile, material, provider).expect("a key");
                    let mut slot = vec![0; SLOT_STRIDE];
                    slot[..len].copy_from_slice(&packet);
                    let mut sequence_number = 0u16;
                    bencher.iter(|| {
                        sequence_number = sequence_number.wrapping_add(1);
                        assert!(rtp::set_sequence_number(&mut slot, sequence_number));
                        sender.protect_rtp(black_box(&mut slot), header_len, len).expect("sealed")
                    });
                });
            }
        }
    }
    group.finish();
}

fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    for len in [160, 1200] {
        let packet = vp8_packet(len);
        let header_len = RtpLayout::parse(&packet).expect("a packet").header_len();
        group.throughput(Throughput::Bytes(len as u64));
        for profile in [Profile::AeadAes128Gcm, Profile::AesCm128HmacSha1_80] {
            let material = &keying_material(1)[..profile.keying_material_len()];
            group.bench_function(
                format!("{} aws-lc {len}, seal and open", profile.suite_name()),
                |bencher| {
                    let mut sender = SrtpSender::new(profile, material, &AwsLc).expect("a key");
                    let mut receiver = SrtpReceiver::new(profile, material, &AwsLc).expect("a key");
                    let mut slot = vec![0; SLOT_STRIDE];
                    slot[..len].copy_from_slice(&packet);
                    let mut sequence_number = 0u16;
                    bencher.iter(|| {
                        sequence_number = sequence_number.wrapping_add(1);
                        assert!(rtp::set_sequence_number(&mut slot, sequence_number));
                        let sealed =
                            sender.protect_rtp(black_box(&mut slot), header_len, len).expect("sealed");
                        receiver.unprotect_rtp(black_box(&mut slot[..sealed]), header_len).expect("opened")
                    });
                },
            );
        }
    }
    group.finish();
}

criterion_group!(benches, seal, open);
criterion_main!(benches);
