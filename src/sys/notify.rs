//! inotify(7).

use super::{check, owned};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Somebody has opened it.
pub const OPEN: u32 = libc::IN_OPEN;
/// Its link count may have changed.
pub const ATTRIBUTES: u32 = libc::IN_ATTRIB;

/// inotify_init1(2)
pub fn inotify() -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    owned(unsafe { libc::inotify_init1(libc::IN_CLOEXEC) }.into())
}

/// inotify_add_watch(2)
pub fn watch(fd: BorrowedFd, path: &CStr, events: u32) -> io::Result<()> {
    // SAFETY: path is NUL-terminated.
    check(unsafe { libc::inotify_add_watch(fd.as_raw_fd(), path.as_ptr(), events) }.into()).map(drop)
}

/// Waits for events of a file that is no directory: all that there are, as one mask.
pub fn next(fd: BorrowedFd) -> io::Result<u32> {
    // Events without names have this size, see inotify(7).
    let mut events = [libc::inotify_event { wd: 0, mask: 0, cookie: 0, len: 0 }; 16];
    let size = size_of_val(&events);
    let n = loop {
        // SAFETY: events has that size, and any bytes make one.
        match check(unsafe { libc::read(fd.as_raw_fd(), events.as_mut_ptr().cast(), size) } as libc::c_long) {
            Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
            read => break read? as usize,
        }
    };
    Ok(events[..n / size_of::<libc::inotify_event>()].iter().fold(0, |mask, event| mask | event.mask))
}
