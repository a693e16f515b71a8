//! A sine tone in a WAV file: is it the one that was sent, all the way through?

use std::path::Path;

/// Sound of one channel.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    rate: u32,
    samples: Vec<i16>,
}

/// Length of the windows that are judged one by one, in ms.
const WINDOW_MS: usize = 100;

impl Sound {
    /// The first channel of a WAV file of 16-bit PCM.
    pub(crate) fn read(path: &Path) -> Self {
        let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&file).unwrap_or_else(|| panic!("{} is no 16-bit PCM WAV file", path.display()))
    }

    fn parse(file: &[u8]) -> Option<Self> {
        let u16_at = |at: usize| Some(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?));
        let u32_at = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
        (file.get(..4)? == b"RIFF" && file.get(8..12)? == b"WAVE").then_some(())?;
        let (mut at, mut format) = (12, None);
        loop {
            let (name, size) = (file.get(at..at + 4)?, u32_at(at + 4)? as usize);
            match (name, format) {
                (b"fmt ", _) => format = Some((u16_at(at + 10)?, u32_at(at + 12)?, u16_at(at + 22)?)),
                (b"data", Some((channels @ 1.., rate, 16))) => {
                    let data = file.get(at + 8..)?;
                    let frames = data.get(..size).unwrap_or(data).chunks_exact(2 * usize::from(channels));
                    let samples = frames.map(|frame| i16::from_le_bytes([frame[0], frame[1]])).collect();
                    return Some(Self { rate, samples });
                }
                (b"data", _) => return None,
                _ => {}
            }
            at += 8 + size + size % 2;
        }
    }

    /// Seconds of it.
    pub(crate) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }

    /// Frequency in Hz as the rising zero crossings tell it.
    pub(crate) fn frequency(&self) -> f64 {
        let crossings = self.samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        crossings as f64 / self.seconds()
    }

    /// Panics unless this is a tone of `frequency` Hz: at least `seconds` of windows hold it and next to nothing else,
    /// nearly all from the first such window on.
    pub(crate) fn assert_tone(&self, frequency: f64, seconds: f64) {
        let window = self.rate as usize * WINDOW_MS / 1000;
        let pure: Vec<bool> = self
            .samples
            .chunks_exact(window)
            .map(|samples| purity(samples, self.rate, frequency) > 0.95)
            .collect();
        let heard = pure.iter().filter(|&&pure| pure).count();
        let from_first = pure.iter().skip_while(|&&pure| !pure).count();
        let heard_seconds = (heard * WINDOW_MS) as f64 / 1000.0;
        let about = format!("{heard_seconds:.1} s of {:.1} s, {:.1} Hz", self.seconds(), self.frequency());
        assert!(heard_seconds >= seconds, "too little of {frequency} Hz: {about}");
        assert!(heard * 100 >= from_first * 95, "{frequency} Hz with gaps: {about}");
    }
}

/// Share of the energy that lies at `frequency`, from 0 to about 1 (Goertzel's algorithm).
fn purity(samples: &[i16], rate: u32, frequency: f64) -> f64 {
    let step = std::f64::consts::TAU * frequency / f64::from(rate);
    let (mut last, mut before) = (0.0, 0.0);
    let mut energy = 0.0;
    for &sample in samples {
        let sample = f64::from(sample);
        (last, before) = (sample + 2.0 * step.cos() * last - before, last);
        energy += sample * sample;
    }
    // Silence, or the noise of an idle decoder, is no tone.
    if energy < 100.0 * samples.len() as f64 {
        return 0.0;
    }
    let power = last * last + before * before - 2.0 * step.cos() * last * before;
    2.0 * power / (energy * samples.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency: f64, seconds: f64) -> Sound {
        let samples = (0..(48_000.0 * seconds) as usize)
            .map(|i| ((i as f64 * std::f64::consts::TAU * frequency / 48_000.0).sin() * 4_000.0) as i16)
            .collect();
        Sound { rate: 48_000, samples }
    }

    #[test]
    fn the_right_tone_passes() {
        let sound = tone(1000.0, 2.0);
        sound.assert_tone(1000.0, 2.0);
        assert!((sound.frequency() - 1000.0).abs() < 1.0);
    }

    #[test]
    #[should_panic(expected = "too little of 1000 Hz")]
    fn a_wrong_tone_fails() {
        tone(1020.0, 2.0).assert_tone(1000.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "too little of 1000 Hz")]
    fn silence_fails() {
        Sound { rate: 48_000, samples: vec![1; 96_000] }.assert_tone(1000.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "with gaps")]
    fn a_gap_fails() {
        let mut sound = tone(1000.0, 2.0);
        sound.samples[30_000..50_000].fill(0);
        sound.assert_tone(1000.0, 1.0);
    }

    #[test]
    fn a_wav_file_is_read() {
        let mut file =
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x10\0".to_vec();
        file.extend(b"LIST\x03\0\0\0abc\0data\x08\0\0\0\x01\0\x09\0\xff\xff\x09\0");
        let sound = Sound::parse(&file).unwrap();
        assert_eq!((sound.rate, sound.samples), (48_000, vec![1, -1]));
        assert!(Sound::parse(&file[..40]).is_none());
    }
}
