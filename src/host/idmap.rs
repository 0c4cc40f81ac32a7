//! The id maps of a new user namespace (user_namespaces(7)).

use crate::error::{Context, Result};
use crate::plan::namespaces::UserMaps;
use crate::sys;
use crate::sys::process::Cloned;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Writes the maps of the process `pid` through the host's /proc.
///
/// # Errors
/// The kernel refuses a map: overlapping ranges, ids that the caller may not map.
pub fn write(proc: BorrowedFd, pid: i32, maps: &UserMaps) -> Result<()> {
    write_both(proc, pid, maps, ["linux.uidMappings", "linux.gidMappings"])
}

fn write_both(proc: BorrowedFd, pid: i32, maps: &UserMaps, [uids, gids]: [&str; 2]) -> Result<()> {
    write_file(proc, pid, "uid_map", &maps.uid_map).context(|| format!("{uids}: write uid_map"))?;
    if maps.deny_setgroups {
        write_file(proc, pid, "setgroups", "deny").context(|| format!("{gids}: write setgroups"))?;
    }
    write_file(proc, pid, "gid_map", &maps.gid_map).context(|| format!("{gids}: write gid_map"))
}

/// Writes one file of `/proc/PID`.
pub fn write_file(proc: BorrowedFd, pid: i32, name: &str, value: &str) -> std::io::Result<()> {
    let path = CString::new(format!("{pid}/{name}")).map_err(std::io::Error::other)?;
    let file = sys::fs::openat(proc, &path, libc::O_WRONLY | libc::O_NOFOLLOW, 0)?;
    sys::fs::write_once(file.as_fd(), value.as_bytes())
}

/// A user namespace with these maps that no process is in: what mount_setattr(2) takes for a mapping.
///
/// # Errors
/// As [`write`]; too many user namespaces.
pub fn namespace(proc: BorrowedFd, maps: &UserMaps) -> Result<OwnedFd> {
    let cloned = sys::process::clone3(libc::CLONE_NEWUSER as u64, None);
    let (pid, pidfd) = match cloned.context(|| "make a user namespace for an id mapping")? {
        Cloned::Child => sys::process::pause(),
        Cloned::Parent { pid, pidfd } => (pid, pidfd),
    };
    let namespace = write_both(proc, pid, maps, ["an id mapping of mounts"; 2]).and_then(|()| {
        let path = CString::new(format!("{pid}/ns/user")).map_err(std::io::Error::other);
        let open = path.and_then(|path| sys::fs::openat(proc, &path, libc::O_RDONLY, 0));
        open.context(|| format!("/proc/{pid}/ns/user"))
    });
    let _ = sys::pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL);
    let _ = sys::process::wait(pidfd.as_fd());
    namespace
}
