//! AppArmor and SELinux. Their files are opened through the host's own /proc, so that a container cannot
//! have the words written elsewhere (CVE-2019-16884, CVE-2025-52881).

use super::{At, Done, identity};
use crate::plan::process::Process;
use crate::sys;
use crate::wire::Step;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Makes the session keyring, with the label of the process.
pub(super) fn session_keyring(process: &Process, proc: BorrowedFd) -> Done {
    let Some(name) = &process.keyring else { return Ok(()) };
    let Some(label) = &process.lsm.selinux else { return identity::new_keyring(name) };
    let file = c"thread-self/attr/keycreate";
    write(proc, file, label.to_bytes()).at(Step::KeyLabel, 0)?;
    identity::new_keyring(name)?;
    write(proc, file, b"").at(Step::KeyLabel, 0)
}

/// What the process becomes at the next execve(2), the program's or that of a hook of the container. It
/// needs no privilege then, and no_new_privs allows it to an unconfined process.
pub(super) fn on_exec(process: &Process, proc: BorrowedFd) -> Done {
    if let Some(profile) = &process.lsm.apparmor {
        write(proc, c"thread-self/attr/apparmor/exec", profile.command.to_bytes()).at(Step::Apparmor, 0)?;
    }
    if let Some(label) = &process.lsm.selinux {
        write(proc, c"thread-self/attr/exec", label.to_bytes()).at(Step::Selinux, 0)?;
    }
    Ok(())
}

fn write(proc: BorrowedFd, file: &CStr, text: &[u8]) -> io::Result<()> {
    let file = sys::fs::open_in_proc(proc, file, libc::O_WRONLY)?;
    sys::fs::write_once(file.as_fd(), text)
}
