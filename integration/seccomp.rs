//! `linux.seccomp`: what happens to a system call.

use crate::harness::prelude::*;

cases!("seccomp", root: [
    an_unconfined_program_has_no_filter,
    a_denied_call_fails_with_eperm,
    a_denied_call_fails_with_the_errno_of_the_rule,
    the_default_errno_is_that_of_the_configuration,
    a_killed_process_gives_159,
    a_killed_child_does_not_take_the_program_with_it,
    a_rule_with_an_argument_is_for_that_argument_only,
    a_rule_can_compare_by_order,
    a_rule_with_a_mask_compares_the_masked_argument,
    all_arguments_of_a_rule_must_match,
    a_list_of_allowed_calls_is_enough_to_run,
    a_call_that_is_not_allowed_is_denied_by_default,
    an_unknown_call_in_a_rule_is_left_out,
    a_filter_works_without_no_new_privileges,
    a_filter_without_no_new_privileges_is_there_for_a_user,
    the_profile_of_docker_loads_and_lets_a_shell_work,
    the_profile_of_docker_denies_a_user_namespace,
    the_profile_of_docker_denies_a_mount_even_with_the_capability,
    flags_of_the_filter_are_accepted,
    logging_lets_the_call_through,
]);

/// Everything is allowed but these rules.
fn denying(t: &Case, rules: Value) -> Bundle {
    t.bundle().set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}))
}

fn an_unconfined_program_has_no_filter(t: &Case) {
    t.run(&t.bundle().args(&["/bin/grep", "Seccomp:", "/proc/self/status"])).ok().prints("Seccomp:\t0");
    let bundle = denying(t, json!([]));
    t.run(&bundle.args(&["/bin/true"])).ok();
}

const MKDIR: &str = "mkdir /dev/shm/d; echo done with $?";

fn a_denied_call_fails_with_eperm(t: &Case) {
    let bundle = denying(t, json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]));
    t.run(&bundle.clone().sh(MKDIR)).ok().says("Operation not permitted").prints("done with 1");
    t.run(&bundle.args(&["/bin/grep", "Seccomp:", "/proc/self/status"])).ok().prints("Seccomp:\t2");
    t.run(&t.bundle().sh(MKDIR)).ok().prints("done with 0");
}

fn a_denied_call_fails_with_the_errno_of_the_rule(t: &Case) {
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EXDEV});
    t.run(&denying(t, json!([rule])).sh(MKDIR)).ok().says("Invalid cross-device link").prints("done with 1");
}

fn the_default_errno_is_that_of_the_configuration(t: &Case) {
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"});
    let mut allowed = allow_list();
    allowed.retain(|name| !rule["names"].as_array().expect("a list").contains(&json!(name)));
    let seccomp = json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": libc::EXDEV,
        "syscalls": [{"names": allowed, "action": "SCMP_ACT_ALLOW"}]});
    let output = t.run(&t.bundle().set("/linux/seccomp", seccomp).sh(MKDIR));
    output.ok().says("Invalid cross-device link").prints("done with 1");
}

fn a_killed_process_gives_159(t: &Case) {
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD"] {
        let bundle = denying(t, json!([{"names": ["mkdir", "mkdirat"], "action": action}]));
        t.run(&bundle.args(&["/bin/mkdir", "/dev/shm/d"])).exits(128 + 31);
    }
}

fn a_killed_child_does_not_take_the_program_with_it(t: &Case) {
    let bundle = denying(t, json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]));
    t.run(&bundle.sh(MKDIR)).ok().prints("done with 159");
}

/// Connects to a port that nobody listens on: once with an IPv6, once with an IPv4 socket.
const SOCKETS: &str = "for a in ::1 127.0.0.1; do nc -w 1 $a 9 2>&1 </dev/null | grep -q 'not permitted' \
                       && echo $a denied || echo $a allowed; done";

fn a_rule_with_an_argument_is_for_that_argument_only(t: &Case) {
    let rule = json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO",
        "args": [{"index": 0, "value": libc::AF_INET6, "op": "SCMP_CMP_EQ"}]});
    t.run(&denying(t, json!([rule])).sh(SOCKETS)).ok().prints("::1 denied\n127.0.0.1 allowed");
    let rule = json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO",
        "args": [{"index": 0, "value": libc::AF_INET6, "op": "SCMP_CMP_NE"}]});
    t.run(&denying(t, json!([rule])).sh(SOCKETS)).ok().prints("::1 allowed\n127.0.0.1 denied");
    t.run(&t.bundle().sh(SOCKETS)).ok().prints("::1 allowed\n127.0.0.1 allowed");
}

fn a_rule_can_compare_by_order(t: &Case) {
    // AF_INET is 2 and AF_INET6 is 10.
    let table = [
        ("SCMP_CMP_LT", 10, "allowed", "denied"),
        ("SCMP_CMP_LE", 10, "denied", "denied"),
        ("SCMP_CMP_GT", 2, "denied", "allowed"),
        ("SCMP_CMP_GE", 11, "allowed", "allowed"),
    ];
    for (op, value, inet6, inet) in table {
        let rule = json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 0, "value": value, "op": op}]});
        let output = t.run(&denying(t, json!([rule])).sh(SOCKETS));
        output.ok().prints(&format!("::1 {inet6}\n127.0.0.1 {inet}"));
    }
}

