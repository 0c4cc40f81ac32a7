//! The id maps of a new user namespace (user_namespaces(7)).

use crate::error::{Context, Result};
use crate::plan::namespaces::UserMaps;
use crate::sys;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

/// Writes the maps of the process `pid` through the host's /proc.
///
/// # Errors
/// The kernel refuses a map: overlapping ranges, ids that the caller may not map.
pub fn write(proc: BorrowedFd, pid: i32, maps: &UserMaps) -> Result<()> {
    write_file(proc, pid, "uid_map", &maps.uid_map).context(|| "linux.uidMappings: write uid_map")?;
    if maps.deny_setgroups {
        write_file(proc, pid, "setgroups", "deny").context(|| "linux.gidMappings: write setgroups")?;
    }
    write_file(proc, pid, "gid_map", &maps.gid_map).context(|| "linux.gidMappings: write gid_map")
}

/// Writes one file of `/proc/PID`.
pub fn write_file(proc: BorrowedFd, pid: i32, name: &str, value: &str) -> std::io::Result<()> {
    let path = CString::new(format!("{pid}/{name}")).map_err(std::io::Error::other)?;
    let file = sys::fs::openat(proc, &path, libc::O_WRONLY | libc::O_NOFOLLOW, 0)?;
    sys::fs::write_once(file.as_fd(), value.as_bytes())
}
