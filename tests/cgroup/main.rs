//! The cgroups of a container on this machine's kernel: real groups, real processes.

mod devices;
mod kill;
mod limits;

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tierce::error::Result;
use tierce::host::cgroup::{self, Cgroup, Record};
use tierce::plan::cgroup::{CgroupPlan, Facts, Hierarchy, Manager, Request, Version, directory, plan};
use tierce::plan::device_rules::Mknod;
use tierce::spec::config::Resources;
use tierce::sys;

/// The machine's hierarchies, or `None`, with the reason printed, where the tests cannot run.
fn machine() -> Option<Facts> {
    if sys::process::effective_ids().0 != 0 {
        println!("skipped: not root");
        return None;
    }
    let facts = cgroup::probe().unwrap();
    if facts.hierarchies.is_empty() {
        println!("skipped: no cgroup filesystem is mounted");
        return None;
    }
    Some(facts)
}

fn only(facts: &Facts, wanted: impl Fn(&Hierarchy) -> bool) -> Option<Facts> {
    let hierarchies: Vec<_> = facts.hierarchies.iter().filter(|h| wanted(h)).cloned().collect();
    if hierarchies.is_empty() {
        println!("skipped: this machine does not have the hierarchy");
        return None;
    }
    Some(Facts { hierarchies })
}

fn has(controller: &str) -> impl Fn(&Hierarchy) -> bool {
    move |h| h.controllers.iter().any(|c| c == controller)
}

/// A name that no other test, and no other run, uses.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("/tierce-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn planned(facts: &Facts, path: &str, mut resources: Value) -> Result<CgroupPlan> {
    if !facts.hierarchies.iter().any(|h| h.version == Version::V2 || has("devices")(h)) {
        resources["devices"] = json!([{"allow": true, "access": "rwm"}]);
    }
    let resources: Resources = serde_json::from_value(resources).unwrap();
    let request = Request {
        cgroups_path: Some(path),
        id: "test",
        resources: Some(&resources),
        manager: Manager::Cgroupfs,
        rootless: false,
        uid: 0,
        properties: &[],
        mknod: Mknod::Listed(&[]),
    };
    plan(facts, &request)
}

/// Groups that are killed and removed when the test ends, however it ends.
struct Groups(Cgroup);

impl Groups {
    fn new(facts: &Facts, path: &str, resources: Value) -> Groups {
        Groups(cgroup::create(&planned(facts, path, resources).unwrap()).unwrap())
    }

    fn record(&self) -> &Record {
        &self.0.record
    }

    fn read(&self, controller: &str, file: &str) -> String {
        let group = self.record().groups.iter().find(|g| g.controllers.iter().any(|c| c == controller));
        let group = group.unwrap();
        fs::read_to_string(directory(&group.mount, &group.path).join(file)).unwrap().trim().into()
    }

    /// A shell that enters all groups first.
    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        let enter = r#"for file do echo 0 > "$file" || exit 99; done; "#;
        command.args(["-c", &format!("{enter}{script}"), "sh"]);
        for group in &self.record().groups {
            let file = if group.version == Version::V1 { "tasks" } else { "cgroup.procs" };
            command.arg(directory(&group.mount, &group.path).join(file));
        }
        command
    }

    fn run(&self, script: &str) -> Output {
        self.shell(script).output().unwrap()
    }

    /// Starts the script, and returns when it has written a line.
    fn start(&self, script: &str) -> Child {
        let mut child = self.shell(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut byte = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
        child
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for directory in directories(self.record()) {
            let _ = fs::write(directory.join("freezer.state"), "THAWED");
            let _ = fs::write(directory.join("cgroup.freeze"), "0");
        }
        let _ = cgroup::kill(self.record(), libc::SIGKILL);
        let _ = cgroup::remove(self.record());
    }
}

fn directories(record: &Record) -> Vec<PathBuf> {
    record.groups.iter().map(|g| directory(&g.mount, &g.path)).collect()
}

/// The directories named `name` directly in the mounts.
fn left_over(facts: &Facts, name: &str) -> Vec<PathBuf> {
    let all = facts.hierarchies.iter().map(|h| directory(&h.mount, name));
    all.filter(|d| d.exists()).collect()
}

