//! A run as a picture: capacity, estimate and rung above, the queue below, as SVG.
//!
//! Must not know what a good run looks like.

use crate::metrics::Sample;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const SIZE: (u32, u32) = (1000, 520);
const CAPACITY: RGBColor = RGBColor(150, 150, 150);
const TARGET: RGBColor = RGBColor(200, 80, 40);
const RUNG: RGBColor = RGBColor(40, 90, 180);
/// A line of the upper plot.
type Curve = (&'static str, RGBColor, fn(&Sample) -> u64);
/// Each so many samples one is drawn.
const EVERY: usize = 5;

/// Draws a run into a file.
///
/// # Errors
/// If the file cannot be written.
pub fn draw(path: &Path, caption: &str, samples: &[Sample]) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (above, below) = area.split_vertically(330);
    let seconds = |sample: &Sample| sample.at.as_millis() as f64 / 1000.0;
    let end = samples.last().map_or(1.0, seconds).max(1.0);
    let drawn: Vec<&Sample> = samples.iter().step_by(EVERY).collect();
    let most =
        drawn.iter().map(|sample| sample.capacity.max(sample.target).max(sample.rung)).max().unwrap_or(1);
    let mbit = |bitrate: u64| bitrate as f64 / 1e6;
    let mut chart = ChartBuilder::on(&above)
        .caption(caption, ("sans-serif", 18))
        .margin(8)
        .x_label_area_size(20)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..end, 0.0..mbit(most) * 1.05)?;
    chart.configure_mesh().disable_x_mesh().y_desc("Mbit/s").draw()?;
    let lines: [Curve; 3] = [
        ("capacity", CAPACITY, |sample| sample.capacity),
        ("estimate", TARGET, |sample| sample.target),
        ("rung", RUNG, |sample| sample.rung),
    ];
    for (label, colour, of) in lines {
        let points = drawn.iter().map(|sample| (seconds(sample), mbit(of(sample))));
        chart
            .draw_series(LineSeries::new(points, &colour))?
            .label(label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
    let millis = |sample: &Sample| sample.queue.as_secs_f64() * 1000.0;
    let longest = drawn.iter().map(|sample| millis(sample)).fold(50.0, f64::max).min(1000.0);
    let mut chart = ChartBuilder::on(&below)
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..end, 0.0..longest * 1.05)?;
    chart.configure_mesh().disable_x_mesh().x_desc("s").y_desc("queue, ms").draw()?;
    chart.draw_series(LineSeries::new(
        drawn.iter().map(|sample| (seconds(sample), millis(sample))),
        &CAPACITY,
    ))?;
    area.present()?;
    Ok(())
}
