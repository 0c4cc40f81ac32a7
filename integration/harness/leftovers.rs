//! The oracle after every case: nothing of it may be left on the host.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::path::Arg;

use super::case::Case;
use super::{mountinfo, soon};

/// What is left of the case after its containers were deleted. Processes that are just ending get some time.
pub fn find(case: &Case) -> Vec<String> {
    let mut left = Vec::new();
    soon(case.host.time_to_end(), || {
        left = find_now(case);
        left.is_empty()
    });
    left
}

/// The same at this moment.
pub fn find_now(case: &Case) -> Vec<String> {
    let states = case.state_entries().into_iter().map(|name| format!("state directory {name}"));
    let cgroups = case.host.cgroups.named(&case.id_prefix).into_iter();
    let mounts = mounts_below(&case.dir).into_iter();
    let processes = processes(case).into_iter();
    states
        .chain(cgroups.map(|dir| format!("cgroup {}", dir.display())))
        .chain(mounts.map(|dir| format!("mount {}", dir.display())))
        .chain(processes.map(|pid| format!("process {pid} ({})", cmdline(pid))))
        .collect()
}

/// Removes all of it, and the directory of the case.
pub fn remove(case: &Case) {
    soon(case.host.time_to_end(), || {
        for pid in processes(case) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        processes(case).is_empty()
    });
    for dir in mounts_below(&case.dir).iter().rev() {
        let _ = umount2(dir, MntFlags::MNT_DETACH);
    }
    soon(case.host.time_to_end(), || {
        case.host.cgroups.named(&case.id_prefix).iter().for_each(|dir| remove_cgroup(dir));
        case.host.cgroups.named(&case.id_prefix).is_empty()
    });
    let _ = fs::remove_dir_all(&case.dir);
}

/// Removes a cgroup and all below it, as far as no process is there.
fn remove_cgroup(dir: &Path) {
    remove_below(rustix::fs::CWD, dir);
    let _ = fs::remove_dir(dir);
}

/// By way of fds: a path may be longer than the kernel takes.
fn remove_below(at: impl AsFd, name: impl Arg + Copy) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(dir) = rustix::fs::openat(at, name, flags, Mode::empty()) else { return };
    for entry in rustix::fs::Dir::read_from(&dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if entry.file_type() == FileType::Directory && name != c"." && name != c".." {
            remove_below(&dir, name);
            let _ = rustix::fs::unlinkat(&dir, name, AtFlags::REMOVEDIR);
        }
    }
}

fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let mounts = mountinfo::of("self").unwrap_or_default();
    mounts.into_iter().map(|m| m.target).filter(|target| target.starts_with(dir)).collect()
}

/// Processes in a cgroup of the case, or called with its directory, or with their root in it. Of another case's
/// init, just cloned with a copy of all mounts, only the root tells whose it is.
fn processes(case: &Case) -> Vec<i32> {
    let own_mounts = fs::read_link("/proc/self/ns/mnt").ok();
    let own_pid = std::process::id() as i32;
    let dir = format!("{}/", case.dir.display());
    // In mountinfo a path is relative to its filesystem, which may begin at the temporary directory.
    let tail: PathBuf = case.dir.iter().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    let rooted = |text: &str| {
        let mounts = mountinfo::parse(text);
        mounts.iter().any(|m| m.target == Path::new("/") && m.root.contains(&format!("/{}/", tail.display())))
    };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|&pid| pid != own_pid)
        .filter(|pid| {
            let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let elsewhere = || fs::read_link(format!("/proc/{pid}/ns/mnt")).ok() != own_mounts;
            read("cgroup").contains(&case.id_prefix)
                || read("cmdline").contains(&dir)
                || (elsewhere() && rooted(&read("mountinfo")))
        })
        .collect()
}

fn cmdline(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline"))
        .unwrap_or_default()
        .replace('\0', " ")
        .trim()
        .to_string()
}
