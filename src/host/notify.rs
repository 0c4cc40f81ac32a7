//! sd_notify(3) between a container and the service manager of the caller, through a socket of the
//! container's own: its processes are in cgroups, and have pids, that the manager does not know.
//!
//! Nobody stays to carry messages for a container in the background. So `start` and `run --detach` wait
//! until it is ready and hand it over (`MAINPID=`); `run` in the foreground carries all that it says.

use crate::error::{Context, Result};
use crate::spec::config::{Mount, Spec};
use crate::state::Dir;
use crate::sys;
use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where the container sees the directory of its socket; the names are those of runc.
const DIRECTORY: &str = "/run/notify";
const SOCKET: &str = "notify.sock";

/// Longer messages are cut off by systemd, too.
const LONGEST: usize = 4096;

/// How long, in ms, a service manager may take to have read all (sd_notify_barrier(3)).
const BARRIER: i32 = 30_000;

/// How long, in seconds, it may take to make room for a message.
const PATIENCE: u32 = 10;

/// What a program may say to the manager of its container. Not `MAINPID=`, a pid of its own namespace, nor
/// what hands fds over or changes who may speak.
const PASSED_ON: [&str; 10] = [
    "READY=",
    "RELOADING=",
    "STOPPING=",
    "STATUS=",
    "ERRNO=",
    "BUSERROR=",
    "EXIT_STATUS=",
    "WATCHDOG=",
    "EXTEND_TIMEOUT_USEC=",
    "MONOTONIC_USEC=",
];

/// The caller's `$NOTIFY_SOCKET`.
fn of_caller() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())
}

/// Adds the socket to a configuration, if the caller is to be notified: true if so.
pub fn add_to(spec: &mut Spec, root: &Path, id: &str) -> bool {
    let Some(process) = spec.process.as_mut().filter(|_| of_caller().is_some()) else { return false };
    process.env.push(format!("NOTIFY_SOCKET={DIRECTORY}/{SOCKET}"));
    let source = std::path::absolute(root.join(id).join("notify")).unwrap_or_default();
    spec.mounts.push(Mount {
        destination: DIRECTORY.into(),
        typ: Some("bind".into()),
        source: Some(source.to_string_lossy().into_owned()),
        options: ["bind", "nosuid", "noexec", "nodev", "ro"].map(str::to_owned).to_vec(),
        ..Mount::default()
    });
    true
}

/// Carries messages.
#[derive(Debug)]
pub struct Proxy {
    /// Where the container's come in.
    socket: OwnedFd,
    /// To the manager.
    manager: OwnedFd,
    directory: OwnedFd,
    /// What the manager is to look after.
    main_pid: i32,
    ready: bool,
}

impl Proxy {
    /// For a container with a socket, if the caller is still one to be notified. The container cannot send
    /// anything before [`Proxy::serve`].
    ///
    /// # Errors
    /// The socket of the caller is not there.
    pub fn open(dir: &Dir) -> Result<Option<Proxy>> {
        let Some(name) = of_caller() else { return Ok(None) };
        let what = || format!("NOTIFY_SOCKET {}", Path::new(&name).display());
        let manager = connect(name.as_bytes()).context(what)?;
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let directory = sys::fs::openat(dir.fd(), c"notify", flags, 0).context(|| "the notify socket")?;
        let socket = bind(directory.as_fd()).context(|| "the notify socket")?;
        Ok(Some(Proxy { socket, manager, directory, main_pid: 0, ready: false }))
    }

    /// From here on the container can send. `main_pid` is what the manager is told to look after.
    pub fn serve(&mut self, main_pid: i32) -> Result<()> {
        self.main_pid = main_pid;
        sys::fs::renameat(self.directory.as_fd(), c"new", c"notify.sock").context(|| "the notify socket")
    }

