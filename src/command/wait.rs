//! `wait`: how a container's init ended, for those who are not its parent.
//!
//! The kernel tells the status to the parent, who takes it. Anybody else can see it while nobody has taken
//! it yet (proc_pid_stat(5)), or from Linux 6.15 on through a pidfd that was open at that moment. What was
//! seen once is kept in the state.

use super::Env;
use crate::error::{Context, Error, Result};
use crate::state::{self, Zombie};
use crate::sys;
use crate::sys::process::Ended;
use std::os::fd::{AsFd, BorrowedFd};

/// Waits until init has ended, and prints its exit status, 128 + n for signal n.
///
/// # Errors
/// There is no such container, or nobody can know the status any more.
pub fn run(env: &Env, id: &str) -> Result<()> {
    let status = wait(env, id).context(|| format!("wait {id}"))?;
    super::print(&format!("{status}\n"))
}

fn wait(env: &Env, id: &str) -> Result<u8> {
    let dir = state::open(&env.root, id)?;
    let state = dir.read_complete(id)?;
    if state.pid == 0 {
        return Err(Error::new("the container is still being created"));
    }
    if let Some(status) = dir.exit_status() {
        return Ok(status);
    }
    let there = sys::pidfd::open(state.pid).ok();
    // Looked at after the open: it is the process that is behind the pidfd.
    let pidfd = there.filter(|_| state::start_time(state.pid) == Some(state.start_time));
    let ended = match &pidfd {
        Some(pidfd) => until_ended(pidfd.as_fd(), state.pid, state.start_time)?,
        None => None,
    };
    match ended {
        Some(ended) => {
            dir.record_exit(ended.status());
            Ok(ended.status())
        }
        // Another `wait` may have seen it.
        None => dir.exit_status().ok_or_else(unknown),
    }
}

fn until_ended(pidfd: BorrowedFd, pid: i32, start: u64) -> Result<Option<Ended>> {
    let poll = |event| {
        let mut fds = [sys::poll::readable(pidfd)];
        fds[0].events = event;
        sys::poll::poll(&mut fds, -1).context(|| "init")
    };
    poll(libc::POLLIN)?;
    match state::zombie(pid, start) {
        Zombie::Ended(ended) => return Ok(Some(ended)),
        // Told when its parent has taken it: POLLHUP, which is always waited for.
        Zombie::Hidden | Zombie::Gone if sys::pidfd::tells_of_exits(pidfd) => drop(poll(0)?),
        Zombie::Hidden | Zombie::Gone => {}
    }
    Ok(sys::pidfd::exit(pidfd))
}

fn unknown() -> Error {
    Error::new("its exit status is not known: its parent has taken it, and nobody else has seen it")
        .hint("`tierce wait` can be there before it ends (Linux 6.15), and `run --keep` records it")
}
