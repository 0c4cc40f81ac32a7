//! `linux.seccomp`: what happens to a system call.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use crate::harness::prelude::*;
use crate::harness::probe::{self, Entry};
use crate::harness::soon;

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
    a_trapped_call_is_a_signal_that_the_program_can_handle,
    a_traced_call_without_a_tracer_is_not_there,
    a_call_newer_than_the_profile_is_not_there,
    a_call_by_another_architecture_kills_unless_it_is_listed,
    a_rule_is_for_all_architectures_that_are_listed,
    a_call_by_x32_kills_unless_that_is_listed,
    denied_calls_are_logged_if_a_flag_says_so,
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

fn a_trapped_call_is_a_signal_that_the_program_can_handle(t: &Case) {
    let script = "trap 'echo trapped' SYS; cd /tmp; echo in $(pwd)";
    let bundle = denying(t, json!([{"names": ["chdir"], "action": "SCMP_ACT_TRAP"}])).sh(script);
    t.run(&bundle).ok().prints("trapped\nin /");
    let bundle = denying(t, json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_TRAP"}]));
    t.run(&bundle.args(&["/bin/mkdir", "/dev/shm/d"])).exits(128 + 31);
}

fn a_traced_call_without_a_tracer_is_not_there(t: &Case) {
    for errno in [None, Some(libc::EXDEV)] {
        let mut rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_TRACE"});
        if let Some(errno) = errno {
            rule["errnoRet"] = json!(errno);
        }
        t.run(&denying(t, json!([rule])).sh(MKDIR))
            .ok()
            .says("Function not implemented")
            .prints("done with 1");
    }
}

/// Makes one system call under this filter; the exit status is its errno.
fn call(t: &Case, seccomp: &Value, entry: Entry, number: u32) -> Output {
    let bundle = t.bundle().set("/linux/seccomp", seccomp.clone()).args(&["/call"]);
    probe::install(t, &bundle, "call", entry, number);
    t.run(&bundle)
}

const SWAPOFF: u32 = 168;
const GETPPID: u32 = 110;
const GETPPID_OF_X86: u32 = 64;

fn a_call_newer_than_the_profile_is_not_there(t: &Case) {
    let allowed = json!([{"names": allow_list(), "action": "SCMP_ACT_ALLOW"}]);
    let mut seccomp = json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": allowed});
    call(t, &seccomp, Entry::Native, GETPPID).ok();
    call(t, &seccomp, Entry::Native, SWAPOFF).exits(libc::EPERM);
    call(t, &seccomp, Entry::Native, 4711).exits(libc::ENOSYS);
    seccomp["defaultErrnoRet"] = json!(libc::EXDEV);
    call(t, &seccomp, Entry::Native, SWAPOFF).exits(libc::EXDEV);
    call(t, &seccomp, Entry::Native, 4711).exits(libc::ENOSYS);
}

fn needs_32_bit_calls(t: &Case) {
    let bundle = t.bundle().args(&["/call"]);
    probe::install(t, &bundle, "call", Entry::X86, GETPPID_OF_X86);
    if !t.run(&bundle).status.success() {
        t.skip("needs a kernel with 32-bit system calls");
    }
}

fn a_call_by_another_architecture_kills_unless_it_is_listed(t: &Case) {
    needs_32_bit_calls(t);
    let mut seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
        [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]});
    call(t, &seccomp, Entry::X86, GETPPID_OF_X86).exits(128 + 31);
    seccomp["architectures"] = json!(["SCMP_ARCH_X86_64"]);
    call(t, &seccomp, Entry::X86, GETPPID_OF_X86).exits(128 + 31);
    seccomp["architectures"] = json!(["SCMP_ARCH_X86"]);
    call(t, &seccomp, Entry::X86, GETPPID_OF_X86).ok();
    call(t, &seccomp, Entry::Native, GETPPID).ok();
}

fn a_rule_is_for_all_architectures_that_are_listed(t: &Case) {
    needs_32_bit_calls(t);
    let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "syscalls":
        [{"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EXDEV}]});
    call(t, &seccomp, Entry::X86, GETPPID_OF_X86).exits(libc::EXDEV);
    call(t, &seccomp, Entry::Native, GETPPID).exits(libc::EXDEV);
}

fn a_call_by_x32_kills_unless_that_is_listed(t: &Case) {
    const X32: u32 = 0x4000_0000;
    let mut seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
        [{"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EXDEV}]});
    call(t, &seccomp, Entry::Native, X32 + GETPPID).exits(128 + 31);
    seccomp["architectures"] = json!(["SCMP_ARCH_X32"]);
    call(t, &seccomp, Entry::Native, X32 + GETPPID).exits(libc::EXDEV);
}

/// Whether the kernel's log has a seccomp record of the program of this name.
fn is_logged(program: &str) -> bool {
    let mut options = fs::OpenOptions::new();
    let mut log = options.read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").expect("open the log");
    let mut record = [0; 8192];
    loop {
        match log.read(&mut record) {
            Ok(length) => {
                let text = String::from_utf8_lossy(&record[..length]);
                if text.contains("type=1326") && text.contains(&format!("comm=\"{program}\"")) {
                    return true;
                }
            }
            // The oldest record was overwritten meanwhile.
            Err(e) if e.raw_os_error() == Some(libc::EPIPE) => {}
            Err(_) => return false,
        }
    }
}

fn denied_calls_are_logged_if_a_flag_says_so(t: &Case) {
    let unique = t.id().replace("it-", "");
    let program = |letter: &str, action: &str, flags: Value| {
        let name = format!("{letter}{unique}");
        let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": flags,
            "syscalls": [{"names": ["getppid"], "action": action}]});
        let bundle = t.bundle().set("/linux/seccomp", seccomp).args(&[&format!("/{name}")]);
        probe::install(t, &bundle, &name, Entry::Native, GETPPID);
        (name, bundle)
    };
    // The kernel prints only some records in 5 s, so a program is run until it has one.
    let is_logged_soon = |(name, bundle): &(String, Bundle)| {
        soon(PATIENCE, || {
            t.run(bundle).fails();
            is_logged(name)
        })
    };
    if !is_logged_soon(&program("k", "SCMP_ACT_KILL_PROCESS", json!([]))) {
        t.skip("needs a kernel that prints audit records, of which a killed process is one");
    }
    let denied = program("f", "SCMP_ACT_ERRNO", json!(["SECCOMP_FILTER_FLAG_LOG"]));
    assert!(is_logged_soon(&denied), "no record of {}", denied.0);
    let unlogged = program("n", "SCMP_ACT_ERRNO", json!([]));
    t.run(&unlogged.1).fails();
    assert!(is_logged_soon(&program("l", "SCMP_ACT_KILL_PROCESS", json!([]))));
    assert!(!is_logged(&unlogged.0), "there is a record of {}", unlogged.0);
}
