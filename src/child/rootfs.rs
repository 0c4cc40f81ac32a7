//! The root filesystem: mounts, nodes, masks, pivot_root. Paths of the container are resolved on fds
//! only, in the root (openat2(2)); what is mounted goes from fd to fd.

use super::mounts::{Around, mount_one};
use super::target::{DIRECTORY, directory_target};
use super::{At, Done, Fds, errno, hooks, terminal};
use crate::plan::devices::{DevicePlan, Link, Node};
use crate::plan::mounts::Parameter;
use crate::plan::path::InRoot;
use crate::plan::process::Process;
use crate::plan::{Container, Root};
use crate::sys;
use crate::sys::fs::CWD;
use crate::sys::mount::{self, MountAttr};
use crate::wire::{self, Step};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Builds the root filesystem and moves into it.
pub(super) fn build(container: &Container, process: Option<&Process>, fds: &Fds) -> Done {
    let own = attach_root(container, fds)?;
    let root = own.as_ref().map(AsFd::as_fd).or(fds.root);
    let root = root.ok_or(io::Error::from_raw_os_error(libc::EBADF)).at(Step::RootOpen, 0)?;
    let locked = container.host_opens_binds;
    let around =
        Around { root, root_path: &container.root.path, fds, locked, label: container.mount_label.as_ref() };
    for (i, m) in container.mounts.iter().enumerate() {
        mount_one(&around, m, i)?;
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
    mask(root, &container.masked, container.mount_label.as_ref())?;
    // Nothing is made in it any more.
    if container.root.readonly {
        let attr = MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
        mount::mount_setattr(root, false, &attr).at(Step::ReadonlyRoot, 0)?;
    }
    enter_root(&container.root, root)
}

/// Mounts the root filesystem on itself, because pivot_root(2) needs a mount: a copy of its own, or the
/// one that the host made.
fn attach_root(container: &Container, fds: &Fds) -> Done<Option<OwnedFd>> {
    let root = &container.root;
    // In a user namespace a copy of its own, in which the host's `ro`, `nosuid` and so on are locked.
    let given = fds.root.filter(|_| !container.host_opens_binds);
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
    let own = match given {
        Some(_) => None,
        None => {
            let own = mount::clone_tree(CWD, &root.path, true).at(Step::RootOpen, 0)?;
            if fds.root.is_some() {
                wire::have_ids_mapped(fds.host.as_fd(), own.as_fd(), wire::ROOT_TREE)
                    .at(Step::RootOpen, 0)?;
            }
            Some(own)
        }
    };
    let Some(tree) = own.as_ref().map(AsFd::as_fd).or(given) else { return Ok(own) };
    if own.is_none() {
        // As if it had been copied here.
        let attr = MountAttr { propagation: root.propagation & !libc::MS_REC, ..MountAttr::default() };
        mount::mount_setattr(tree, true, &attr).at(Step::RootPropagation, 2)?;
    }
    let target = sys::fs::openat(CWD, &root.path, DIRECTORY, 0).at(Step::RootOpen, 1)?;
    if !root.unshare_above.is_empty() {
        let attr = MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() };
        mount::mount_setattr(tree, false, &attr).at(Step::RootPropagation, 2)?;
    }
    mount::move_mount(tree, target.as_fd()).at(Step::RootAttach, 0)?;
    Ok(own)
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
        let dev = directory_target(root, &devices.directory).at(Step::DeviceDirectory, u32::MAX as usize)?;
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
fn mask(root: BorrowedFd, paths: &[InRoot], label: Option<&Parameter>) -> Done {
    let mut empty: Option<OwnedFd> = None;
    for (i, path) in paths.iter().enumerate() {
        let Some(target) = existing(root, path).at(Step::MaskPath, i)? else { continue };
        let directory = sys::fs::fstat(target.as_fd()).at(Step::MaskPath, i)?.is(libc::S_IFDIR);
        let cover = match (&empty, directory) {
            (_, false) => null_device(),
            (None, true) => empty_directory(label),
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
fn empty_directory(label: Option<&Parameter>) -> io::Result<OwnedFd> {
    let context = mount::fsopen(c"tmpfs")?;
    for (key, value) in [(c"mode", c"755"), (c"nr_blocks", c"1"), (c"nr_inodes", c"1")] {
        mount::fsconfig(context.as_fd(), key, Some(value))?;
    }
    if let Some(label) = label {
        mount::fsconfig(context.as_fd(), &label.key, label.value.as_deref())?;
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
