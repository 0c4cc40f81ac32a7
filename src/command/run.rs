//! `run`: create, start, wait, delete.

use super::make::{self, Making, Prepared};
use super::{Env, delete};
use crate::cli::RunOptions;
use crate::error::{Context, Result};
use crate::host::console::{self, Relay};
use crate::host::foreground::{self, Signals};
use crate::plan::{Plan, Sandbox};
use crate::sys;
use crate::wire::ToChild;
use std::os::fd::AsFd;

/// Runs a container; gives the exit status of its program, 128 + n for signal n, 0 if detached.
///
/// # Errors
/// Whatever stands in the way; nothing of the container is left then.
pub fn run(env: &Env, options: &RunOptions) -> Result<u8> {
    go(env, options).context(|| format!("run {}", options.create.id))
}

fn go(env: &Env, options: &RunOptions) -> Result<u8> {
    let prepared = make::prepare(env, &options.create, options.detach)?;
    if !options.no_subreaper && !options.detach {
        sys::process::set_subreaper().context(|| "become a subreaper")?;
    }
    let signals = if options.detach { None } else { Some(Signals::catch()?) };
    let Prepared { plan, state, console } = prepared;
    let mut making = Making::begin(env, &plan, state, false)?;
    start(&mut making, &plan, options)?;
    let master = making.child()?.terminal.take();
    if let (Some(socket), Some(master)) = (&console, &master) {
        console::hand_over(socket.as_fd(), master.as_fd())?;
    }
    making.child()?.until_running(&plan)?;
    let Some(signals) = signals else {
        making.keep();
        return Ok(0);
    };
    let relay = master.map(Relay::new).transpose()?;
    let child = making.child()?;
    let ended = foreground::wait(child.pid, child.pidfd.as_fd(), &signals, relay)?;
    if !options.keep {
        delete::destroy(&making.dir, &making.state)?;
    }
    making.keep();
    Ok(ended.status())
}

/// The program may run once it is on record. Where the pid is known from the clone, the word is there
/// before the child asks for it.
fn start(making: &mut Making, plan: &Plan, options: &RunOptions) -> Result<()> {
    let hops = matches!(&plan.sandbox, Sandbox::New(c) if c.namespaces.hop);
    if hops {
        making.child()?.until_ready(plan)?;
    }
    making.record(options.create.pid_file.as_deref())?;
    making.child()?.tell(ToChild::Go)?;
    if hops { Ok(()) } else { making.child()?.until_ready(plan) }
}
