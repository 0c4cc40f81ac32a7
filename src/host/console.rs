//! Terminals: handing a pty master to `--console-socket`, or carrying bytes between it and the
//! caller's own terminal.

use super::socket;
use crate::error::{Context, Result};
use crate::sys;
use crate::sys::fs::stdio;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::ffi::CString;
use std::io::IsTerminal;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Connects to `--console-socket`, before anything is made.
///
/// # Errors
/// Nobody listens there.
pub fn connect(path: &Path) -> Result<OwnedFd> {
    socket::connect(path, &format!("--console-socket {}", path.display()))
}

/// Sends the master over the socket, with its name as the message, as runc does.
fn hand_over(socket: BorrowedFd, master: BorrowedFd) -> Result<()> {
    sys::socket::send(socket, b"/dev/ptmx", Some(master)).context(|| "--console-socket: send the terminal")
}

/// Sends the master to the socket if there is one, else prepares to carry its bytes.
pub fn attend(master: Option<OwnedFd>, socket: Option<&OwnedFd>) -> Result<Option<Relay>> {
    match (master, socket) {
        (Some(master), Some(socket)) => hand_over(socket.as_fd(), master.as_fd()).map(|()| None),
        (Some(master), None) => Relay::new(master).map(Some),
        (None, _) => Ok(None),
    }
}

/// The caller's terminal in raw mode; as it was again when this is dropped.
#[derive(Debug)]
struct Raw(Option<Termios>);

impl Raw {
    fn new() -> Raw {
        let mut raw = Raw(tcgetattr(stdio(0)).ok());
        raw.claim();
        raw
    }

    /// Makes it raw. In the background this process stops here until the shell has it in the foreground,
    /// as every program does that changes a terminal (SIGTTOU, termios(3)).
    fn claim(&mut self) {
        let Some(mut raw) = self.0.clone() else { return };
        cfmakeraw(&mut raw);
        let _ = sys::signal::with_unblocked(libc::SIGTTOU, || tcsetattr(stdio(0), SetArg::TCSANOW, &raw));
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let Some(before) = self.0.as_ref().filter(|_| !sys::terminal::in_background(stdio(0))) else {
            return;
        };
        let _ = tcsetattr(stdio(0), SetArg::TCSANOW, before);
    }
}

/// So many bytes are read and written at once: what a pipe takes without a wait when poll(2) says so
/// (pipe(7), PIPE_BUF), and what a terminal gives.
const PIECE: usize = 4096;

/// Carries bytes between the caller's streams and a container's terminal. What one side does not take is
/// kept, and the other one not read meanwhile.
#[derive(Debug)]
pub struct Relay {
    master: OwnedFd,
    /// The other end: a program that closes its last one may open /dev/console again, and a terminal without
    /// any would look like one that has ended.
    _slave: Option<OwnedFd>,
    /// Typed and not yet taken by the terminal.
    typed: Vec<u8>,
    /// Printed and not yet taken by the caller's standard output.
    printed: Vec<u8>,
    input_open: bool,
    output_open: bool,
    /// The caller's standard output, opened again, if it is a terminal: a write could wait there although
    /// poll(2) says that there is room, and signals with it.
    own_output: Option<OwnedFd>,
    raw: Raw,
}

impl Relay {
    /// Takes the master; raw mode if the caller has a terminal.
    pub fn new(master: OwnedFd) -> Result<Relay> {
        // A terminal that nobody reads must not stop this process, which also reads for it.
        sys::fs::set_nonblocking(master.as_fd()).context(|| "terminal")?;
        let mut relay = Relay {
            _slave: sys::terminal::open_peer(master.as_fd()).ok(),
            master,
            typed: Vec::new(),
            printed: Vec::new(),
            input_open: true,
            output_open: true,
            own_output: reopen_terminal(stdio(1)),
            raw: Raw::new(),
        };
        relay.resize();
        Ok(relay)
    }

    /// The size of the caller's terminal, if it has one, becomes that of the container's.
    pub fn resize(&mut self) {
        if let Ok(size) = sys::terminal::size(stdio(0))
            && (size.rows, size.columns) != (0, 0)
        {
            let _ = sys::terminal::set_size(self.master.as_fd(), size);
        }
    }

