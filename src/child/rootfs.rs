//! The root filesystem: mounts, nodes, masks, pivot_root. Paths of the container are resolved on fds
//! only, in the root (openat2(2)); what is mounted goes from fd to fd.

use super::{At, Done, Fds, errno, hooks, terminal};
use crate::plan::devices::{DevicePlan, Link, Node};
use crate::plan::mounts::{Bind, CgroupV1, Filesystem, Mount, Source};
use crate::plan::path::{InRoot, Prefix};
use crate::plan::process::Process;
use crate::plan::{Container, Root};
use crate::sys;
use crate::sys::fs::CWD;
use crate::sys::mount::{self, ATTR_ATIME, MountAttr};
use crate::wire::{Failure, NOTE, Step};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const DIRECTORY: i32 = libc::O_PATH | libc::O_DIRECTORY;

/// Builds the root filesystem and moves into it.
pub(super) fn build(container: &Container, process: Option<&Process>, fds: &Fds) -> Done {
    let root = attach_root(&container.root)?;
    let root = root.as_fd();
    for (i, m) in container.mounts.iter().enumerate() {
        mount_one(root, m, i, fds.binds.get(i).and_then(Option::as_ref))?;
    }
    make_devices(root, &container.devices)?;
    if let Some(process) = process {
        if let Some(wanted) = process.terminal {
            terminal::attach(root, wanted, container.console.as_ref(), fds.host.as_fd())?;
        }
        directory_target(root, &process.cwd_in_root).at(Step::WorkingDirectoryCreate, 0)?;
    }
    // They may still change the root filesystem, even one that will be read-only.
    if container.hooks.before_pivot() {
        hooks::before_pivot(&container.hooks, fds.host.as_fd())?;
    }
    // After the nodes: /dev may be among them. Before the masks: a mask wins.
    for (i, path) in container.readonly.iter().enumerate() {
        make_readonly(root, path).at(Step::ReadonlyPath, i)?;
    }
    mask(root, &container.masked)?;
    // Nothing is made in it any more.
    if container.root.readonly {
        let attr = MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
        mount::mount_setattr(root, false, &attr).at(Step::ReadonlyRoot, 0)?;
    }
    enter_root(&container.root, root)
}

/// A mount of the root filesystem on itself, because pivot_root(2) needs one.
fn attach_root(root: &Root) -> Done<OwnedFd> {
    // Nothing that is mounted from here on may show up on the host.
    mount::set_propagation(c"/", root.propagation).at(Step::RootPropagation, 0)?;
    // With shared propagation the mount below must not be (pivot_root(2), EINVAL): the nearest mount
    // point above the root filesystem.
    for path in &root.unshare_above {
        match mount::set_propagation(path, libc::MS_PRIVATE) {
            Err(e) if errno(&e) == libc::EINVAL => {}
            done => {
                done.at(Step::RootPropagation, 1)?;
                break;
            }
        }
    }
    let tree = mount::clone_tree(CWD, &root.path, true).at(Step::RootOpen, 0)?;
    let target = sys::fs::openat(CWD, &root.path, DIRECTORY, 0).at(Step::RootOpen, 1)?;
    if !root.unshare_above.is_empty() {
        let attr = MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() };
        mount::mount_setattr(tree.as_fd(), false, &attr).at(Step::RootPropagation, 2)?;
    }
    mount::move_mount(tree.as_fd(), target.as_fd()).at(Step::RootAttach, 0)?;
    Ok(tree)
}

fn mount_one(root: BorrowedFd, m: &Mount, i: usize, bind: Option<&OwnedFd>) -> Done {
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
    let target = sys::fs::openat(tmpfs, &hierarchy.name, DIRECTORY | libc::O_NOFOLLOW, 0);
    mount::move_mount(new.as_fd(), target.at(Step::CgroupMount, i)?.as_fd()).at(Step::CgroupMount, i)
}

fn mount_target(root: BorrowedFd, m: &Mount, new: BorrowedFd) -> io::Result<OwnedFd> {
    if matches!(&m.source, Source::Filesystem(fs) if fs.no_symlinks) {
        make_directories(root, &m.target.prefixes)?;
        return sys::fs::open_in_root_no_symlinks(root, &m.target.full, DIRECTORY);
    }
    match sys::fs::fstat(new)?.is(libc::S_IFDIR) {
        true => directory_target(root, &m.target),
        false => file_target(root, &m.target),
    }
}

/// The directory at `path` in the root, made with its parents if it is missing.
fn directory_target(root: BorrowedFd, path: &InRoot) -> io::Result<OwnedFd> {
    match sys::fs::open_in_root(root, &path.full, DIRECTORY) {
        Err(e) if errno(&e) == libc::ENOENT => {
            make_directories(root, &path.prefixes)?;
            sys::fs::open_in_root(root, &path.full, DIRECTORY)
        }
        found => found,
    }
}