fn a_rule_with_a_mask_compares_the_masked_argument(t: &Case) {
    // The mode of mkdir: only those with the sticky bit are denied.
    let sticky = 0o1000;
    let rule = |name: &str, index: u32| {
        json!({"names": [name], "action": "SCMP_ACT_ERRNO",
            "args": [{"index": index, "value": sticky, "valueTwo": sticky, "op": "SCMP_CMP_MASKED_EQ"}]})
    };
    let bundle =
        denying(t, json!([rule("mkdir", 1), rule("mkdirat", 2), rule("chmod", 1), rule("fchmodat", 2)]));
    let script = "cd /dev/shm; mkdir d; chmod 0755 d && echo plain; chmod 1755 d 2>/dev/null || echo denied";
    t.run(&bundle.sh(script)).ok().prints("plain\ndenied");
}

fn all_arguments_of_a_rule_must_match(t: &Case) {
    let rule = |kind: i32| {
        let args = json!([
            {"index": 0, "value": libc::AF_INET, "op": "SCMP_CMP_EQ"},
            {"index": 1, "value": kind, "op": "SCMP_CMP_EQ"},
        ]);
        json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": args})
    };
    let other = denying(t, json!([rule(4711)])).sh(SOCKETS);
    t.run(&other).ok().prints("::1 allowed\n127.0.0.1 allowed");
    let both = denying(t, json!([rule(libc::SOCK_STREAM)])).sh(SOCKETS);
    t.run(&both).ok().prints("::1 allowed\n127.0.0.1 denied");
}

/// Docker's list, which is what a shell and more needs.
fn allow_list() -> Vec<String> {
    let profile = docker_profile();
    let rules = profile["syscalls"].as_array().expect("rules");
    let plain = rules.iter().filter(|rule| rule["action"] == "SCMP_ACT_ALLOW" && rule["args"].is_null());
    let names = plain.flat_map(|rule| rule["names"].as_array().expect("names"));
    names
        .map(|name| name.as_str().expect("a name").to_string())
        .chain(["clone".into(), "clone3".into()])
        .collect()
}

fn docker_profile() -> Value {
    serde_json::from_str(include_str!("data/docker-seccomp.json")).expect("the profile is JSON")
}

fn a_list_of_allowed_calls_is_enough_to_run(t: &Case) {
    let seccomp = json!({"defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": allow_list(), "action": "SCMP_ACT_ALLOW"}]});
    t.run(&t.bundle().set("/linux/seccomp", seccomp).sh("echo works; ls / >/dev/null")).ok().prints("works");
}

fn a_call_that_is_not_allowed_is_denied_by_default(t: &Case) {
    let mut allowed = allow_list();
    allowed.retain(|name| !["mkdir", "mkdirat"].contains(&name.as_str()));
    let seccomp = json!({"defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": allowed, "action": "SCMP_ACT_ALLOW"}]});
    t.run(&t.bundle().set("/linux/seccomp", seccomp).sh(MKDIR)).ok().prints("done with 1");
}

fn an_unknown_call_in_a_rule_is_left_out(t: &Case) {
    let names = json!(["no_such_call_ever", "mkdir", "mkdirat"]);
    t.run(&denying(t, json!([{"names": names, "action": "SCMP_ACT_ERRNO"}])).sh(MKDIR))
        .ok()
        .prints("done with 1");
}

fn a_filter_works_without_no_new_privileges(t: &Case) {
    let bundle = denying(t, json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]));
    let bundle = bundle.set("/process/noNewPrivileges", json!(false));
    t.run(&bundle.sh(&format!("{MKDIR}; grep NoNewPrivs /proc/self/status")))
        .ok()
        .prints("done with 1\nNoNewPrivs:\t0");
}

fn a_filter_without_no_new_privileges_is_there_for_a_user(t: &Case) {
    let bundle = denying(t, json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]));
    let bundle = bundle.set("/process/noNewPrivileges", json!(false)).unset("/process/capabilities");
    let bundle = bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
    t.run(&bundle.sh(&format!("{MKDIR}; id -u"))).ok().prints("done with 1\n1000");
}

fn the_profile_of_docker_loads_and_lets_a_shell_work(t: &Case) {
    let bundle = t.bundle().set("/linux/seccomp", docker_profile());
    let script =
        "mkdir /dev/shm/d && ls / | head -n 1; (sleep 0.1 & wait) && grep Seccomp: /proc/self/status";
    t.run(&bundle.sh(script)).ok().prints("bin\nSeccomp:\t2");
}

fn the_profile_of_docker_denies_a_user_namespace(t: &Case) {
    let script = "unshare -U true 2>&1; echo done with $?";
    let bundle = t.bundle().sh(script);
    t.run(&bundle).ok().prints("done with 0");
    let output = t.run(&bundle.set("/linux/seccomp", docker_profile()));
    output.ok().prints("unshare: unshare(0x10000000): Operation not permitted\ndone with 1");
}

fn the_profile_of_docker_denies_a_mount_even_with_the_capability(t: &Case) {
    let bundle = t.bundle().capabilities(&["CAP_SYS_ADMIN"]);
    let bundle = bundle.sh("mount -t tmpfs none /tmp 2>/dev/null; echo done with $?");
    t.run(&bundle).ok().prints("done with 0");
    t.run(&bundle.set("/linux/seccomp", docker_profile())).ok().prints("done with 1");
}

fn flags_of_the_filter_are_accepted(t: &Case) {
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"});
    for flag in ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"] {
        let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": [flag], "syscalls": [rule]});
        t.run(&t.bundle().set("/linux/seccomp", seccomp).sh(MKDIR)).ok().prints("done with 1");
    }
}

fn logging_lets_the_call_through(t: &Case) {
    let bundle = denying(t, json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_LOG"}]));
    t.run(&bundle.sh(MKDIR)).ok().prints("done with 0");
}
