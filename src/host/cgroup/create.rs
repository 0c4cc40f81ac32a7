//! Makes the planned groups, all or none.

use super::limits::write_limits;
use super::{
    Cgroup, Record, RecordedGroup, cpuset, delegation, devices, flag, open_for_writing, processes, read_small,
};
use crate::error::{Context, Error, Result};
use crate::log;
use crate::plan::cgroup::{CgroupPlan, Group, Version, Write, directory};
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Makes the groups, sets their limits and opens them. Each was not there before or has no
/// processes in it and is not frozen. On an error all that was made is removed again.
pub fn create(plan: &CgroupPlan) -> Result<Cgroup> {
    let mut making = Making::default();
    for group in &plan.groups {
        if let Err(error) = making.group(group) {
            making.undo();
            return Err(error.context(format!("cgroup {} in {}", group.path, group.mount.display())));
        }
    }
    if let Some(text) = making.left_out {
        log::warn(format_args!("{text}; the container stays in the cgroup of the caller"));
    }
    Ok(making.cgroup)
}

/// Takes the group that systemd has made, with this process in it: sets what systemd does not know of, or only
/// roughly, and opens it. What systemd could not set it has not told, but the kernel tells us.
pub fn adopt(plan: &CgroupPlan, pid: i32) -> Result<Cgroup> {
    let mut cgroup = Cgroup { record: Record::planned(plan), ..Cgroup::default() };
    let [planned] = &plan.groups[..] else { return Ok(cgroup) };
    let file = format!("/proc/{pid}/cgroup");
    let its = read_small(Path::new(&file)).context(|| format!("read {file}"))?;
    let path = its.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or(&planned.path);
    let group = Group { path: path.into(), ..planned.clone() };
    cgroup.record.groups = vec![record(&group, &[])];
    furnish(&group, &mut cgroup, true)
        .map_err(|e| e.context(format!("cgroup {} in {}", group.path, group.mount.display())))?;
    Ok(cgroup)
}

/// How often controllers are enabled once more. systemd takes those away from a group above, as long as none below
/// uses them, that no unit of its own asks for.
const ENABLE_TRIES: u32 = 10;

/// Limits, owner and device rules of a group that is there, which is opened.
fn furnish(group: &Group, cgroup: &mut Cgroup, fresh: bool) -> Result<()> {
    let target = group.directory();
    match group.version {
        Version::V1 => {
            if has(group, "cpuset") {
                inherit_cpuset(&group.mount, &target, &group.writes)?;
            }
            write_limits(&target, &group.writes, None)?;
        }
        Version::V2 => {
            limit_enabled(group, &target)?;
            cpuset::check(&target, &group.writes)?;
        }
    }
    if let Some(owner) = group.owner {
        delegation::give(&target, owner)?;
    }
    cgroup.open(group.version, &target, group.optional)?;
    if group.version == Version::V2
        && let Some(into) = &cgroup.into
    {
        devices::restrict(into.as_fd(), &group.devices, fresh)?;
    }
    Ok(())
}

/// Enables the controllers and sets their limits, again if one was taken away in between.
fn limit_enabled(group: &Group, target: &Path) -> Result<()> {
    let mut tries = 0..ENABLE_TRIES;
    loop {
        enable_controllers(group, target)?;
        match write_limits(target, &group.writes, None) {
            Err(_) if !are_enabled(group, target)? && tries.next().is_some() => {}
            written => return written,
        }
    }
}

#[derive(Default)]
struct Making {
    cgroup: Cgroup,
    /// In the order in which they were made.
    made: Vec<PathBuf>,
    /// Why the first group that `linux.cgroupsPath` names was left out.
    left_out: Option<String>,
}

impl Making {
    fn group(&mut self, group: &Group) -> Result<()> {
        let target = group.directory();
        let start = self.made.len();
        if group.optional
            && let Err(error) = delegation::may_enter(group)
        {
            return self.leave_out(group, error.context("enter"));
        }
        let fresh = match self.make(group, &target) {
            Ok(fresh) => fresh,
            Err(e) if group.optional && is_refusal(&e) => {
                self.undo_from(start);
                return self.leave_out(group, Error::io("mkdir", &e));
            }
            Err(e) => return Err(not_made(Error::io("mkdir", &e), &e)),
        };
        delegation::step_aside(group)?;
        is_usable(group, &target, fresh)?;
        furnish(group, &mut self.cgroup, fresh)?;
        let parents = &self.made[start..self.made.len() - usize::from(fresh)];
        self.cgroup.record.groups.push(record(group, parents));
        Ok(())
    }

    /// Without limits a user's container does without a cgroup of its own.
    fn leave_out(&mut self, group: &Group, error: Error) -> Result<()> {
        if group.named && self.left_out.is_none() {
            let error = error.context(format!("cgroup {} in {}", group.path, group.mount.display()));
            self.left_out = Some(format!("linux.cgroupsPath: {}", error.without_hint()));
        }
        Ok(())
    }

