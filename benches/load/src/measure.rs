//! The process that loads: measures the cases of one device, in the network that it was started in. Rows go to standard
//! output, an object a line; how far it is goes to standard error.

use crate::cores::{generator_core, on_core};
use crate::error::{Error, while_doing};
use crate::options::{Options, name};
use crate::plan;
use crate::subject::{start_bare, start_server};
use std::io::Write;

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let (cores, core) = generator_core();
    if cores == 1 {
        eprintln!(
            "there is one core only: the generator takes time from what it measures, delays mean nothing"
        );
    }
    for case in options.cases() {
        let title = format!(
            "{} {} B srtp {} burst {} shards {}",
            name(case.device),
            case.packet_size,
            name(case.srtp),
            case.burst,
            case.shards
        );
        let processes = [start_bare()?, start_server(&options.server, &case)?];
        let tell = |progress: &str| eprintln!("    {title}: {progress}");
        let rows = on_core(core, || plan::measure(options, &case, cores, processes, tell))?;
        for row in rows {
            let text = serde_json::to_string(&row).map_err(while_doing("a row"))?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{text}").and_then(|()| out.flush()).map_err(while_doing("standard output"))?;
        }
    }
    Ok(())
}
