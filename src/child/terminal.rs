//! The container's pseudo-terminal: made in its own devpts, its master handed to the host.

use super::{At, Done, target};
use crate::plan::path::InRoot;
use crate::plan::process::Terminal;
use crate::sys;
use crate::wire::{self, Step};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Opens a pty, makes it the standard streams and the controlling terminal, binds it to
/// /dev/console, and sends the master to the host.
pub(super) fn attach(root: BorrowedFd, wanted: Terminal, console: Option<&InRoot>, host: BorrowedFd) -> Done {
    let master = open_master(root).at(Step::Terminal, 0)?;
    // The peer comes from the master itself: a path could have been swapped (CVE-2025-52565).
    let slave = sys::terminal::open_peer(master.as_fd()).at(Step::Terminal, 1)?;
    if let Some(size) = wanted.size {
        sys::terminal::set_size(master.as_fd(), size).at(Step::Terminal, 2)?;
    }
    if let Some(console) = console {
        let tree = sys::mount::clone_tree(slave.as_fd(), c"", false).at(Step::TerminalConsole, 0)?;
        let there = target::file_target(root, console).at(Step::TerminalConsole, 1)?;
        sys::mount::move_mount(tree.as_fd(), there.as_fd()).at(Step::TerminalConsole, 2)?;
    }
    wire::send_terminal(host, master.as_fd()).at(Step::Terminal, 3)?;
    sys::terminal::set_controlling(slave.as_fd()).at(Step::Terminal, 4)?;
    for stream in 0..=2 {
        sys::fs::dup_onto_stdio(&slave, stream).at(Step::Terminal, 5)?;
    }
    Ok(())
}

/// The ptmx of a devpts: whatever else is at /dev/pts, opening it could do something.
fn open_master(root: BorrowedFd) -> io::Result<OwnedFd> {
    let devpts = sys::fs::open_in_root_no_symlinks(root, c"dev/pts", target::DIRECTORY)?;
    if sys::fs::statfs_magic(devpts.as_fd())? != sys::fs::DEVPTS_MAGIC {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_SYMLINKS;
    sys::fs::openat2(devpts.as_fd(), c"ptmx", libc::O_RDWR | libc::O_NOCTTY, 0, resolve)
}
