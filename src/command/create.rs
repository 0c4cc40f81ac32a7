//! `create`: everything but the program (runtime.md, "Create").

use super::Env;
use super::make::{self, Making};
use crate::cli::CreateOptions;
use crate::error::{Context, Result};
use crate::host::{console, exe};
use crate::wire::ToChild;

/// Creates a container, which then waits for `start`.
///
/// # Errors
/// Whatever stands in the way; nothing of the container is left then.
pub fn run(env: &Env, options: &CreateOptions) -> Result<()> {
    create(env, options).context(|| format!("create {}", options.id))
}

fn create(env: &Env, options: &CreateOptions) -> Result<()> {
    exe::protect()?;
    let prepared = make::prepare(env, options, true)?;
    let mut making = Making::begin(env, &prepared.plan, prepared.state, prepared.bus, true)?;
    making.until_ready(&prepared.plan)?;
    let child = making.child()?;
    console::attend(child.terminal.take(), prepared.console.as_ref())?;
    making.record(options.pid_file.as_deref(), &prepared.receivers)?;
    making.child()?.tell(ToChild::Recorded)?;
    making.keep();
    Ok(())
}
