//! A part of the v2 hierarchy that is given to the ordinary user, as cgroups(7) says root does it by hand.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use super::case::{Case, parent_cgroup};
use super::cgroups::join;
use super::{PATIENCE, soon};

/// What belongs to whom a cgroup is delegated to, beside its directory.
pub const FILES: [&str; 3] = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/// Removed when dropped; its containers must be gone by then.
pub struct Delegated<'c> {
    case: &'c Case,
    /// Absolute in the hierarchy; begins as the ids of the case do.
    pub path: String,
    pub dir: PathBuf,
    /// The parent, which is root's.
    above: PathBuf,
    /// Those of [`Delegated::group`].
    groups: RefCell<Vec<PathBuf>>,
}

impl<'c> Delegated<'c> {
    /// With all controllers that there are; the runtime is called as the ordinary user from a group in it.
    pub fn new(case: &'c Case) -> Delegated<'c> {
        let place = Delegated::with_controllers(case, None);
        case.call_from(&place.group("caller"));
        place
    }

    /// With these controllers only; the runtime is called from where it was.
    pub fn with_controllers(case: &'c Case, controllers: Option<&[&str]>) -> Delegated<'c> {
        if !case.host.cgroups.is_v2_only() {
            case.skip("needs cgroup v2 alone");
        }
        case.become_ordinary_user();
        let mount = &case.host.cgroups.hierarchies[0].mount;
        let above = format!("/{}/{}-above", parent_cgroup(), case.id_prefix);
        let path = format!("{above}/user");
        let place = Delegated {
            case,
            dir: join(mount, &path),
            above: join(mount, &above),
            path,
            groups: RefCell::default(),
        };
        fs::create_dir(&place.above).expect("make a cgroup");
        let all: Vec<&str> =
            case.host.cgroups.hierarchies[0].controllers.iter().map(String::as_str).collect();
        let controllers = controllers.unwrap_or(&all);
        for dir in [mount, &join(mount, &parent_cgroup()), &place.above] {
            pass_on(dir, controllers);
        }
        fs::create_dir(&place.dir).expect("make a cgroup");
        case.give(&place.dir);
        FILES.iter().for_each(|file| case.give(&place.dir.join(file)));
        place
    }

    /// A group in it, that the user has made.
    pub fn group(&self, name: &str) -> PathBuf {
        let dir = self.dir.join(name);
        fs::create_dir(&dir).expect("make a cgroup");
        for entry in fs::read_dir(&dir).expect("the group").flatten() {
            self.case.give(&entry.path());
        }
        self.case.give(&dir);
        self.groups.borrow_mut().push(dir.clone());
        dir
    }

    /// Takes everything of it back but the directory.
    pub fn take_files_back(&self) {
        for file in FILES {
            chown(self.dir.join(file), Some(0), Some(0)).expect("chown to root");
        }
    }
}

/// Those that the kernel has there; one of another kind may be in the way of none.
fn pass_on(dir: &Path, controllers: &[&str]) {
    for controller in controllers {
        let file = dir.join("cgroup.subtree_control");
        fs::write(&file, format!("+{controller}"))
            .unwrap_or_else(|e| panic!("+{controller}: {}: {e}", file.display()));
    }
}

impl Drop for Delegated<'_> {
    fn drop(&mut self) {
        self.case.call_from_here();
        // What is still there then is told as left behind.
        soon(PATIENCE, || {
            for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(entry.path());
            }
            let _ = (fs::remove_dir(&self.dir), fs::remove_dir(&self.above));
            !self.above.exists()
        });
    }
}

impl Case {
    /// Asserts that in a delegated part no container has left a group.
    #[track_caller]
    pub fn assert_nothing_but(&self, place: &Delegated) {
        let mut found = self.host.cgroups.named(&self.id_prefix);
        found.retain(|dir| dir != &place.above);
        let inside = fs::read_dir(&place.dir).expect("the delegated group").flatten();
        let groups = inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        found.extend(groups.map(|entry| entry.path()).filter(|dir| !place.groups.borrow().contains(dir)));
        assert!(found.is_empty(), "cgroups are left: {found:?}");
    }

    /// Asserts that no container is on record.
    #[track_caller]
    pub fn assert_no_states(&self) {
        assert_eq!(self.state_entries(), [] as [&str; 0], "entries of the state directory");
    }
}
