//! The mounts of the configuration: each made detached, set up, and then attached from fd to fd.

use super::target::mount_target;
use super::{At, Done};
use crate::plan::mounts::{Bind, CgroupV1, Filesystem, Mount, Source};
use crate::sys;
use crate::sys::fs::CWD;
use crate::sys::mount::{self, ATTR_ATIME, MountAttr};
use crate::wire::{Failure, NOTE, Step};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) fn mount_one(root: BorrowedFd, m: &Mount, i: usize, bind: Option<&OwnedFd>) -> Done {
    let opened;
    let new = match (open_source(&m.source, m.attr.set, i), bind) {
        // Only what this user namespace does not reach, or may not take apart: in the host's copy its
        // root could undo the host's `ro`, `nosuid` and so on, which are locked in one of our own.
        (Err(f), Some(bind)) if matches!(f.errno, libc::EACCES | libc::EINVAL) => bind.as_fd(),
        (source, _) => {
            opened = source?;
            opened.as_fd()
        }
    };
    let target = mount_target(root, m, new).at(Step::MountTarget, i)?;
    if matches!(&m.source, Source::Filesystem(fs) if fs.mode_of_target) {
        take_mode(new, target.as_fd(), &m.attr).at(Step::MountAttributes, i)?;
    }
    if matches!(m.source, Source::Bind(_)) && !m.attr.is_empty() {
        mount::mount_setattr(new, false, &m.attr).at(Step::MountAttributes, i)?;
    }
    if !m.recursive_attr.is_empty() {
        mount::mount_setattr(new, true, &m.recursive_attr).at(Step::MountAttributes, i)?;
    }
    mount::move_mount(new, target.as_fd()).at(Step::MountAttach, i)?;
    if let Source::CgroupV1(hierarchies) = &m.source {
        for (part, hierarchy) in hierarchies.iter().enumerate() {
            mount_hierarchy(new, hierarchy, &m.attr, i).map_err(|f| Failure { part: part as u16, ..f })?;
        }
    }
    // After it is attached: what is attached to a shared mount becomes shared.
    for (propagation, recursive) in [(m.propagation, false), (m.recursive_propagation, true)] {
        if propagation != 0 {
            let attr = MountAttr { propagation, ..MountAttr::default() };
            mount::mount_setattr(new, recursive, &attr).at(Step::MountAttributes, i)?;
        }
    }
    Ok(())
}

/// Gives the new mount's root the mode of the directory that it will cover, and only then its
/// attributes, among which may be read-only.
fn take_mode(new: BorrowedFd, target: BorrowedFd, attr: &MountAttr) -> io::Result<()> {
    let mode = sys::fs::fstat(target)?.mode & 0o7777;
    let directory = sys::fs::openat(new, c".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    sys::fs::fchmod(directory.as_fd(), mode)?;
    mount::mount_setattr(new, false, &MountAttr { clear: atime_field(attr.set), propagation: 0, ..*attr })
}

/// A detached mount, with these attributes if it is a filesystem.
fn open_source(source: &Source, attr: u64, i: usize) -> Done<OwnedFd> {
    match source {
        Source::Filesystem(fs) => open_filesystem(fs, attr, i),
        Source::Bind(bind) => open_bind(bind).at(Step::MountOpen, i),
        Source::CgroupV1(hierarchies) => cgroup_directories(hierarchies, attr, i),
    }
}

/// A detached copy of the source.
pub(crate) fn open_bind(bind: &Bind) -> io::Result<OwnedFd> {
    match (mount::clone_tree(CWD, &bind.source, bind.recursive), &bind.fallback) {
        (Err(_), Some(other)) => mount::clone_tree(CWD, other, bind.recursive),
        (opened, _) => opened,
    }
}

fn open_filesystem(fs: &Filesystem, attr: u64, i: usize) -> Done<OwnedFd> {
    let context = mount::fsopen(&fs.fstype).at(Step::MountOpen, i)?;
    let context = context.as_fd();
    // The kernel leaves the reason in the context: pass it on as it is.
    let explain = |failure: Failure| {
        let mut note = [0u8; NOTE];
        let _ = sys::fs::read(context, &mut note);
        Failure { note, ..failure }
    };
    for (part, p) in fs.parameters.iter().enumerate() {
        mount::fsconfig(context, &p.key, p.value.as_deref())
            .at(Step::MountParameter, i)
            .map_err(|f| explain(Failure { part: part as u16, ..f }))?;
    }
    mount::fsconfig_create(context).at(Step::MountCreate, i).map_err(explain)?;
    let attr = if fs.mode_of_target { 0 } else { attr };
    mount::fsmount(context, attr).at(Step::MountCreate, i).map_err(explain)
}

/// The tmpfs that holds a directory for each v1 hierarchy, not attached yet.
fn cgroup_directories(hierarchies: &[CgroupV1], attr: u64, i: usize) -> Done<OwnedFd> {
    let context = mount::fsopen(c"tmpfs").at(Step::MountOpen, i)?;
    mount::fsconfig(context.as_fd(), c"source", Some(c"cgroup")).at(Step::MountParameter, i)?;
    mount::fsconfig(context.as_fd(), c"mode", Some(c"755")).at(Step::MountParameter, i)?;
    mount::fsconfig_create(context.as_fd()).at(Step::MountCreate, i)?;
    let tree = mount::fsmount(context.as_fd(), 0).at(Step::MountCreate, i)?;
    for hierarchy in hierarchies {
        sys::fs::mkdirat(tree.as_fd(), &hierarchy.name, 0o755).at(Step::CgroupMount, i)?;
        for link in &hierarchy.links {
            sys::fs::symlinkat(&hierarchy.name, tree.as_fd(), link).at(Step::CgroupMount, i)?;
        }
    }
    let attr = MountAttr { set: attr, clear: atime_field(attr), ..MountAttr::default() };
    mount::mount_setattr(tree.as_fd(), false, &attr).at(Step::MountAttributes, i)?;
    Ok(tree)
}

/// mount_setattr(2) takes an access time mode only with the whole field cleared.
fn atime_field(attr: u64) -> u64 {
    if attr & ATTR_ATIME != 0 { ATTR_ATIME } else { 0 }
}

fn mount_hierarchy(tmpfs: BorrowedFd, hierarchy: &CgroupV1, attr: &MountAttr, i: usize) -> Done {
    let (new, bound) = match (open_source(&hierarchy.source, attr.set, i), &hierarchy.fallback) {
        (Err(_), Some(own)) => (mount::clone_tree(CWD, own, false).at(Step::CgroupMount, i)?, true),
        (opened, _) => (opened?, matches!(hierarchy.source, Source::Bind(_))),
    };
    if bound {
        mount::mount_setattr(new.as_fd(), false, attr).at(Step::MountAttributes, i)?;
    }
    let target = sys::fs::openat(tmpfs, &hierarchy.name, super::target::DIRECTORY | libc::O_NOFOLLOW, 0);
    mount::move_mount(new.as_fd(), target.at(Step::CgroupMount, i)?.as_fd()).at(Step::CgroupMount, i)
}
