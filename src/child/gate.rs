//! The gate: where a created container waits for `start`, and cannot hang.

use super::{Fds, Gate};
use crate::sys;
use crate::wire::{self, Failure, Step, ToChild};
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
pub(super) fn wait(fds: Fds, preserve_fds: u32) -> io::Result<OwnedFd> {
    let host = fds.host;
    wire::send_ready(host.as_fd())?;
    // It may wait for days: whoever waits for the end of a connection or a pipe of the host, or for a
    // filesystem to be idle, must not wait for this process.
    let keep_only = |keep: &[BorrowedFd]| sys::fs::close_all_but(keep, 3 + preserve_fds);
    match fds.gate {
        Gate::Host => {
            wire::expect(host.as_fd(), ToChild::Go)?;
            Ok(host)
        }
        Gate::Socket { listener, state } => {
            wire::expect(host.as_fd(), ToChild::Recorded)?;
            drop(host);
            keep_only(&[listener, state])?;
            accept_start(listener, state)
        }
        // The connection is kept: a host that stays in the foreground is told of a failing execve.
        Gate::Fifo { end, opened } => {
            wire::expect(host.as_fd(), ToChild::Recorded)?;
            keep_only(&[host.as_fd(), end, opened])?;
            released(until_opened(end, opened), host)
        }
        Gate::Answer(receiver) => {
            wire::expect(host.as_fd(), ToChild::Recorded)?;
            keep_only(&[host.as_fd(), receiver])?;
            let closed = || io::Error::from_raw_os_error(libc::EPIPE);
            let answer = sys::socket::receive(receiver, &mut [0]);
            released(answer.and_then(|(n, _)| if n == 0 { Err(closed()) } else { Ok(()) }), host)
        }
    }
}

/// Tells a host that is still there why the program will never run.
fn released(done: io::Result<()>, host: OwnedFd) -> io::Result<OwnedFd> {
    match done {
        Ok(()) => Ok(host),
        Err(e) => {
            wire::send_failure(host.as_fd(), &Failure::new(Step::Gate, 0, &e));
            Err(e)
        }
    }
}

/// Until somebody reads the fifo, who then gets a byte, as from runc. Somebody may have had it open before
/// there was a watch. A fifo that was removed can never be opened.
fn until_opened(end: BorrowedFd, opened: BorrowedFd) -> io::Result<()> {
    let mut writable = [sys::poll::writable(end)];
    sys::poll::poll(&mut writable, 0)?;
    if writable[0].revents & libc::POLLERR != 0 {
        while sys::notify::next(opened)? & sys::notify::OPEN == 0 {
            if sys::fs::is_removed(end)? {
                return Err(io::Error::from_raw_os_error(libc::ENOENT));
            }
        }
    }
    // It may be gone again; SIGPIPE is ignored up to here.
    let _ = sys::fs::write(end, b"0");
    Ok(())
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
