//! pidfd_open(2), pidfd_send_signal(2).

use super::{check, owned};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// pidfd_open(2)
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// pidfd_send_signal(2)
pub fn send_signal(fd: BorrowedFd, signal: i32) -> io::Result<()> {
    // SAFETY: a null siginfo asks for the one of kill(2).
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}

/// setns(2) into several namespaces of a process at once; `kinds` is a mask of `CLONE_NEW*`.
pub fn setns(fd: BorrowedFd, kinds: u64) -> io::Result<()> {
    super::ns::setns(fd, kinds)
}
