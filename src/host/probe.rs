//! Host probes: the [`Facts`] that a plan is a function of, filled in production by this one function.

use crate::error::{Context, Result};
use crate::host::cgroup;
use crate::plan::Facts;
use crate::plan::cgroup::Version;
use crate::plan::lsm::{AppArmor, Modules};
use crate::sys;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// Inode of the first user namespace (PROC_USER_INIT_INO of the kernel's proc_ns.h).
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// Asks the kernel. `with_cgroups` is false for `--cgroup-manager disabled`.
///
/// # Errors
/// A /proc that is missing or is none.
pub fn probe(with_cgroups: bool) -> Result<Facts> {
    let (uid, gid) = sys::process::effective_ids();
    let in_userns = in_user_namespace()?;
    let mut cgroup = if with_cgroups { cgroup::probe()? } else { Default::default() };
    if uid != 0 || in_userns {
        let unified = cgroup.hierarchies.iter_mut().filter(|h| h.version == Version::V2);
        unified.for_each(cgroup::survey);
    }
    Ok(Facts {
        uid,
        gid,
        in_userns,
        setgroups_denied: in_userns
            && std::fs::read("/proc/self/setgroups").is_ok_and(|word| word == b"deny\n"),
        permitted_caps: sys::security::capget().context(|| "capget")?.permitted,
        last_cap: last_cap(),
        oom_score_adj: oom_score_adj(),
        modules: modules(),
        cgroup,
    })
}

/// Whether the caller is in any but the first user namespace.
///
/// # Errors
/// A /proc that is missing or is none.
pub fn in_user_namespace() -> Result<bool> {
    let namespace = std::fs::metadata("/proc/self/ns/user").context(|| "/proc/self/ns/user")?;
    Ok(namespace.ino() != FIRST_USER_NAMESPACE)
}

/// AppArmor's file cannot be read where it is not enabled, and selinuxfs is not there without SELinux.
fn modules() -> Modules {
    const SELINUX_MAGIC: i64 = 0xf97c_ff8c;
    let apparmor = match std::fs::read_to_string("/proc/self/attr/apparmor/current") {
        Err(_) => AppArmor::Off,
        Ok(label) if label.trim_end() == "unconfined" => AppArmor::Unconfined,
        Ok(_) => AppArmor::Confined,
    };
    let selinuxfs = sys::fs::openat(sys::fs::CWD, c"/sys/fs/selinux", libc::O_PATH | libc::O_DIRECTORY, 0);
    let magic = selinuxfs.and_then(|directory| sys::fs::statfs_magic(directory.as_fd()));
    Modules { apparmor, selinux: magic.is_ok_and(|magic| magic == SELINUX_MAGIC) }
}

/// The highest capability that the kernel knows, found by asking for them (PR_CAPBSET_READ is
/// EINVAL beyond): six calls, no file.
fn last_cap() -> u32 {
    let (mut known, mut unknown) = (0, 64);
    while unknown - known > 1 {
        let middle = (known + unknown) / 2;
        match sys::process::bounding_has(middle) {
            Ok(_) => known = middle,
            Err(_) => unknown = middle,
        }
    }
    known
}

fn oom_score_adj() -> i32 {
    std::fs::read_to_string("/proc/self/oom_score_adj").ok().and_then(|s| s.trim().parse().ok()).unwrap_or(0)
}
