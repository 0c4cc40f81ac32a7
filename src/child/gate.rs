//! The gate: where a created container waits for `start`, and cannot hang.

use super::{Fds, Gate};
use crate::sys;
use crate::wire::{self, ToChild};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How often a waiting container looks whether its state directory is still there, in ms. Not told
/// of it by inotify(7): closing such an fd at execve waits for milliseconds.
const LOOK: i32 = 5_000;

/// Waits for the start; gives the connection over which to report a failing execve. It is
/// close-on-exec: its end tells the starter that the program runs.
///
/// # Errors
/// The host died before the container was on record, or the state directory was removed: nobody
/// could ever start or delete this container.
pub(super) fn wait(fds: Fds) -> io::Result<OwnedFd> {
    let host = fds.host;
    wire::send_ready(host.as_fd())?;
    match fds.gate {
        Gate::Host => {
            wire::expect(host.as_fd(), ToChild::Go)?;
            Ok(host)
        }
        Gate::Socket { listener, state } => {
            wire::expect(host.as_fd(), ToChild::Recorded)?;
            drop(host);
            accept_start(listener, state)
        }
    }
}

fn accept_start(listener: BorrowedFd, state: BorrowedFd) -> io::Result<OwnedFd> {
    loop {
        if sys::poll::poll(&mut [sys::poll::readable(listener)], LOOK)? == 0 {
            if sys::fs::is_removed(state)? {
                return Err(io::Error::from_raw_os_error(libc::ENOENT));
            }
            continue;
        }
        let starter = sys::socket::accept(listener)?;
        // A starter that lost the race, or died, closes without a word.
        if wire::expect(starter.as_fd(), ToChild::Go).is_ok() {
            // Told apart from a connection that only the kernel took, for an init being killed.
            let _ = wire::send_ready(starter.as_fd());
            return Ok(starter);
        }
    }
}
