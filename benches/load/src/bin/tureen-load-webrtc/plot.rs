//! The plot of a run, as SVG: how long viewers took to join, by stack.

use crate::report::Report;
use plotters::prelude::*;
use std::path::{Path, PathBuf};
use tureen_load::error::Error;

const BAR: i32 = 26;
const LEFT: i32 = 180;
const WIDTH: u32 = 900;
const COLOUR: RGBColor = RGBColor(200, 80, 40);

/// Draws into a folder; returns what was drawn.
pub(crate) fn draw(folder: &Path, report: &Report) -> Result<PathBuf, Error> {
    let path = folder.join("webrtc.svg");
    let groups = report.groups.iter().filter(|group| group.viewers > 0);
    let bars: Vec<(String, f64)> = groups
        .flat_map(|group| {
            let label = |quantile: &str| format!("{}, {quantile}", group.stack);
            [(label("p50"), group.join_p50_ms), (label("p99"), group.join_p99_ms)]
        })
        .collect();
    let caption = format!(
        "time to join, ms; under load {:.0} ns of CPU a packet, {:.0} packets/s a core",
        report.cpu_ns_per_packet(),
        report.packets_per_core_second()
    );
    chart(&path, &caption, &bars).map_err(|error| Error::Options(format!("{}: {error}", path.display())))?;
    Ok(path)
}

fn chart(path: &Path, caption: &str, bars: &[(String, f64)]) -> Result<(), Box<dyn std::error::Error>> {
    let height = 80 + bars.len() as u32 * (BAR as u32 + 8);
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| error.to_string())?;
    let text = |size: u32| ("sans-serif", size).into_font();
    area.draw(&Text::new(caption.to_owned(), (16, 16), text(20))).map_err(|error| error.to_string())?;
    let longest = bars.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let scale = (f64::from(WIDTH) - f64::from(LEFT) - 110.0) / longest;
    for (number, (label, value)) in bars.iter().enumerate() {
        let top = 56 + number as i32 * (BAR + 8);
        let right = LEFT + (value * scale) as i32;
        let bar = Rectangle::new([(LEFT, top), (right, top + BAR)], COLOUR.filled());
        area.draw(&bar).map_err(|error| error.to_string())?;
        for (at, words) in [((16, top + 5), label.clone()), ((right + 6, top + 5), format!("{value:.1}"))] {
            area.draw(&Text::new(words, at, text(16))).map_err(|error| error.to_string())?;
        }
    }
    area.present().map_err(|error| error.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn every_stack_has_its_bars() {
        let folder = std::env::temp_dir().join(format!("tureen-load-webrtc-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let text = std::fs::read_to_string(draw(&folder, &report()).unwrap()).unwrap();
        assert!(
            text.contains("str0m, p50") && text.contains("webrtc, p99") && text.contains("34.5"),
            "{text}"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
