//! A connection to systemd, by way of a bus or straight.
//!
//! Our own, as it is on the path of every start and little is needed of D-Bus: one call, its answer, one signal. It
//! adds nothing to the time that systemd takes: authentication, greeting, match and call leave in one write(2). Of
//! the ready-made ones zbus adds 32 crates and 0.7 MB to a program of 2, and threads or an executor.

use super::message::{self, Call, FIXED, Kind, Message, Writer};
use crate::error::{Context, Error, Result};
use crate::plan::cgroup::unit::UnitManager;
use crate::sys;
use std::env;
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long systemd may take for a call and its job. As in runc.
const PATIENCE: Duration = Duration::from_secs(30);

/// SASL as systemd's own library does it, without waiting in between: who we are the peer knows from the socket.
/// So it is right in a user namespace, too, where our uid is another.
const AUTHENTICATION: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

const DAEMON: &str = "org.freedesktop.DBus";
pub(super) const SYSTEMD: &str = "org.freedesktop.systemd1";

/// A connection on which nothing was said yet, or something.
#[derive(Debug)]
pub struct Bus {
    socket: OwnedFd,
    /// A daemon is between us and systemd.
    daemon: bool,
    serial: u32,
    /// What is to be sent.
    out: Vec<u8>,
    /// What came and is not read yet.
    came: Vec<u8>,
    /// The server's lines of the authentication are over.
    accepted: bool,
}

/// An address that was tried.
struct Place {
    path: PathBuf,
    daemon: bool,
}

impl Bus {
    /// Connects to where this systemd can be asked.
    ///
    /// # Errors
    /// It can be asked nowhere: what was tried.
    pub fn connect(manager: UnitManager) -> Result<Bus> {
        let mut tried = Vec::new();
        for place in places(manager) {
            let connected = match place {
                Ok(place) => open(&place.path)
                    .map(|socket| (socket, place.daemon))
                    .map_err(|e| Error::io(place.path.display().to_string(), &e).one_line()),
                Err(text) => Err(text),
            };
            match connected {
                Ok((socket, daemon)) => return Ok(Bus::new(socket, daemon)),
                Err(text) => tried.push(text),
            }
        }
        let (whose, hint) = match manager {
            UnitManager::System => {
                ("no systemd to ask for a cgroup", "without it tierce makes the cgroup by itself")
            }
            UnitManager::User => (
                "no systemd of this user to ask for a cgroup",
                "it runs while the user is logged in, or always after `loginctl enable-linger`; $XDG_RUNTIME_DIR names \
                 its directory. Without the flag tierce makes the cgroup by itself",
            ),
        };
        Err(Error::new(format!("{whose}: tried {}", tried.join(", "))).context("--systemd-cgroup").hint(hint))
    }

    fn new(socket: OwnedFd, daemon: bool) -> Bus {
        let mut bus = Bus { socket, daemon, serial: 0, out: Vec::new(), came: Vec::new(), accepted: false };
        if daemon {
            bus.out.extend(AUTHENTICATION);
            bus.queue_for_daemon("Hello", "", Writer::default());
        }
        bus
    }

    /// Asks the daemon for the end of jobs of one unit; systemd itself tells of all of them.
    pub(super) fn watch(&mut self, unit: &str) {
        if self.daemon {
            let mut rule = Writer::default();
            rule.string(&format!(
                "type='signal',sender='{SYSTEMD}',interface='{SYSTEMD}.Manager',member='JobRemoved',arg2='{unit}'"
            ));
            self.queue_for_daemon("AddMatch", "s", rule);
        }
    }

    fn queue_for_daemon(&mut self, member: &str, signature: &str, body: Writer) {
        let path = "/org/freedesktop/DBus";
        self.queue(&Call { destination: DAEMON, path, interface: DAEMON, member, signature }, body);
    }

    /// A call of systemd's manager object, to be sent with the next thing that is waited for; its serial.
    pub(super) fn manager(&mut self, member: &str, signature: &str, body: Writer) -> u32 {
        let destination = if self.daemon { SYSTEMD } else { "" };
        let (path, interface) = ("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager");
        self.queue(&Call { destination, path, interface, member, signature }, body)
    }

    fn queue(&mut self, call: &Call, body: Writer) -> u32 {
        self.serial += 1;
        self.out.extend(message::encode(call, self.serial, body));
        self.serial
    }

    /// Sends what is queued.
    pub(super) fn send(&mut self) -> Result<()> {
        if !self.daemon && !self.accepted {
            // systemd itself overlooks a short message that comes along with the authentication.
            sys::socket::send_bytes(self.socket.as_fd(), AUTHENTICATION).context(|| "write to systemd")?;
            let deadline = Instant::now() + PATIENCE;
            while !self.accepted {
                self.read(deadline)?;
                self.accept()?;
            }
        }
        let out = std::mem::take(&mut self.out);
        sys::socket::send_bytes(self.socket.as_fd(), &out).context(|| "write to systemd")
    }