#[test]
fn every_hierarchy_that_the_kernel_names_is_found() {
    let Some(facts) = machine() else { return };
    let lines = fs::read_to_string("/proc/self/cgroup").unwrap();
    for hierarchy in &facts.hierarchies {
        let controllers = match hierarchy.version {
            Version::V1 => hierarchy.controllers.join(","),
            Version::V2 => String::new(),
        };
        let line = format!(":{controllers}:{}", hierarchy.own);
        assert!(lines.lines().any(|l| l.ends_with(&line)), "{line} in {lines}");
    }
    let found: Vec<_> = facts.hierarchies.iter().map(|h| h.mount.canonicalize().unwrap()).collect();
    for line in fs::read_to_string("/proc/self/mountinfo").unwrap().lines() {
        let mount = Path::new(line.split(' ').nth(4).unwrap());
        if line.contains(" - cgroup") && mount.starts_with("/sys/fs/cgroup") {
            assert!(found.iter().any(|f| f == mount), "{line}");
        }
    }
}

#[test]
fn made_entered_listed_and_removed_with_its_parents() {
    let Some(facts) = machine() else { return };
    let parent = unique();
    let groups = Groups::new(&facts, &format!("{parent}/pod/box"), json!({}));
    assert_eq!(groups.record().groups.len(), facts.hierarchies.len());
    assert!(groups.record().groups.iter().all(|g| g.made == [parent.clone(), format!("{parent}/pod")]));
    assert!(cgroup::processes(groups.record()).unwrap().is_empty());
    let mut child = groups.start("echo; read x");
    let own = fs::read_to_string(format!("/proc/{}/cgroup", child.id())).unwrap();
    for group in &groups.record().groups {
        let name = if group.version == Version::V2 { String::new() } else { group.controllers.join(",") };
        let line = format!(":{name}:{parent}/pod/box");
        assert!(own.lines().any(|l| l.ends_with(&line)), "{line} in {own}");
    }
    assert_eq!(cgroup::processes(groups.record()).unwrap(), [child.id() as i32]);
    drop(child.stdin.take());
    let _ = child.kill();
    child.wait().unwrap();
    cgroup::remove(groups.record()).unwrap();
    assert_eq!(left_over(&facts, &parent), [] as [PathBuf; 0]);
    cgroup::remove(groups.record()).unwrap();
}

#[test]
fn a_parent_that_somebody_else_uses_stays() {
    let Some(facts) = machine() else { return };
    let parent = unique();
    let first = Groups::new(&facts, &format!("{parent}/a"), json!({}));
    let second = Groups::new(&facts, &format!("{parent}/b"), json!({}));
    assert!(second.record().groups.iter().all(|g| g.made.is_empty()));
    cgroup::remove(first.record()).unwrap();
    assert!(directories(second.record()).iter().all(|d| d.exists()));
    cgroup::remove(second.record()).unwrap();
    for directory in left_over(&facts, &parent) {
        fs::remove_dir(directory).unwrap();
    }
}

#[test]
fn exec_opens_what_create_made() {
    let Some(facts) = machine() else { return };
    let groups = Groups::new(&facts, &unique(), json!({}));
    let record: Record = serde_json::from_str(&serde_json::to_string(groups.record()).unwrap()).unwrap();
    let again = cgroup::open(&record).unwrap();
    assert_eq!(again.tasks.len(), groups.0.tasks.len());
    assert_eq!(again.into.is_some(), groups.0.into.is_some());
    cgroup::remove(&record).unwrap();
    assert_eq!(cgroup::open(&record).unwrap_err().as_errno(), Some(libc::ENOENT));
}

#[test]
fn all_or_nothing_and_the_error_says_what() {
    let Some(facts) = machine().and_then(|f| only(&f, |h| h.version == Version::V1 || has("pids")(h))) else {
        return;
    };
    let parent = unique();
    let mut plan = planned(&facts, &format!("{parent}/box"), json!({"pids": {"limit": 5}})).unwrap();
    let mut writes = plan.groups.iter_mut().flat_map(|g| &mut g.writes);
    writes.find(|w| w.file == "pids.max").unwrap().value = "lots".into();
    let error = cgroup::create(&plan).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cgroup {parent}/box in /")), "{error}");
    let end = r#": linux.resources.pids.limit: write "lots" to pids.max: EINVAL invalid argument"#;
    assert!(error.ends_with(end), "{error}");
    assert_eq!(left_over(&facts, &parent), [] as [PathBuf; 0]);
}

