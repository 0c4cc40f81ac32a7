//! The container's pseudo-terminal: made in its own devpts, its master handed to the host.

use super::{At, Done, target};
use crate::plan::path::InRoot;
use crate::plan::process::Terminal;
use crate::sys;
use crate::wire::{self, Step};
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

/// Opens a pty, makes it the standard streams and the controlling terminal, binds it to
/// /dev/console, and sends the master to the host.
pub(super) fn attach(root: BorrowedFd, wanted: Terminal, console: Option<&InRoot>, host: BorrowedFd) -> Done {
    let flags = libc::O_RDWR | libc::O_NOCTTY;
    let master = sys::fs::open_in_root_no_symlinks(root, c"dev/pts/ptmx", flags).at(Step::Terminal, 0)?;
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
