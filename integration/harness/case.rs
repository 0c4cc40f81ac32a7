//! One case: its directory, its containers, what it called, and its end.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::bundle::Bundle;
use super::caller::From;
use super::cgroups;
use super::container::Container;
use super::host::{Host, Kind};
use super::invocation::{Invocation, Output, Record};
use super::place::Place;
use super::{leftovers, rootfs};

/// A registered case, see the macro `cases!`.
#[derive(Clone, Copy)]
pub struct CaseDef {
    pub chapter: &'static str,
    pub name: &'static str,
    pub needs_root: bool,
    pub body: fn(&Case),
}

/// Thrown by [`Case::skip`].
pub struct Skip(pub String);

/// The user for rootless cases when the suite is run by root; not in any passwd.
const ORDINARY: u32 = 12345;

/// A running case.
pub struct Case {
    pub host: &'static Host,
    /// Its own directory, gone afterwards.
    pub dir: PathBuf,
    /// The value of `--root`.
    pub state_root: PathBuf,
    /// Every container id of this case begins with it.
    pub id_prefix: String,
    /// Calls the runtime as this user and group.
    pub user: Cell<Option<(u32, u32)>>,
    pub(super) from: RefCell<From>,
    /// Global flags of every call.
    pub(super) globals: RefCell<Vec<String>>,
    records: RefCell<Vec<Record>>,
    bundles: Cell<u32>,
    ids: Cell<u32>,
}

impl Case {
    /// Makes the directory.
    pub fn new(host: &'static Host, number: usize) -> Case {
        let dir = host.work.join(format!("c{number:04}"));
        fs::create_dir(&dir).expect("make the directory of the case");
        Case {
            host,
            state_root: dir.join("state"),
            id_prefix: format!("it-{}-{number:04}", std::process::id()),
            dir,
            user: Cell::new(None),
            from: RefCell::new(From::Here),
            globals: RefCell::default(),
            records: RefCell::default(),
            bundles: Cell::new(0),
            ids: Cell::new(0),
        }
    }

    /// Ends the case as one that cannot run here.
    pub fn skip(&self, reason: impl Into<String>) -> ! {
        std::panic::resume_unwind(Box::new(Skip(reason.into())))
    }

    /// Whether the runtime under test is `kind`.
    pub fn is(&self, kind: Kind) -> bool {
        self.host.kind == kind
    }

    /// Skips unless a hierarchy has `controller`.
    pub fn needs_controller(&self, controller: &str) {
        if self.host.cgroups.with_controller(controller).is_none() {
            self.skip(format!("needs the cgroup controller {controller}"));
        }
    }

