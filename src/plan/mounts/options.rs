//! mount(8) options: one table says what each of them does.

use super::SourceLink;
use crate::sys::mount::{ATTR_ATIME as ATIME, ATTR_NOSYMFOLLOW as NOSYMFOLLOW, MountAttr};

/// What an option does.
#[derive(Debug, Clone, Copy)]
enum Effect {
    /// Sets and clears attributes of the mount.
    Attr { set: u64, clear: u64 },
    /// The same with all mounts below.
    RecursiveAttr { set: u64, clear: u64 },
    /// Propagation.
    Propagation(u64),
    /// Propagation with all mounts below.
    RecursivePropagation(u64),
    /// A flag parameter of the superblock, unknown to bind mounts.
    Superblock,
    /// The same by another name: crun knows them with an `r`, though no superblock is below another.
    SuperblockAs(&'static str),
    /// A flag of the superblock that mount(2) alone can set.
    Iversion(bool),
    /// bind, rbind
    Bind { recursive: bool },
    /// Changes nothing: a default, or a matter of mount(8) and the kernel log.
    Nothing,
    /// What is mounted there is changed.
    Remount,
    /// A tmpfs begins with what it covers.
    CopyUp,
    /// idmap, ridmap: other owners are shown.
    Idmap { recursive: bool },
    /// What becomes of a source that is a symbolic link.
    SourceLink(SourceLink),
    /// A target that is a symbolic link is mounted on itself.
    OnLink,
}

use libc::{
    MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV, MOUNT_ATTR_NODIRATIME as NODIRATIME,
    MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID, MOUNT_ATTR_RDONLY as RDONLY,
    MOUNT_ATTR_STRICTATIME as STRICTATIME,
};

/// Every option that is not data for the filesystem: config.md, "Linux mount options", and mount(8).
const OPTIONS: &[(&str, Effect)] = {
    use super::SourceLink as Link;
    use Effect::*;
    const fn set(set: u64) -> Effect {
        Attr { set, clear: 0 }
    }
    const fn clear(clear: u64) -> Effect {
        Attr { set: 0, clear }
    }
    const fn rset(set: u64) -> Effect {
        RecursiveAttr { set, clear: 0 }
    }
    const fn rclear(clear: u64) -> Effect {
        RecursiveAttr { set: 0, clear }
    }
    &[
        ("async", Superblock),
        ("atime", clear(ATIME)),
        ("bind", Bind { recursive: false }),
        ("copy-symlink", SourceLink(Link::Copied)),
        ("defaults", Nothing),
        ("dest-nofollow", OnLink),
        ("dev", clear(NODEV)),
        ("diratime", clear(NODIRATIME)),
        ("dirsync", Superblock),
        ("exec", clear(NOEXEC)),
        ("idmap", Idmap { recursive: false }),
        ("iversion", Iversion(true)),
        ("lazytime", Superblock),
        ("loud", Nothing),
        ("mand", Superblock),
        ("noatime", Attr { set: NOATIME, clear: ATIME }),
        ("nodev", set(NODEV)),
        ("nodiratime", set(NODIRATIME)),
        ("noexec", set(NOEXEC)),
        ("noiversion", Iversion(false)),
        ("nolazytime", Superblock),
        ("nomand", Superblock),
        ("norelatime", Attr { set: 0, clear: ATIME }),
        ("nostrictatime", Attr { set: 0, clear: ATIME }),
        ("nosuid", set(NOSUID)),
        ("nosymfollow", set(NOSYMFOLLOW)),
        ("private", Propagation(libc::MS_PRIVATE)),
        ("rasync", SuperblockAs("async")),
        ("ratime", RecursiveAttr { set: 0, clear: ATIME }),
        ("rbind", Bind { recursive: true }),
        ("rdev", rclear(NODEV)),
        ("rdiratime", rclear(NODIRATIME)),
        ("rdirsync", SuperblockAs("dirsync")),
        ("relatime", Attr { set: 0, clear: ATIME }),
        ("remount", Remount),
        ("rexec", rclear(NOEXEC)),
        ("ridmap", Idmap { recursive: true }),
        ("rmand", SuperblockAs("mand")),
        ("rnoatime", RecursiveAttr { set: NOATIME, clear: ATIME }),
        ("rnodev", rset(NODEV)),
        ("rnodiratime", rset(NODIRATIME)),
        ("rnoexec", rset(NOEXEC)),
        ("rnomand", SuperblockAs("nomand")),
        ("rnorelatime", RecursiveAttr { set: 0, clear: ATIME }),
        ("rnostrictatime", RecursiveAttr { set: 0, clear: ATIME }),
        ("rnosuid", rset(NOSUID)),
        ("rnosymfollow", rset(NOSYMFOLLOW)),
        ("ro", set(RDONLY)),
        ("rprivate", RecursivePropagation(libc::MS_PRIVATE)),
        ("rrelatime", RecursiveAttr { set: 0, clear: ATIME }),
        ("rro", rset(RDONLY)),
        ("rrw", rclear(RDONLY)),
        ("rshared", RecursivePropagation(libc::MS_SHARED)),
        ("rslave", RecursivePropagation(libc::MS_SLAVE)),
        ("rstrictatime", RecursiveAttr { set: STRICTATIME, clear: ATIME }),
        ("rsuid", rclear(NOSUID)),
        ("rsymfollow", rclear(NOSYMFOLLOW)),
        ("rsync", SuperblockAs("sync")),
        ("runbindable", RecursivePropagation(libc::MS_UNBINDABLE)),
        ("rw", clear(RDONLY)),
        ("shared", Propagation(libc::MS_SHARED)),
        ("silent", Nothing),
        ("slave", Propagation(libc::MS_SLAVE)),
        ("src-nofollow", SourceLink(Link::Itself)),
        ("strictatime", Attr { set: STRICTATIME, clear: ATIME }),
        ("suid", clear(NOSUID)),
        ("symfollow", clear(NOSYMFOLLOW)),
        ("sync", Superblock),
        ("tmpcopyup", CopyUp),
        ("unbindable", Propagation(libc::MS_UNBINDABLE)),
    ]
};

/// All options, for `features`.
pub fn known_options() -> Vec<&'static str> {
    OPTIONS.iter().map(|(name, _)| *name).collect()
}

