//! Mounts that the host stage makes for the child, which may not: detached, and by id maps.

use super::idmap;
use super::launch::open_namespace;
use crate::child;
use crate::error::Result;
use crate::plan::mounts::idmap::{IdNamespace, Idmap};
use crate::plan::mounts::{Bind, Mount, Source, SourceLink};
use crate::plan::{Container, describe};
use crate::sys;
use crate::sys::fs::CWD;
use crate::sys::mount::MountAttr;
use crate::wire::{self, Step};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What was made.
#[derive(Debug, Default)]
pub(super) struct Trees {
    /// Of bind mounts, by mount.
    pub(super) binds: Vec<Option<OwnedFd>>,
    /// The root filesystem, if its ids are mapped.
    pub(super) root: Option<OwnedFd>,
    /// The user namespaces of the mappings.
    pub(super) id_namespaces: Vec<OwnedFd>,
}

impl Trees {
    pub(super) fn open(container: Option<&Container>, proc: BorrowedFd) -> Result<Trees> {
        let Some(container) = container else { return Ok(Trees::default()) };
        let namespace = |namespace: &IdNamespace| match namespace {
            IdNamespace::New(maps) => idmap::namespace(proc, maps),
            IdNamespace::Joined(join) => open_namespace(join),
        };
        let id_namespaces = container.id_namespaces.iter().map(namespace).collect::<Result<Vec<_>>>()?;
        let root = match container.root.idmap {
            Some(at) => Some(open_root(container, id_namespaces[at].as_fd())?),
            None => None,
        };
        Ok(Trees { binds: open_binds(container, &id_namespaces)?, root, id_namespaces })
    }

    /// Maps the ids of what the child has mounted itself: the mount `index`, or the root filesystem.
    pub(super) fn map_ids(&self, container: &Container, tree: BorrowedFd, index: usize) -> Result<()> {
        let ids = &self.id_namespaces;
        if index == wire::ROOT_TREE {
            let root = container.root.idmap;
            return root.map_or(Ok(()), |at| map_root(container, tree, ids[at].as_fd()));
        }
        let idmap = container.mounts.get(index).and_then(|mount| mount.idmap);
        idmap.map_or(Ok(()), |idmap| map_bind(container, ids, tree, index, idmap))
    }
}

fn map_bind(container: &Container, ids: &[OwnedFd], tree: BorrowedFd, i: usize, idmap: Idmap) -> Result<()> {
    sys::mount::map_ids(tree, idmap.recursive, ids[idmap.namespace].as_fd())
        .map_err(|e| describe::bind_source(container, i, Step::MountIdmap, &e))
}

fn open_root(container: &Container, ids: BorrowedFd) -> Result<OwnedFd> {
    let tree =
        detached(&container.root.path, true).map_err(|e| describe::root_missing(&container.root.path, &e));
    let tree = tree?;
    map_root(container, tree.as_fd(), ids)?;
    Ok(tree)
}

fn map_root(container: &Container, tree: BorrowedFd, ids: BorrowedFd) -> Result<()> {
    sys::mount::map_ids(tree, false, ids).map_err(|e| describe::root_idmap(&container.root.path, &e))
}

/// Bind sources that the root of a user namespace might not reach, and those whose ids are mapped.
fn open_binds(container: &Container, ids: &[OwnedFd]) -> Result<Vec<Option<OwnedFd>>> {
    let by_host = |m: &Mount| container.host_opens_binds || m.idmap.is_some();
    if !container.mounts.iter().any(by_host) {
        return Ok(Vec::new());
    }
    let open = |(i, mount): (usize, &Mount)| match &mount.source {
        Source::Bind(bind) if by_host(mount) => {
            let Some(tree) =
                open_bind(bind).map_err(|e| describe::bind_source(container, i, Step::MountOpen, &e))?
            else {
                return Ok(None);
            };
            if let Some(idmap) = mount.idmap {
                map_bind(container, ids, tree.as_fd(), i, idmap)?;
            }
            Ok(Some(tree))
        }
        Source::Bind(_) | Source::Filesystem(_) | Source::CgroupV1(_) | Source::Remount(_) => Ok(None),
    };
    container.mounts.iter().enumerate().map(open).collect()
}

/// Detached copies must not stay peers of the host's mounts.
fn open_bind(bind: &Bind) -> io::Result<Option<OwnedFd>> {
    let mut buf = [0; libc::PATH_MAX as usize];
    if bind.link == SourceLink::Copied && sys::tree::readlinkat(CWD, &bind.source, &mut buf).is_ok() {
        return Ok(None);
    }
    child::open_bind(bind).and_then(slave).map(Some)
}

fn detached(path: &std::ffi::CStr, recursive: bool) -> io::Result<OwnedFd> {
    sys::mount::clone_tree(CWD, path, recursive).and_then(slave)
}

fn slave(tree: OwnedFd) -> io::Result<OwnedFd> {
    let slave = MountAttr { propagation: libc::MS_SLAVE, ..MountAttr::default() };
    sys::mount::mount_setattr(tree.as_fd(), true, &slave)?;
    Ok(tree)
}
