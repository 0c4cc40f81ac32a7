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

/// `struct pidfd_info` of linux/pidfd.h, as of Linux 6.15.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// `_IOWR(0xFF, 11, struct pidfd_info)`
const PIDFD_GET_INFO: libc::Ioctl = 0xC040_FF0B_u32 as libc::Ioctl;
/// The exit status is asked for, or told.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

fn info(fd: BorrowedFd) -> Option<Info> {
    let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
    // SAFETY: the ioctl's number has the size of the struct that is filled.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) }.into()).ok()?;
    Some(info)
}

/// How a process ended that its parent has taken already; from Linux 6.15 on, if this pidfd was open then.
pub fn exit(fd: BorrowedFd) -> Option<super::process::Ended> {
    let info = info(fd).filter(|info| info.mask & PIDFD_INFO_EXIT != 0)?;
    Some(super::process::Ended::from_raw(info.exit_code))
}

/// May [`exit`] come to know how this process ends, and poll(2) when?
pub fn tells_of_exits(fd: BorrowedFd) -> bool {
    info(fd).is_some()
}