    /// The v2 hierarchy if it has `controller`, or skips.
    #[track_caller]
    pub fn needs_v2_controller(&self, controller: &str) -> &'static cgroups::Hierarchy {
        let has = |h: &&cgroups::Hierarchy| h.controllers.iter().any(|c| c == controller);
        let found = self.host.cgroups.unified().filter(has);
        found.unwrap_or_else(|| self.skip(format!("needs the controller {controller} in cgroup v2")))
    }

    /// The directory of `path`'s cgroup in the v2 hierarchy, there or not; skips without one.
    #[track_caller]
    pub fn unified_dir(&self, path: &str) -> PathBuf {
        match self.host.cgroups.unified() {
            Some(hierarchy) => cgroups::join(&hierarchy.mount, path),
            None => self.skip("needs cgroup v2"),
        }
    }

    /// From here on calls the runtime as an ordinary user.
    pub fn become_ordinary_user(&self) {
        if self.host.kind == Kind::Crun && !self.host.is_root() && self.host.cgroups.is_hybrid() {
            self.skip("crun refuses a hybrid cgroup layout, and an ordinary user cannot hide it");
        }
        if fs::read_to_string("/proc/sys/user/max_user_namespaces").is_ok_and(|n| n.trim() == "0") {
            self.skip("needs user namespaces");
        }
        if self.host.is_root() {
            self.user.set(Some((ORDINARY, ORDINARY)));
            self.give(&self.dir);
        }
    }

    /// The user and the group that the runtime is called as.
    pub fn caller(&self) -> (u32, u32) {
        self.user.get().unwrap_or((self.host.uid, self.host.gid))
    }

    /// Makes `path` the property of the calling user.
    pub fn give(&self, path: &Path) {
        if let Some((uid, gid)) = self.user.get() {
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("chown to the ordinary user");
        }
    }

    /// A new container id.
    pub fn id(&self) -> String {
        self.ids.set(self.ids.get() + 1);
        format!("{}-{}", self.id_prefix, self.ids.get())
    }

    /// The cgroup that the harness gives the container `id`.
    pub fn cgroup_path(&self, id: &str) -> String {
        format!("/{}/{id}", parent_cgroup())
    }

    /// The existing directory of `path`'s cgroup in the hierarchy of `controller`.
    #[track_caller]
    pub fn cgroup_dir(&self, controller: &str, path: &str) -> PathBuf {
        let hierarchy = self.host.cgroups.with_controller(controller);
        let Some(hierarchy) = hierarchy else {
            self.skip(format!("needs the cgroup controller {controller}"))
        };
        let dir = cgroups::join(&hierarchy.mount, path);
        assert!(dir.is_dir(), "no cgroup {}", dir.display());
        dir
    }

    /// A path in the directory of the case; its parents exist.
    pub fn path(&self, name: &str) -> PathBuf {
        let path = self.dir.join(name);
        let mut missing: Vec<&Path> = path.ancestors().skip(1).take_while(|dir| !dir.exists()).collect();
        while let Some(dir) = missing.pop() {
            fs::create_dir(dir).expect("make a directory");
            self.give(dir);
        }
        path
    }

    /// An empty directory.
    pub fn directory(&self, name: &str) -> PathBuf {
        let dir = self.path(name);
        fs::create_dir(&dir).expect("make a directory");
        self.give(&dir);
        dir
    }

    /// A file with this content.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("write a file");
        self.give(&path);
        path
    }

    /// A bundle with busybox and the default configuration.
    pub fn bundle(&self) -> Bundle {
        self.bundles.set(self.bundles.get() + 1);
        let dir = self.directory(&format!("bundle{}", self.bundles.get()));
        let bundle = Bundle::new(self, dir);
        rootfs::build(self, &bundle.dir.join("rootfs"));
        bundle
    }

    /// From here on calls the runtime with these global flags.
    pub fn call_with(&self, flags: &[&str]) {
        *self.globals.borrow_mut() = flags.iter().map(ToString::to_string).collect();
    }

    /// The runtime with these arguments.
    pub fn runtime<S: AsRef<OsStr>>(&self, args: &[S]) -> Invocation<'_> {
        Invocation::new(self, args)
    }

    /// `run` of a new container in the foreground.
    pub fn run(&self, bundle: &Bundle) -> Output {
        self.run_with(bundle, &[])
    }

    /// The same with more flags.
    pub fn run_with(&self, bundle: &Bundle, flags: &[&str]) -> Output {
        let id = self.id();
        self.runtime(&self.command_line("run", bundle, flags, &id)).run()
    }

    /// `create`, which must succeed.
    #[track_caller]
    pub fn create(&self, bundle: &Bundle) -> Container<'_> {
        let (container, output) = self.try_create(bundle, &[]);
        output.ok();
        container
    }

    /// `create`, whatever comes of it.
    pub fn try_create(&self, bundle: &Bundle, flags: &[&str]) -> (Container<'_>, Output) {
        let id = self.id();
        let output = self.runtime(&self.command_line("create", bundle, flags, &id)).run();
        (Container::new(self, id, &output), output)
    }

    /// `create` and `start`, which must succeed.
    #[track_caller]
    pub fn launch(&self, bundle: &Bundle) -> Container<'_> {
        let container = self.create(bundle);
        container.start().ok();
        container
    }

    /// Writes config.json and gives `VERB --bundle DIR FLAGS ID`.
    pub fn command_line(&self, verb: &str, bundle: &Bundle, flags: &[&str], id: &str) -> Vec<String> {
        bundle.write(self, id);
        let dir = bundle.dir.display().to_string();
        let mut line = vec![verb.to_string(), "--bundle".to_string(), dir];
        line.extend(flags.iter().map(|flag| flag.to_string()));
        line.push(id.to_string());
        line
    }

    /// The entries of the state root; crun keeps a cache there.
    pub fn state_entries(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.state_root) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| !(self.is(Kind::Crun) && name == ".cache")).collect()
    }

    /// Asserts that a refused `create` or `run` has left nothing.
    #[track_caller]
    pub fn assert_no_side_effects(&self) {
        assert_eq!(self.state_entries(), [] as [&str; 0], "entries of the state directory");
        let cgroups = self.host.cgroups.named(&self.id_prefix);
        assert!(cgroups.is_empty(), "cgroups were made: {cgroups:?}");
    }

    /// The same, where the case has made a cgroup itself.
    #[track_caller]
    pub fn assert_no_side_effects_but(&self, place: &Place) {
        assert_eq!(self.state_entries(), [] as [&str; 0], "entries of the state directory");
        let made = |dir: &PathBuf| !self.host.cgroups.directories(&place.path).contains(dir);
        let inside =
            |dir: &PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().any(|e| e.path().is_dir());
        let mut cgroups = self.host.cgroups.named(&self.id_prefix);
        cgroups.retain(|dir| made(dir) || inside(dir));
        assert!(cgroups.is_empty(), "cgroups were made: {cgroups:?}");
    }

    pub(super) fn remember(&self, record: Record) -> usize {
        self.records.borrow_mut().push(record);
        self.records.borrow().len() - 1
    }

    pub(super) fn remember_status(&self, index: usize, status: String) {
        self.records.borrow_mut()[index].status = status;
    }

    /// A number that no other file of this case has.
    pub(super) fn next_file(&self) -> usize {
        self.records.borrow().len()
    }

    /// A number that comes once in a case.
    pub fn next_number(&self) -> u32 {
        self.ids.set(self.ids.get() + 1);
        self.ids.get()
    }

    /// Every call, with what came of it.
    pub fn transcript(&self) -> String {
        self.records.borrow().iter().map(Record::to_string).collect()
    }

    /// Deletes what is still there as a manager would, and says what that left behind.
    pub fn finish(&self) -> Vec<String> {
        for id in self.state_entries() {
            let args = ["delete", "--force", "--", id.as_str()];
            let _ = self.runtime(&args).try_run();
        }
        leftovers::find(self)
    }

    /// Removes everything, with force.
    pub fn clean(&self) {
        leftovers::remove(self);
    }
}

/// The cgroup above those of all containers of this run.
pub fn parent_cgroup() -> String {
    format!("tierce-it-{}", std::process::id())
}