    /// This process goes on after a stop: meanwhile the shell had the terminal.
    pub fn resume(&mut self) {
        self.raw.claim();
        self.resize();
    }

    /// What to wait for: the caller's input, the terminal, the caller's output.
    pub fn interest(&self) -> [libc::pollfd; 3] {
        let mut fds = [sys::poll::nothing(); 3];
        if self.input_open && self.typed.is_empty() {
            fds[0] = sys::poll::readable(stdio(0));
        }
        // POLLHUP cannot be left out, and would come again and again.
        if self.output_open && (self.printed.is_empty() || !self.typed.is_empty()) {
            fds[1] = sys::poll::nothing_of(self.master.as_fd());
            fds[1].events |= if self.printed.is_empty() { libc::POLLIN } else { 0 };
            fds[1].events |= if self.typed.is_empty() { 0 } else { libc::POLLOUT };
        }
        if !self.printed.is_empty() {
            fds[2] = sys::poll::writable(self.output());
        }
        fds
    }

    /// Does what poll(2) found possible.
    pub fn carry(&mut self, ready: [libc::pollfd; 3]) {
        if ready[0].revents != 0 {
            self.read_input();
        }
        if ready[1].revents & libc::POLLOUT != 0 {
            self.write_typed();
        }
        if ready[2].revents != 0 {
            self.write_printed();
        }
        if ready[1].revents & (libc::POLLIN | libc::POLLHUP | libc::POLLERR) != 0 && self.printed.is_empty() {
            self.read_output();
        }
    }

    fn read_input(&mut self) {
        let mut buffer = [0; PIECE];
        match sys::fs::read(stdio(0), &mut buffer) {
            // The end of the input is told to the program as a terminal tells it: Ctrl-D.
            Ok(0) => {
                self.input_open = false;
                self.typed.push(4);
            }
            Ok(n) => self.typed.extend_from_slice(&buffer[..n]),
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => {}
            Err(_) => self.input_open = false,
        }
        self.write_typed();
    }

    fn write_typed(&mut self) {
        match sys::fs::write(self.master.as_fd(), &self.typed) {
            Ok(n) => drop(self.typed.drain(..n)),
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => {}
            Err(_) => self.typed.clear(),
        }
    }

    /// False when there is nothing (more) to read now.
    fn read_output(&mut self) -> bool {
        let mut buffer = [0; PIECE];
        match sys::fs::read(self.master.as_fd(), &mut buffer) {
            Ok(n) if n > 0 => {
                self.printed.extend_from_slice(&buffer[..n]);
                true
            }
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => false,
            Ok(_) | Err(_) => {
                self.output_open = false;
                false
            }
        }
    }

    fn output(&self) -> BorrowedFd<'_> {
        self.own_output.as_ref().map_or(stdio(1), AsFd::as_fd)
    }

    fn write_printed(&mut self) {
        match sys::fs::write(self.output(), &self.printed) {
            Ok(n) => drop(self.printed.drain(..n)),
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => {}
            // Nobody reads it any more; the program need not know.
            Err(_) => self.printed.clear(),
        }
    }

    /// When the program has ended: writes what it has printed, until `interrupted`. No more than a pty can
    /// hold, because another process may go on writing.
    ///
    /// # Errors
    /// Those of `interrupted`, which waits until there is room to write, and says if it is not to be
    /// waited for.
    pub fn drain(&mut self, mut interrupted: impl FnMut(BorrowedFd) -> Result<bool>) -> Result<()> {
        for _ in 0..64 {
            while !self.printed.is_empty() {
                if interrupted(self.output())? {
                    return Ok(());
                }
                self.write_printed();
            }
            if !self.output_open || !self.read_output() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// If it is a terminal, another open file description of it, which never waits; the caller and others
/// share theirs.
fn reopen_terminal(fd: BorrowedFd) -> Option<OwnedFd> {
    if !fd.is_terminal() {
        return None;
    }
    let path = CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    let flags = libc::O_WRONLY | libc::O_NOCTTY | libc::O_NONBLOCK;
    sys::fs::openat(sys::fs::CWD, &path, flags, 0).ok()
}
