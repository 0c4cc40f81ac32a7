//! A new time namespace. It takes its clocks as long as nobody is in it, and unshare(2) leaves the caller
//! outside (time_namespaces(7)): set them, then enter it, which takes no further process.

use super::{At, Done};
use crate::plan::namespaces::{Kind, NamespacePlan};
use crate::sys;
use crate::wire::Step;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Opens the file of the offsets, if any are to be set: while this process is dumpable, or the file would
/// belong to root of the host.
pub(super) fn open(namespaces: &NamespacePlan, proc: BorrowedFd) -> Done<Option<OwnedFd>> {
    if namespaces.time_offsets.is_empty() {
        return Ok(None);
    }
    let file = sys::fs::open_in_proc(proc, c"self/timens_offsets", libc::O_WRONLY);
    file.map(Some).at(Step::NewTimeNamespace, 0)
}

/// Makes the namespace, sets its clocks and enters it.
pub(super) fn enter(namespaces: &NamespacePlan, proc: BorrowedFd, offsets: Option<OwnedFd>) -> Done {
    sys::ns::unshare(Kind::Time.flag()).at(Step::NewTimeNamespace, 1)?;
    if let Some(file) = offsets {
        for (i, offset) in namespaces.time_offsets.iter().enumerate() {
            // The kernel takes what is written at the beginning.
            sys::fs::rewind(file.as_fd()).at(Step::TimeOffset, i)?;
            sys::fs::write_once(file.as_fd(), offset.line.as_bytes()).at(Step::TimeOffset, i)?;
        }
    }
    let made = sys::fs::openat(proc, c"self/ns/time_for_children", libc::O_RDONLY, 0);
    let made = made.at(Step::NewTimeNamespace, 2)?;
    sys::ns::setns(made.as_fd(), Kind::Time.flag()).at(Step::NewTimeNamespace, 3)
}
