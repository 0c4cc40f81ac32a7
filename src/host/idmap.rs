//! The id maps of a new user namespace (user_namespaces(7)).

use super::subids;
use crate::error::{Context, Result};
use crate::plan::describe;
use crate::plan::namespaces::{IdKind, IdMap, UserMaps};
use crate::sys;
use crate::sys::process::Cloned;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Writes the maps of the process `pid` through the host's /proc, or has them written.
///
/// # Errors
/// The kernel or a helper refuses a map: ids that the caller may not map.
pub fn write(proc: BorrowedFd, pid: i32, maps: &UserMaps) -> Result<()> {
    write_both(proc, pid, maps, [IdKind::Uid, IdKind::Gid].map(IdKind::location))
}

fn write_both(proc: BorrowedFd, pid: i32, maps: &UserMaps, [uids, gids]: [&str; 2]) -> Result<()> {
    write_map(proc, pid, &maps.uid, uids)?;
    if maps.deny_setgroups {
        write_file(proc, pid, "setgroups", "deny")
            .map_err(|e| describe::id_map(&format!("{gids}: write setgroups"), "", &e))?;
    }
    write_map(proc, pid, &maps.gid, gids)
}

fn write_map(proc: BorrowedFd, pid: i32, map: &IdMap, location: &str) -> Result<()> {
    if map.by_helper {
        return subids::write(pid, map);
    }
    let file = map.kind.file();
    write_file(proc, pid, file, &map.text)
        .map_err(|e| describe::id_map(&format!("{location}: write {file}"), &map.text, &e))
}

/// Writes one file of `/proc/PID`.
pub fn write_file(proc: BorrowedFd, pid: i32, name: &str, value: &str) -> std::io::Result<()> {
    let path = CString::new(format!("{pid}/{name}")).map_err(std::io::Error::other)?;
    let file = sys::fs::open_in_proc(proc, &path, libc::O_WRONLY)?;
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
