//! Stage 4, record: a container is a directory below `--root`, with two files.
//!
//! `state.json` is replaced atomically, so it is whole or absent. `gate` is the socket on which a
//! created container waits: it is there exactly as long as the container can still be started, so
//! the status need not be kept anywhere and cannot be wrong.

mod dir;
mod liveness;

pub use dir::Dir;
pub use liveness::{Zombie, has_executed, init, is_alive, is_dying, parent, start_time, zombie};

use crate::error::{Context, Error, Result};
use crate::host::cgroup::Record;
use crate::host::{probe, resctrl};
use crate::plan::seccomp::Listener;
use crate::spec::config::Hooks;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Longest container id, in bytes.
pub const MAX_ID: usize = 1024;

/// What is kept of a container.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Of the configuration.
    pub oci_version: String,
    /// Container id.
    pub id: String,
    /// Init, in the pid namespace of the creator; 0 before the clone.
    pub pid: i32,
    /// When init was started, in clock ticks after boot (proc_pid_stat(5), field 22): with the pid it
    /// names one process for ever.
    pub start_time: u64,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    /// Absolute path of the root filesystem.
    pub rootfs: PathBuf,
    /// When it was created, RFC 3339 with nanoseconds, UTC.
    pub created: String,
    /// Of the configuration.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Uid of the creator.
    pub owner: u32,
    /// Its cgroups.
    pub cgroup: Record,
    /// Its class in resctrl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resctrl: Option<resctrl::Record>,
    /// `CLONE_NEW*` of the namespaces that init made or joined.
    pub namespaces: u64,
    /// Its pid namespace is new: when init ends, the kernel ends all other processes in it.
    pub ends_with_init: bool,
    /// Made with `--no-pivot`.
    pub no_pivot: bool,
    /// Made without `--no-new-keyring`: no process of it has its caller's session keyring.
    #[serde(default = "yes")]
    pub new_keyring: bool,
    /// Those that run after `create`: config.json may be another by then, or gone.
    #[serde(default, skip_serializing_if = "no_hooks")]
    pub hooks: Hooks,
    /// argv[0], for the error of a failing start.
    pub program: String,
    /// Who gets the notification fd of the seccomp filter, which `start` lets init load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<Listener>,
    /// It has a socket for sd_notify(3), which `start` carries messages from.
    #[serde(default, skip_serializing_if = "is_false")]
    pub notify: bool,
    /// Where the configuration is, which `exec` reads again; `None`: it came from standard input.
    pub config: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

fn is_false(value: &bool) -> bool {
    !value
}

fn no_hooks(hooks: &Hooks) -> bool {
    *hooks == Hooks::default()
}

/// The status of runtime.md, "State", and `paused`, which other runtimes have too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

impl Status {
    /// As state JSON spells it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}
/// Checks a container id: it becomes a file name and part of a cgroup's.
///
/// # Errors
/// Other characters than `[A-Za-z0-9_+.-]`, `.`, `..`, nothing, more than 1024 bytes.
pub fn check_id(id: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::new(format!("container id {id:?}: {why}")));
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_+.-".contains(&c);
    match id {
        "" => refuse("is empty"),
        "." | ".." => refuse("names a directory"),
        _ if id.len() > MAX_ID => {
            Err(Error::new(format!("container id: has {} bytes, {MAX_ID} are allowed", id.len())))
        }
        _ if !id.bytes().all(allowed) => refuse("only letters, digits and _ + . - are allowed"),
        _ => Ok(()),
    }
}

/// The default of `--root`: /run/tierce for root, else below $XDG_RUNTIME_DIR, else in /tmp. Root of a user
/// namespace may be a user's manager, whose /run is root's still.
///
/// # Errors
/// The one in /tmp, where anybody can make it first, is somebody else's; or a /proc that is missing.
pub fn default_root(uid: u32) -> Result<PathBuf> {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) if uid != 0 || probe::in_user_namespace()? => Ok(Path::new(&dir).join("tierce")),
        _ if uid == 0 => Ok(PathBuf::from("/run/tierce")),
        _ => own_directory(PathBuf::from(format!("/tmp/tierce-{uid}")), uid),
    }
}

/// Made here or long ours; the sticky bit of /tmp keeps it so.
fn own_directory(path: PathBuf, uid: u32) -> Result<PathBuf> {
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => made.map_err(|e| not_writable(&path, &e))?,
    }
    let there = fs::symlink_metadata(&path).map_err(|e| not_writable(&path, &e))?;
    match there.is_dir() && there.uid() == uid && there.mode() & 0o022 == 0 {
        true => Ok(path),
        false => Err(Error::new(format!("{}: is not a directory of uid {uid} alone", path.display()))
            .hint("set $XDG_RUNTIME_DIR, or name another directory with --root")),
    }
}

