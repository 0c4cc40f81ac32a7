//! `ps`: the processes of a container, with their pids on the host.

use crate::harness::prelude::*;

cases!("ps", root: [
    ps_prints_the_pids_on_the_host_as_json,
    ps_sees_processes_in_groups_below,
    ps_sees_an_executed_program,
    ps_sees_a_created_and_a_paused_container,
    the_table_is_what_the_ps_of_the_host_prints_of_them,
    options_behind_the_id_are_those_of_the_hosts_ps,
    a_table_without_pids_is_refused,
    ps_of_a_stopped_container_is_empty,
    ps_of_a_container_without_a_cgroup_goes_by_its_pid_namespace,
]);

fn sleepers(t: &Case) -> Container<'_> {
    let container = t.launch(&t.bundle().sh("sleep 301 & sleep 302 & echo ready; wait"));
    container.wait_for("ready");
    eventually("the sleeps run", || container.processes().len() == 3);
    container
}

#[track_caller]
fn pids(t: &Case, container: &Container) -> Vec<i32> {
    let output = t.runtime(&["ps", "--format", "json", &container.id]).run();
    let mut pids: Vec<i32> = serde_json::from_value(output.ok().json()).expect("an array of numbers");
    pids.sort_unstable();
    pids
}

/// The rows without the title.
#[track_caller]
fn rows(t: &Case, args: &[&str]) -> Vec<String> {
    let output = t.runtime(args).run();
    output.ok().stdout.lines().skip(1).map(str::to_string).collect()
}

/// One of its own; that of busybox takes other options.
fn needs_ps(t: &Case) {
    let program = ["/usr/bin/ps", "/bin/ps"].iter().find_map(|path| fs::canonicalize(path).ok());
    if program.is_none_or(|path| path.file_name() != Some("ps".as_ref())) {
        t.skip("needs ps of procps on the host");
    }
}

fn ps_prints_the_pids_on_the_host_as_json(t: &Case) {
    let container = sleepers(t);
    let found = pids(t, &container);
    assert!(found.contains(&container.pid()));
    assert_eq!(found, container.processes());
}

fn ps_sees_processes_in_groups_below(t: &Case) {
    let container = sleepers(t);
    container.move_into_groups_below(container.last_process());
    assert_eq!(pids(t, &container).len(), 3);
    assert_eq!(pids(t, &container), container.processes());
}

fn ps_sees_an_executed_program(t: &Case) {
    let container = sleepers(t);
    t.runtime(&["exec", "--detach", &container.id, "/bin/sleep", "303"]).run().ok();
    assert_eq!(pids(t, &container).len(), 4);
    assert_eq!(pids(t, &container), container.processes());
}

fn ps_sees_a_created_and_a_paused_container(t: &Case) {
    let container = t.create(&t.bundle().args(&["/bin/sleep", "300"]));
    assert_eq!(pids(t, &container), [container.pid()]);
    container.start().ok();
    t.runtime(&["pause", &container.id]).run().ok();
    assert_eq!(pids(t, &container), [container.pid()]);
}

fn the_table_is_what_the_ps_of_the_host_prints_of_them(t: &Case) {
    needs_ps(t);
    let container = sleepers(t);
    let output = t.runtime(&["ps", &container.id]).run();
    let title = output.ok().stdout.lines().next().unwrap_or_default();
    assert!(title.starts_with("UID") && title.ends_with("CMD"), "{title:?}");
    let rows = rows(t, &["ps", "--format", "table", &container.id]);
    let mut pids: Vec<i32> =
        rows.iter().map(|row| row.split_whitespace().nth(1).unwrap().parse().unwrap()).collect();
    pids.sort_unstable();
    assert_eq!(pids, container.processes());
    for command in ["sleep 301", "sleep 302"] {
        assert_eq!(
            rows.iter().filter(|row| row.ends_with(&format!(" {command}"))).count(),
            1,
            "{command}: {rows:?}"
        );
    }
}

fn options_behind_the_id_are_those_of_the_hosts_ps(t: &Case) {
    needs_ps(t);
    let container = sleepers(t);
    let rows = rows(t, &["ps", &container.id, "-e", "-o", "pid,args"]);
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows.iter().any(|row| row.ends_with("sleep 302")), "{rows:?}");
}

fn a_table_without_pids_is_refused(t: &Case) {
    needs_ps(t);
    let container = sleepers(t);
    t.runtime(&["ps", &container.id, "-e", "-o", "args"]).run().fails().says("PID");
    t.runtime(&["ps", &container.id, "--no-such-option"]).run().fails();
}

fn ps_of_a_stopped_container_is_empty(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/true"]));
    container.wait_until_stopped();
    let output = t.runtime(&["ps", "--format", "json", &container.id]).run();
    assert!(["[]", "null"].contains(&output.ok().text()), "{:?}", output.stdout);
    t.runtime(&["ps", "--format", "json", "no-such-container"]).run().fails().says("does not exist");
}

fn ps_of_a_container_without_a_cgroup_goes_by_its_pid_namespace(t: &Case) {
    let id = t.id();
    let bundle = t.bundle().sh("sleep 301 & sleep 302 & echo ready; wait");
    let mut line = t.command_line("run", &bundle, &["--detach"], &id);
    line.splice(0..0, ["--cgroup-manager".to_string(), "disabled".to_string()]);
    t.runtime(&line).run().ok();
    let pids = || -> Vec<i32> {
        let output = t.runtime(&["ps", "--format", "json", &id]).run();
        serde_json::from_value(output.ok().json()).expect("an array of numbers")
    };
    eventually("the sleeps run", || pids().len() == 3);
    t.runtime(&["exec", "--detach", &id, "/bin/sleep", "303"]).run().ok();
    assert_eq!(pids().len(), 4);
    let commands = pids().into_iter().map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")));
    let commands: Vec<String> = commands.map(Result::unwrap_or_default).collect();
    assert!(commands.iter().any(|command| command.contains("303")), "{commands:?}");
    t.runtime(&["kill", "--all", &id, "KILL"]).run().ok();
    eventually("all are gone", || pids().is_empty());
}