    /// mkdir(2) with the parents that are missing; false if the group is there already. Another
    /// runtime may remove a parent that it made, just before we use it: then once more.
    fn make(&mut self, group: &Group, target: &Path) -> io::Result<bool> {
        for _ in 0..10 {
            match mkdir(target) {
                Ok(()) => {
                    self.made.push(target.into());
                    return Ok(true);
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(false),
                Err(e) if e.kind() == ErrorKind::NotFound => self.make_parents(group)?,
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::from_raw_os_error(libc::ENOENT))
    }

    fn make_parents(&mut self, group: &Group) -> io::Result<()> {
        for parent in parents(&group.path) {
            let parent = directory(&group.mount, parent);
            match mkdir(&parent) {
                Ok(()) if !self.made.contains(&parent) => self.made.push(parent),
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn undo(&mut self) {
        self.undo_from(0);
    }

    /// What cannot be removed is in use by somebody else by now.
    fn undo_from(&mut self, start: usize) {
        for path in self.made.drain(start..).rev() {
            let _ = fs::remove_dir(path);
        }
    }
}

/// Not for others to write, whatever the umask: who can write a group's directory can make groups
/// in it.
fn mkdir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o755).create(path)
}

fn record(group: &Group, parents: &[PathBuf]) -> RecordedGroup {
    let inside = parents.iter().filter_map(|p| p.strip_prefix(&group.mount).ok());
    RecordedGroup {
        mount: group.mount.clone(),
        version: group.version,
        controllers: group.controllers.clone(),
        path: group.path.clone(),
        made: inside.map(|p| format!("/{}", p.display())).collect(),
        optional: group.optional,
    }
}

fn has(group: &Group, controller: &str) -> bool {
    group.controllers.iter().any(|c| c == controller)
}

/// `/a` and `/a/b` for `/a/b/c`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').skip(1).map(|(end, _)| &path[..end])
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn not_made(error: Error, cause: &io::Error) -> Error {
    match cause.raw_os_error() {
        Some(libc::EAGAIN) => error.hint("cgroup.max.depth or cgroup.max.descendants of a cgroup above"),
        _ => refusal(error, cause),
    }
}

pub(super) fn refusal(error: Error, cause: &io::Error) -> Error {
    if !is_refusal(cause) {
        return error;
    }
    error
        .hint("without root, limits need a cgroup that was delegated to this user, with cgroupsPath below it")
}

/// A group that was there before may hold processes or be frozen; one below others may be frozen
/// with them. The root of a hierarchy cannot be frozen.
fn is_usable(group: &Group, target: &Path, fresh: bool) -> Result<()> {
    if !fresh {
        is_empty(group, target)?;
    }
    match fresh && parents(&group.path).next().is_none() {
        true => Ok(()),
        false => is_thawed(group, target),
    }
}

fn is_empty(group: &Group, target: &Path) -> Result<()> {
    let pids = processes::below(target).context(|| "read cgroup.procs")?;
    let read = |file: &str| read_small(&target.join(file)).context(|| format!("read {file}"));
    // A pid namespace hides the processes of those above it, but not that there are some.
    let who = match (&pids[..], group.version) {
        ([], Version::V1) => return Ok(()),
        ([], Version::V2) if !flag(&read("cgroup.events")?, "populated") => {
            return is_domain(&read("cgroup.type")?);
        }
        ([], Version::V2) => "processes of another pid namespace".into(),
        (pids, _) => format!("process {}", processes::list(pids)),
    };
    Err(Error::new(format!("cgroup is not empty: {who}")).hint("two containers cannot share a cgroupsPath"))
}

/// A threaded group takes threads of the processes of the one above (cgroup-v2.rst, "Threads"); `kill`
/// would not find in it what it looks for.
fn is_domain(kind: &str) -> Result<()> {
    match kind.trim() {
        "threaded" => Err(Error::new("cgroup is threaded").hint("no process can begin in it")),
        _ => Ok(()),
    }
}

/// A process that enters a frozen group hangs. v1: the group's state includes its ancestors'.
fn is_thawed(group: &Group, target: &Path) -> Result<()> {
    let frozen = match group.version {
        Version::V1 if !has(group, "freezer") => return Ok(()),
        Version::V1 => read_small(&target.join("freezer.state")).map(|state| state.trim() != "THAWED"),
        Version::V2 => read_small(&target.join("cgroup.events")).map(|events| flag(&events, "frozen")),
    };
    match frozen.context(|| "read the freezer's state")? {
        false => Ok(()),
        true => Err(Error::new("cgroup is frozen").hint("it or a parent of it was paused; thaw that first")),
    }
}

/// A v1 cpuset is made empty, and no process may enter it (cpuset(7)): each level takes over what
/// its parent has. Setting cgroup.clone_children in the parent would save 25 us, but it is not our
/// group to change.
fn inherit_cpuset(mount: &Path, target: &Path, writes: &[Write]) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let parent = target.parent().unwrap_or(mount);
        let value = cpuset_of(mount, parent, file)?;
        if !writes.iter().any(|w| w.file == file) {
            set_cpuset(target, file, &value)?;
        }
    }
    Ok(())
}

fn cpuset_of(mount: &Path, directory: &Path, file: &str) -> Result<String> {
    let path = directory.join(file);
    let value = read_small(&path).context(|| format!("read {}", path.display()))?;
    let value = value.trim();
    match directory.parent() {
        Some(parent) if value.is_empty() && directory != mount => {
            let value = cpuset_of(mount, parent, file)?;
            set_cpuset(directory, file, &value)?;
            Ok(value)
        }
        _ => Ok(value.into()),
    }
}

fn set_cpuset(directory: &Path, file: &str, value: &str) -> Result<()> {
    let path = directory.join(file);
    let written = open_for_writing(&path).and_then(|mut f| f.write_all(value.as_bytes()));
    written.context(|| format!("write {value:?} to {}", path.display()))
}

/// Enables the planned controllers in all ancestors, outermost first. Nothing is written where
/// they are there already: such a write waits for groups that are just being removed.
pub(super) fn enable_controllers(group: &Group, target: &Path) -> Result<()> {
    if group.enable.is_empty() {
        return Ok(());
    }
    let mut tries = 0..ENABLE_TRIES;
    let (controller, refused) = loop {
        let missing_before = missing(&group.enable, &present(target)?);
        if missing_before.is_empty() {
            return Ok(());
        }
        let mut refused = Vec::new();
        for ancestor in std::iter::once("").chain(parents(&group.path)) {
            enable(group, ancestor, &missing_before, &mut refused);
        }
        let still = missing(&group.enable, &present(target)?);
        let Some(controller) = still.into_iter().find(|c| group.needs(c)) else { return Ok(()) };
        if !refused.is_empty() || tries.next().is_none() {
            break (controller, refused);
        }
    };
    Err(match refused.into_iter().find(|(_, refused, _)| *refused == controller) {
        Some((ancestor, _, error)) => not_enabled(ancestor, controller, &error),
        None => Error::new(format!("the {controller} controller is not available in this part of cgroup v2")),
    })
}

fn present(target: &Path) -> Result<String> {
    read_small(&target.join("cgroup.controllers")).context(|| "read cgroup.controllers")
}

fn are_enabled(group: &Group, target: &Path) -> Result<bool> {
    Ok(missing(&group.enable, &present(target)?).is_empty())
}

fn missing<'a>(wanted: &'a [String], there: &str) -> Vec<&'a str> {
    let is_there = |c: &&str| there.split_whitespace().any(|t| t == *c);
    wanted.iter().map(String::as_str).filter(|c| !is_there(c)).collect()
}

