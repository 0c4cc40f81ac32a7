//! The only `unsafe` code: thin typed wrappers, one a system call, on owned and borrowed fds.
//!
//! Every wrapper adds `O_CLOEXEC` (and `O_NOFOLLOW` where that means something) by itself; the lax
//! variant has the longer name. None allocates, so that all of them may be used between clone and
//! execve; the errors are plain errno values in an [`std::io::Error`].
#![allow(unsafe_code)]

pub mod bpf;
pub mod exe;
pub mod exec;
pub mod fs;
pub mod mount;
pub mod netdev;
pub mod notify;
pub mod ns;
pub mod pidfd;
pub mod poll;
pub mod process;
pub mod sched;
pub mod security;
pub mod shared;
pub mod signal;
pub mod socket;
pub mod terminal;
pub mod tree;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// -1 means: look at errno.
fn check(ret: libc::c_long) -> io::Result<libc::c_long> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

/// Takes ownership of the fd that a system call has just returned.
fn owned(ret: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(ret)?;
    // SAFETY: the kernel has just handed out this fd; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
