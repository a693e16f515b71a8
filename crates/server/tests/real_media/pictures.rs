//! Moving pictures that carry their own number, and what is left of them at the other end.
//!
//! FFmpeg draws the pictures: `testsrc2`, scrolled by 8 pixels a picture so that each differs from its neighbours
//! everywhere, and in the top row 20 squares of 32 pixels: white, black, the 16 bits of the number from the lowest on,
//! their parity, its opposite. It must not know how they travel.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const WIDTH: usize = 640;
pub(crate) const HEIGHT: usize = 360;
/// Pictures a second.
pub(crate) const FRAME_RATE: usize = 30;
/// Pictures of a run that are judged: 8 s.
pub(crate) const FRAMES: usize = 240;
/// Pictures of a run with the second that follows. FFmpeg keeps the last one or two it receives to itself, and
/// `rtprtxqueue` sends what was lost only with the next packet: a run must not end with what is judged.
pub(crate) const SENT_FRAMES: usize = FRAMES + FRAME_RATE;
const LUMA: usize = WIDTH * HEIGHT;
/// Bytes of a picture as I420.
const I420: usize = LUMA * 3 / 2;
const SQUARE: usize = 32;
const BITS: usize = 16;

/// The source of FFmpeg's filter graph that draws the pictures without end.
fn filter_graph() -> String {
    let mut graph =
        format!("testsrc2=size={WIDTH}x{HEIGHT}:rate={FRAME_RATE},scroll=horizontal=0.0125,format=yuv420p");
    let mut square = |index: usize, count: usize, color: &str, enable: &str| {
        let (x, width) = (index * SQUARE, count * SQUARE);
        let _ =
            write!(graph, ",drawbox=x={x}:y=0:w={width}:h={SQUARE}:color={color}:t=fill:enable='{enable}'");
    };
    square(0, BITS + 4, "black", "1");
    square(0, 1, "white", "1");
    for bit in 0..BITS {
        square(bit + 2, 1, "white", &format!("mod(floor(n/{}),2)", 1 << bit));
    }
    let sum = (0..BITS).map(|bit| format!("floor(n/{})", 1 << bit)).collect::<Vec<_>>().join("+");
    square(BITS + 2, 1, "white", &format!("mod({sum},2)"));
    square(BITS + 3, 1, "white", &format!("1-mod({sum},2)"));
    graph
}

/// The number that a picture carries, or `None` where the squares contradict each other.
pub(crate) fn frame_number(luma: &[u8]) -> Option<usize> {
    let white = |index: usize| {
        let pixel = (SQUARE / 2) * WIDTH + index * SQUARE + SQUARE / 2;
        luma.get(pixel).is_some_and(|&value| value > 128)
    };
    let number = (0..BITS).filter(|&bit| white(bit + 2)).map(|bit| 1 << bit).sum::<usize>();
    let odd = number.count_ones() % 2 == 1;
    (white(0) && !white(1) && white(BITS + 2) == odd && white(BITS + 3) != odd).then_some(number)
}

/// Structural similarity of two pictures: the mean over 8x8 windows side by side, K1 = 0.01, K2 = 0.03 (Wang, Bovik,
/// Sheikh, Simoncelli: Image Quality Assessment, 2004). 1 is the same.
pub(crate) fn ssim(one: &[u8], other: &[u8]) -> f64 {
    const SIDE: usize = 8;
    let windows = (0..HEIGHT / SIDE).flat_map(|row| (0..WIDTH / SIDE).map(move |column| (row, column)));
    let sum: f64 =
        windows.map(|(row, column)| window_ssim::<SIDE>(one, other, row * SIDE, column * SIDE)).sum();
    sum / ((HEIGHT / SIDE) * (WIDTH / SIDE)) as f64
}

fn window_ssim<const SIDE: usize>(one: &[u8], other: &[u8], top: usize, left: usize) -> f64 {
    const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
    const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
    let (mut sum_a, mut sum_b, mut sum_aa, mut sum_bb, mut sum_ab) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    for row in top..top + SIDE {
        let range = row * WIDTH + left..row * WIDTH + left + SIDE;
        for (&a, &b) in one[range.clone()].iter().zip(&other[range]) {
            let (a, b) = (u32::from(a), u32::from(b));
            sum_a += a;
            sum_b += b;
            sum_aa += a * a;
            sum_bb += b * b;
            sum_ab += a * b;
        }
    }
    let count = (SIDE * SIDE) as f64;
    let (mean_a, mean_b) = (f64::from(sum_a) / count, f64::from(sum_b) / count);
    // Unbiased, as the paper has it.
    let moment = |sum: u32, product: f64| (f64::from(sum) - count * product) / (count - 1.0);
    let (var_a, var_b) = (moment(sum_aa, mean_a * mean_a), moment(sum_bb, mean_b * mean_b));
    let covariance = moment(sum_ab, mean_a * mean_b);
    ((2.0 * mean_a * mean_b + C1) * (2.0 * covariance + C2))
        / ((mean_a * mean_a + mean_b * mean_b + C1) * (var_a + var_b + C2))
}

