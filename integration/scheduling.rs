//! `process.scheduler`, `process.ioPriority`, `process.execCPUAffinity` and `linux.personality`.

use std::process::{Command, Stdio};

use crate::harness::child_process::succeeds;
use crate::harness::place::Place;
use crate::harness::prelude::*;

cases!("scheduling", root: [
    a_nice_value_is_set,
    the_policies_of_ordinary_processes_are_set,
    a_real_time_policy_has_its_priority,
    a_deadline_has_its_times,
    a_policy_that_is_reset_on_fork_is_not_that_of_children,
    a_scheduler_is_set_in_a_user_namespace,
    a_created_container_has_its_scheduler_when_it_starts,
    exec_has_the_scheduler_of_the_container,
    exec_has_the_scheduler_of_its_process_file,
    a_scheduler_that_the_kernel_refuses_is_an_error,
    an_io_priority_is_set_in_every_class,
    exec_has_the_io_priority_of_the_container,
    exec_runs_on_the_cpus_of_its_affinity,
    exec_goes_from_the_first_cpus_to_those_of_the_cpuset,
    an_affinity_outside_of_the_cpuset_is_refused,
    an_affinity_is_not_that_of_init,
    an_empty_affinity_changes_nothing,
    a_32_bit_personality_shows_a_32_bit_machine,
    a_personality_of_the_caller_is_not_kept_where_one_is_configured,
], anyone: [
    an_ordinary_user_may_be_nicer,
    an_ordinary_user_may_not_be_less_nice,
]);

/// Prints priority, nice value and policy of the program itself (proc_pid_stat(5)).
const STAT: &[&str] = &["/bin/awk", "{ print $18, $19, $41 }", "/proc/self/stat"];

fn with_scheduler(t: &Case, scheduler: Value) -> Bundle {
    t.bundle().set("/process/scheduler", scheduler).args(STAT)
}

fn a_nice_value_is_set(t: &Case) {
    for nice in [-20, -5, 7, 19] {
        let bundle = with_scheduler(t, json!({"policy": "SCHED_OTHER", "nice": nice}));
        t.run(&bundle).ok().prints(&format!("{} {nice} 0", 20 + nice));
    }
}

fn the_policies_of_ordinary_processes_are_set(t: &Case) {
    for (policy, nice, stat) in [("SCHED_OTHER", 0, "20 0 0"), ("SCHED_BATCH", 3, "23 3 3")] {
        t.run(&with_scheduler(t, json!({"policy": policy, "nice": nice}))).ok().prints(stat);
    }
    let output = t.run(&with_scheduler(t, json!({"policy": "SCHED_IDLE"})));
    assert!(output.ok().stdout.trim().ends_with(" 5"), "{:?}", output.stdout);
}

fn a_real_time_policy_has_its_priority(t: &Case) {
    let place = Place::new(t, "real-time");
    let enter = t.host.cgroups.directories(&place.path);
    let enter: String =
        enter.iter().map(|dir| format!("echo 0 >{}/cgroup.procs && ", dir.display())).collect();
    let mut shell = Command::new(&t.host.busybox);
    if !succeeds(shell.args(["sh", "-c", &format!("{enter} /usr/bin/chrt -f 7 true")]).stderr(Stdio::null()))
    {
        t.skip("needs a kernel whose cgroups have time for real-time processes (CONFIG_RT_GROUP_SCHED)");
    }
    for (policy, priority, number) in [("SCHED_FIFO", 7, 1), ("SCHED_RR", 99, 2)] {
        let bundle = with_scheduler(t, json!({"policy": policy, "priority": priority}));
        t.run(&bundle).ok().prints(&format!("-{} 0 {number}", priority + 1));
    }
}

fn a_deadline_has_its_times(t: &Case) {
    let times = json!({"policy": "SCHED_DEADLINE", "runtime": 3_000_000, "deadline": 30_000_000, "period": 60_000_000});
    let bundle = with_scheduler(t, times);
    let output = t.run(&bundle);
    assert!(output.ok().stdout.trim().ends_with(" 6"), "{:?}", output.stdout);
    let bundle = bundle.set("/linux/maskedPaths", json!([])).args(&["/bin/cat", "/proc/self/sched"]);
    let output = t.run(&bundle);
    let line = output.text().lines().find(|line| line.starts_with("dl.runtime"));
    let Some(line) = line else { t.skip("needs a kernel that shows the times (CONFIG_SCHED_DEBUG)") };
    let left: i64 = line.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    assert!((1..=3_000_000).contains(&left), "{line}");
}

