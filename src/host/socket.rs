//! Unix sockets of others, where something of a container is handed over.

use crate::error::{Error, Result};
use crate::sys;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// How long, in seconds, who listens may take to accept, or to read what does not fit into the socket.
const PATIENCE: u32 = 10;

/// Connects to the stream socket at `path`; `what` says in errors what that is.
///
/// # Errors
/// Nobody listens there.
pub fn connect(path: &Path, what: &str) -> Result<OwnedFd> {
    let c = |bytes: Vec<u8>| CString::new(bytes).map_err(|e| Error::new(e.to_string()).context(what));
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| Error::new("is no socket").context(what))?;
    // By way of an fd: sun_path has 108 bytes (unix(7)).
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let dir = sys::fs::openat(sys::fs::CWD, &c(directory.as_os_str().as_bytes().to_vec())?, flags, 0)
        .map_err(|e| failed(what, &e))?;
    let mut short = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    short.extend_from_slice(name.as_bytes());
    sys::socket::connect_stream(&c(short)?, PATIENCE).map_err(|e| failed(what, &e))
}

/// Looks whether there is a socket at `path`, without a connection, which whoever listens would take for
/// the real one.
///
/// # Errors
/// There is none.
pub fn check(path: &Path, what: &str) -> Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.file_type().is_socket() => Ok(()),
        Ok(_) => Err(Error::new(format!("{what}: is no socket"))),
        Err(e) => Err(Error::io(what, &e)),
    }
}

/// The error of a socket operation, with what it means there.
pub fn failed(what: &str, e: &std::io::Error) -> Error {
    let error = Error::io(what, e);
    match e.raw_os_error() {
        Some(libc::ECONNREFUSED) => error.hint("nobody listens there, or it is no socket"),
        Some(libc::EPROTOTYPE) => error.hint("it is no stream socket (SOCK_STREAM)"),
        Some(libc::EAGAIN) => error.hint(format!("who listens there does nothing for {PATIENCE} s")),
        _ => error,
    }
}