#[test]
fn a_group_with_processes_is_refused_and_left_alone() {
    let Some(facts) = machine() else { return };
    let path = unique();
    let groups = Groups::new(&facts, &path, json!({}));
    let mut child = groups.start("echo; read x");
    let error = cgroup::create(&planned(&facts, &path, json!({})).unwrap()).unwrap_err().to_string();
    assert!(error.contains(&format!("cgroup is not empty: process {}", child.id())), "{error}");
    assert_eq!(cgroup::processes(groups.record()).unwrap(), [child.id() as i32]);
    child.kill().unwrap();
    child.wait().unwrap();
    cgroup::create(&planned(&facts, &path, json!({})).unwrap()).unwrap();
}

fn refused_while_frozen(facts: &Facts, file: &str, frozen: &str) {
    let parent = unique();
    let outer = Groups::new(facts, &parent, json!({}));
    let freezer = directories(outer.record())[0].join(file);
    fs::write(&freezer, frozen).unwrap();
    for path in [parent.clone(), format!("{parent}/inner")] {
        let error = cgroup::create(&planned(facts, &path, json!({})).unwrap()).unwrap_err().to_string();
        assert!(error.contains("cgroup is frozen"), "{error}");
    }
    assert!(!directories(outer.record())[0].join("inner").exists());
}

#[test]
fn a_frozen_group_is_refused_and_one_below_it() {
    let Some(facts) = machine() else { return };
    if let Some(freezer) = only(&facts, has("freezer")) {
        refused_while_frozen(&freezer, "freezer.state", "FROZEN");
    }
    if let Some(v2) = only(&facts, |h| h.version == Version::V2) {
        refused_while_frozen(&v2, "cgroup.freeze", "1");
    }
}

/// Runs this very test in a mount namespace where only cgroup v2 is mounted, with a cgroup namespace
/// rooted in a group of ours.
#[test]
fn v2_alone() {
    const INSIDE: &str = "TIERCE_TEST_V2_ALONE";
    if let Some(path) = std::env::var_os(INSIDE) {
        return in_v2_alone(path.to_str().unwrap());
    }
    let Some(facts) = machine().and_then(|f| only(&f, |h| h.version == Version::V2)) else { return };
    let outer = Groups::new(&facts, &unique(), json!({"devices": [{"allow": true, "access": "rwm"}]}));
    let script = r#"mount --make-rprivate / && mount -t tmpfs none /mnt && mkdir /mnt/cgroup &&
        mount -t cgroup2 none /mnt/cgroup && mount --move /mnt/cgroup /sys/fs/cgroup &&
        exec "$TEST" --exact v2_alone --nocapture"#;
    let output = outer
        .shell(r#"exec unshare -m -C sh -c "$SCRIPT""#)
        .env("SCRIPT", script)
        .env("TEST", std::env::current_exe().unwrap())
        .env(INSIDE, "/box")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("v2 alone: done"), "{output:?}");
}

fn in_v2_alone(path: &str) {
    let facts = cgroup::probe().unwrap();
    assert_eq!(facts.hierarchies.len(), 1);
    assert_eq!(facts.hierarchies[0].mount, Path::new("/sys/fs/cgroup"));
    let groups = Groups::new(&facts, path, json!({}));
    assert!(groups.0.tasks.is_empty() && groups.0.into.is_some());
    assert_eq!(groups.run(devices::KMSG).stdout, b"null\n");
    let mut child = groups.start("echo; read x");
    cgroup::kill(groups.record(), libc::SIGKILL).unwrap();
    cgroup::remove(groups.record()).unwrap();
    assert!(!Path::new("/sys/fs/cgroup/box").exists());
    child.wait().unwrap();
    println!("v2 alone: done");
}