/// Makes the directories that are missing; gives the last one, or nothing for the root itself.
fn make_directories(root: BorrowedFd, prefixes: &[Prefix]) -> io::Result<Option<OwnedFd>> {
    let mut parent = None::<OwnedFd>;
    for prefix in prefixes {
        let found = match sys::fs::open_in_root(root, &prefix.path, DIRECTORY) {
            Err(e) if errno(&e) == libc::ENOENT => {
                let parent = parent.as_ref().map_or(root, AsFd::as_fd);
                match sys::fs::mkdirat(parent, &prefix.name, 0o755) {
                    // Somebody else made it, or it is a dangling link: the next open tells.
                    Err(e) if errno(&e) == libc::EEXIST => {}
                    made => made?,
                }
                sys::fs::open_in_root(root, &prefix.path, DIRECTORY)?
            }
            found => found?,
        };
        parent = Some(found);
    }
    Ok(parent)
}

/// The file at `path` in the root, made empty with its parents if it is missing.
pub(super) fn file_target(root: BorrowedFd, path: &InRoot) -> io::Result<OwnedFd> {
    match sys::fs::open_in_root(root, &path.full, libc::O_PATH) {
        Err(e) if errno(&e) == libc::ENOENT => {}
        found => return found,
    }
    let Some((last, parents)) = path.prefixes.split_last() else {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    };
    let parent = make_directories(root, parents)?;
    let parent = parent.as_ref().map_or(root, AsFd::as_fd);
    // Never through a link that somebody put there, never an existing file (CVE-2024-45310).
    drop(sys::fs::create_new(parent, &last.name, libc::O_RDONLY, 0o644)?);
    sys::fs::open_in_root(root, &path.full, libc::O_PATH)
}

fn make_devices(root: BorrowedFd, devices: &DevicePlan) -> Done {
    let mut directory: Option<(&InRoot, OwnedFd)> = None;
    for (i, node) in devices.nodes.iter().enumerate() {
        let here = match directory.take() {
            Some(open) if open.0 == &node.directory => open.1,
            _ => directory_target(root, &node.directory).at(Step::DeviceDirectory, i)?,
        };
        let made = match devices.by_bind && node.letter() != 'p' {
            true => bind_node(here.as_fd(), node),
            false => make_node(here.as_fd(), node),
        };
        made.at(Step::DeviceNode, i)?;
        directory = Some((&node.directory, here));
    }
    if !devices.links.is_empty() {
        let dev =
            directory_target(root, &devices.directory).at(Step::DeviceDirectory, usize::from(u16::MAX))?;
        for (i, link) in devices.links.iter().enumerate() {
            make_link(dev.as_fd(), link).at(Step::DeviceLink, i)?;
        }
    }
    Ok(())
}

fn make_node(directory: BorrowedFd, node: &Node) -> io::Result<()> {
    match sys::fs::mknodat(directory, &node.name, node.mode, node.major, node.minor) {
        Err(e) if errno(&e) == libc::EEXIST => {
            let flags = libc::O_PATH | libc::O_NOFOLLOW;
            let there = sys::fs::fstat(sys::fs::openat(directory, &node.name, flags, 0)?.as_fd())?;
            let same = there.is(node.mode & libc::S_IFMT)
                && (node.letter() == 'p' || there.rdev == (node.major, node.minor));
            return if same { Ok(()) } else { Err(e) };
        }
        made => made?,
    }
    if node.uid != 0 || node.gid != 0 {
        sys::fs::chownat(directory, &node.name, node.uid, node.gid)?;
    }
    Ok(())
}

