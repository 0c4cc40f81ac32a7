//! Pseudo-terminals (ioctl_tty(2)).

use super::{check, owned};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Rows and columns, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

/// Unlocks the peer of a pty master and opens it, without a path (TIOCSPTLCK, TIOCGPTPEER;
/// CVE-2025-52565).
pub fn open_peer(master: BorrowedFd) -> io::Result<OwnedFd> {
    let unlock: i32 = 0;
    // SAFETY: the ioctl reads one int.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlock) }.into())?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the ioctl takes open flags and returns a new fd.
    owned(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) }.into())
}

/// TIOCSCTTY: makes it the controlling terminal of the calling session leader.
pub fn set_controlling(fd: BorrowedFd) -> io::Result<()> {
    // SAFETY: the ioctl takes an integer.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSCTTY, 0) }.into()).map(drop)
}

/// TIOCSWINSZ
pub fn set_size(fd: BorrowedFd, size: Size) -> io::Result<()> {
    let size = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the ioctl reads one winsize.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }.into()).map(drop)
}

/// TIOCGWINSZ
pub fn size(fd: BorrowedFd) -> io::Result<Size> {
    let mut size = MaybeUninit::<libc::winsize>::uninit();
    // SAFETY: the ioctl fills one winsize.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()) }.into())?;
    // SAFETY: the ioctl succeeded.
    let size = unsafe { size.assume_init() };
    Ok(Size { rows: size.ws_row, columns: size.ws_col })
}

/// Is it the controlling terminal of this session, with another process group in the foreground?
pub fn in_background(fd: BorrowedFd) -> bool {
    // SAFETY: plain integers.
    let (there, own) = unsafe { (libc::tcgetpgrp(fd.as_raw_fd()), libc::getpgrp()) };
    there >= 0 && there != own
}