fn a_policy_that_is_reset_on_fork_is_not_that_of_children(t: &Case) {
    let scheduler = json!({"policy": "SCHED_OTHER", "nice": -5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]});
    let script = "awk '{ print $19 }' /proc/$$/stat /proc/self/stat; true";
    t.run(&with_scheduler(t, scheduler).sh(script)).ok().prints("-5\n0");
}

fn a_scheduler_is_set_in_a_user_namespace(t: &Case) {
    let bundle = with_scheduler(t, json!({"policy": "SCHED_OTHER", "nice": -5})).user_namespace(100_000);
    let bundle = bundle.set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_RT", "priority": 2}));
    t.run(&bundle.sh("awk '{ print $19 }' /proc/self/stat; ionice")).ok().prints("-5\nrealtime: prio 2");
}

fn a_created_container_has_its_scheduler_when_it_starts(t: &Case) {
    let bundle = with_scheduler(t, json!({"policy": "SCHED_OTHER", "nice": -7}));
    let container = t.launch(&bundle);
    container.wait_for("13 -7 0");
}

/// A container that waits, with a nice value of its own.
fn nice<'c>(t: &'c Case, nice: i32) -> Container<'c> {
    let bundle = with_scheduler(t, json!({"policy": "SCHED_OTHER", "nice": nice}));
    t.launch(&bundle.args(&["/bin/sleep", "300"]))
}

fn exec(t: &Case, container: &Container, args: &[&str]) -> Output {
    t.runtime(&[&["exec", container.id.as_str()], args].concat()).run()
}

/// `exec` of a process.json with these members besides those that it must have.
fn exec_file(t: &Case, container: &Container, mut process: Value, args: &[&str]) -> Output {
    process["args"] = json!(args);
    process["cwd"] = json!("/");
    process["env"] = json!(["PATH=/bin"]);
    process["user"] = json!({"uid": 0, "gid": 0});
    let file = t.file(&format!("process-{}.json", t.id()), &process.to_string());
    let file = file.display().to_string();
    t.runtime(&["exec", "--process", &file, container.id.as_str()]).run()
}

fn exec_has_the_scheduler_of_the_container(t: &Case) {
    let container = nice(t, -3);
    exec(t, &container, STAT).ok().prints("17 -3 0");
    exec_file(t, &container, json!({}), STAT).ok().prints("17 -3 0");
}

fn exec_has_the_scheduler_of_its_process_file(t: &Case) {
    let container = nice(t, -3);
    let process = json!({"scheduler": {"policy": "SCHED_BATCH", "nice": 4}});
    exec_file(t, &container, process, STAT).ok().prints("24 4 3");
}

fn a_scheduler_that_the_kernel_refuses_is_an_error(t: &Case) {
    // More than there is of all CPUs.
    let times = json!({"policy": "SCHED_DEADLINE", "runtime": 1_000_000_000_000_u64,
        "deadline": 1_000_000_000_000_u64, "period": 1_000_000_000_000_u64});
    t.run(&with_scheduler(t, times)).fails().says("sched");
    t.assert_no_side_effects();
}

fn an_io_priority_is_set_in_every_class(t: &Case) {
    for (class, priority, shown) in [
        ("IOPRIO_CLASS_BE", 6, "best-effort: prio 6"),
        ("IOPRIO_CLASS_RT", 0, "realtime: prio 0"),
        ("IOPRIO_CLASS_IDLE", 0, "idle"),
    ] {
        let bundle = t.bundle().set("/process/ioPriority", json!({"class": class, "priority": priority}));
        let output = t.run(&bundle.args(&["/bin/ionice"]));
        assert!(output.ok().stdout.starts_with(shown), "{class}: {:?}", output.stdout);
    }
}

fn exec_has_the_io_priority_of_the_container(t: &Case) {
    let priority = json!({"class": "IOPRIO_CLASS_BE", "priority": 7});
    let bundle = t.bundle().set("/process/ioPriority", priority).args(&["/bin/sleep", "300"]);
    let container = t.launch(&bundle);
    exec(t, &container, &["/bin/ionice"]).ok().prints("best-effort: prio 7");
    let process = json!({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 1}});
    exec_file(t, &container, process, &["/bin/ionice"]).ok().prints("best-effort: prio 1");
}

const CPUS: &[&str] = &["/bin/grep", "Cpus_allowed_list", "/proc/self/status"];

fn needs_two_cpus(t: &Case) {
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    if !matches!(online.trim(), "0-1" | "0-3" | "0-7") && online.trim() < "0-1" {
        t.skip("needs two CPUs");
    }
}

