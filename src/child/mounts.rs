//! The mounts of the configuration: each made detached, set up, and then attached from fd to fd.

use super::copy_up::copy_up;
use super::target::{copy_link, existing_target, mount_target};
use super::{At, Done, Fds, errno};
use crate::plan::mounts::{Bind, CgroupV1, Classic, Filesystem, Mount, Parameter, Source, SourceLink};
use crate::sys;
use crate::sys::fs::CWD;
use crate::sys::mount::{self, ATTR_ATIME, MountAttr};
use crate::wire::{self, Failure, NOTE, Step};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What a mount is made with beside its plan.
pub(super) struct Around<'a> {
    /// The root filesystem.
    pub(super) root: BorrowedFd<'a>,
    /// Its path on the host, where mount(2) may mount for a moment.
    pub(super) root_path: &'a CStr,
    pub(super) fds: &'a Fds<'a>,
    /// What is mounted on the host has locks here, as in a mount namespace of less privilege.
    pub(super) locked: bool,
    /// linux.mountLabel
    pub(super) label: Option<&'a Parameter>,
}

pub(super) fn mount_one(around: &Around, m: &Mount, i: usize) -> Done {
    let (root, fds) = (around.root, around.fds);
    match &m.source {
        Source::Remount(parameters) => return remount(root, m, parameters.as_deref(), i),
        Source::Bind(bind) if bind.link == SourceLink::Copied => {
            if copy_link(root, bind, &m.target).at(Step::MountLink, i)? {
                return Ok(());
            }
        }
        Source::Bind(_) | Source::Filesystem(_) | Source::CgroupV1(_) => {}
    }
    let opened;
    let (new, attributes_due) = match (fds.binds.get(i).and_then(Option::as_ref), m.idmap) {
        (Some(bind), Some(_)) if !around.locked => (bind.as_fd(), true),
        (bind, _) => match (open_source(&m.source, m.attr.set, around, i), bind) {
            // Only what this user namespace does not reach, or may not take apart: in the host's copy its
            // root could undo the host's `ro`, `nosuid` and so on, which are locked in one of our own.
            (Err(f), Some(bind)) if matches!(f.errno, libc::EACCES | libc::EINVAL) => (bind.as_fd(), true),
            (source, bind) => {
                opened = source?;
                if bind.is_some() && m.idmap.is_some() {
                    // Only the host may map the ids of its filesystems.
                    wire::have_ids_mapped(fds.host.as_fd(), opened.tree.as_fd(), i)
                        .at(Step::MountIdmap, i)?;
                }
                (opened.tree.as_fd(), opened.attributes_due)
            }
        },
    };
    let target = mount_target(root, m, new).at(Step::MountTarget, i)?;
    if let Source::Filesystem(fs) = &m.source {
        begin_as(fs, new, target.as_fd(), i)?;
        if let Some(idmap) = m.idmap {
            let namespace = fds.id_namespaces[idmap.namespace].as_fd();
            match around.locked {
                // Root of a user namespace has no power over the one that has the maps.
                true => wire::have_ids_mapped(fds.host.as_fd(), new, i),
                false => mount::map_ids(new, idmap.recursive, namespace),
            }
            .at(Step::MountIdmap, i)?;
        }
    }
    if attributes_due && !m.attr.is_empty() {
        let attr = MountAttr { clear: m.attr.clear | atime_field(m.attr.set), ..m.attr };
        mount::mount_setattr(new, false, &attr).at(Step::MountAttributes, i)?;
    }
    if !m.recursive_attr.is_empty() {
        mount::mount_setattr(new, true, &m.recursive_attr).at(Step::MountAttributes, i)?;
    }
    mount::move_mount(new, target.as_fd()).at(Step::MountAttach, i)?;
    if let Source::CgroupV1(hierarchies) = &m.source {
        for (part, hierarchy) in hierarchies.iter().enumerate() {
            mount_hierarchy(new, hierarchy, m, around, i)
                .map_err(|f| Failure { part: wire::number(part), ..f })?;
        }
    }
    // After it is attached: what is attached to a shared mount becomes shared.
    propagate(new, m, i)
}

fn propagate(mount: BorrowedFd, m: &Mount, i: usize) -> Done {
    for (propagation, recursive) in [(m.propagation, false), (m.recursive_propagation, true)] {
        if propagation != 0 {
            let attr = MountAttr { propagation, ..MountAttr::default() };
            mount::mount_setattr(mount, recursive, &attr).at(Step::MountAttributes, i)?;
        }
    }
    Ok(())
}

