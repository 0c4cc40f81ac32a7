//! What a caller without root may do: with cgroups below one that was delegated to it (cgroups(7),
//! "Cgroups delegation: delegating a hierarchy to a less privileged user"), and with no others.

use super::{Record, read_small};
use crate::error::{Context, Error, Result};
use crate::log;
use crate::plan::cgroup::{CgroupPlan, Group, Hierarchy, LEAF, Room, Version, directory};
use crate::sys;
use std::ffi::CString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

/// How to come by a delegated cgroup.
const HOW: &str = "`systemd-run --user --scope -p Delegate=yes tierce ...` runs it where systemd has \
                   delegated that; without systemd root makes a cgroup and gives it away (cgroups(7))";

/// Before anything is made: may this caller make and enter the groups that limits need, and have they
/// the controllers for them? Asks nothing where there is no limit, and nothing of root.
///
/// # Errors
/// The limits that cannot be had, with the reason.
pub fn check(plan: &CgroupPlan) -> Result<()> {
    plan.groups.iter().filter(|group| group.caller.is_some() && !group.optional).try_for_each(check_group)
}

fn check_group(group: &Group) -> Result<()> {
    let what = |what: &str| format!("{}: {what} cgroup {}", group.limits(None), shown(group));
    if let Err((place, e)) = may_make(group) {
        let error = Error::io(format!("{}: write to {}", what("make"), place.display()), &e);
        return Err(match group.version {
            Version::V1 => {
                error.hint("on cgroup v1 root has to make a group for this user and give it away; cgroupsPath is then below that")
            }
            Version::V2 => error.hint(HOW),
        });
    }
    may_enter(group).map_err(|e| e.context(what("enter")))?;
    if group.version == Version::V2 {
        passes_on(group)?;
        has_controllers(group)?;
        warn_of_systemd(group);
    }
    Ok(())
}

fn shown(group: &Group) -> String {
    format!("{} in {}", group.path, group.mount.display())
}

/// Finds out where the caller of this v2 hierarchy may make groups.
pub(in crate::host) fn survey(hierarchy: &mut Hierarchy) {
    let own = directory(&hierarchy.mount, &hierarchy.own);
    let parent = own.parent().filter(|_| own != hierarchy.mount).unwrap_or(&own);
    let is_ours =
        |group: &Path| may_write(group).and_then(|()| may_write(&group.join("cgroup.procs"))).is_ok();
    let alone = is_unit(&own) && is_ours(&own) && is_alone(&own);
    hierarchy.room = match is_ours(parent) {
        _ if alone && is_delegated(&own) => Room::Own,
        true => Room::Beside,
        false => Room::Below,
    };
    if alone {
        let controllers = read_small(&own.join("cgroup.controllers")).unwrap_or_default();
        hierarchy.unit = Some(controllers.split_whitespace().map(String::from).collect());
    }
}

/// systemd's own groups are slices, those of its units scopes and services.
fn is_unit(group: &Path) -> bool {
    group.extension().is_some_and(|kind| kind == "scope" || kind == "service")
}

/// The system's systemd marks what it delegates, a user's does not (docs/CGROUP_DELEGATION.md of systemd).
fn is_delegated(group: &Path) -> bool {
    c_path(group).is_ok_and(|path| sys::fs::has_xattr(&path, c"user.delegate", b"1"))
}

/// Is this process the only one in its group?
fn is_alone(own: &Path) -> bool {
    read_small(&own.join("cgroup.procs")).is_ok_and(|pids| pids.lines().count() == 1)
}

/// Moves this process into a group of its own below the one that it is in, alone.
pub(super) fn step_aside(group: &Group) -> Result<()> {
    let Some(caller) = group.caller.as_deref().filter(|_| group.step_aside) else { return Ok(()) };
    let leaf = directory(&group.mount, caller).join(LEAF);
    let made = match fs::create_dir(&leaf) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    };
    let moved = made.and_then(|()| fs::write(leaf.join("cgroup.procs"), "0"));
    moved.context(|| format!("step aside into {}", leaf.display()))
}

/// The group can be made, or is there and can be entered; else what is in the way.
fn may_make(group: &Group) -> std::result::Result<(), (PathBuf, io::Error)> {
    let target = group.directory();
    let inside = target.join(if group.version == Version::V1 { "tasks" } else { "cgroup.procs" });
    let above = target.ancestors().skip(1).take_while(|dir| dir.starts_with(&group.mount));
    for place in std::iter::once(inside.as_path()).chain(above) {
        match may_write(place) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            asked => return asked.map_err(|e| (place.to_path_buf(), e)),
        }
    }
    Ok(())
}

/// A process moves between groups only where its user may write to cgroup.procs of the nearest one
/// above both (cgroups(7)); so it is with CLONE_INTO_CGROUP.
pub(super) fn may_enter(group: &Group) -> Result<()> {
    let Some(caller) = group.caller.as_deref().filter(|_| group.version == Version::V2) else {
        return Ok(());
    };
    let common = common(caller, &group.path);
    let file = directory(&group.mount, &common).join("cgroup.procs");
    may_write(&file).map_err(|e| not_from(caller, &common, &e))
}