    /// Readable when the container has sent something.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Passes the next message on, as far as it is for the manager.
    pub fn carry(&mut self) {
        let mut buffer = [0; LONGEST];
        // Fds that come along are not taken, and so closed, which is all that a barrier waits for.
        let Ok(n) = sys::fs::read(self.socket.as_fd(), &mut buffer) else { return };
        let mut message = passed_on(&buffer[..n]);
        if !self.ready && is_ready(&message) {
            self.ready = true;
            message.extend_from_slice(format!("MAINPID={}\n", self.main_pid).as_bytes());
        }
        if !message.is_empty() {
            let _ = sys::socket::send(self.manager.as_fd(), &message, None);
        }
    }

    /// Passes on what is there, when the container has ended.
    pub fn drain(&mut self) {
        for _ in 0..64 {
            let mut fds = [sys::poll::readable(self.socket.as_fd())];
            if sys::poll::poll(&mut fds, 0).unwrap_or(0) == 0 {
                return;
            }
            self.carry();
        }
    }

    /// Waits until the container is ready, or its init has ended.
    ///
    /// # Errors
    /// Only what would be a bug: poll(2) refusing its arguments.
    pub fn until_ready(&mut self, init: BorrowedFd) -> Result<()> {
        while !self.ready {
            let mut fds = [sys::poll::readable(self.socket.as_fd()), sys::poll::readable(init)];
            sys::poll::poll(&mut fds, -1).context(|| "poll")?;
            match fds.map(|fd| fd.revents != 0) {
                [true, _] => self.carry(),
                [false, _] => return Ok(()),
            }
        }
        // The manager looks at who has sent a message: this process must be there until it has read all.
        let (ours, theirs) = sys::fs::pipe().context(|| "pipe")?;
        if sys::socket::send(self.manager.as_fd(), b"BARRIER=1", Some(theirs.as_fd())).is_ok() {
            drop(theirs);
            sys::poll::poll(&mut [sys::poll::readable(ours.as_fd())], BARRIER).context(|| "poll")?;
        }
        Ok(())
    }
}

fn passed_on(message: &[u8]) -> Vec<u8> {
    let lines = message.split(|b| *b == b'\n');
    let wanted = lines.filter(|line| PASSED_ON.iter().any(|name| line.starts_with(name.as_bytes())));
    wanted.flat_map(|line| line.iter().copied().chain([b'\n'])).collect()
}

fn is_ready(message: &[u8]) -> bool {
    message.split(|b| *b == b'\n').any(|line| line == b"READY=1")
}

/// By a path, however long, or by an abstract name, `@…`.
fn connect(name: &[u8]) -> std::io::Result<OwnedFd> {
    if let Some(name) = name.strip_prefix(b"@") {
        return sys::socket::connect_datagram(&[b"\0", name].concat(), PATIENCE);
    }
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(name));
    let no_file = || std::io::Error::from_raw_os_error(libc::EINVAL);
    let directory = CString::new(path.parent().ok_or_else(no_file)?.as_os_str().as_bytes())?;
    let directory = sys::fs::openat(sys::fs::CWD, &directory, libc::O_PATH | libc::O_DIRECTORY, 0)?;
    let mut short = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
    short.extend_from_slice(path.file_name().ok_or_else(no_file)?.as_bytes());
    sys::socket::connect_datagram(&short, PATIENCE)
}

/// Under another name than the container's, which whoever starts it gets.
fn bind(directory: BorrowedFd) -> std::io::Result<OwnedFd> {
    match sys::fs::unlinkat(directory, c"new", 0) {
        Err(e) if e.raw_os_error() != Some(libc::ENOENT) => return Err(e),
        _ => {}
    }
    let path = format!("/proc/self/fd/{}/new", directory.as_raw_fd());
    let socket = sys::socket::bind_datagram(path.as_bytes())?;
    // The program may be any user.
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_for_the_manager_is_passed_on() {
        let message = b"READY=1\nMAINPID=1\nSTATUS=fine\nFDSTORE=1\nBARRIER=1\nNOTIFYACCESS=all";
        assert_eq!(passed_on(message), b"READY=1\nSTATUS=fine\n");
        assert!(is_ready(b"STATUS=READY=1?\nREADY=1\n") && !is_ready(b"STATUS=READY=1\n"));
        assert!(passed_on(b"MAINPID=1").is_empty() && passed_on(b"").is_empty());
    }
}
