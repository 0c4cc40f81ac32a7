//! The words for a filter that could not be loaded, or whose agent could not be asked.

use crate::error::Error;
use crate::wire::Failure;

/// The kernel does not take the filter (seccomp(2)).
pub(in crate::plan) fn refused(what: String, f: &Failure) -> Error {
    let error = Error::errno(what, f.errno);
    match f.errno {
        libc::EBUSY => {
            error.hint("a filter that the caller is under notifies already; there can be one such")
        }
        libc::EINVAL => {
            error.hint("the kernel is older than a flag of linux.seccomp.flags, or takes no such program")
        }
        _ => error,
    }
}

/// The notification fd did not get to the host.
pub(in crate::plan) fn not_handed_over(f: &Failure) -> Error {
    let error = Error::errno("linux.seccomp: hand the notification fd over", f.errno);
    match (f.index, f.errno) {
        (0, libc::ENOMEM) => error.hint("RLIMIT_AS leaves no room for a page of memory"),
        (1, libc::EAGAIN) => error.hint(
            "until the program runs this takes one process more: pids.limit and RLIMIT_NPROC must allow it",
        ),
        (2, _) => error.hint("linux.seccomp must allow waitid"),
        _ => error,
    }
}
