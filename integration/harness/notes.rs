//! A directory that hooks and programs write into. It has the same path inside the container as outside.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::bundle::Bundle;
use super::case::Case;

/// The six kinds of hooks, in the order of a container's life.
pub const HOOKS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// Such a directory.
pub struct Notes {
    pub dir: PathBuf,
}

impl Notes {
    /// Makes it, and gives it to the bundle. Everybody may write to it.
    pub fn new(case: &Case, bundle: Bundle) -> (Notes, Bundle) {
        let dir = case.directory("notes");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("chmod");
        let bundle = bundle.bind(&dir, &dir.display().to_string(), &["bind", "rw"]);
        (Notes { dir }, bundle)
    }

    /// For scripts: the path of a note.
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// What is noted there; nothing if nobody has.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default().trim().to_string()
    }

    /// The same, line by line.
    pub fn lines(&self, name: &str) -> Vec<String> {
        self.read(name).lines().map(str::to_string).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.dir.join(name).exists()
    }

    /// Makes a note that scripts may wait for.
    pub fn make(&self, name: &str) {
        fs::write(self.dir.join(name), "").expect("write");
    }
}
