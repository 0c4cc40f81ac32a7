//! Signals to all processes, and removal right after.

use super::*;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};
use tierce::sys::process::Cloned;

/// Kills a shell with children in groups of its own, and removes all of it at once.
fn killed_and_removed(facts: &Facts) {
    let groups = Groups::new(facts, &unique(), json!({}));
    let inner: Vec<_> = directories(groups.record()).iter().map(|d| d.join("inner/most")).collect();
    for directory in &inner {
        fs::create_dir_all(directory).unwrap();
    }
    // v1 cpusets are made empty, and nobody may enter those.
    let files = inner.iter().filter(|d| !d.join("cpuset.cpus").exists()).map(|d| d.join("cgroup.procs"));
    let files: Vec<_> = files.map(|f| f.display().to_string()).collect();
    let script = format!(
        "for i in 1 2 3; do sleep 600 & for f in {}; do echo $! > $f; done; done; echo; wait",
        files.join(" ")
    );
    let mut child = groups.start(&script);
    assert_eq!(cgroup::processes(groups.record()).unwrap().len(), 4);
    cgroup::kill(groups.record(), libc::SIGKILL).unwrap();
    cgroup::remove(groups.record()).unwrap();
    assert!(directories(groups.record()).iter().all(|d| !d.exists()));
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
}

#[test]
fn kill_and_remove_reach_the_groups_inside() {
    let Some(facts) = machine() else { return };
    killed_and_removed(&facts);
    if let Some(v1) = only(&facts, |h| h.version == Version::V1) {
        killed_and_removed(&v1);
    }
    if let Some(v1) = only(&facts, has("pids")) {
        killed_and_removed(&v1);
    }
}

/// The test runs itself in the groups, where it starts processes that do nothing but fork and exit.
#[test]
fn kill_ends_what_forks_without_end() {
    const INSIDE: &str = "TIERCE_TEST_FORKER";
    if std::env::var_os(INSIDE).is_some() {
        return fork_without_end();
    }
    let Some(facts) = machine().and_then(|f| only(&f, has("freezer"))) else { return };
    for _ in 0..30 {
        let groups = Groups::new(&facts, &unique(), json!({}));
        let script = r#"exec "$TEST" --exact kill::kill_ends_what_forks_without_end --nocapture"#;
        let mut forker = groups.shell(script);
        forker.env("TEST", std::env::current_exe().unwrap()).env(INSIDE, "1").stdout(Stdio::null());
        let mut child = forker.spawn().unwrap();
        while cgroup::processes(groups.record()).unwrap().len() < CHAINS {
            std::thread::sleep(Duration::from_millis(1));
            assert!(child.try_wait().unwrap().is_none(), "the forker ended");
        }
        cgroup::kill(groups.record(), libc::SIGKILL).unwrap();
        cgroup::remove(groups.record()).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}

const CHAINS: usize = 4;

/// Should they not be killed, they end by themselves in the end.
fn fork_without_end() {
    let end = Instant::now() + Duration::from_secs(20);
    sys::process::set_subreaper().unwrap();
    for _ in 0..CHAINS {
        if let Cloned::Child = sys::process::clone3(0, None).unwrap() {
            while Instant::now() < end {
                if let Ok(Cloned::Parent { .. }) = sys::process::clone3(0, None) {
                    break;
                }
            }
            sys::process::exit_now(0);
        }
    }
    while Instant::now() < end {
        let _ = sys::process::reap_any();
    }
}

#[test]
fn a_paused_container_can_be_killed() {
    let Some(facts) = machine() else { return };
    let groups = Groups::new(&facts, &unique(), json!({}));
    let mut child = groups.start("echo; read x");
    for (group, directory) in groups.record().groups.iter().zip(directories(groups.record())) {
        match group.version {
            Version::V2 => fs::write(directory.join("cgroup.freeze"), "1").unwrap(),
            Version::V1 if group.controllers.iter().any(|c| c == "freezer") => {
                fs::write(directory.join("freezer.state"), "FROZEN").unwrap();
            }
            Version::V1 => {}
        }
    }
    cgroup::kill(groups.record(), libc::SIGKILL).unwrap();
    cgroup::remove(groups.record()).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
}

#[test]
fn other_signals_reach_every_process_once() {
    let Some(facts) = machine() else { return };
    let groups = Groups::new(&facts, &unique(), json!({}));
    let mut child = groups.start("trap 'echo got; exit 7' USR1; echo; while :; do sleep 600 & wait; done");
    cgroup::kill(groups.record(), libc::SIGUSR1).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}
