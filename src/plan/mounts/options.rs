//! mount(8) options: one table says what each of them does.

use crate::error::{Error, Result};
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
    /// bind, rbind
    Bind { recursive: bool },
    /// Changes nothing: a default, or a matter of mount(8) and the kernel log.
    Nothing,
    /// Known, for a later release.
    Later,
}

use libc::{
    MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV, MOUNT_ATTR_NODIRATIME as NODIRATIME,
    MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID, MOUNT_ATTR_RDONLY as RDONLY,
    MOUNT_ATTR_STRICTATIME as STRICTATIME,
};

/// Every option that is not data for the filesystem: config.md, "Linux mount options", and mount(8).
const OPTIONS: &[(&str, Effect)] = {
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
        ("defaults", Nothing),
        ("dev", clear(NODEV)),
        ("diratime", clear(NODIRATIME)),
        ("dirsync", Superblock),
        ("exec", clear(NOEXEC)),
        ("idmap", Later),
        ("iversion", Later),
        ("lazytime", Superblock),
        ("loud", Nothing),
        ("mand", Superblock),
        ("noatime", Attr { set: NOATIME, clear: ATIME }),
        ("nodev", set(NODEV)),
        ("nodiratime", set(NODIRATIME)),
        ("noexec", set(NOEXEC)),
        ("noiversion", Later),
        ("nolazytime", Superblock),
        ("nomand", Superblock),
        ("norelatime", Attr { set: 0, clear: ATIME }),
        ("nostrictatime", Attr { set: 0, clear: ATIME }),
        ("nosuid", set(NOSUID)),
        ("nosymfollow", set(NOSYMFOLLOW)),
        ("private", Propagation(libc::MS_PRIVATE)),
        ("ratime", RecursiveAttr { set: 0, clear: ATIME }),
        ("rbind", Bind { recursive: true }),
        ("rdev", rclear(NODEV)),
        ("rdiratime", rclear(NODIRATIME)),
        ("relatime", Attr { set: 0, clear: ATIME }),
        ("remount", Later),
        ("rexec", rclear(NOEXEC)),
        ("ridmap", Later),
        ("rnoatime", RecursiveAttr { set: NOATIME, clear: ATIME }),
        ("rnodev", rset(NODEV)),
        ("rnodiratime", rset(NODIRATIME)),
        ("rnoexec", rset(NOEXEC)),
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
        ("runbindable", RecursivePropagation(libc::MS_UNBINDABLE)),
        ("rw", clear(RDONLY)),
        ("shared", Propagation(libc::MS_SHARED)),
        ("silent", Nothing),
        ("slave", Propagation(libc::MS_SLAVE)),
        ("strictatime", Attr { set: STRICTATIME, clear: ATIME }),
        ("suid", clear(NOSUID)),
        ("symfollow", clear(NOSYMFOLLOW)),
        ("sync", Superblock),
        ("tmpcopyup", Later),
        ("unbindable", Propagation(libc::MS_UNBINDABLE)),
    ]
};

/// The options that work, for `features`.
pub fn known_options() -> Vec<&'static str> {
    OPTIONS.iter().filter(|(_, e)| !matches!(e, Effect::Later)).map(|(name, _)| *name).collect()
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
    /// Of the superblock.
    pub(super) flags: Vec<String>,
    /// For the filesystem.
    pub(super) data: Vec<String>,
}

/// Sorts the options of the mount at `location`.
///
/// # Errors
/// One of a later release.
pub(super) fn parse(options: &[String], location: &str) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    for (i, option) in options.iter().enumerate() {
        let known = OPTIONS.binary_search_by_key(&option.as_str(), |(name, _)| name);
        match known.map(|at| OPTIONS[at].1) {
            Ok(Effect::Attr { set, clear }) => merge(&mut parsed.attr, set, clear),
            Ok(Effect::RecursiveAttr { set, clear }) => merge(&mut parsed.recursive_attr, set, clear),
            Ok(Effect::Propagation(flag)) => parsed.propagation = flag,
            Ok(Effect::RecursivePropagation(flag)) => parsed.recursive_propagation = flag,
            Ok(Effect::Superblock) => parsed.flags.push(option.clone()),
            Ok(Effect::Bind { recursive }) => parsed.bind = Some(recursive || parsed.bind == Some(true)),
            Ok(Effect::Nothing) => {}
            Ok(Effect::Later) => {
                return Err(Error::not_supported_yet(format!("{location}.options[{i}]: {option}")));
            }
            Err(_) => parsed.data.push(option.clone()),
        }
    }
    Ok(parsed)
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
        parse(&options, "mounts[0]").unwrap()
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
    fn an_option_of_a_later_release_is_refused() {
        let e = parse(&["bind".to_owned(), "tmpcopyup".to_owned()], "mounts[4]").err().unwrap();
        assert_eq!(e.to_string(), "mounts[4].options[1]: tmpcopyup: not supported yet");
    }
}
