//! What the lines of mounts say.

use super::lossy;
use crate::plan::mounts::idmap::IdNamespace;
use crate::plan::mounts::{Mount, Source, SourceLink, is_superblock_flag};
use crate::sys::mount::{ATTR_ATIME, ATTR_NOSYMFOLLOW, MountAttr};

/// `[ro nosuid]`: what is set and cleared.
pub(super) fn attributes(mount: &Mount) -> String {
    let mut words = Vec::new();
    let mut of = |attr: &MountAttr, prefix: &str| {
        for (bit, set, clear) in [
            (libc::MOUNT_ATTR_RDONLY, "ro", "rw"),
            (libc::MOUNT_ATTR_NOSUID, "nosuid", "suid"),
            (libc::MOUNT_ATTR_NODEV, "nodev", "dev"),
            (libc::MOUNT_ATTR_NOEXEC, "noexec", "exec"),
            (libc::MOUNT_ATTR_NODIRATIME, "nodiratime", "diratime"),
            (ATTR_NOSYMFOLLOW, "nosymfollow", "symfollow"),
            (libc::MOUNT_ATTR_NOATIME, "noatime", ""),
            (libc::MOUNT_ATTR_STRICTATIME, "strictatime", ""),
        ] {
            match (attr.set & bit != 0, attr.clear & bit != 0) {
                (true, _) => words.push(format!("{prefix}{set}")),
                (false, true) if !clear.is_empty() => words.push(format!("{prefix}{clear}")),
                (false, _) => {}
            }
        }
        if attr.clear & ATTR_ATIME != 0 && attr.set & ATTR_ATIME == 0 {
            words.push(format!("{prefix}relatime"));
        }
    };
    of(&mount.attr, "");
    of(&mount.recursive_attr, "r");
    for (flags, recursive) in [(mount.propagation, 0), (mount.recursive_propagation, libc::MS_REC)] {
        if flags != 0 {
            words.push(propagation(flags | recursive));
        }
    }
    let parameters = match &mount.source {
        Source::Filesystem(fs) => fs.parameters.as_slice(),
        Source::Remount(parameters) => parameters.as_deref().unwrap_or_default(),
        Source::Bind(_) | Source::CgroupV1(_) => &[],
    };
    words.extend(parameters.iter().map(|p| lossy(&p.key)).filter(|key| is_superblock_flag(key)));
    words.extend(others(mount));
    if words.is_empty() { String::new() } else { format!("[{}]", words.join(" ")) }
}

/// Options that are neither attributes nor data.
fn others(mount: &Mount) -> Vec<String> {
    let (fs, link) = match &mount.source {
        Source::Filesystem(fs) => (Some(fs), SourceLink::Followed),
        Source::Bind(bind) => (None, bind.link),
        Source::CgroupV1(_) | Source::Remount(_) => (None, SourceLink::Followed),
    };
    let idmap = |recursive: bool| mount.idmap.filter(|i| i.recursive == recursive).map(|i| i.namespace);
    let options = [
        (
            fs.is_some_and(|fs| fs.classic.as_ref().is_some_and(|c| c.flags & libc::MS_I_VERSION != 0)),
            "iversion",
        ),
        (fs.is_some_and(|fs| fs.copy_up), "tmpcopyup"),
        (link == SourceLink::Copied, "copy-symlink"),
        (link == SourceLink::Itself, "src-nofollow"),
        (mount.on_link, "dest-nofollow"),
    ];
    let mut words: Vec<_> =
        options.iter().filter(|(has, _)| *has).map(|(_, word)| (*word).to_owned()).collect();
    words.extend(idmap(false).map(|n| format!("idmap {n}")));
    words.extend(idmap(true).map(|n| format!("ridmap {n}")));
    words
}

pub(super) fn propagation(flags: u64) -> String {
    let name = [
        (libc::MS_SHARED, "shared"),
        (libc::MS_SLAVE, "slave"),
        (libc::MS_PRIVATE, "private"),
        (libc::MS_UNBINDABLE, "unbindable"),
    ]
    .into_iter()
    .find(|(bit, _)| flags & bit != 0)
    .map_or("unchanged", |(_, name)| name);
    format!("{}{name}", if flags & libc::MS_REC != 0 { "r" } else { "" })
}

pub(super) fn maps_of(namespace: &IdNamespace) -> String {
    let one_line = |map: &str| map.trim_end().replace('\n', ", ");
    match namespace {
        IdNamespace::New(maps) => {
            format!("uids {:?}, gids {:?}", one_line(&maps.uid.text), one_line(&maps.gid.text))
        }
        IdNamespace::Joined(join) => format!("that of {}", lossy(&join.path)),
    }
}
