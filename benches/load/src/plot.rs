//! The plots of a run, as SVG: what a packet costs, and how long it takes.

use crate::error::Error;
use crate::options::{Level, name};
use crate::report::{Row, Side};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::fmt::Display;
use std::path::{Path, PathBuf};

const BAR: u32 = 22;
const MARGIN: u32 = 330;
const WIDTH: u32 = 1100;
const BARE: RGBColor = RGBColor(150, 150, 150);
const SERVER: RGBColor = RGBColor(200, 80, 40);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws into a folder; returns what was drawn.
pub(crate) fn draw(folder: &Path, rows: &[Row]) -> Result<Vec<PathBuf>, Error> {
    let mut drawn = Vec::new();
    let costs: Vec<Bar> = rows.iter().filter(|row| row.level != Level::Half).map(Bar::cost).collect();
    let delays: Vec<Bar> =
        rows.iter().filter(|row| row.level != Level::High).filter_map(Bar::delay).collect();
    let plots = [
        ("cpu.svg", "CPU time for a packet sent, ns", costs),
        ("delay.svg", "delay, 99th percentile, us", delays),
    ];
    for (file, caption, bars) in plots {
        if bars.is_empty() {
            continue;
        }
        let path = folder.join(file);
        let height = 90 + bars.len() as u32 * (2 * BAR + 12);
        let area = SVGBackend::new(&path, (WIDTH, height)).into_drawing_area();
        chart(&area, caption, &bars).map_err(failed(&path))?;
        area.present().map_err(failed(&path))?;
        drop(area);
        drawn.push(path);
    }
    Ok(drawn)
}

fn failed<E: Display>(path: &Path) -> impl FnOnce(E) -> Error {
    move |error| Error::Options(format!("{}: {error}", path.display()))
}

/// A pair of bars with its label.
struct Bar {
    label: String,
    bare: f64,
    server: f64,
}

impl Bar {
    fn of(row: &Row, bare: f64, server: f64) -> Self {
        let case = &row.case;
        let shards = if case.shards == 1 { String::new() } else { format!(", {} shards", case.shards) };
        let label = format!(
            "{}, {} B, srtp {}, burst {}{shards}",
            name(case.device),
            case.packet_size,
            name(case.srtp),
            case.burst
        );
        Self { label, bare, server }
    }

    fn cost(row: &Row) -> Self {
        Self::of(row, row.bare.cpu_ns_per_packet, row.server.cpu_ns_per_packet)
    }

    fn delay(row: &Row) -> Option<Self> {
        let p99 = |side: &Side| side.delays.map(|delays| delays.p99);
        Some(Self::of(row, p99(&row.bare)?, p99(&row.server)?))
    }
}

fn chart(
    area: &Area<'_>,
    caption: &str,
    bars: &[Bar],
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>> {
    area.fill(&WHITE)?;
    let text = ("sans-serif", 16).into_font();
    area.draw(&Text::new(format!("{caption}: bare loop (grey), server"), (16, 16), ("sans-serif", 22)))?;
    let longest = bars.iter().map(|bar| bar.bare.max(bar.server)).fold(1.0, f64::max);
    let scale = f64::from(WIDTH - MARGIN - 140) / longest;
    for (number, bar) in bars.iter().enumerate() {
        let top = 60 + (number as u32 * (2 * BAR + 12)) as i32;
        area.draw(&Text::new(bar.label.clone(), (16, top + BAR as i32 - 8), text.clone()))?;
        for (row, (value, colour)) in [(bar.bare, BARE), (bar.server, SERVER)].into_iter().enumerate() {
            let (left, upper) = (MARGIN as i32, top + (row as u32 * BAR) as i32);
            let right = left + (value * scale) as i32;
            let corners = [(left, upper), (right, upper + BAR as i32 - 3)];
            area.draw(&Rectangle::new(corners, colour.filled()))?;
            let told = if row == 0 {
                format!("{value:.0}")
            } else {
                format!("{value:.0} ({:.2})", bar.server / bar.bare.max(f64::MIN_POSITIVE))
            };
            area.draw(&Text::new(told, (right + 6, upper + 1), text.clone()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::row;

    #[test]
    fn both_plots_are_drawn_from_rows_that_have_the_figures() {
        let folder = std::env::temp_dir().join(format!("tureen-load-plot-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut with_delays = row(Level::Given, 1, 1.25);
        with_delays.bare.delays = with_delays.server.delays;
        let drawn = draw(&folder, &[with_delays]).unwrap();
        assert_eq!(drawn.len(), 2);
        let text = std::fs::read_to_string(&drawn[0]).unwrap();
        assert!(
            text.contains("loopback, 1200 B, srtp gcm, burst 8") && text.contains("1250 (1.25)"),
            "{text}"
        );
        assert_eq!(draw(&folder, &[row(Level::High, 1, 1.0)]).unwrap().len(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