fn bind_node(directory: BorrowedFd, node: &Node) -> io::Result<()> {
    let tree = mount::clone_tree(CWD, &node.host, false)?;
    let host = sys::fs::fstat(tree.as_fd())?;
    if !host.is(node.mode & libc::S_IFMT) || host.rdev != (node.major, node.minor) {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    match sys::fs::create_new(directory, &node.name, libc::O_RDONLY, 0o644) {
        Err(e) if errno(&e) == libc::EEXIST => {}
        made => drop(made?),
    }
    let target = sys::fs::openat(directory, &node.name, libc::O_PATH | libc::O_NOFOLLOW, 0)?;
    mount::move_mount(tree.as_fd(), target.as_fd())
}

fn make_link(dev: BorrowedFd, link: &Link) -> io::Result<()> {
    match sys::fs::symlinkat(link.target, dev, link.name) {
        // An image's own /dev/ptmx would be the host's.
        Err(e) if errno(&e) == libc::EEXIST && link.name == c"ptmx" => {
            sys::fs::unlinkat(dev, link.name, 0)?;
            sys::fs::symlinkat(link.target, dev, link.name)
        }
        Err(e) if errno(&e) == libc::EEXIST => Ok(()),
        made => made,
    }
}

/// What is to be masked or made read-only, if it is there.
fn existing(root: BorrowedFd, path: &InRoot) -> io::Result<Option<OwnedFd>> {
    match sys::fs::open_in_root(root, &path.full, libc::O_PATH) {
        Err(e) if matches!(errno(&e), libc::ENOENT | libc::ENOTDIR) => Ok(None),
        found => found.map(Some),
    }
}

fn make_readonly(root: BorrowedFd, path: &InRoot) -> io::Result<()> {
    let Some(target) = existing(root, path)? else { return Ok(()) };
    let tree = mount::clone_tree(target.as_fd(), c"", true)?;
    let attr = MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    mount::mount_setattr(tree.as_fd(), false, &attr)?;
    mount::move_mount(tree.as_fd(), target.as_fd())
}

/// Files get the host's /dev/null, directories one empty tmpfs that all share.
fn mask(root: BorrowedFd, paths: &[InRoot]) -> Done {
    let mut empty: Option<OwnedFd> = None;
    for (i, path) in paths.iter().enumerate() {
        let Some(target) = existing(root, path).at(Step::MaskPath, i)? else { continue };
        let directory = sys::fs::fstat(target.as_fd()).at(Step::MaskPath, i)?.is(libc::S_IFDIR);
        let cover = match (&empty, directory) {
            (_, false) => null_device(),
            (None, true) => empty_directory(),
            (Some(empty), true) => mount::clone_tree(empty.as_fd(), c"", false),
        };
        let cover = cover.at(Step::MaskPath, i)?;
        mount::move_mount(cover.as_fd(), target.as_fd()).at(Step::MaskPath, i)?;
        if directory && empty.is_none() {
            empty = Some(cover);
        }
    }
    Ok(())
}

/// The host's, because an image can make its own anything (CVE-2025-31133).
fn null_device() -> io::Result<OwnedFd> {
    let tree = mount::clone_tree(CWD, c"/dev/null", false)?;
    let stat = sys::fs::fstat(tree.as_fd())?;
    match stat.is(libc::S_IFCHR) && stat.rdev == (1, 3) {
        true => Ok(tree),
        false => Err(io::Error::from_raw_os_error(libc::ENODEV)),
    }
}

/// Read-only, and without room for a file should somebody remount it.
fn empty_directory() -> io::Result<OwnedFd> {
    let context = mount::fsopen(c"tmpfs")?;
    for (key, value) in [(c"mode", c"755"), (c"nr_blocks", c"1"), (c"nr_inodes", c"1")] {
        mount::fsconfig(context.as_fd(), key, Some(value))?;
    }
    mount::fsconfig_create(context.as_fd())?;
    let attr =
        libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    mount::fsmount(context.as_fd(), attr)
}

/// The container's root becomes the root, and the host's goes away.
fn enter_root(plan: &Root, root: BorrowedFd) -> Done {
    let shared = !plan.unshare_above.is_empty();
    sys::fs::fchdir(root).at(Step::PivotRoot, 0)?;
    if plan.no_pivot {
        // The old root stays below and could be reached again: take away what shows the host.
        for path in [c"/sys", c"/proc"] {
            let _ = mount::detach(path);
        }
        let slash = sys::fs::openat(CWD, c"/", DIRECTORY, 0).at(Step::PivotRoot, 1)?;
        mount::move_mount(root, slash.as_fd()).at(Step::PivotRoot, 2)?;
        sys::fs::chroot(c".").at(Step::PivotRoot, 3)?;
    } else {
        let old = match shared {
            true => Some(sys::fs::openat(CWD, c"/", DIRECTORY, 0).at(Step::PivotRoot, 1)?),
            false => None,
        };
        mount::pivot_to_cwd().at(Step::PivotRoot, 4)?;
        if let Some(old) = old {
            // Or the host would see its mounts go.
            sys::fs::fchdir(old.as_fd()).at(Step::DetachOldRoot, 0)?;
            mount::set_propagation(c".", libc::MS_SLAVE | libc::MS_REC).at(Step::DetachOldRoot, 0)?;
        }
        mount::detach(c".").at(Step::DetachOldRoot, 1)?;
    }
    sys::fs::chdir(c"/").at(Step::PivotRoot, 5)?;
    if plan.final_propagation != 0 {
        mount::set_propagation(c"/", plan.final_propagation).at(Step::RootPropagation, 3)?;
    }
    Ok(())
}
