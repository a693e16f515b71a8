//! A whole run: a measuring process for each device, then the table, the plots, the file of figures and the judgement.

use crate::error::{Error, while_doing};
use crate::options::{Device, Options};
use crate::plot;
use crate::report::{Row, most_waited, over, table, title};
use crate::stage::Namespace;
use std::fs;
use std::process::{Command, Stdio};

/// Who waits for a core for so large a share of the time measures others as well.
const MUCH_WAITED: f64 = 0.05;

/// Measures; `false` where a ratio is over the limit.
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    let myself = std::env::current_exe().map_err(while_doing("cannot find this program"))?;
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for &device in &options.device {
        match device {
            Device::Loopback => rows.extend(rows_of(Command::new(&myself), options, device)?),
            Device::Ifb => match Namespace::make() {
                Ok(namespace) => rows.extend(rows_of(namespace.command(&myself), options, device)?),
                Err(error) => {
                    left_out.push(format!("ifb, which needs root and the kernel's ifb device: {error}"))
                }
            },
        }
    }
    println!("\n{}", table(&rows));
    let waited = most_waited(&rows);
    if waited > MUCH_WAITED {
        println!(
            "others had a measured core for up to {:.0}% of the time: trust no delay, and ratios only",
            waited * 100.0
        );
    }
    for reason in &left_out {
        println!("LEFT OUT: {reason}");
    }
    if rows.is_empty() {
        return Err(Error::Options("nothing was measured".into()));
    }
    keep(options, &rows)?;
    Ok(judge(options.max_ratio, &rows) && (options.max_ratio.is_none() || left_out.is_empty()))
}

/// Runs the measuring process of a device to its end.
fn rows_of(mut command: Command, options: &Options, device: Device) -> Result<Vec<Row>, Error> {
    let output = command
        .args(options.for_device(device))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(while_doing("cannot start the measuring process"))?;
    if !output.status.success() {
        return Err(Error::Child(format!("the measuring process ended with {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let rows = text.lines().map(|line| serde_json::from_str(line).map_err(while_doing(line)));
    rows.collect()
}

fn keep(options: &Options, rows: &[Row]) -> Result<(), Error> {
    fs::create_dir_all(&options.plots).map_err(while_doing(options.plots.display().to_string()))?;
    for path in plot::draw(&options.plots, rows)? {
        println!("plot: {}", path.display());
    }
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(rows).map_err(while_doing("the figures"))?;
        fs::write(path, text + "\n").map_err(while_doing(path.display().to_string()))?;
        println!("figures: {}", path.display());
    }
    Ok(())
}

fn judge(limit: Option<f64>, rows: &[Row]) -> bool {
    let Some(limit) = limit else { return true };
    let mut kept = true;
    for row in over(rows, limit) {
        println!("over {limit}: {:.2} at {}", row.ratio, title(row));
        kept = false;
    }
    if kept {
        println!("every ratio is at most {limit}");
    }
    kept
}
