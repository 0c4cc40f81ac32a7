//! The words for a process of `exec` that could not enter a cgroup, or was held back and can never run.

use crate::error::{Error, errno_text};

/// Why the word to go on cannot come.
pub fn never_released(errno: i32) -> Error {
    match errno {
        libc::EPIPE => Error::new("--exec-wait-pidfd: the receiver of the pidfd has closed the connection"),
        libc::ENOENT => Error::new("--exec-wait-fifo: the fifo was removed before anybody opened it"),
        other => Error::new(format!("wait for the word to go on: {}", errno_text(other))),
    }
}

/// A cgroup of a container that is there.
pub fn not_entered(errno: i32) -> Error {
    let error = Error::errno("enter the container's cgroup", errno);
    match errno {
        libc::ENOSPC => error.hint("cpuset.cpus or cpuset.mems of the cgroup are empty"),
        _ => error,
    }
}
