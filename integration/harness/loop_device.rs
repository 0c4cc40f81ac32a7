//! A loop device, for block I/O that no other program does.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::case::Case;
use super::child_process::succeeds;

/// A whole disk of zeros; detached when dropped.
pub struct LoopDevice {
    pub node: PathBuf,
    pub major: u64,
    pub minor: u64,
}

impl LoopDevice {
    /// Attaches one of so many bytes, or skips.
    pub fn new(t: &Case, bytes: u64) -> LoopDevice {
        let file = t.path("disk");
        File::create(&file).and_then(|file| file.set_len(bytes)).expect("make the disk's file");
        // It may be a module, which nobody has needed yet.
        succeeds(Command::new("modprobe").arg("loop").stderr(Stdio::null()));
        let shown = t.path("disk-node");
        let output = File::create(&shown).expect("make a file for the output");
        if !succeeds(Command::new("losetup").args(["--find", "--show"]).arg(&file).stdout(output)) {
            t.skip("needs losetup and loop devices");
        }
        let node = PathBuf::from(fs::read_to_string(&shown).expect("its name").trim());
        let name = node.file_name().expect("a name").to_string_lossy().into_owned();
        let numbers = fs::read_to_string(format!("/sys/block/{name}/dev")).expect("its numbers");
        let (major, minor) = numbers.trim().split_once(':').expect("MAJOR:MINOR");
        let number = |text: &str| text.parse().expect("a number");
        LoopDevice { major: number(major), minor: number(minor), node }
    }

    /// Chooses its I/O scheduler, where the kernel has that.
    pub fn schedule(&self, name: &str) -> bool {
        let file = format!("/sys/dev/block/{}/queue/scheduler", self.numbers());
        fs::write(file, name).is_ok()
    }

    /// As cgroup files name it.
    pub fn numbers(&self) -> String {
        format!("{}:{}", self.major, self.minor)
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = self.schedule("none");
        succeeds(Command::new("losetup").arg("--detach").arg(&self.node));
    }
}