fn not_from(caller: &str, common: &str, cause: &io::Error) -> Error {
    let what = format!("from {caller}, which takes writing to cgroup.procs of {common}");
    Error::io(what, cause).hint(
        "processes move only inside what is delegated to their user: call tierce from a cgroup in there, \
         as by `systemd-run --user --scope`",
    )
}

/// The clone into the recorded v2 group was refused.
pub fn not_entered(record: &Record, cause: &io::Error) -> Error {
    let Some(group) = record.groups.last() else { return Error::io("clone", cause) };
    let own = read_small(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let what = format!("enter cgroup {} in {}", group.path, group.mount.display());
    not_from(own, &common(own, &group.path), cause).context(what)
}

fn passes_on(group: &Group) -> Result<()> {
    let below = group.is_below_caller() && !group.step_aside;
    let Some(caller) = group.caller.as_deref().filter(|_| below) else { return Ok(()) };
    let limits = group.limits(None);
    let error = Error::new(format!(
        "{limits}: cgroup {} is below {caller}, where other processes are too, and a cgroup with processes \
         passes no controllers on",
        shown(group)
    ));
    let leaf = directory(&group.mount, caller).join("leaf");
    let leaf = leaf.display();
    Err(error.hint(format!(
        "choose a cgroupsPath beside {caller}, or move all processes of that first (mkdir {leaf} && echo $$ \
         >{leaf}/cgroup.procs; in a unit of systemd: DelegateSubgroup=leaf)"
    )))
}

/// In a slice systemd may undo the limit, see [`Group::lost_beside_a_unit`].
fn warn_of_systemd(group: &Group) {
    let parent = Path::new(&group.path).parent().filter(|p| p.extension().is_some_and(|e| e == "slice"));
    if let (Some(slice), Some(controller)) = (parent, group.lost_beside_a_unit()) {
        let (limits, slice) = (group.limits(Some(controller)), slice.display());
        log::warn(format_args!(
            "{limits}: systemd may take the controller {controller} back from {slice}, and the limit with it; \
             `systemd-run --user --scope -p Delegate=yes tierce ...` keeps it"
        ));
    }
}

/// Does the part that is delegated have the controllers at all?
fn has_controllers(group: &Group) -> Result<()> {
    let target = group.directory();
    let mut above: Vec<&Path> = target.ancestors().take_while(|dir| dir.starts_with(&group.mount)).collect();
    above.reverse();
    let delegated = above.into_iter().find(|dir| may_write(&dir.join("cgroup.subtree_control")).is_ok());
    let Some(top) = delegated else { return Ok(()) };
    let Ok(there) = read_small(&top.join("cgroup.controllers")) else { return Ok(()) };
    let missing = group.enable.iter().find(|c| group.needs(c) && !there.split_whitespace().any(|t| t == *c));
    let Some(controller) = missing else { return Ok(()) };
    let limits = group.limits(Some(controller));
    let there = match there.trim() {
        "" => "no controllers",
        some => some,
    };
    let top = top.display();
    Err(Error::new(format!("{limits}: the controller {controller} is not delegated: {top} has {there}"))
        .hint("root delegates more, in systemd by `Delegate=cpu cpuset io memory pids` for user@.service"))
}

/// What of a group belongs to whom it is delegated to, on a kernel that does not tell.
const DELEGATED: &str = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads";

/// Makes `owner` the owner of the group's directory and of what may be delegated of its files
/// (config-linux.md, "Cgroup ownership"): the limits are not among them.
pub(super) fn give(group: &Path, owner: u32) -> Result<()> {
    let files = fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap_or_else(|_| DELEGATED.into());
    let give = |path: &Path| match lchown(path, Some(owner), None) {
        // Not every group has every file.
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        given => given.context(|| format!("chown {} to {owner}", path.display())),
    };
    files.lines().filter(|file| !file.contains('/')).try_for_each(|file| give(&group.join(file)))?;
    give(group)
}

fn may_write(path: &Path) -> io::Result<()> {
    sys::fs::may_write(&c_path(path)?)
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// The nearest group that both are in or below.
fn common(one: &str, other: &str) -> String {
    let same = Path::new(one).components().zip(Path::new(other).components()).take_while(|(a, b)| a == b);
    same.map(|(a, _)| a).collect::<PathBuf>().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_group_above_both() {
        assert_eq!(common("/a/b/shell", "/a/b/box"), "/a/b");
        assert_eq!(common("/a/b", "/a/b/c/d"), "/a/b");
        assert_eq!(common("/a/bc", "/a/b"), "/a");
        assert_eq!(common("/x", "/y"), "/");
        assert_eq!(common("/", "/y"), "/");
    }
}
