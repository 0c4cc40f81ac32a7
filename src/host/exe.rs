//! Keeps this program's own file out of reach of the containers that it makes (CVE-2019-5736).
//!
//! The process that becomes a container's first program is a copy of this one. Until its execve(2), and after one of
//! `/proc/self/exe`, `/proc/PID/exe` leads from inside the container to the file of the runtime, with the access of the
//! mount that it was executed from. So a process that is going to enter a container is first made to be executed from
//! something that nobody can write to. The ways, from the cheapest; all were measured (integration/bench/README.md):
//!
//! - nothing is to be done: the file is on a read-only mount or filesystem, or sealed by fs-verity, or it is root's and
//!   the caller, who is not root, may not write to it, nor may then anybody of a user namespace of his;
//! - the same file is opened through a detached read-only mount of it, which is in no mount namespace any more, so that
//!   no system call accepts it to be changed; this process is mapped anew from there ([`sys::exe::become_file`]);
//! - where the kernel or the caller's capabilities do not allow that, this program executes a copy of itself in memory
//!   that is sealed against writing (memfd_create(2)).

use crate::error::{Context, Result};
use crate::host::launch::open_proc;
use crate::sys;
use crate::sys::mount::MountAttr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Makes the file of this program unreachable for writing from what this process becomes.
///
/// Comes first of all in a command that makes a process for a container: it may execute the command once more.
///
/// # Errors
/// No memory for a copy.
pub fn protect() -> Result<()> {
    let proc = open_proc()?;
    let exe = sys::fs::openat(proc.as_fd(), c"self/exe", libc::O_RDONLY, 0).context(|| "/proc/self/exe")?;
    if is_out_of_reach(exe.as_fd())? {
        return Ok(());
    }
    match through_read_only_mount(exe.as_fd(), proc.as_fd()) {
        Ok(()) => Ok(()),
        Err(_) => Err(sys::exe::execute_sealed_copy(exe.as_fd())).context(|| "a sealed copy of this program"),
    }
}

fn is_out_of_reach(exe: BorrowedFd) -> Result<bool> {
    let failed = || "/proc/self/exe";
    if sys::exe::is_sealed(exe) || sys::exe::is_read_only(exe).context(failed)? {
        return Ok(true);
    }
    let (uid, _) = sys::process::effective_ids();
    Ok(uid != 0
        && sys::fs::fstat(exe).context(failed)?.uid == 0
        && sys::fs::may_write(c"/proc/self/exe").is_err())
}

/// The mount goes away with the fd of it, before anybody else can have one; the file stays open and read-only.
fn through_read_only_mount(exe: BorrowedFd, proc: BorrowedFd) -> io::Result<()> {
    let tree = sys::mount::clone_tree(exe, c"", false)?;
    let read_only = MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    sys::mount::mount_setattr(tree.as_fd(), false, &read_only)?;
    let file = reopen(tree.as_fd(), proc)?;
    drop(tree);
    let mut stat = [0u8; 1024];
    let stat_file = sys::fs::openat(proc, c"self/stat", libc::O_RDONLY, 0)?;
    let read = sys::fs::read(stat_file.as_fd(), &mut stat)?;
    sys::exe::become_file(file.as_fd(), &String::from_utf8_lossy(&stat[..read]))
}

fn reopen(file: BorrowedFd, proc: BorrowedFd) -> io::Result<OwnedFd> {
    let path = std::ffi::CString::new(format!("self/fd/{}", file.as_raw_fd()))?;
    sys::fs::openat(proc, &path, libc::O_RDONLY, 0)
}
