//! The cgroups that `exec` enters: the container's, or those below that `--cgroup` names.

use crate::harness::cgroups::{Version, join};
use crate::harness::executed::{detached, exec, idle, proc_file};
use crate::harness::prelude::*;

cases!("exec_cgroups", root: [
    exec_enters_a_cgroup_below_that_of_the_container,
    exec_enters_a_cgroup_of_one_controller,
    exec_enters_cgroups_of_several_controllers,
    a_cgroup_that_is_not_there_is_an_error_and_is_not_made,
    a_cgroup_without_processors_is_an_error_that_says_so,
    a_cgroup_that_leads_out_is_refused,
    a_link_among_cgroups_is_not_followed,
    a_controller_that_is_not_there_is_an_error,
    two_cgroups_of_one_hierarchy_exclude_each_other,
    the_root_of_a_cgroup_path_is_the_cgroup_of_the_container,
    exec_follows_init_where_the_cgroup_of_the_container_cannot_have_processes,
]);

/// Makes cgroups below those of the container in all hierarchies; removed with it.
fn make_below(t: &Case, container: &Container, path: &str) {
    for mut dir in t.host.cgroups.directories(&container.cgroup_path()) {
        for name in path.split('/') {
            let above = dir.clone();
            dir.push(name);
            match fs::create_dir(&dir) {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
                made => made.expect("make a cgroup"),
            }
            if above.join("cgroup.clone_children").exists() && above.join("cpuset.cpus").exists() {
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    fs::copy(above.join(file), dir.join(file)).expect("copy a setting");
                }
            }
        }
    }
}

/// The paths of the cgroups of a process, relative to the container's.
fn below(t: &Case, container: &Container, pid: i32) -> Vec<String> {
    let paths = t.host.cgroups.paths(&proc_file(pid, "cgroup"));
    let own = container.cgroup_path();
    paths.iter().map(|path| path.strip_prefix(&own).unwrap_or(path).to_string()).collect()
}

fn exec_enters_a_cgroup_below_that_of_the_container(t: &Case) {
    let container = idle(t, &t.bundle());
    make_below(t, &container, "one/two");
    for (flag, expected) in [("one", "/one"), ("/one", "/one"), ("one/two", "/one/two"), ("one/", "/one")] {
        let pid = detached(t, &container, &["--cgroup", flag]);
        let all = vec![expected.to_string(); t.host.cgroups.hierarchies.len()];
        assert_eq!(below(t, &container, pid), all, "--cgroup {flag}");
    }
    assert!(below(t, &container, container.pid()).iter().all(String::is_empty));
}

