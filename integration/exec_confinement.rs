//! An executed program is held by all that holds the first one.

use std::os::unix::fs::MetadataExt;

use crate::harness::executed::{detached, exec, idle, line, proc_file, shell};
use crate::harness::prelude::*;

cases!("exec_confinement", root: [
    an_executed_program_is_in_all_namespaces_of_the_container,
    an_executed_program_is_in_all_cgroups_of_the_container,
    an_executed_program_has_the_capabilities_of_the_configuration,
    exec_adds_a_capability_to_those_of_the_configuration,
    a_capability_of_exec_is_not_inheritable,
    exec_keeps_no_new_privileges,
    exec_can_set_no_new_privileges,
    an_executed_program_is_under_the_seccomp_filter_of_the_container,
    an_executed_program_has_the_resource_limits_of_the_configuration,
    an_executed_program_cannot_write_to_a_readonly_root,
    a_working_directory_behind_a_descriptor_of_the_runtime_never_leads_out,
    a_working_directory_behind_a_descriptor_of_the_caller_never_leads_out,
    an_open_file_of_the_caller_is_not_inherited_over_exec,
    exec_in_a_user_namespace_runs_as_its_root,
]);

fn an_executed_program_is_in_all_namespaces_of_the_container(t: &Case) {
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    let plain = t.bundle().namespace("cgroup", None);
    let mapped = plain.clone().user_namespace(100_000);
    for (bundle, with_user) in [(plain, false), (mapped, true)] {
        let container = idle(t, &bundle);
        let init = container.pid();
        for kind in kinds {
            let its = fs::read_link(format!("/proc/{init}/ns/{kind}")).expect("a namespace of init");
            let own = fs::read_link(format!("/proc/self/ns/{kind}")).expect("a namespace of ours");
            assert_eq!(its != own, kind != "user" || with_user, "{kind} of init");
            let path = format!("/proc/self/ns/{kind}");
            exec(t, &container, &[], &["readlink", &path]).ok().prints(&its.display().to_string());
        }
        let output = exec(t, &container, &[], &["cat", "/proc/1/cmdline"]);
        output.ok().prints("/bin/sleep\x00300\x00");
    }
}

fn an_executed_program_is_in_all_cgroups_of_the_container(t: &Case) {
    let limited = t.bundle().set("/linux/resources/pids", json!({"limit": 20}));
    for bundle in [t.bundle(), limited] {
        let container = idle(t, &bundle);
        let pid = detached(t, &container, &[]);
        assert_eq!(proc_file(pid, "cgroup"), proc_file(container.pid(), "cgroup"));
        assert!(proc_file(pid, "cgroup").contains(&container.id));
    }
}

const KILL: u64 = 1 << 5;
const NET_RAW: u64 = 1 << 13;
const SYS_ADMIN: u64 = 1 << 21;

/// Inheritable, permitted, effective, bounding, ambient.
fn sets(t: &Case, container: &Container, flags: &[&str]) -> [u64; 5] {
    let output = exec(t, container, flags, &["/bin/grep", "Cap", "/proc/self/status"]);
    let words = output.ok().stdout.lines().map(|line| line.split_whitespace().last().unwrap_or(""));
    let masks: Vec<u64> = words.map(|word| u64::from_str_radix(word, 16).expect("a mask")).collect();
    masks.try_into().expect("five sets")
}

fn an_executed_program_has_the_capabilities_of_the_configuration(t: &Case) {
    let few = json!(["CAP_KILL"]);
    let capabilities = json!({"bounding": ["CAP_KILL", "CAP_SYS_ADMIN"], "permitted": few,
        "effective": few, "inheritable": few, "ambient": few});
    let bundle = t.bundle().set("/process/capabilities", capabilities);
    let container = idle(t, &bundle);
    let user = ["--user", "1000:1000"];
    assert_eq!(sets(t, &container, &user), [KILL, KILL, KILL, KILL | SYS_ADMIN, KILL]);
    let none = idle(t, &bundle.unset("/process/capabilities"));
    assert_eq!(sets(t, &none, &[]), [0; 5]);
}

/// A container whose programs have CAP_KILL only.
fn with_few_capabilities(t: &Case) -> Container<'_> {
    let few = json!(["CAP_KILL"]);
    let capabilities = json!({"bounding": few, "permitted": few, "effective": few});
    idle(t, &t.bundle().set("/process/capabilities", capabilities))
}

fn exec_adds_a_capability_to_those_of_the_configuration(t: &Case) {
    let container = with_few_capabilities(t);
    assert_eq!(sets(t, &container, &[])[1..4], [KILL; 3]);
    assert_eq!(sets(t, &container, &["--cap", "CAP_NET_RAW"])[1..4], [KILL | NET_RAW; 3]);
}

/// CVE-2022-29162: what is inheritable, files of the image could gain.
fn a_capability_of_exec_is_not_inheritable(t: &Case) {
    let container = with_few_capabilities(t);
    let [inheritable, permitted, _, _, ambient] = sets(t, &container, &["--cap", "CAP_NET_RAW"]);
    assert_eq!((inheritable, ambient), (0, 0));
    assert_eq!(permitted & NET_RAW, NET_RAW);
}

