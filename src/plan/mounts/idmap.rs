//! Mounts that show other owners than the filesystem has (mount_setattr(2), "ID-mapped mounts"): by
//! the maps of a user namespace, which is made for nothing else.

use super::options::Parsed;
use crate::error::{Error, Result};
use crate::plan::namespaces::{IdKind, IdMap, Join, Kind, NamespacePlan, UserMaps, UserNamespace};
use crate::spec::config::{IdMapping, Linux, Mount};
use crate::spec::idmap;

/// The mapping of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idmap {
    /// Of all mounts below it as well.
    pub recursive: bool,
    /// Which of the container's `id_namespaces` has the maps.
    pub namespace: usize,
}

/// A user namespace that has maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdNamespace {
    /// To be made, with these.
    New(UserMaps),
    /// The one that the container joins.
    Joined(Join),
}

/// Collects the namespaces, each once.
#[derive(Debug)]
pub struct Namespaces<'a> {
    /// Those that are needed.
    pub list: Vec<IdNamespace>,
    linux: &'a Linux,
    plan: &'a NamespacePlan,
    /// The caller is not root.
    deny_setgroups: bool,
}

impl<'a> Namespaces<'a> {
    /// None is needed yet.
    pub fn new(linux: &'a Linux, plan: &'a NamespacePlan, privileged: bool) -> Self {
        Namespaces { list: Vec::new(), linux, plan, deny_setgroups: !privileged }
    }

    pub(super) fn of_mount(&mut self, mount: &Mount, parsed: &Parsed, at: &str) -> Result<Option<Idmap>> {
        let (uids, gids) = (mount.uid_mappings.as_deref(), mount.gid_mappings.as_deref());
        let own = uids.zip(gids).filter(|(uids, gids)| !uids.is_empty() && !gids.is_empty());
        let (recursive, ids) = match (&parsed.idmap, own) {
            (None, None) => return Ok(None),
            (None, Some(_)) => (false, None),
            (Some((recursive, ids)), _) => (*recursive, ids.as_deref()),
        };
        let namespace = match own {
            Some((uids, gids)) => self.maps(uids, gids),
            None => self.of_text(ids, at)?,
        };
        Ok(Some(Idmap { recursive, namespace }))
    }

    /// As behind `idmap=`; none for the maps of the container.
    pub(in crate::plan) fn of_text(&mut self, ids: Option<&str>, at: &str) -> Result<usize> {
        let wrong = |text: String| Error::new(format!("{at}: {text}"));
        match ids {
            Some(ids) => {
                let maps = idmap::parse(ids, Some(self.linux)).map_err(wrong)?;
                Ok(self.maps(&maps.uids, &maps.gids))
            }
            None => match self.plan.user() {
                UserNamespace::New { .. } => {
                    Ok(self.maps(&self.linux.uid_mappings, &self.linux.gid_mappings))
                }
                UserNamespace::Joined => {
                    let join = self.plan.joins().find(|j| j.kind == Kind::User);
                    let join = join.ok_or_else(|| wrong("the user namespace has no path".into()))?;
                    Ok(self.add(IdNamespace::Joined(join.clone())))
                }
                UserNamespace::Caller => Err(wrong("an id mapping needs maps or a user namespace".into())),
            },
        }
    }

    fn maps(&mut self, uids: &[IdMapping], gids: &[IdMapping]) -> usize {
        self.add(IdNamespace::New(UserMaps {
            uid: IdMap::of_caller(IdKind::Uid, uids),
            gid: IdMap::of_caller(IdKind::Gid, gids),
            deny_setgroups: self.deny_setgroups,
        }))
    }

    fn add(&mut self, namespace: IdNamespace) -> usize {
        let there = self.list.iter().position(|n| *n == namespace);
        there.unwrap_or_else(|| {
            self.list.push(namespace);
            self.list.len() - 1
        })
    }
}
