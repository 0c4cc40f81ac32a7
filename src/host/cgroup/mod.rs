//! The cgroups of a container: makes them as planned, opens them for `exec`, lists and kills their
//! processes, removes them.
//!
//! The paths of containers' groups are used as they are, without fds for the directories: the mounts are
//! the machine's, there are no symbolic links below them, and a container that can rename its own groups
//! stays in them. Only the groups that a container makes have no paths here, see [`tree`].

mod below;
mod cpuset;
mod create;
mod delegation;
mod devices;
mod freezer;
mod limits;
mod probe;
mod processes;
mod remove;
mod told;
mod tree;
mod update;

pub use below::{Below, open_below};
pub use create::{adopt, create};
pub(super) use delegation::survey;
pub use delegation::{check, not_entered};
pub use freezer::{freeze, is_frozen, let_die, thaw};
pub use probe::probe;
pub use processes::{kill, processes};
pub use remove::{abandon, remove};
pub use tree::directories;
pub use update::{present, update};

use crate::error::{Context, Result};
use crate::host::systemd::RecordedUnit;
use crate::plan::cgroup::{CgroupPlan, Group, Version, directory};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The cgroups of a container, ready to be entered.
#[derive(Debug, Default)]
pub struct Cgroup {
    /// The `tasks` file of each v1 hierarchy: a lone thread that writes `0` to it enters without
    /// the wait that moving another process costs.
    pub tasks: Vec<OwnedFd>,
    /// The v2 directory, for `CLONE_INTO_CGROUP`.
    pub into: Option<OwnedFd>,
    /// What [`open`], [`kill`] and [`remove`] need later on.
    pub record: Record,
    /// Whoever may not enter the v2 group can do without.
    pub optional: bool,
}

/// The cgroups of a container, as they are kept in its state.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// One for each hierarchy, v1 ones first.
    pub groups: Vec<RecordedGroup>,
    /// The unit of systemd whose group that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<RecordedUnit>,
}

/// One cgroup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedGroup {
    /// Mount point of the hierarchy.
    pub mount: PathBuf,
    /// v1 or v2.
    pub version: Version,
    /// Its controllers; v1: `name=systemd` included.
    pub controllers: Vec<String>,
    /// Absolute inside the hierarchy.
    pub path: String,
    /// Parents that were made along with it, outermost first.
    pub made: Vec<String>,
    /// It was not needed for a limit.
    #[serde(default)]
    pub optional: bool,
}

impl Record {
    /// The groups of a plan, before any of them is made.
    pub fn planned(plan: &CgroupPlan) -> Record {
        let group = |group: &Group| RecordedGroup {
            mount: group.mount.clone(),
            version: group.version,
            controllers: group.controllers.clone(),
            path: group.path.clone(),
            made: Vec::new(),
            optional: group.optional,
        };
        let unit = plan.unit.as_ref().map(RecordedUnit::planned);
        Record { groups: plan.groups.iter().map(group).collect(), unit }
    }

    /// The groups, for changes to be planned.
    pub fn groups(&self) -> Vec<Group> {
        let group = |g: &RecordedGroup| Group::existing(&g.mount, g.version, &g.controllers, &g.path);
        self.groups.iter().map(group).collect()
    }

    /// The group of the hierarchy with this v1 controller, or that of v2, which may have it by another name.
    pub fn with_controller(&self, controller: &str) -> Option<&RecordedGroup> {
        let v1 = self.groups.iter().find(|g| g.controllers.iter().any(|c| c == controller));
        v1.or_else(|| self.groups.iter().find(|g| g.version == Version::V2))
    }
}

impl RecordedGroup {
    /// Its directory, there or not.
    pub fn directory(&self) -> PathBuf {
        directory(&self.mount, &self.path)
    }
}

/// Opens existing groups, for a process that is to join them. ENOENT: they are gone.
pub fn open(record: &Record) -> Result<Cgroup> {
    let mut cgroup = Cgroup { record: record.clone(), ..Cgroup::default() };
    for group in &record.groups {
        cgroup.open(group.version, &group.directory(), group.optional)?;
    }
    Ok(cgroup)
}

impl Cgroup {
    /// Opens the v2 group that the process is in, if that lies below the container's own.
    pub fn below(&self, pid: i32) -> Option<OwnedFd> {
        let group = self.record.groups.last().filter(|g| g.version == Version::V2)?;
        let its = read_small(Path::new(&format!("/proc/{pid}/cgroup"))).ok()?;
        let path = its.lines().find_map(|line| line.strip_prefix("0::"))?;
        path.strip_prefix(&group.path)?.strip_prefix('/')?;
        open_directory(&directory(&group.mount, path)).ok()
    }

    /// `cgroup.procs` of the v2 group, for a process that was born elsewhere.
    pub fn procs(&self) -> Option<OwnedFd> {
        let group = self.record.groups.last().filter(|g| g.version == Version::V2)?;
        open_for_writing(&group.directory().join("cgroup.procs")).ok().map(OwnedFd::from)
    }

    /// Opens the way into one group.
    fn open(&mut self, version: Version, directory: &Path, optional: bool) -> Result<()> {
        match version {
            Version::V1 => {
                let tasks = directory.join("tasks");
                let file = open_for_writing(&tasks).context(|| format!("open {}", tasks.display()))?;
                self.tasks.push(file.into());
            }
            Version::V2 => {
                let flags = libc::O_PATH | libc::O_DIRECTORY;
                let file = OpenOptions::new().read(true).custom_flags(flags).open(directory);
                self.into = Some(file.context(|| format!("open {}", directory.display()))?.into());
                self.optional = optional;
            }
        }
        Ok(())
    }
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    OpenOptions::new().read(true).custom_flags(flags).open(path).map(OwnedFd::from)
}

/// Opens a file of a cgroup for writing.
fn open_for_writing(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// Reads a small file of /proc or of a cgroup that the kernel hands out in one piece, with one
/// read(2).
pub(super) fn read_small(path: &Path) -> io::Result<String> {
    let mut buffer = [0; 4096];
    let mut file = File::open(path)?;
    let n = file.read(&mut buffer)?;
    let mut content = buffer[..n].to_vec();
    if n == buffer.len() {
        file.read_to_end(&mut content)?;
    }
    String::from_utf8(content).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// The value of `key` in a file of `key value` lines, such as `cgroup.events`.
fn flag(content: &str, key: &str) -> bool {
    content.lines().any(|line| line.strip_prefix(key).is_some_and(|value| value == " 1"))
}

/// For poll(2).
fn milliseconds_until(deadline: Instant) -> i32 {
    let left = deadline.saturating_duration_since(Instant::now());
    i32::try_from(left.as_millis() + 1).unwrap_or(i32::MAX)
}
