//! The state directory of one container: its files, its lock, its gate.

use super::{State, Status, has_executed, is_alive};
use crate::error::{Context, Error, Result};
use crate::host::cgroup;
use crate::sys;
use crate::sys::fs::CWD;
use std::ffi::{CStr, CString};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const STATE: &CStr = c"state.json";
const STATE_NEW: &CStr = c"state.json.new";
const GATE: &CStr = c"gate";
const NOTIFY: &CStr = c"notify";
const EXIT: &CStr = c"exit";
const EXIT_NEW: &CStr = c"exit.new";

/// How long, in ms, and how often `delete` waits for a creation to end.
const LOCK_WAIT: i32 = 10;
const LOCK_TRIES: u32 = 3000;

/// The state directory of one container.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

/// Locks a new directory until its container is on record, against a `delete --force` meanwhile.
pub(super) fn own(path: PathBuf, id: &str) -> Result<Dir> {
    let deleted = || Error::new(format!("container {id:?} was deleted while it was being created"));
    let dir = match Dir::open(path) {
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => return Err(deleted()),
        dir => dir.context(|| "state directory")?,
    };
    let locked = sys::fs::try_lock(dir.fd()).context(|| "lock the state directory")?;
    if !locked || dir.is_removed()? { Err(deleted()) } else { Ok(dir) }
}

impl Dir {
    pub(super) fn open(path: PathBuf) -> std::io::Result<Dir> {
        let name = CString::new(path.as_os_str().as_bytes())?;
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        Ok(Dir { fd: sys::fs::openat(CWD, &name, flags, 0)?, path })
    }

    /// For the child at the gate, which looks whether it is still there.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Waits until the container is on record, or its creation has failed: false if it is gone then.
    ///
    /// # Errors
    /// Its creation takes longer than half a minute.
    pub fn wait_until_made(&self) -> Result<bool> {
        for _ in 0..LOCK_TRIES {
            if sys::fs::try_lock(self.fd()).context(|| "lock the state directory")? {
                return self.is_removed().map(|removed| !removed);
            }
            sys::poll::poll(&mut [], LOCK_WAIT).context(|| "poll")?;
        }
        Err(Error::new("the container is still being created").hint("end the process that creates it first"))
    }

    /// The container is on record: others may delete it.
    pub fn made(&self) -> Result<()> {
        sys::fs::unlock(self.fd()).context(|| "unlock the state directory")
    }

    fn is_removed(&self) -> Result<bool> {
        sys::fs::is_removed(self.fd()).context(|| "state directory")
    }

    /// Replaces the state.
    pub fn write(&self, state: &State) -> Result<()> {
        let text = serde_json::to_vec(state).map_err(|e| Error::new(e.to_string())).context(|| "state")?;
        let write = || {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NOFOLLOW;
            let file = sys::fs::openat(self.fd(), STATE_NEW, flags, 0o600)?;
            fs::File::from(file).write_all(&text)?;
            sys::fs::renameat(self.fd(), STATE_NEW, STATE)
        };
        write().context(|| format!("{}/state.json", self.path.display()))
    }

    /// The state; none if the creator was killed before it wrote one.
    pub fn read(&self) -> Result<Option<State>> {
        let name = || format!("{}/state.json", self.path.display());
        let file = match sys::fs::openat(self.fd(), STATE, libc::O_RDONLY | libc::O_NOFOLLOW, 0) {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            file => file.context(name)?,
        };
        let mut text = Vec::new();
        fs::File::from(file).read_to_end(&mut text).context(name)?;
        let state = serde_json::from_slice(&text).map_err(|e| {
            let id = self.path.file_name().unwrap_or_default().display();
            Error::new(e.to_string())
                .context(name())
                .hint(format!("`tierce delete --force {id}` removes the container"))
        })?;
        Ok(Some(state))
    }

    /// The state of a container that a command needs whole.
    pub fn read_complete(&self, id: &str) -> Result<State> {
        self.read()?.ok_or_else(|| {
            Error::new(format!("container {id:?} has no state: its creation was interrupted, or goes on"))
                .hint(format!("`tierce delete --force {id}` removes it"))
        })
    }

    /// Keeps how init ended, for `wait`. Who may not write it, or comes when all is deleted, can do without.
    pub fn record_exit(&self, status: u8) {
        let write = || {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NOFOLLOW;
            let file = sys::fs::openat(self.fd(), EXIT_NEW, flags, 0o600)?;
            fs::File::from(file).write_all(status.to_string().as_bytes())?;
            sys::fs::renameat(self.fd(), EXIT_NEW, EXIT)
        };
        if let Err(e) = write() {
            crate::log::debug(format_args!("{}/exit: {e}", self.path.display()));
        }
    }

    /// How init ended, if somebody has seen it.
    pub fn exit_status(&self) -> Option<u8> {
        let file = sys::fs::openat(self.fd(), EXIT, libc::O_RDONLY | libc::O_NOFOLLOW, 0).ok()?;
        std::io::read_to_string(fs::File::from(file)).ok()?.parse().ok()
    }

    /// Makes the directory of the notify socket, which the container sees.
    pub fn make_notify(&self) -> Result<()> {
        sys::fs::mkdirat(self.fd(), NOTIFY, 0o755)
            .and_then(|()| fs::set_permissions(self.path.join("notify"), PermissionsExt::from_mode(0o755)))
            .context(|| format!("{}/notify", self.path.display()))
    }

    /// Makes the gate and listens on it. By way of the fd, so that the path may be as long as it likes
    /// (sun_path has 108 bytes, unix(7)).
    pub fn make_gate(&self) -> Result<OwnedFd> {
        sys::socket::listen(&self.gate_path()?).context(|| format!("{}/gate", self.path.display()))
    }

    /// Connects to the gate; `None` if there is none or nobody waits behind it.
    pub fn connect_gate(&self) -> Result<Option<OwnedFd>> {
        match sys::socket::connect(&self.gate_path()?) {
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ECONNREFUSED)) => Ok(None),
            gate => gate.map(Some).context(|| format!("{}/gate", self.path.display())),
        }
    }

    /// Takes the gate away; false if somebody else has done so already.
    pub fn remove_gate(&self) -> Result<bool> {
        match sys::fs::unlinkat(self.fd(), GATE, 0) {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            gone => gone.map(|()| true).context(|| format!("{}/gate", self.path.display())),
        }
    }

    fn gate_path(&self) -> Result<CString> {
        let path = format!("/proc/self/fd/{}/gate", self.fd.as_raw_fd());
        CString::new(path).map_err(|e| Error::new(e.to_string()))
    }

    /// The status, from what is there.
    pub fn status(&self, state: &State) -> Status {
        match () {
            () if state.pid == 0 => Status::Creating,
            () if !is_alive(state) => Status::Stopped,
            () if cgroup::is_frozen(&state.cgroup) => Status::Paused,
            () if sys::fs::exists(self.fd(), GATE) => Status::Created,
            // Behind the gate, but not before these have run.
            () if !state.hooks.start_container.is_empty() && has_executed(state.pid) == Some(false) => {
                Status::Created
            }
            () => Status::Running,
        }
    }

    /// Removes the directory and all that is in it.
    pub fn remove(&self) -> Result<()> {
        let mut tries = 0..100;
        loop {
            match fs::remove_dir_all(&self.path) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                // A `wait` has just written there what it saw.
                Err(e) if e.raw_os_error() == Some(libc::ENOTEMPTY) && tries.next().is_some() => {}
                removed => return removed.context(|| self.path.display().to_string()),
            }
        }
    }
}