/// The pictures of a run as they were before any codec.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    luma: Vec<Vec<u8>>,
}

impl Source {
    /// Renders the pictures into `directory`, or takes those that an earlier run left there.
    pub(crate) fn render(directory: &Path) -> Self {
        // The last number: which pictures these are, to be raised where the filter graph changes.
        let path = directory.join(format!("source-{WIDTH}x{HEIGHT}-{SENT_FRAMES}-1.yuv"));
        let lock = File::create(path.with_extension("lock")).expect("a file to lock");
        lock.lock().expect("a lock");
        if fs::metadata(&path).map(|file| file.len()).ok() != Some((SENT_FRAMES * I420) as u64) {
            let draft = path.with_extension("draft");
            let status = Command::new("ffmpeg")
                .args([
                    "-hide_banner",
                    "-loglevel",
                    "error",
                    "-nostdin",
                    "-y",
                    "-f",
                    "lavfi",
                    "-i",
                    &filter_graph(),
                ])
                .args(["-frames:v", &SENT_FRAMES.to_string(), "-f", "rawvideo"])
                .arg(&draft)
                .status()
                .expect("ffmpeg to run");
            assert!(status.success(), "ffmpeg draws no pictures: {status}");
            fs::rename(&draft, &path).expect("the pictures to be renamed");
        }
        let luma = read_luma(&path);
        assert_eq!(luma.len(), SENT_FRAMES, "pictures in {}", path.display());
        Self { path, luma }
    }

    /// The file of raw I420 pictures.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Compares the pictures of a file with those of the same number here.
    pub(crate) fn compare(&self, path: &Path) -> Comparison {
        self.compare_luma(read_luma(path).iter().map(Vec::as_slice))
    }

    fn compare_luma<'a>(&self, received: impl Iterator<Item = &'a [u8]>) -> Comparison {
        let mut comparison = Comparison::default();
        for luma in received {
            match frame_number(luma).and_then(|number| Some((number, self.luma.get(number)?))) {
                Some((FRAMES.., _)) => {}
                Some((number, source)) => comparison.aligned.push((number, ssim(luma, source))),
                None => comparison.unreadable += 1,
            }
        }
        comparison
    }
}

/// The luma planes of a file of raw I420 pictures.
fn read_luma(path: &Path) -> Vec<Vec<u8>> {
    let mut file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut pictures = Vec::new();
    let mut picture = vec![0; I420];
    while file.read_exact(&mut picture).is_ok() {
        pictures.push(picture[..LUMA].to_vec());
    }
    pictures
}

/// What became of the pictures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    /// Number and similarity to the source of each received picture, in the order received.
    pub(crate) aligned: Vec<(usize, f64)>,
    /// Received pictures whose number could not be read, or does not exist.
    pub(crate) unreadable: usize,
}

impl Comparison {
    /// Share of the source's pictures that were received with at least this similarity.
    pub(crate) fn share(&self, least_ssim: f64) -> f64 {
        let mut good: Vec<usize> =
            self.aligned.iter().filter(|&&(_, ssim)| ssim >= least_ssim).map(|&(number, _)| number).collect();
        good.sort_unstable();
        good.dedup();
        good.len() as f64 / FRAMES as f64
    }

    /// Lowest and mean similarity.
    pub(crate) fn similarity(&self) -> (f64, f64) {
        let lowest = self.aligned.iter().map(|&(_, ssim)| ssim).fold(1.0, f64::min);
        let mean = self.aligned.iter().map(|&(_, ssim)| ssim).sum::<f64>() / self.aligned.len().max(1) as f64;
        (lowest, mean)
    }

    /// One line for the log.
    pub(crate) fn summary(&self) -> String {
        let (lowest, mean) = self.similarity();
        format!(
            "{} of {FRAMES} pictures, {} unreadable, {:.1}% good, SSIM mean {mean:.4}, lowest {lowest:.4}",
            self.aligned.len(),
            self.unreadable,
            self.share(GOOD_SSIM) * 100.0,
        )
    }