/// What /proc says of a program in a container with this configuration.
fn no_new_privileges(t: &Case, configured: bool, flags: &[&str]) -> Output {
    let container = idle(t, &t.bundle().set("/process/noNewPrivileges", json!(configured)));
    exec(t, &container, flags, &["grep", "NoNewPrivs", "/proc/self/status"])
}

fn exec_keeps_no_new_privileges(t: &Case) {
    no_new_privileges(t, true, &[]).ok().prints("NoNewPrivs:\t1");
    no_new_privileges(t, false, &[]).ok().prints("NoNewPrivs:\t0");
}

fn exec_can_set_no_new_privileges(t: &Case) {
    no_new_privileges(t, false, &["--no-new-privs"]).ok().prints("NoNewPrivs:\t1");
    no_new_privileges(t, true, &["--no-new-privs"]).ok().prints("NoNewPrivs:\t1");
}

fn an_executed_program_is_under_the_seccomp_filter_of_the_container(t: &Case) {
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EXDEV});
    let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    let script = "mkdir /dev/shm/d; echo done with $?; grep Seccomp: /proc/self/status";
    let bundle = t.bundle().set("/linux/seccomp", seccomp);
    for no_new_privileges in [true, false] {
        let bundle = bundle.clone().set("/process/noNewPrivileges", json!(no_new_privileges));
        let output = shell(t, &idle(t, &bundle), &[], script);
        output.ok().says("Invalid cross-device link").prints("done with 1\nSeccomp:\t2");
    }
    shell(t, &idle(t, &t.bundle()), &[], script).ok().prints("done with 0\nSeccomp:\t0");
}

fn an_executed_program_has_the_resource_limits_of_the_configuration(t: &Case) {
    let limits = json!([{"type": "RLIMIT_CORE", "hard": 8192, "soft": 4096}]);
    let container = idle(t, &t.bundle().set("/process/rlimits", limits));
    let output = exec(t, &container, &[], &["grep", "Max core", "/proc/self/limits"]);
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert_eq!(words[4..6], ["4096", "8192"], "{words:?}");
}

fn an_executed_program_cannot_write_to_a_readonly_root(t: &Case) {
    let bundle = t.bundle();
    let script = "touch /opt/f 2>/dev/null || echo refused";
    shell(t, &idle(t, &bundle), &[], script).ok().prints("refused");
    assert!(!bundle.in_rootfs("/opt/f").exists());
    let bundle = bundle.writable();
    shell(t, &idle(t, &bundle), &[], script).ok().prints("");
    assert!(bundle.in_rootfs("/opt/f").exists());
}

/// Starts in `/proc/self/fd/N`, the runtime having been called by the shell script `caller`: the
/// program must be inside or not be run.
fn never_leads_out(t: &Case, caller: &str) {
    let container = idle(t, &t.bundle());
    let marker = t.file("marker", "").display().to_string();
    let script = format!("test -e ../../../../../../../../../..{marker} && echo outside || echo inside");
    for fd in 3..=20 {
        let cwd = format!("/proc/self/fd/{fd}");
        let line = line(&container, &["--cwd", &cwd], &["/bin/sh", "-c", &script]);
        let output = t.runtime(&line).through_shell(caller).run();
        match output.status.success() {
            true => output.prints("inside"),
            false => output.fails().prints(""),
        };
    }
}

/// CVE-2024-21626.
fn a_working_directory_behind_a_descriptor_of_the_runtime_never_leads_out(t: &Case) {
    never_leads_out(t, "exec \"$@\"");
}

fn a_working_directory_behind_a_descriptor_of_the_caller_never_leads_out(t: &Case) {
    let roots: String = (3..=20).map(|fd| format!("{fd}</ ")).collect();
    never_leads_out(t, &format!("exec {roots}; exec \"$@\""));
}

fn an_open_file_of_the_caller_is_not_inherited_over_exec(t: &Case) {
    let container = idle(t, &t.bundle());
    let leak = t.file("leak", "leaked").display().to_string();
    let list = "cd /proc/self/fd && for fd in *; do echo $fd=$(readlink $fd); done";
    let script = format!("exec 3<{leak} 9<{leak} 20<{leak}; exec \"$@\"");
    let open = |flags: &[&str]| {
        let line = line(&container, flags, &["/bin/sh", "-c", list]);
        let output = t.runtime(&line).through_shell(&script).run();
        let leaked = output.ok().stdout.lines().filter(|line| line.contains("/leak"));
        leaked.filter_map(|line| line.split('=').next()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(open(&[]), "");
    assert_eq!(open(&["--preserve-fds", "1"]), "3");
}

fn exec_in_a_user_namespace_runs_as_its_root(t: &Case) {
    let container = idle(t, &t.bundle().user_namespace(100_000));
    let script = "echo $(id -u) $(id -g) $(cat /proc/self/uid_map)";
    shell(t, &container, &[], script).ok().prints("0 0 0 100000 65536");
    shell(t, &container, &["--user", "1000:1000"], "echo $(id -u) $(id -g)").ok().prints("1000 1000");
    let owner = fs::metadata(format!("/proc/{}", detached(t, &container, &[]))).expect("the program");
    assert_eq!((owner.uid(), owner.gid()), (100_000, 100_000));
}
