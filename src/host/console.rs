//! Terminals: handing a pty master to `--console-socket`, or carrying bytes between it and the
//! caller's own terminal.

use super::socket;
use crate::error::{Context, Result};
use crate::sys;
use crate::sys::fs::stdio;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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
struct Raw(Termios);

impl Raw {
    fn new() -> Option<Raw> {
        let before = tcgetattr(stdio(0)).ok()?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(stdio(0), SetArg::TCSANOW, &raw).ok()?;
        Some(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(stdio(0), SetArg::TCSANOW, &self.0);
    }
}

/// Carries bytes between the caller's streams and a container's terminal.
#[derive(Debug)]
pub struct Relay {
    master: OwnedFd,
    /// Typed and not yet taken by the terminal.
    typed: Vec<u8>,
    input_open: bool,
    output_open: bool,
    _raw: Option<Raw>,
}

impl Relay {
    /// Takes the master; raw mode if the caller has a terminal.
    pub fn new(master: OwnedFd) -> Result<Relay> {
        // A terminal that nobody reads must not stop this process, which also reads for it.
        sys::fs::set_nonblocking(master.as_fd()).context(|| "terminal")?;
        let mut relay =
            Relay { master, typed: Vec::new(), input_open: true, output_open: true, _raw: Raw::new() };
        relay.resize();
        Ok(relay)
    }

    /// The size of the caller's terminal becomes that of the container's.
    pub fn resize(&mut self) {
        if let Ok(size) = sys::terminal::size(stdio(0)) {
            let _ = sys::terminal::set_size(self.master.as_fd(), size);
        }
    }

    /// What to wait for: the caller's input, unless there is some left to hand on; the terminal.
    pub fn interest(&self) -> [libc::pollfd; 2] {
        let mut input = sys::poll::readable(stdio(0));
        if !self.input_open || !self.typed.is_empty() {
            input.fd = -1;
        }
        let mut master = sys::poll::readable(self.master.as_fd());
        if !self.typed.is_empty() {
            master.events |= libc::POLLOUT;
        }
        if !self.output_open {
            master.fd = -1;
        }
        [input, master]
    }

    /// Does what poll(2) found possible.
    pub fn carry(&mut self, ready: [libc::pollfd; 2]) {
        if ready[0].revents != 0 {
            self.read_input();
        }
        if ready[1].revents & libc::POLLOUT != 0 {
            self.write_typed();
        }
        if ready[1].revents & (libc::POLLIN | libc::POLLHUP | libc::POLLERR) != 0 {
            self.read_output();
        }
    }

    fn read_input(&mut self) {
        let mut buffer = [0; 4096];
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
        let mut buffer = [0; 16384];
        match sys::fs::read(self.master.as_fd(), &mut buffer) {
            Ok(n) if n > 0 => {
                write_all(&buffer[..n]);
                true
            }
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => false,
            // EIO: nobody has the other end open any more.
            Ok(_) | Err(_) => {
                self.output_open = false;
                false
            }
        }
    }

    /// What the program wrote before it ended: no more than a pty can hold, because another process may
    /// go on writing.
    pub fn drain(&mut self) {
        for _ in 0..64 {
            if !self.output_open || !self.read_output() {
                return;
            }
        }
    }
}

fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match sys::fs::write(stdio(1), bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => {
                let mut writable = sys::poll::readable(stdio(1));
                writable.events = libc::POLLOUT;
                let _ = sys::poll::poll(&mut [writable], -1);
            }
            Err(_) => return,
        }
    }
}