    /// Panics unless the pictures arrived: at least 100, each after the one before, from the first second to the last,
    /// `share` of the whole in good shape, and every one of them.
    pub(crate) fn assert_faithful(&self, share: f64) {
        let numbers: Vec<usize> = self.aligned.iter().map(|&(number, _)| number).collect();
        assert_eq!(self.unreadable, 0, "unreadable pictures: {}", self.summary());
        assert!(numbers.len() >= 100, "too few pictures: {}", self.summary());
        assert!(numbers.is_sorted_by(|one, next| one < next), "out of order: {numbers:?}");
        assert!(numbers.iter().any(|&number| number < FRAME_RATE), "none of the first second: {numbers:?}");
        assert!(
            numbers.iter().any(|&number| number >= FRAMES - FRAME_RATE),
            "none of the last second: {numbers:?}"
        );
        if let Some(bad) = self.aligned.iter().find(|&&(_, ssim)| ssim < GOOD_SSIM) {
            panic!("picture {} is damaged, SSIM {:.4}: {}", bad.0, bad.1, self.summary());
        }
        assert!(self.share(GOOD_SSIM) >= share, "less than {share}: {}", self.summary());
    }
}

/// A picture that the codec alone has touched is better than this at the bit rates of these tests, and one that is
/// built on a missing picture is worse.
pub(crate) const GOOD_SSIM: f64 = 0.95;

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::render(&crate::shared_directory())
    }

    #[test]
    fn every_picture_carries_its_number() {
        for (number, luma) in source().luma.iter().enumerate() {
            assert_eq!(frame_number(luma), Some(number));
        }
    }

    #[test]
    fn contradicting_squares_are_no_number() {
        let source = source();
        assert_eq!(frame_number(&vec![255; LUMA]), None);
        assert_eq!(frame_number(&vec![0; LUMA]), None);
        assert_eq!(frame_number(&[]), None);
        let mut one_bit_off = source.luma[5].clone();
        for row in 0..SQUARE {
            one_bit_off[row * WIDTH + 3 * SQUARE..][..SQUARE].fill(235);
        }
        assert_eq!(frame_number(&one_bit_off), None);
    }

    #[test]
    fn similarity_is_one_for_the_same_and_low_for_a_neighbour() {
        let source = source();
        assert!((ssim(&source.luma[100], &source.luma[100]) - 1.0).abs() < 1e-12);
        let neighbour = ssim(&source.luma[100], &source.luma[101]);
        assert!(neighbour < GOOD_SSIM - 0.1, "{neighbour}");
        let inverse: Vec<u8> = source.luma[100].iter().map(|&value| 255 - value).collect();
        let inverse = ssim(&source.luma[100], &inverse);
        assert!(inverse < 0.5, "{inverse}");
    }

    #[test]
    fn the_pictures_themselves_are_faithful() {
        let source = source();
        let comparison = source.compare(source.path());
        comparison.assert_faithful(1.0);
        assert!(comparison.similarity().0 > 0.9999);
    }

    #[test]
    #[should_panic(expected = "picture 120 is damaged")]
    fn a_wrong_picture_under_the_right_number_fails() {
        let source = source();
        let mut received = source.luma.clone();
        // The squares say 120, the rest is 121.
        let below = SQUARE * WIDTH;
        received[120][below..].copy_from_slice(&source.luma[121][below..]);
        source.compare_luma(received.iter().map(Vec::as_slice)).assert_faithful(0.5);
    }

    #[test]
    #[should_panic(expected = "out of order")]
    fn a_repeated_picture_fails() {
        let source = source();
        let twice = source.luma.iter().take(50).chain(source.luma.iter().skip(49));
        source.compare_luma(twice.map(Vec::as_slice)).assert_faithful(0.5);
    }

    #[test]
    #[should_panic(expected = "none of the last second")]
    fn a_run_that_stops_early_fails() {
        let source = source();
        source.compare_luma(source.luma.iter().take(200).map(Vec::as_slice)).assert_faithful(0.5);
    }

    #[test]
    #[should_panic(expected = "none of the first second")]
    fn a_run_that_starts_late_fails() {
        let source = source();
        source.compare_luma(source.luma.iter().skip(40).map(Vec::as_slice)).assert_faithful(0.5);
    }

    #[test]
    #[should_panic(expected = "less than 0.99")]
    fn missing_pictures_fail() {
        let source = source();
        // Judged are 230 of 240.
        let gap = source.luma.iter().take(100).chain(source.luma.iter().skip(110));
        source.compare_luma(gap.map(Vec::as_slice)).assert_faithful(0.99);
    }
}