/// Changes what is mounted there. What is not named stays as it is.
fn remount(root: BorrowedFd, m: &Mount, parameters: Option<&[Parameter]>, i: usize) -> Done {
    let there = existing_target(root, m).at(Step::MountTarget, i)?;
    if let Some(parameters) = parameters {
        let context = mount::fspick(there.as_fd()).at(Step::RemountOpen, i)?;
        let context = context.as_fd();
        configure(context, parameters, i)?;
        mount::fsconfig_reconfigure(context).at(Step::MountCreate, i).map_err(|f| explain(context, f))?;
    }
    for (attr, recursive) in [(&m.attr, false), (&m.recursive_attr, true)] {
        if !attr.is_empty() {
            mount::mount_setattr(there.as_fd(), recursive, attr).at(Step::MountAttributes, i)?;
        }
    }
    propagate(there.as_fd(), m, i)
}

/// A tmpfs may begin with the mode of the directory that it covers, or with all that is in it. Only
/// then it gets its attributes, among which may be read-only.
fn begin_as(fs: &Filesystem, new: BorrowedFd, covered: BorrowedFd, i: usize) -> Done {
    if fs.copy_up {
        copy_up(covered, new, i)?;
    }
    if fs.mode_of_target || fs.owner_of_target {
        become_like(fs, new, covered).at(Step::MountAttributes, i)?;
    }
    Ok(())
}

fn become_like(fs: &Filesystem, new: BorrowedFd, covered: BorrowedFd) -> io::Result<()> {
    let stat = sys::fs::fstat(covered)?;
    let directory = sys::fs::openat(new, c".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    if fs.owner_of_target {
        match sys::fs::fchown(directory.as_fd(), stat.uid, stat.gid) {
            // An owner whom the user namespace does not have.
            Err(e) if errno(&e) == libc::EINVAL => {}
            done => done?,
        }
    }
    if fs.mode_of_target {
        sys::fs::fchmod(directory.as_fd(), stat.mode & 0o7777)?;
    }
    Ok(())
}

/// A detached mount.
struct Opened {
    tree: OwnedFd,
    /// It has not got its attributes yet.
    attributes_due: bool,
}

fn open_source(source: &Source, attr: u64, around: &Around, i: usize) -> Done<Opened> {
    match source {
        Source::Filesystem(fs) => {
            let opened = open_filesystem(fs, attr, around, i)?;
            if let Some(label) = &fs.root_label {
                label_root(opened.tree.as_fd(), label).at(Step::MountLabel, i)?;
            }
            Ok(opened)
        }
        Source::Bind(bind) => {
            let tree = open_bind(bind).at(Step::MountOpen, i)?;
            Ok(Opened { tree, attributes_due: true })
        }
        Source::CgroupV1(hierarchies) => {
            let tree = cgroup_directories(hierarchies, attr, around.label, i)?;
            Ok(Opened { tree, attributes_due: false })
        }
        // Has no source.
        Source::Remount(_) => Err(io::Error::from_raw_os_error(libc::EINVAL)).at(Step::MountOpen, i),
    }
}

