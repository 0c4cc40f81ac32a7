//! Those who get a pidfd of a process, over a Unix socket, before it runs.

use super::socket;
use crate::error::Result;
use crate::spec::annotations::PIDFD_RECEIVER;
use crate::sys;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Somebody who is waiting for a pidfd.
#[derive(Debug)]
pub struct Receiver {
    socket: OwnedFd,
    /// What comes with the pidfd.
    message: &'static [u8],
    /// Where its path comes from, and the path.
    what: String,
}

/// Whose pidfd it is; runc sends these words along.
#[derive(Debug, Clone, Copy)]
pub enum Whose {
    /// That of a container's init.
    Init,
    /// That of a process of `exec`.
    Exec,
}

impl Receiver {
    /// Connects to the socket of `--pidfd-socket`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn of_flag(path: &Path, whose: Whose) -> Result<Receiver> {
        let message: &[u8] = match whose {
            Whose::Init => b"standard",
            Whose::Exec => b"setns",
        };
        Receiver::connect(path, message, format!("--pidfd-socket {}", path.display()))
    }

    /// Connects to the socket of crun's annotation.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn of_annotation(path: &Path) -> Result<Receiver> {
        Receiver::connect(path, b"pidfd", format!("annotations[{PIDFD_RECEIVER:?}]: {}", path.display()))
    }

    fn connect(path: &Path, message: &'static [u8], what: String) -> Result<Receiver> {
        Ok(Receiver { socket: socket::connect(path, &what)?, message, what })
    }

    /// Sends the pidfd.
    ///
    /// # Errors
    /// The receiver went away, or does not read.
    pub fn hand_over(&self, pidfd: BorrowedFd) -> Result<()> {
        let sent = sys::socket::send_all(self.socket.as_fd(), self.message, pidfd);
        sent.map_err(|e| socket::failed(&format!("{}: send the pidfd", self.what), &e))
    }

    /// The connection, on which an answer may come.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
