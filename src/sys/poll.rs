//! poll(2).

use super::{check, owned};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// poll(2); goes on after a signal. `timeout_ms` -1 waits for ever.
pub fn poll(fds: &mut [libc::pollfd], timeout_ms: i32) -> io::Result<i32> {
    loop {
        // SAFETY: pointer and length are of one slice.
        match check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) }.into()) {
            Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
            ready => return ready.map(|n| n as i32),
        }
    }
}

/// An entry for [`poll`] that waits for room to write.
pub fn writable(fd: BorrowedFd) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 }
}

/// An entry for [`poll`] that waits for nothing.
pub fn nothing() -> libc::pollfd {
    libc::pollfd { fd: -1, events: 0, revents: 0 }
}

/// An entry for [`poll`] that waits for the end of `fd` alone.
pub fn nothing_of(fd: BorrowedFd) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events: 0, revents: 0 }
}

/// An entry for [`poll`] that waits for something to read.
pub fn readable(fd: BorrowedFd) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

/// eventfd(2), not blocking: readable when something was added to it.
pub fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }.into())
}
