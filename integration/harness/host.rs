//! The runtime under test and the facts of the host.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::PATIENCE;
use super::cgroups::Cgroups;

/// Which program is under test, from the first line of its `--version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tierce,
    Runc,
    Crun,
}

impl Kind {
    /// The name, which is also the first word of `--version`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tierce => "tierce",
            Kind::Runc => "runc",
            Kind::Crun => "crun",
        }
    }
}

/// What every case may know.
#[derive(Debug)]
pub struct Host {
    pub runtime: PathBuf,
    pub kind: Kind,
    /// First line of `--version`.
    pub version: String,
    pub uid: u32,
    pub gid: u32,
    pub busybox: PathBuf,
    pub applets: Vec<String>,
    pub cgroups: Cgroups,
    /// The directory that holds the directories of all cases.
    pub work: PathBuf,
}

impl Host {
    /// How long what is just ending may take, before it counts as left behind. The peers do leave things
    /// behind, and their list would take an hour.
    pub fn time_to_end(&self) -> Duration {
        if self.kind == Kind::Tierce { PATIENCE } else { PATIENCE / 6 }
    }

    /// Finds the runtime and busybox, and makes the work directory.
    pub fn find() -> Result<Host, String> {
        let runtime = find_runtime()?;
        let text = first_output(&runtime, "--version")?;
        let version = text.lines().next().unwrap_or_default().to_string();
        let kind = [Kind::Tierce, Kind::Runc, Kind::Crun]
            .into_iter()
            .find(|kind| version.starts_with(&format!("{} version ", kind.name())))
            .ok_or_else(|| format!("{}: not tierce, runc or crun: {version:?}", runtime.display()))?;
        let busybox = find_busybox()?;
        let applets = first_output(&busybox, "--list")?.lines().map(str::to_string).collect();
        let temp = std::env::temp_dir().canonicalize().map_err(|e| format!("temporary directory: {e}"))?;
        let work = temp.join(format!("tierce-it-{}", std::process::id()));
        Ok(Host {
            runtime,
            kind,
            version,
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            busybox,
            applets,
            cgroups: Cgroups::read()?,
            work,
        })
    }

    /// Whether the suite runs as root.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }
}

/// The name of the host.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").expect("the name of the host")
}

/// Whether the kernel is this release or a newer one.
pub fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("the release of the kernel");
    let mut numbers = release.split(['.', '-']).map(|n| n.trim().parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

/// `RUNTIME`, or the newest tierce that cargo built, release or debug.
fn find_runtime() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("RUNTIME") {
        return absolute_program(Path::new(&path));
    }
    let debug = PathBuf::from(env!("CARGO_BIN_EXE_tierce"));
    let target = debug.parent().and_then(Path::parent).ok_or("no target directory")?;
    let mut candidates = vec![debug.clone(), target.join("release/tierce")];
    if let Ok(entries) = std::fs::read_dir(target) {
        candidates.extend(entries.flatten().map(|entry| entry.path().join("release/tierce")));
    }
    let modified = |path: &PathBuf| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    candidates
        .into_iter()
        .filter(|path| modified(path).is_some())
        .max_by_key(modified)
        .ok_or_else(|| format!("no tierce in {}: set RUNTIME", target.display()))
}

fn absolute_program(path: &Path) -> Result<PathBuf, String> {
    let found = match path.components().count() {
        1 => std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|dir| dir.join(path))
            .find(|candidate| candidate.is_file()),
        _ => path.canonicalize().ok(),
    };
    found.ok_or_else(|| format!("RUNTIME={}: no such program", path.display()))
}

fn find_busybox() -> Result<PathBuf, String> {
    let named = std::env::var_os("BUSYBOX").map(PathBuf::from);
    named
        .into_iter()
        .chain(["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from))
        .find(|path| path.is_file())
        .ok_or_else(|| "no static busybox: install busybox-static or set BUSYBOX".to_string())
}

fn first_output(program: &Path, flag: &str) -> Result<String, String> {
    let output =
        Command::new(program).arg(flag).output().map_err(|e| format!("{}: {e}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
