//! A filter that notifies: its fd must get to the host while no call of this process is sure to return.
//!
//! Any system call after seccomp(2) may be one that the profile notifies of; it would wait for an agent
//! that has no fd yet. So the fd is sent by a clone from before the filter, which shares the fds of this
//! process and learns the number from memory. The program runs when the agent has the fd, not before.

use super::{At, Done};
use crate::plan::seccomp::Filter;
use crate::sys;
use crate::sys::process::{Ended, Sharing};
use crate::sys::shared::Word;
use crate::wire::{self, Step, ToChild};
use std::io;
use std::os::fd::BorrowedFd;

/// The filter is not loaded yet.
const NOT_YET: i32 = -1;
/// It could not be loaded.
const NEVER: i32 = -2;

/// Loads the filter and hands its notification fd over `starter` to the host, which answers when the
/// agent has it.
pub(super) fn load(filter: &Filter, preserve_fds: u32, starter: BorrowedFd) -> Done {
    // The program's limit of open files is there already, and one more is to be opened.
    sys::fs::close_all_but(&[starter], 3 + preserve_fds).at(Step::CloseFds, 1)?;
    let word = Word::new(NOT_YET).at(Step::SeccompListener, 0)?;
    let (own, _) = sys::process::pids();
    let messenger = match sys::process::clone_sharing_fds().at(Step::SeccompListener, 1)? {
        Sharing::Child => carry(word, own, starter),
        Sharing::Parent(pid) => pid,
    };
    let loaded = sys::security::seccomp_load(&filter.program, filter.flags);
    word.set(*loaded.as_ref().unwrap_or(&NEVER));
    // From here on calls may wait for the agent.
    let carried = sys::process::wait_pid(messenger);
    loaded.at(Step::Seccomp, 0)?;
    match carried.at(Step::SeccompListener, 2)? {
        Ended::Exited(0) => Ok(()),
        Ended::Exited(_) | Ended::Killed(_) => {
            Err(io::Error::from_raw_os_error(libc::EPIPE)).at(Step::SeccompListener, 3)
        }
    }
}

/// The messenger, a process of its own; its status is 0 if the agent has the fd.
fn carry(word: Word, parent: i32, starter: BorrowedFd) -> ! {
    let alone = sys::process::die_with_parent().is_err() || sys::process::pids().1 != parent;
    // The wait is for one system call. There is nothing to sleep on that would not take another.
    while !alone && word.get() == NOT_YET {
        sys::process::give_way();
    }
    let handed_over = sys::fs::shared(word.get()).is_some_and(|listener| {
        let sent = wire::send_listener(starter, listener);
        sent.and_then(|()| wire::expect(starter, ToChild::Listening)).is_ok()
    });
    sys::process::exit_now(i32::from(!handed_over));
}