/// The v1 hierarchies of two controllers, and how they are called.
fn two_controllers(t: &Case) -> [(&'static str, usize); 2] {
    let all = &t.host.cgroups.hierarchies;
    ["pids", "freezer"].map(|name| {
        let v1 = |h: &crate::harness::cgroups::Hierarchy| {
            h.version == Version::V1 && h.controllers.iter().any(|c| c == name)
        };
        match all.iter().position(v1) {
            Some(index) => (name, index),
            None => t.skip(format!("needs the controller {name} of cgroup v1")),
        }
    })
}

/// Whether the process is in `path` below the container's cgroup in the hierarchy of `controller`.
fn is_in(t: &Case, container: &Container, pid: i32, (name, index): (&str, usize), path: &str) -> bool {
    let mount = &t.host.cgroups.hierarchies[index].mount;
    let dir = join(mount, &format!("{}{path}", container.cgroup_path()));
    let text = fs::read_to_string(dir.join("cgroup.procs"));
    text.unwrap_or_else(|e| panic!("{name}{path}: {e}")).lines().any(|line| line == pid.to_string())
}

fn exec_enters_a_cgroup_of_one_controller(t: &Case) {
    let [pids, freezer] = two_controllers(t);
    let container = idle(t, &t.bundle());
    make_below(t, &container, "sub");
    let pid = detached(t, &container, &["--cgroup", "pids:sub"]);
    assert!(is_in(t, &container, pid, pids, "/sub"));
    assert!(is_in(t, &container, pid, freezer, ""), "the others stay");
}

fn exec_enters_cgroups_of_several_controllers(t: &Case) {
    let [pids, freezer] = two_controllers(t);
    let container = idle(t, &t.bundle());
    make_below(t, &container, "one");
    make_below(t, &container, "two");
    let pid = detached(t, &container, &["--cgroup", "pids:one", "--cgroup", "freezer:/two"]);
    assert!(is_in(t, &container, pid, pids, "/one") && is_in(t, &container, pid, freezer, "/two"));
    let pid = detached(t, &container, &["--cgroup", "pids,freezer:two"]);
    assert!(is_in(t, &container, pid, pids, "/two") && is_in(t, &container, pid, freezer, "/two"));
}

fn a_cgroup_that_is_not_there_is_an_error_and_is_not_made(t: &Case) {
    let container = idle(t, &t.bundle());
    exec(t, &container, &["--cgroup", "none"], &["/bin/echo", "ran"]).fails().prints("").says("none");
    let made = t.host.cgroups.directories(&format!("{}/none", container.cgroup_path()));
    assert!(!made.iter().any(|dir| dir.exists()), "it was made");
}

fn a_cgroup_without_processors_is_an_error_that_says_so(t: &Case) {
    if !t.host.cgroups.with_controller("cpuset").is_some_and(|h| h.version == Version::V1) {
        t.skip("needs the controller cpuset of cgroup v1");
    }
    let container = idle(t, &t.bundle());
    fs::create_dir(t.cgroup_dir("cpuset", &container.cgroup_path()).join("sub")).expect("make a cgroup");
    let output = exec(t, &container, &["--cgroup", "cpuset:sub"], &["/bin/echo", "ran"]);
    output.fails().prints("").says("cpuset.cpus");
}

fn a_cgroup_that_leads_out_is_refused(t: &Case) {
    let container = idle(t, &t.bundle());
    make_below(t, &container, "sub");
    for path in ["..", "../..", "sub/..", "/../x", "sub/../../..", "../../../../../../sys/fs/cgroup"] {
        exec(t, &container, &["--cgroup", path], &["/bin/echo", "ran"]).fails().prints("").says(path);
    }
}

/// There can be none in a cgroup filesystem, but where a name is no cgroup, nothing is entered.
fn a_link_among_cgroups_is_not_followed(t: &Case) {
    let container = idle(t, &t.bundle());
    for file in ["cgroup.procs", "cgroup.procs/.", "./cgroup.procs/x"] {
        exec(t, &container, &["--cgroup", file], &["/bin/echo", "ran"]).fails().prints("");
    }
}

fn a_controller_that_is_not_there_is_an_error(t: &Case) {
    let container = idle(t, &t.bundle());
    make_below(t, &container, "sub");
    for flag in ["nonesuch:sub", ":sub", ",:sub", "pids,nonesuch:sub"] {
        exec(t, &container, &["--cgroup", flag], &["/bin/echo", "ran"]).fails().prints("");
    }
}

fn two_cgroups_of_one_hierarchy_exclude_each_other(t: &Case) {
    let container = idle(t, &t.bundle());
    make_below(t, &container, "one");
    make_below(t, &container, "two");
    let both = ["--cgroup", "one", "--cgroup", "two"];
    exec(t, &container, &both, &["/bin/echo", "ran"]).fails().prints("").says("two");
}

fn the_root_of_a_cgroup_path_is_the_cgroup_of_the_container(t: &Case) {
    let container = idle(t, &t.bundle());
    let pid = detached(t, &container, &["--cgroup", "/"]);
    assert_eq!(proc_file(pid, "cgroup"), proc_file(container.pid(), "cgroup"));
}

fn exec_follows_init_where_the_cgroup_of_the_container_cannot_have_processes(t: &Case) {
    if !t.host.cgroups.is_v2_only() {
        t.skip("needs cgroup v2 alone");
    }
    let container = idle(t, &t.bundle());
    make_below(t, &container, "init");
    let dir = t.unified_dir(&container.cgroup_path());
    fs::write(dir.join("init/cgroup.procs"), container.pid().to_string()).expect("move init");
    fs::write(dir.join("cgroup.subtree_control"), "+pids").expect("pass a controller on");
    let pid = detached(t, &container, &[]);
    assert_eq!(below(t, &container, pid), ["/init"]);
    make_below(t, &container, "other");
    let pid = detached(t, &container, &["--cgroup", "other"]);
    assert_eq!(below(t, &container, pid), ["/other"]);
    exec(t, &container, &["--cgroup", "/"], &["/bin/echo", "ran"]).fails().prints("");
}