/// Is it a flag of the superblock, and so no data of one filesystem?
pub(in crate::plan) fn is_superblock_flag(option: &str) -> bool {
    OPTIONS.iter().any(|(name, effect)| *name == option && matches!(effect, Effect::Superblock))
}

/// The options of one mount, sorted by what they do.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) attr: MountAttr,
    pub(super) recursive_attr: MountAttr,
    pub(super) propagation: u64,
    pub(super) recursive_propagation: u64,
    /// bind, or rbind if true.
    pub(super) bind: Option<bool>,
    pub(super) remount: bool,
    pub(super) iversion: bool,
    pub(super) copy_up: bool,
    /// idmap, or ridmap if true, and the ids that stand behind it.
    pub(super) idmap: Option<(bool, Option<String>)>,
    pub(super) source_link: SourceLink,
    pub(super) on_link: bool,
    /// Of the superblock.
    pub(super) flags: Vec<String>,
    /// For the filesystem.
    pub(super) data: Vec<String>,
}

/// Sorts options.
pub(super) fn parse(options: &[String]) -> Parsed {
    let mut parsed = Parsed::default();
    for option in options {
        parsed.take(option);
    }
    parsed
}

impl Parsed {
    fn take(&mut self, option: &str) {
        let (name, value) = match option.split_once('=') {
            Some((name @ ("idmap" | "ridmap"), ids)) => (name, Some(ids.to_owned())),
            _ => (option, None),
        };
        let known = OPTIONS.binary_search_by_key(&name, |(name, _)| name);
        match known.map(|at| OPTIONS[at].1) {
            Ok(Effect::Attr { set, clear }) => merge(&mut self.attr, set, clear),
            Ok(Effect::RecursiveAttr { set, clear }) => merge(&mut self.recursive_attr, set, clear),
            Ok(Effect::Propagation(flag)) => self.propagation = flag,
            Ok(Effect::RecursivePropagation(flag)) => self.recursive_propagation = flag,
            Ok(Effect::Superblock) => self.flags.push(name.to_owned()),
            Ok(Effect::SuperblockAs(name)) => self.flags.push(name.to_owned()),
            Ok(Effect::Iversion(on)) => self.iversion = on,
            Ok(Effect::Bind { recursive }) => self.bind = Some(recursive || self.bind == Some(true)),
            Ok(Effect::Remount) => self.remount = true,
            Ok(Effect::CopyUp) => self.copy_up = true,
            Ok(Effect::Idmap { recursive }) => self.idmap = Some((recursive, value)),
            Ok(Effect::SourceLink(link)) => self.source_link = link,
            Ok(Effect::OnLink) => self.on_link = true,
            Ok(Effect::Nothing) => {}
            Err(_) => self.data.push(option.to_owned()),
        }
    }
}

/// The later option wins.
fn merge(attr: &mut MountAttr, set: u64, clear: u64) {
    attr.set = attr.set & !clear & !set | set;
    attr.clear = attr.clear & !set | clear;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(options: &[&str]) -> Parsed {
        let options: Vec<_> = options.iter().map(|o| (*o).to_owned()).collect();
        parse(&options)
    }

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(OPTIONS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn the_later_of_two_options_wins() {
        let p = parsed(&["ro", "nosuid", "rw"]);
        assert_eq!((p.attr.set, p.attr.clear), (NOSUID, RDONLY));
        let p = parsed(&["rw", "ro"]);
        assert_eq!((p.attr.set, p.attr.clear), (RDONLY, 0));
    }

    #[test]
    fn access_time_modes_replace_each_other() {
        let p = parsed(&["noatime", "strictatime"]);
        // mount_setattr(2) takes a change of the mode only with the whole field in attr_clr.
        assert_eq!((p.attr.set & ATIME, p.attr.clear & ATIME), (STRICTATIME, ATIME));
    }

    #[test]
    fn the_ids_of_an_idmap_option_are_kept() {
        let p = parsed(&["bind", "ridmap=uids=0-1-2;gids=0-1-2"]);
        assert_eq!(p.idmap, Some((true, Some("uids=0-1-2;gids=0-1-2".into()))));
        assert_eq!(parsed(&["idmap"]).idmap, Some((false, None)));
        assert!(p.data.is_empty());
    }
}
