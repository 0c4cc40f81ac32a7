//! crun refuses a hybrid cgroup layout; it is given a mount namespace without the v2 hierarchy.

use std::os::unix::process::CommandExt;
use std::process::Command;

use super::host::{Host, Kind};

const MARK: &str = "TIERCE_IT_PRIVATE_MOUNTS";
const SCRIPT: &str = "mount --make-rprivate / && umount \"$0\" && exec \"$@\"";

/// Runs this program again in a mount namespace of its own, if the runtime needs one.
/// The whole suite moves, so that the cases see the mounts that the runtime sees.
pub fn enter_if_needed(host: &Host) -> Result<(), String> {
    let needed = host.kind == Kind::Crun && host.cgroups.is_hybrid() && host.is_root();
    let Some(unified) = host.cgroups.unified().filter(|_| needed) else {
        return Ok(());
    };
    if std::env::var_os(MARK).is_some() {
        return Err(format!("{} is still mounted", unified.mount.display()));
    }
    let program = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
    let error = Command::new("unshare")
        .args(["--mount", "sh", "-c", SCRIPT])
        .arg(&unified.mount)
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(MARK, "1")
        .exec();
    Err(format!("unshare: {error}"))
}
