//! The fifo of `--exec-wait-fifo`: the program of `exec` is held back until somebody opens it for reading.

use crate::error::{Context, Error, Result};
use crate::sys;
use crate::sys::fs::CWD;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A fifo that nobody need have open yet.
#[derive(Debug)]
pub struct Fifo {
    /// Its end to write to. The child could not open it: it is another user by then, in another root.
    pub end: OwnedFd,
    /// Tells of those who open it (inotify(7)).
    pub opened: OwnedFd,
}

impl Fifo {
    /// Opens it, without the wait for a reader that fifo(7) has.
    ///
    /// # Errors
    /// It is not there, is no fifo, or the caller may not write to it.
    pub fn open(path: &Path) -> Result<Fifo> {
        let what = || format!("--exec-wait-fifo {}", path.display());
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|e| Error::new(e.to_string()));
        let there = sys::fs::openat(CWD, &name.context(what)?, libc::O_PATH, 0).context(what)?;
        if !sys::fs::fstat(there.as_fd()).context(what)?.is(libc::S_IFIFO) {
            return Err(Error::new("is no fifo").context(what()).hint("mkfifo(1) makes one"));
        }
        let again = CString::new(format!("/proc/self/fd/{}", there.as_raw_fd()))
            .map_err(|e| Error::new(e.to_string()))?;
        let open = |mode| sys::fs::openat(CWD, &again, mode | libc::O_NONBLOCK, 0).context(what);
        // Alone, an end to write to is refused where nobody reads (fifo(7)).
        let both = open(libc::O_RDWR)?;
        let end = open(libc::O_WRONLY)?;
        let opened = sys::notify::inotify().context(|| "inotify").map_err(|e| match e.as_errno() {
            Some(libc::EMFILE) => e.hint("the limit is /proc/sys/fs/inotify/max_user_instances"),
            _ => e,
        })?;
        sys::notify::watch(opened.as_fd(), &again, sys::notify::OPEN | sys::notify::ATTRIBUTES)
            .context(what)?;
        drop(both);
        Ok(Fifo { end, opened })
    }
}