/// Claims the directory of a new container: of several that want one id, exactly one gets it.
///
/// # Errors
/// The id is taken, or the root cannot be written.
pub fn claim(root: &Path, id: &str) -> Result<Dir> {
    check_id(id)?;
    let make = |path: &Path, parents| fs::DirBuilder::new().recursive(parents).mode(0o700).create(path);
    let path = root.join(id);
    let made = match make(&path, false) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            make(root, true).map_err(|e| not_writable(root, &e))?;
            make(&path, false)
        }
        made => made,
    };
    match made {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::new(format!("container {id:?} already exists"))
                .hint(format!("`tierce delete {id}` removes it when it has stopped")))
        }
        Err(e) => Err(too_long(id, &e).unwrap_or_else(|| not_writable(&path, &e))),
        Ok(()) => dir::own(path, id),
    }
}

fn not_writable(path: &Path, e: &std::io::Error) -> Error {
    let error = Error::io(format!("state directory {}", path.display()), e);
    match e.raw_os_error() {
        Some(libc::EACCES | libc::EROFS) => error.hint("--root names another directory"),
        _ => error,
    }
}

/// The kernel takes file names of 255 bytes.
fn too_long(id: &str, e: &std::io::Error) -> Option<Error> {
    (e.raw_os_error() == Some(libc::ENAMETOOLONG))
        .then(|| Error::errno(format!("container id: has {} bytes", id.len()), libc::ENAMETOOLONG))
}

/// Opens the directory of a container, if there is one.
///
/// # Errors
/// The id is none, the directory is not accessible.
pub fn find(root: &Path, id: &str) -> Result<Option<Dir>> {
    check_id(id)?;
    let path = root.join(id);
    match Dir::open(path.clone()) {
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENAMETOOLONG)) => Ok(None),
        opened => opened.map(Some).context(|| path.display().to_string()),
    }
}

/// Opens the directory of a container.
///
/// # Errors
/// Those of [`find`] and [`missing`].
pub fn open(root: &Path, id: &str) -> Result<Dir> {
    find(root, id)?.ok_or_else(|| missing(id))
}

/// `container "x" does not exist`: managers look for these words.
pub fn missing(id: &str) -> Error {
    Error::new(format!("container {id:?} does not exist"))
}

/// The ids below a root, sorted.
pub fn ids(root: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(root) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.context(|| root.display().to_string())?,
    };
    let mut ids: Vec<String> = entries
        .flatten()
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        .filter_map(|e| e.file_name().into_string().ok())
        .filter(|id| check_id(id).is_ok())
        .collect();
    ids.sort();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_file_names_of_few_characters() {
        for good in ["a", "web-1", "A_b+c.d", "..a", &"x".repeat(1024)] {
            assert!(check_id(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a\n", "a\0", &"x".repeat(1025)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_many_claims_of_one_id_exactly_one_wins() {
        let root = tempfile::tempdir().unwrap();
        let wins = std::thread::scope(|s| {
            let claims: Vec<_> = (0..8).map(|_| s.spawn(|| claim(root.path(), "x").is_ok())).collect();
            claims.into_iter().map(|c| c.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(wins, 1);
    }

    #[test]
    fn a_pid_that_was_used_again_is_not_the_container() {
        let pid = std::process::id() as i32;
        let own = State { pid, start_time: start_time(pid).unwrap(), ..State::default() };
        assert!(is_alive(&own));
        assert!(!is_alive(&State { start_time: own.start_time + 1, ..own }));
    }

    #[test]
    fn a_state_is_whole_or_absent() {
        let root = tempfile::tempdir().unwrap();
        let dir = claim(root.path(), "x").unwrap();
        assert!(dir.read().unwrap().is_none());
        dir.write(&State { id: "x".into(), ..State::default() }).unwrap();
        assert_eq!(dir.read().unwrap().unwrap().id, "x");
        fs::write(root.path().join("x/state.json"), "{\"id\":").unwrap();
        assert!(dir.read().is_err());
        fs::write(root.path().join("x/state.json"), b"{\"id\":\"\xff\"}").unwrap();
        let error = dir.read().unwrap_err().to_string();
        assert!(error.ends_with("\nhint: `tierce delete --force x` removes the container"), "{error}");
        dir.remove().unwrap();
        assert_eq!(open(root.path(), "x").unwrap_err().to_string(), "container \"x\" does not exist");
    }
}