/// SELinux labels the root directory alone, and what is made in it inherits that.
fn label_root(new: BorrowedFd, label: &CStr) -> io::Result<()> {
    let directory = sys::fs::openat(new, c".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    sys::fs::set_xattr(directory.as_fd(), c"security.selinux", label.to_bytes())
}

/// A detached copy of the source.
pub(crate) fn open_bind(bind: &Bind) -> io::Result<OwnedFd> {
    if bind.link == SourceLink::Itself {
        return mount::clone_tree_of_link(CWD, &bind.source, bind.recursive);
    }
    match (mount::clone_tree(CWD, &bind.source, bind.recursive), &bind.fallback) {
        (Err(_), Some(other)) => mount::clone_tree(CWD, other, bind.recursive),
        (opened, _) => opened,
    }
}

fn open_filesystem(fs: &Filesystem, attr: u64, around: &Around, i: usize) -> Done<Opened> {
    let due = fs.mode_of_target || fs.copy_up;
    let new = match &fs.classic {
        Some(classic) if classic.only => None,
        _ => Some(new_filesystem(fs, if due { 0 } else { attr }, i)),
    };
    match (new, &fs.classic) {
        (None, Some(classic)) => mount_classic(fs, classic, around.root_path, i),
        (Some(Err(f)), Some(classic)) if f.step == Step::MountParameter && f.errno == libc::EINVAL => {
            mount_classic(fs, classic, around.root_path, i)
        }
        (Some(new), _) => Ok(Opened { tree: new?, attributes_due: due }),
        (None, None) => Err(io::Error::from_raw_os_error(libc::EINVAL)).at(Step::MountOpen, i),
    }
}

fn new_filesystem(fs: &Filesystem, attr: u64, i: usize) -> Done<OwnedFd> {
    let context = mount::fsopen(&fs.fstype).at(Step::MountOpen, i)?;
    let context = context.as_fd();
    configure(context, &fs.parameters, i)?;
    mount::fsconfig_create(context).at(Step::MountCreate, i).map_err(|f| explain(context, f))?;
    mount::fsmount(context, attr).at(Step::MountCreate, i).map_err(|f| explain(context, f))
}

fn configure(context: BorrowedFd, parameters: &[Parameter], i: usize) -> Done {
    for (part, p) in parameters.iter().enumerate() {
        configured(context, p)
            .at(Step::MountParameter, i)
            .map_err(|f| explain(context, Failure { part: wire::number(part), ..f }))?;
    }
    Ok(())
}

fn configured(context: BorrowedFd, p: &Parameter) -> io::Result<()> {
    match &p.value {
        // Too long for a string, so it is the path of a directory of an overlay.
        Some(path) if path.count_bytes() > mount::STRING_MAX => {
            let directory = sys::fs::openat(CWD, path, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
            mount::fsconfig_fd(context, &p.key, directory.as_fd())
        }
        value => mount::fsconfig(context, &p.key, value.as_deref()),
    }
}

/// The kernel leaves the reason in the context: it is passed on as it is.
fn explain(context: BorrowedFd, failure: Failure) -> Failure {
    let mut note = [0u8; NOTE];
    let _ = sys::fs::read(context, &mut note);
    Failure { note, ..failure }
}

/// By mount(2), which takes a path: on top of the root filesystem, which this mount namespace alone has
/// mounted and which is private, and off it again.
fn mount_classic(fs: &Filesystem, classic: &Classic, at: &CStr, i: usize) -> Done<Opened> {
    mount::mount_new(&classic.source, at, &fs.fstype, classic.flags, &classic.data)
        .at(Step::MountClassic, i)?;
    let tree = mount::clone_tree(CWD, at, false);
    mount::detach(at).at(Step::MountClassic, i)?;
    Ok(Opened { tree: tree.at(Step::MountClassic, i)?, attributes_due: true })
}

/// The tmpfs that holds a directory for each v1 hierarchy, not attached yet.
fn cgroup_directories(
    hierarchies: &[CgroupV1],
    attr: u64,
    label: Option<&Parameter>,
    i: usize,
) -> Done<OwnedFd> {
    let context = mount::fsopen(c"tmpfs").at(Step::MountOpen, i)?;
    mount::fsconfig(context.as_fd(), c"source", Some(c"cgroup")).at(Step::MountParameter, i)?;
    mount::fsconfig(context.as_fd(), c"mode", Some(c"755")).at(Step::MountParameter, i)?;
    if let Some(label) = label {
        mount::fsconfig(context.as_fd(), &label.key, label.value.as_deref()).at(Step::MountLabel, i)?;
    }
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

fn mount_hierarchy(tmpfs: BorrowedFd, hierarchy: &CgroupV1, m: &Mount, around: &Around, i: usize) -> Done {
    let new = match (open_source(&hierarchy.source, m.attr.set, around, i), &hierarchy.fallback) {
        (Err(_), Some(own)) => {
            let tree = mount::clone_tree(CWD, own, false).at(Step::CgroupMount, i)?;
            Opened { tree, attributes_due: true }
        }
        (opened, _) => opened?,
    };
    if new.attributes_due {
        mount::mount_setattr(new.tree.as_fd(), false, &m.attr).at(Step::MountAttributes, i)?;
    }
    let target = sys::fs::openat(tmpfs, &hierarchy.name, super::target::DIRECTORY | libc::O_NOFOLLOW, 0);
    mount::move_mount(new.tree.as_fd(), target.at(Step::CgroupMount, i)?.as_fd()).at(Step::CgroupMount, i)
}
