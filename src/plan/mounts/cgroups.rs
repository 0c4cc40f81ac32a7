//! Mounts of type `cgroup`.

use super::filesystem::filesystem;
use super::options::Parsed;
use super::{Around, Bind, CgroupV1, Source, SourceLink};
use crate::error::Result;
use crate::plan::cgroup::{Version, directory};
use crate::plan::namespaces::Kind;
use crate::plan::{c_path, c_string};

/// A mount of type `cgroup`: the container's own cgroup only, in every hierarchy.
pub(super) fn cgroup(around: &Around, parsed: &Parsed, location: &str) -> Result<Source> {
    let own_view = around.namespaces.has(Kind::Cgroup);
    let v1: Vec<_> = around.cgroup.groups.iter().filter(|g| g.version == Version::V1).collect();
    if v1.is_empty() {
        // A mount would show the host's whole hierarchy.
        let own = around.cgroup.groups.first();
        if !own_view {
            // Nor may it be a mount where the container has no group of its own: in the first cgroup
            // namespace that takes the host's mount options away, nsdelegate among them.
            let shown = own.map_or_else(|| "/sys/fs/cgroup".into(), |own| own.directory());
            let source = c_path(location, &shown)?;
            let caller =
                own.and_then(|own| own.caller.as_ref().filter(|_| own.optional).map(|path| (own, path)));
            let fallback = caller.map(|(own, path)| c_path(location, &directory(&own.mount, path)));
            return Ok(Source::Bind(Bind {
                source,
                link: SourceLink::Followed,
                // What is mounted below cannot be left out by a caller in a user namespace (mount_namespaces(7)).
                recursive: own.is_none() && around.facts.in_userns,
                fallback: fallback.transpose()?,
            }));
        }
        let data = Parsed { flags: parsed.flags.clone(), ..Parsed::default() };
        return Ok(Source::Filesystem(filesystem(
            "cgroup2",
            Some("cgroup"),
            &data,
            location,
            around.bundle,
        )?));
    }
    let hierarchies = v1.iter().map(|group| {
        let controllers = group.controllers.join(",");
        let named = controllers.strip_prefix("name=");
        let name = group.mount.file_name().map_or(controllers.clone(), |n| n.to_string_lossy().into_owned());
        let source = if own_view {
            let data = Parsed {
                data: match named {
                    Some(name) => vec!["none".into(), format!("name={name}")],
                    None => group.controllers.clone(),
                },
                ..Parsed::default()
            };
            Source::Filesystem(filesystem("cgroup", Some("cgroup"), &data, location, around.bundle)?)
        } else {
            let source = c_path(location, &group.directory())?;
            Source::Bind(Bind { source, link: SourceLink::Followed, recursive: false, fallback: None })
        };
        let own = around.facts.cgroup.hierarchies.iter().find(|h| h.mount == group.mount && group.optional);
        let fallback = own.map(|h| c_path(location, &directory(&h.mount, &h.own))).transpose()?;
        let links = match group.controllers.len() {
            0 | 1 => Vec::new(),
            _ => group.controllers.iter().filter(|c| **c != name).collect(),
        };
        let links = links.into_iter().map(|l| c_string(location, l)).collect::<Result<_>>()?;
        Ok(CgroupV1 { name: c_string(location, &name)?, source, fallback, links })
    });
    Ok(Source::CgroupV1(hierarchies.collect::<Result<_>>()?))
}