    /// The answer to a call.
    pub(super) fn answer(&mut self, serial: u32, ended: &mut Vec<(String, String)>) -> Result<Answer> {
        self.send()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.next(deadline)?;
            match message.kind {
                Kind::Return if message.reply_to == serial => {
                    return Ok(Answer::Done(message.text().unwrap_or_default()));
                }
                Kind::Error if message.reply_to == serial => {
                    return Ok(Answer::Refused {
                        name: message.error.clone(),
                        text: message.text().unwrap_or_default(),
                    });
                }
                // Of the greeting, or of the match.
                Kind::Error => {
                    return Err(Error::new(message.text().unwrap_or(message.error)).context("D-Bus"));
                }
                Kind::Signal if message.member == "JobRemoved" => ended.extend(message.job()),
                Kind::Return | Kind::Signal | Kind::Other => {}
            }
        }
    }

    /// Waits for the end of a job: how it ended. It may have come before the answer that names it.
    pub(super) fn end_of(&mut self, job: &str, mut ended: Vec<(String, String)>) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((_, result)) = ended.iter().find(|(path, _)| path == job) {
                return Ok(result.clone());
            }
            let message = self.next(deadline)?;
            if message.kind == Kind::Signal && message.member == "JobRemoved" {
                ended = message.job().into_iter().collect();
            }
        }
    }

    fn next(&mut self, deadline: Instant) -> Result<Message> {
        loop {
            if !self.accepted {
                self.accept()?;
            }
            if self.accepted && self.came.len() >= FIXED {
                let whole = message::length(&self.came[..FIXED]).ok_or_else(garbled)?;
                if self.came.len() >= whole {
                    let message = message::decode(&self.came[..whole]).ok_or_else(garbled)?;
                    self.came.drain(..whole);
                    return Ok(message);
                }
            }
            self.read(deadline)?;
        }
    }

    /// Takes the lines of the authentication: `DATA`, and `OK` with the server's id.
    fn accept(&mut self) -> Result<()> {
        while let Some(end) = self.came.windows(2).position(|two| two == b"\r\n") {
            let line: Vec<u8> = self.came.drain(..end + 2).collect();
            if line.starts_with(b"OK ") {
                self.accepted = true;
                return Ok(());
            }
            if !line.starts_with(b"DATA") {
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                return Err(Error::new(format!("does not accept this user: {line:?}")).context("D-Bus"));
            }
        }
        Ok(())
    }

    fn read(&mut self, deadline: Instant) -> Result<()> {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis() as i32;
        let ready = sys::poll::poll(&mut [sys::poll::readable(self.socket.as_fd())], left);
        if ready.context(|| "wait for systemd")? == 0 {
            return Err(Error::new(format!("systemd has not answered for {} s", PATIENCE.as_secs())));
        }
        let mut buffer = [0; 4096];
        match sys::fs::read(self.socket.as_fd(), &mut buffer).context(|| "read from systemd")? {
            0 => Err(Error::new("systemd, or the bus, has closed the connection")),
            n => {
                self.came.extend(&buffer[..n]);
                Ok(())
            }
        }
    }
}

/// What comes of a call.
#[derive(Debug)]
pub(super) enum Answer {
    /// The first thing that it gives, if that is a text.
    Done(String),
    /// An error, by its name and in systemd's words.
    Refused { name: String, text: String },
}

fn garbled() -> Error {
    Error::new("an answer that is none").context("D-Bus")
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    sys::socket::connect_stream(&path, PATIENCE.as_secs() as u32)
}

/// Where to ask, the bus first: the other sockets are systemd's own affair, and there for where no bus is.
fn places(manager: UnitManager) -> Vec<Result<Place, String>> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let address = |name: &str| variable(name).map(|value| from_address(name, value));
    let place = |path: PathBuf, daemon| Ok(Place { path, daemon });
    match manager {
        UnitManager::System => vec![
            address("DBUS_SYSTEM_BUS_ADDRESS")
                .unwrap_or_else(|| place("/run/dbus/system_bus_socket".into(), true)),
            place("/run/systemd/private".into(), false),
        ],
        UnitManager::User => {
            let mut places: Vec<_> = address("DBUS_SESSION_BUS_ADDRESS").into_iter().collect();
            match variable("XDG_RUNTIME_DIR").map(PathBuf::from) {
                Some(directory) => {
                    places.push(place(directory.join("bus"), true));
                    places.push(place(directory.join("systemd/private"), false));
                }
                None => places.push(Err("$XDG_RUNTIME_DIR, which is not set".into())),
            }
            places
        }
    }
}

/// The first address of the list that is a path (D-Bus Specification, "Server Addresses").
fn from_address(name: &str, value: OsString) -> Result<Place, String> {
    let bytes = value.as_bytes();
    let path = bytes.split(|c| *c == b';').find_map(|address| {
        let keys = address.strip_prefix(b"unix:")?;
        keys.split(|c| *c == b',').find_map(|key| key.strip_prefix(b"path="))
    });
    match path {
        Some(path) => Ok(Place { path: OsString::from_vec(unescape(path)).into(), daemon: true }),
        None => Err(format!("${name}, in which {} has no unix:path=", value.display())),
    }
}

/// `%20` is a blank.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                result.push(byte);
                rest = &tail[2..];
            }
            None => {
                result.push(*first);
                rest = tail;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_list_with_escapes() {
        let path = |value: &str| from_address("X", value.into()).map(|place| place.path);
        assert_eq!(path("unix:path=/run/bus"), Ok("/run/bus".into()));
        assert_eq!(path("unix:abstract=a;unix:guid=7,path=/run/my%20bus"), Ok("/run/my bus".into()));
        let refused = path("unix:abstract=/tmp/dbus-x").unwrap_err();
        assert_eq!(refused, "$X, in which unix:abstract=/tmp/dbus-x has no unix:path=");
    }
}