/// A container that waits, and is in a cpuset of the CPUs 0 and 1 where there is such a controller.
fn with_affinity<'c>(t: &'c Case, affinity: Value) -> Container<'c> {
    needs_two_cpus(t);
    let mut bundle = t.bundle().set("/process/execCPUAffinity", affinity);
    if t.host.cgroups.with_controller("cpuset").is_some() {
        bundle = bundle.set("/linux/resources/cpu", json!({"cpus": "0-1"}));
    }
    t.launch(&bundle.args(&["/bin/sleep", "300"]))
}

fn exec_runs_on_the_cpus_of_its_affinity(t: &Case) {
    let container = with_affinity(t, json!({"initial": "0", "final": "1"}));
    exec(t, &container, CPUS).ok().prints("Cpus_allowed_list:\t1");
    exec_file(t, &container, json!({}), CPUS).ok().prints("Cpus_allowed_list:\t1");
    let process = json!({"execCPUAffinity": {"final": " 0 , 0-0"}});
    exec_file(t, &container, process, CPUS).ok().prints("Cpus_allowed_list:\t0");
}

fn exec_goes_from_the_first_cpus_to_those_of_the_cpuset(t: &Case) {
    t.needs_controller("cpuset");
    let container = with_affinity(t, json!({"initial": "1", "final": ""}));
    exec(t, &container, CPUS).ok().prints("Cpus_allowed_list:\t0-1");
}

fn an_affinity_outside_of_the_cpuset_is_refused(t: &Case) {
    needs_two_cpus(t);
    t.needs_controller("cpuset");
    let bundle = t.bundle().set("/linux/resources/cpu", json!({"cpus": "0"}));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    for key in ["initial", "final"] {
        let cpus = if key == "initial" { "4000" } else { "1" };
        let process = json!({"execCPUAffinity": {key: cpus}});
        exec_file(t, &container, process, CPUS).fails();
    }
    exec(t, &container, CPUS).ok().prints("Cpus_allowed_list:\t0");
}

fn an_affinity_is_not_that_of_init(t: &Case) {
    needs_two_cpus(t);
    let caller = fs::read_to_string("/proc/self/status").expect("read");
    let line = caller.lines().find(|line| line.starts_with("Cpus_allowed_list")).expect("the line");
    let bundle = t.bundle().set("/process/execCPUAffinity", json!({"initial": "0", "final": "1"}));
    t.run(&bundle.args(CPUS)).ok().prints(line);
}

fn an_empty_affinity_changes_nothing(t: &Case) {
    let bundle = t.bundle().set("/process/execCPUAffinity", json!({"initial": "", "final": ""}));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    let own = fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("read");
    let line = own.lines().find(|line| line.starts_with("Cpus_allowed_list")).expect("the line");
    exec(t, &container, CPUS).ok().prints(line);
}

/// What uname(2) says with a 32-bit personality.
fn needs_x86(t: &Case) {
    if !cfg!(target_arch = "x86_64") {
        t.skip("needs x86_64");
    }
    let mut setarch = Command::new("setarch");
    if !succeeds(setarch.args(["i686", "true"]).stderr(Stdio::null())) {
        t.skip("needs a kernel with a 32-bit personality");
    }
}

fn a_32_bit_personality_shows_a_32_bit_machine(t: &Case) {
    needs_x86(t);
    let bundle = t.bundle().set("/linux/personality", json!({"domain": "LINUX32"}));
    t.run(&bundle.clone().args(&["/bin/uname", "-m"])).ok().prints("i686");
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    exec(t, &container, &["/bin/uname", "-m"]).ok().prints("i686");
}

fn a_personality_of_the_caller_is_not_kept_where_one_is_configured(t: &Case) {
    needs_x86(t);
    let bundle = t.bundle().args(&["/bin/uname", "-m"]);
    let other = bundle.clone().set("/linux/personality", json!({"domain": "LINUX"}));
    for (bundle, machine) in [(&bundle, "i686"), (&other, "x86_64")] {
        let line = t.command_line("run", bundle, &[], &t.id());
        let output = t.runtime(&line).through_shell("exec setarch i686 \"$@\"").run();
        output.ok().prints(machine);
    }
}

fn an_ordinary_user_may_be_nicer(t: &Case) {
    t.become_ordinary_user();
    let bundle = with_scheduler(t, json!({"policy": "SCHED_BATCH", "nice": 6}));
    let bundle = bundle.set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_IDLE"}));
    let output = t.run(&bundle.sh("awk '{ print $19, $41 }' /proc/self/stat; ionice"));
    assert!(output.ok().stdout.starts_with("6 3\nidle"), "{:?}", output.stdout);
}

fn an_ordinary_user_may_not_be_less_nice(t: &Case) {
    t.become_ordinary_user();
    t.run(&with_scheduler(t, json!({"policy": "SCHED_OTHER", "nice": -6}))).fails().says("not permitted");
}
