//! `kill`: a signal to init, or to all (runtime.md, "Kill").

use super::Env;
use crate::cli::KillOptions;
use crate::error::{Context, Error, Result};
use crate::host::cgroup;
use crate::state;
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
