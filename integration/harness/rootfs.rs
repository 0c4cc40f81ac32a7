//! The root filesystem of the bundles: busybox, its applets, empty directories.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::case::Case;
use super::host::Host;

const DIRECTORIES: &[&str] =
    &["bin", "dev", "etc", "home", "home/alice", "opt", "proc", "root", "run", "sys", "tmp", "usr", "var"];

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
const GROUP: &str = "root:x:0:\nalice:x:1000:\n";

/// Makes the work directory, with the copy of busybox that all root filesystems link to.
pub fn prepare(host: &Host) -> std::io::Result<()> {
    fs::create_dir(&host.work)?;
    fs::set_permissions(&host.work, fs::Permissions::from_mode(0o755))?;
    let copy = host.work.join("busybox");
    fs::copy(&host.busybox, &copy)?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o555))
}

/// Fills `dir`.
pub fn build(case: &Case, dir: &Path) {
    try_build(case, dir).unwrap_or_else(|e| panic!("build {}: {e}", dir.display()));
}

fn try_build(case: &Case, dir: &Path) -> std::io::Result<()> {
    fs::create_dir(dir)?;
    case.give(dir);
    for name in DIRECTORIES {
        fs::create_dir(dir.join(name))?;
        case.give(&dir.join(name));
    }
    fs::set_permissions(dir.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    for (name, text) in [("passwd", PASSWD), ("group", GROUP)] {
        fs::write(dir.join("etc").join(name), text)?;
    }
    fs::hard_link(case.host.work.join("busybox"), dir.join("bin/busybox"))?;
    for applet in case.host.applets.iter().filter(|name| *name != "busybox") {
        symlink("busybox", dir.join("bin").join(applet))?;
    }
    Ok(())
}
