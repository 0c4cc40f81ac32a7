//! `/proc/PID/mountinfo`, see proc_pid_mountinfo(5).

use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Of the directory in its filesystem that is mounted.
    pub root: String,
    pub target: PathBuf,
    /// Per-mount options.
    pub options: String,
    /// `shared:1 master:2`, or empty.
    pub propagation: String,
    pub fs_type: String,
    /// Per-superblock options.
    pub super_options: String,
}

impl Mount {
    /// Whether both kinds of options together have `option`.
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').chain(self.super_options.split(',')).any(|o| o == option)
    }
}

/// The mounts that the process `pid` (or `self`) sees.
pub fn of(pid: &str) -> std::io::Result<Vec<Mount>> {
    Ok(parse(&std::fs::read_to_string(format!("/proc/{pid}/mountinfo"))?))
}

/// Parses the text of the file; lines that are no mounts are left out.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(line).collect()
}

/// The topmost mount at `target`.
#[track_caller]
pub fn at<'m>(mounts: &'m [Mount], target: &str) -> &'m Mount {
    let found = mounts.iter().rev().find(|m| m.target == Path::new(target));
    found.unwrap_or_else(|| panic!("nothing is mounted on {target}: {mounts:#?}"))
}

fn line(text: &str) -> Option<Mount> {
    let (left, right) = text.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    let [_, _, _, root, target, options, propagation @ ..] = left.as_slice() else { return None };
    let [fs_type, _, super_options] = right.as_slice() else { return None };
    Some(Mount {
        root: unescape(root),
        target: unescape(target).into(),
        options: options.to_string(),
        propagation: propagation.join(" "),
        fs_type: fs_type.to_string(),
        super_options: super_options.to_string(),
    })
}

fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}
