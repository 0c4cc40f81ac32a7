//! `kill`: a signal to init, or to all (runtime.md, "Kill").

use super::Env;
use crate::cli::KillOptions;
use crate::error::{Context, Error, Result};
use crate::host::{cgroup, processes};
use crate::log;
use crate::state::{self, State};
use crate::sys;
use std::os::fd::AsFd;

/// Sends a signal.
///
/// # Errors
/// `container not running`, `no such process`: managers look for these words.
pub fn run(env: &Env, options: &KillOptions) -> Result<()> {
    kill(env, options).context(|| format!("kill {}", options.id))
}

fn kill(env: &Env, options: &KillOptions) -> Result<()> {
    let dir = state::open(&env.root, &options.id)?;
    let state = dir.read_complete(&options.id)?;
    let init = state::init(&state);
    if options.all && !state.cgroup.groups.is_empty() {
        // Also when init has ended: others may be left where the pid namespace is not its own.
        return cgroup::kill(&state.cgroup, options.signal);
    }
    if options.all
        && let Some(all) = all_without_cgroup(&state, options.signal)?
    {
        return all.into_iter().try_for_each(|pid| send(pid, options.signal));
    }
    let Some(init) = init else { return Err(Error::new("container not running")) };
    match sys::pidfd::send_signal(init.as_fd(), options.signal) {
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => {
            return Err(Error::new("container not running: no such process"));
        }
        sent => sent.context(|| format!("signal {}", options.signal))?,
    }
    match (options.signal, state.ends_with_init) {
        (libc::SIGKILL, false) => cgroup::kill(&state.cgroup, libc::SIGKILL),
        (libc::SIGKILL, true) => cgroup::let_die(&state.cgroup),
        _ => Ok(()),
    }
}

/// Without a cgroup, by its pid namespace, where SIGKILL to init does it all.
fn all_without_cgroup(state: &State, signal: i32) -> Result<Option<Vec<i32>>> {
    if signal == libc::SIGKILL && state.ends_with_init {
        return Ok(None);
    }
    match processes::of(state) {
        Ok(pids) if pids.is_empty() => Err(Error::new("container not running")),
        Ok(pids) => Ok(Some(pids)),
        Err(e) => {
            log::warn(format_args!("{}; only the first gets the signal", e.one_line()));
            Ok(None)
        }
    }
}

fn send(pid: i32, signal: i32) -> Result<()> {
    match sys::process::kill(pid, signal) {
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        sent => sent.context(|| format!("send signal {signal} to process {pid}")),
    }
}