/// All at once, and if that is refused one by one.
fn enable<'a>(
    group: &Group,
    ancestor: &'a str,
    controllers: &[&'a str],
    refused: &mut Vec<(&'a str, &'a str, io::Error)>,
) {
    let parent = directory(&group.mount, ancestor);
    if has_processes(&parent, ancestor.is_empty()) {
        let busy = || io::Error::from_raw_os_error(libc::EBUSY);
        return refused.extend(controllers.iter().map(|c| (ancestor, *c, busy())));
    }
    let path = parent.join("cgroup.subtree_control");
    let write = |text: &str| open_for_writing(&path).and_then(|mut f| f.write_all(text.as_bytes()));
    let all: Vec<_> = controllers.iter().map(|c| format!("+{c}")).collect();
    if write(&all.join(" ")).is_ok() {
        return;
    }
    for controller in controllers {
        if let Err(e) = write(&format!("+{controller}")) {
            refused.push((ancestor, controller, e));
        }
    }
}

/// A group with processes cannot pass controllers on (cgroup-v2.rst, "No Internal Process Constraint").
/// The kernel would let it pass on cpu, cpuset and pids, and by that make it a threaded domain, where
/// no process can begin in the groups below. The root of all, which has no type, is an exception.
fn has_processes(group: &Path, mounted: bool) -> bool {
    let is_root = mounted && !group.join("cgroup.type").exists();
    let first = || File::open(group.join("cgroup.procs")).and_then(|mut f| f.read(&mut [0; 16]));
    !is_root && first().is_ok_and(|n| n > 0)
}

fn not_enabled(ancestor: &str, controller: &str, cause: &io::Error) -> Error {
    let ancestor = if ancestor.is_empty() { "/" } else { ancestor };
    let error = Error::io(format!("write \"+{controller}\" to cgroup.subtree_control of {ancestor}"), cause);
    if cause.raw_os_error() == Some(libc::EBUSY) {
        return error.hint(format!(
            "{ancestor} has processes of its own, and such a cgroup cannot pass controllers on; \
             choose a cgroupsPath that is not below it"
        ));
    }
    if cause.raw_os_error() == Some(libc::EOPNOTSUPP) {
        return error.hint(format!("{ancestor} is threaded (see cgroup.type), or one above it is"));
    }
    refusal(error, cause)
}
