//! Signals: masks and signalfd(2).

use super::{check, owned};
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

fn full_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the whole set.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Blocks every signal, so that a [`signalfd`] gets them.
pub fn block_all() -> io::Result<()> {
    let set = full_set();
    // SAFETY: the old mask is not asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut()) }.into()).map(drop)
}

/// Does something while this signal is not blocked.
pub fn with_unblocked<T>(signal: i32, act: impl FnOnce() -> T) -> T {
    // SAFETY: an all-zero set is the empty one.
    let (mut set, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { (zeroed(), zeroed()) };
    // SAFETY: both sets are valid.
    unsafe {
        libc::sigaddset(&mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, &mut before);
    }
    let done = act();
    // SAFETY: before is what the kernel has filled.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    done
}

/// Gives every signal its default action and unblocks it: what a program expects at execve, where
/// an ignored signal would stay ignored (execve(2)).
pub fn reset_all() -> io::Result<()> {
    /// Size of the kernel's signal set, in bytes.
    const SET: usize = 8;
    // As the kernel has it: handler, flags, restorer, mask. glibc's wrapper refuses 32 and 33.
    let default = [0u64; 4];
    let none = std::ptr::null_mut::<u64>();
    for signal in 1..=64 {
        // SAFETY: the kernel reads one action and writes none. It refuses SIGKILL and SIGSTOP.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, SET) };
    }
    // SAFETY: an all-zero set is the empty one.
    let empty: libc::sigset_t = unsafe { zeroed() };
    // SAFETY: the old mask is not asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &empty, std::ptr::null_mut()) }.into()).map(drop)
}

/// signalfd(2) for every signal.
pub fn signalfd() -> io::Result<OwnedFd> {
    let set = full_set();
    // SAFETY: set is valid.
    owned(unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) }.into())
}

/// signalfd(2) for these signals: readable when one of them is blocked and pending.
pub fn signalfd_of(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: an all-zero set is the empty one.
    let mut set: libc::sigset_t = unsafe { zeroed() };
    for signal in signals {
        // SAFETY: set is valid.
        check(unsafe { libc::sigaddset(&mut set, *signal) }.into())?;
    }
    // SAFETY: set is valid.
    owned(unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) }.into())
}

/// The next signal of a [`signalfd`] and who sent it (0: the kernel), if there is one.
pub fn next(fd: BorrowedFd) -> io::Result<Option<(i32, i32)>> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
    // SAFETY: info has the size that is told.
    let n =
        unsafe { libc::read(fd.as_raw_fd(), info.as_mut_ptr().cast(), size_of::<libc::signalfd_siginfo>()) };
    match check(n as libc::c_long) {
        Ok(_) => {
            // SAFETY: a read from a signalfd is of whole structs.
            let info = unsafe { info.assume_init() };
            let from_kernel = info.ssi_code > 0;
            Ok(Some((info.ssi_signo as i32, if from_kernel { 0 } else { info.ssi_pid as i32 })))
        }
        Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => Ok(None),
        Err(e) => Err(e),
    }
}
