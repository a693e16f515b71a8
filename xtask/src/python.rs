//! The Python clients of the real-media tests, in an environment of their own under the target folder: other versions on
//! the machine neither help nor harm.

use crate::step::{Outcome, Step, while_doing};
use crate::tree::Tree;
use std::fs;
use std::process::Command;

/// What is installed, as pip writes requirements.
const REQUIREMENTS: &str = "aiortc==1.16.*";

/// The system's own, which `python3-venv` belongs to.
const PYTHON: &str = "/usr/bin/python3";

/// Makes the environment where it is missing or holds something else.
pub(crate) fn set_up(tree: &Tree, step: &Step) -> Outcome {
    let folder = tree.target().join("python-clients");
    // Written last, so that half an environment counts for none.
    let mark = folder.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == REQUIREMENTS) {
        println!("    {REQUIREMENTS} is installed in {}", folder.display());
        return Ok(());
    }
    println!("    installing {REQUIREMENTS} in {}", folder.display());
    step.run(Command::new(PYTHON).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENTS]);
    step.run(&mut pip)?;
    fs::write(&mark, REQUIREMENTS).map_err(while_doing(mark.display()))
}
