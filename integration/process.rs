//! The section `process`: what the program is started with.

use std::os::unix::fs::PermissionsExt;

use crate::harness::prelude::*;

cases!("process", root: [
    the_arguments_arrive_as_they_are,
    the_environment_is_that_of_the_configuration,
    a_variable_given_twice_has_its_last_value,
    the_program_is_looked_up_in_path_of_the_configuration,
    a_program_with_a_slash_is_relative_to_the_working_directory,
    an_empty_path_does_not_find_a_program_of_the_host,
    home_is_that_of_passwd_unless_set,
    home_is_the_root_without_a_passwd,
    the_working_directory_is_entered,
    a_missing_working_directory_is_made,
    a_working_directory_that_is_a_link_stays_inside,
    the_user_and_the_groups_are_set,
    a_user_id_is_a_number_even_if_passwd_has_such_a_name,
    without_additional_groups_there_are_none,
    the_umask_is_set,
    the_umask_of_the_caller_is_not_inherited,
    resource_limits_are_set,
    a_file_size_limit_ends_a_large_write,
    an_open_files_limit_is_felt,
    a_resource_limit_that_is_not_given_is_that_of_the_caller,
    no_new_privileges_is_set_and_not_set,
    no_new_privileges_makes_a_set_user_id_program_harmless,
    a_set_user_id_program_works_without_no_new_privileges,
    the_oom_score_is_raised,
    sysctls_are_set_in_the_namespaces_of_the_container,
    a_sysctl_with_slashes_is_the_same_as_with_dots,
    the_host_name_is_set,
    the_domain_name_is_set,
    a_session_keyring_named_after_the_container_is_made,
    the_session_keyring_of_the_caller_is_kept_if_told,
    a_program_of_another_user_cannot_be_run_without_permission,
    a_working_directory_closed_to_the_user_is_entered_before_the_user_is_set,
    a_shell_script_is_run_by_its_interpreter,
    an_argument_list_of_64_kib_arrives,
]);

fn the_arguments_arrive_as_they_are(t: &Case) {
    let odd = ["a b", "", "*", "$HOME", "\"'", "\u{e9}\n", "-x"];
    let mut args = vec!["/bin/sh", "-c", "printf '%s|' \"$@\"", "sh"];
    args.extend(odd);
    let output = t.run(&t.bundle().args(&args));
    assert_eq!(output.ok().stdout, odd.map(|arg| format!("{arg}|")).concat());
}

fn the_environment_is_that_of_the_configuration(t: &Case) {
    let env = json!(["PATH=/bin", "EMPTY=", "SPACES=a b  c", "EQUALS=a=b", "HOME=/opt"]);
    let output = t.run(&t.bundle().set("/process/env", env.clone()).args(&["/bin/env"]));
    let mut lines: Vec<&str> = output.ok().stdout.lines().collect();
    lines.sort();
    let mut expected: Vec<&str> = env.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    expected.sort();
    assert_eq!(lines, expected);
}

fn a_variable_given_twice_has_its_last_value(t: &Case) {
    let bundle = t.bundle().env("WORD=first").env("WORD=last");
    t.run(&bundle.sh("echo $WORD")).ok().prints("last");
}

fn the_program_is_looked_up_in_path_of_the_configuration(t: &Case) {
    let bundle = t.bundle().set("/process/env", json!(["PATH=/no/such/dir:/opt:/bin"]));
    let script = "#!/bin/sh\necho found in opt\n";
    let path = bundle.in_rootfs("/opt/only-here");
    fs::write(&path, script).expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    t.run(&bundle.args(&["only-here"])).ok().prints("found in opt");
}

fn a_program_with_a_slash_is_relative_to_the_working_directory(t: &Case) {
    let bundle = t.bundle().set("/process/cwd", json!("/bin"));
    t.run(&bundle.args(&["./sh", "-c", "echo here"])).ok().prints("here");
}

fn an_empty_path_does_not_find_a_program_of_the_host(t: &Case) {
    // A host has runc's or crun's own name somewhere in PATH, the root filesystem has not.
    let bundle = t.bundle().set("/process/env", json!(["PATH=/usr/bin:/usr/sbin"]));
    t.run(&bundle.args(&["unshare"])).fails().says("unshare");
}

fn home_is_that_of_passwd_unless_set(t: &Case) {
    let script = "echo $HOME";
    t.run(&t.bundle().sh(script)).ok().prints("/root");
    let alice = t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1000}));
    t.run(&alice.sh(script)).ok().prints("/home/alice");
    t.run(&t.bundle().env("HOME=/opt").sh(script)).ok().prints("/opt");
}

fn home_is_the_root_without_a_passwd(t: &Case) {
    let bundle = t.bundle();
    fs::remove_file(bundle.in_rootfs("/etc/passwd")).expect("remove");
    t.run(&bundle.sh("echo $HOME")).ok().prints("/");
    let nobody = t.bundle().set("/process/user", json!({"uid": 4711, "gid": 4711}));
    t.run(&nobody.sh("echo $HOME")).ok().prints("/");
}

fn the_working_directory_is_entered(t: &Case) {
    t.run(&t.bundle().set("/process/cwd", json!("/home/alice")).args(&["/bin/pwd"]))
        .ok()
        .prints("/home/alice");
}

fn a_missing_working_directory_is_made(t: &Case) {
    let bundle = t.bundle().writable().set("/process/cwd", json!("/made/by/runtime"));
    t.run(&bundle.clone().args(&["/bin/pwd"])).ok().prints("/made/by/runtime");
    assert!(bundle.in_rootfs("/made/by/runtime").is_dir());
}

fn a_working_directory_that_is_a_link_stays_inside(t: &Case) {
    let bundle = t.bundle().set("/process/cwd", json!("/opt/link"));
    std::os::unix::fs::symlink("/etc", bundle.in_rootfs("/opt/link")).expect("symlink");
    fs::write(bundle.in_rootfs("/etc/mark"), "of the container").expect("write");
    t.run(&bundle.sh("cat mark")).ok().prints("of the container");
}

fn the_user_and_the_groups_are_set(t: &Case) {
    let user = json!({"uid": 1234, "gid": 2345, "additionalGids": [10, 3456]});
    let output =
        t.run(&t.bundle().set("/process/user", user).sh("grep -E '^(Uid|Gid|Groups)' /proc/self/status"));
    let text = output.ok().stdout.replace('\t', " ");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    assert_eq!(lines, ["Uid: 1234 1234 1234 1234", "Gid: 2345 2345 2345 2345", "Groups: 10 3456"]);
}

fn a_user_id_is_a_number_even_if_passwd_has_such_a_name(t: &Case) {
    let bundle = t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1000}));
    fs::write(bundle.in_rootfs("/etc/passwd"), "1000:x:0:0::/root:/bin/sh\n").expect("write");
    t.run(&bundle.sh("grep -E '^Uid' /proc/self/status")).ok().prints("Uid:\t1000\t1000\t1000\t1000");
}

fn without_additional_groups_there_are_none(t: &Case) {
    let line = t.command_line("run", &t.bundle().sh("grep Groups /proc/self/status"), &[], &t.id());
    t.runtime(&line)
        .through_busybox(&["setpriv", "true"])
        .through_shell("exec \"$@\"")
        .run()
        .ok()
        .prints("Groups:");
}

fn the_umask_is_set(t: &Case) {
    let bundle = t.bundle().set("/process/user/umask", json!(0o027));
    let bundle = bundle.sh("umask; touch /dev/shm/f; stat -c %a /dev/shm/f");
    t.run(&bundle).ok().prints("0027\n640");
}

fn the_umask_of_the_caller_is_not_inherited(t: &Case) {
    let line = t.command_line("run", &t.bundle().sh("umask; stat -c %a /dev/null /dev/shm"), &[], &t.id());
    t.runtime(&line).through_shell("umask 0077; exec \"$@\"").run().ok().prints("0022\n666\n1777");
}

fn resource_limits_are_set(t: &Case) {
    let limits = json!([
        {"type": "RLIMIT_NOFILE", "soft": 321, "hard": 654},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        {"type": "RLIMIT_STACK", "soft": 4194304, "hard": 6291456},
        {"type": "RLIMIT_CPU", "soft": 100, "hard": 200},
        {"type": "RLIMIT_NPROC", "soft": 777, "hard": 888},
    ]);
    let output = t.run(&t.bundle().set("/process/rlimits", limits).args(&["/bin/cat", "/proc/self/limits"]));
    let shown = |name: &str| -> Vec<&str> {
        let line = output.ok().stdout.lines().find(|line| line.starts_with(name)).expect("the limit");
        line[name.len()..].split_whitespace().take(2).collect()
    };
    assert_eq!(shown("Max open files"), ["321", "654"]);
    assert_eq!(shown("Max core file size"), ["0", "0"]);
    assert_eq!(shown("Max stack size"), ["4194304", "6291456"]);
    assert_eq!(shown("Max cpu time"), ["100", "200"]);
    assert_eq!(shown("Max processes"), ["777", "888"]);
}

fn a_file_size_limit_ends_a_large_write(t: &Case) {
    let limits = json!([{"type": "RLIMIT_FSIZE", "soft": 4096, "hard": 4096}]);
    let script = "dd if=/dev/zero of=/dev/shm/f bs=1024 count=64 2>/dev/null; stat -c %s /dev/shm/f";
    t.run(&t.bundle().set("/process/rlimits", limits).sh(script)).ok().prints("4096");
}

fn an_open_files_limit_is_felt(t: &Case) {
    let limits = json!([{"type": "RLIMIT_NOFILE", "soft": 8, "hard": 8}]);
    let script = "exec 3</etc 4</etc 5</etc 6</etc 7</etc; echo five; (exec 8</etc) 2>/dev/null || echo full";
    t.run(&t.bundle().set("/process/rlimits", limits).sh(script)).ok().prints("five\nfull");
}

fn a_resource_limit_that_is_not_given_is_that_of_the_caller(t: &Case) {
    let bundle = t.bundle().set("/process/rlimits", json!([])).sh("ulimit -c; ulimit -n");
    let line = t.command_line("run", &bundle, &[], &t.id());
    t.runtime(&line).through_shell("ulimit -c 3; ulimit -n 999; exec \"$@\"").run().ok().prints("3\n999");
}

fn no_new_privileges_is_set_and_not_set(t: &Case) {
    for (value, shown) in [(true, "NoNewPrivs:\t1"), (false, "NoNewPrivs:\t0")] {
        let bundle = t.bundle().set("/process/noNewPrivileges", json!(value));
        t.run(&bundle.args(&["/bin/grep", "NoNewPrivs", "/proc/self/status"])).ok().prints(shown);
    }
}

/// Lets alice call a set-user-ID program of root that needs a raw socket.
fn set_user_id_program(t: &Case, no_new_privileges: bool) -> Output {
    let bundle = t.bundle().set("/process/noNewPrivileges", json!(no_new_privileges));
    let (from, to) = (bundle.in_rootfs("/bin/busybox"), bundle.in_rootfs("/opt/busybox"));
    fs::copy(from, &to).expect("copy");
    fs::set_permissions(&to, fs::Permissions::from_mode(0o4755)).expect("chmod");
    // busybox gives the privilege up for all applets but a few; ping is one of these.
    let bundle =
        bundle.set("/process/user", json!({"uid": 1000, "gid": 1000})).capabilities(&["CAP_NET_RAW"]);
    t.run(&bundle.args(&["/opt/busybox", "ping", "-c", "1", "-W", "1", "127.0.0.1"]))
}

fn no_new_privileges_makes_a_set_user_id_program_harmless(t: &Case) {
    set_user_id_program(t, true).fails().says("permission denied");
}

fn a_set_user_id_program_works_without_no_new_privileges(t: &Case) {
    set_user_id_program(t, false).ok();
}

fn the_oom_score_is_raised(t: &Case) {
    let bundle = t.bundle().set("/process/oomScoreAdj", json!(321));
    t.run(&bundle.args(&["/bin/cat", "/proc/self/oom_score_adj"])).ok().prints("321");
}

fn sysctls_are_set_in_the_namespaces_of_the_container(t: &Case) {
    let host = || fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").expect("read");
    let before = host();
    let sysctl =
        json!({"net.ipv4.ip_default_ttl": "77", "kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "5"});
    let script = "cd /proc/sys; cat net/ipv4/ip_default_ttl kernel/shm_rmid_forced fs/mqueue/msg_max";
    t.run(&t.bundle().set("/linux/sysctl", sysctl).sh(script)).ok().prints("77\n1\n5");
    assert_eq!(host(), before);
}

fn a_sysctl_with_slashes_is_the_same_as_with_dots(t: &Case) {
    let sysctl = json!({"net/ipv4/ip_default_ttl": "78"});
    let bundle = t.bundle().set("/linux/sysctl", sysctl);
    t.run(&bundle.args(&["/bin/cat", "/proc/sys/net/ipv4/ip_default_ttl"])).ok().prints("78");
}

fn the_host_name_is_set(t: &Case) {
    let host = host_name();
    t.run(&t.bundle().set("/hostname", json!("barrel")).args(&["/bin/hostname"])).ok().prints("barrel");
    assert_eq!(host_name(), host);
}

fn the_domain_name_is_set(t: &Case) {
    let host = fs::read_to_string("/proc/sys/kernel/domainname").expect("read");
    let bundle = t.bundle().set("/domainname", json!("cellar.example"));
    t.run(&bundle.args(&["/bin/cat", "/proc/sys/kernel/domainname"])).ok().prints("cellar.example");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/domainname").expect("read"), host);
}

/// The line of `/proc/keys` in a container with the keyring that is named after the container.
fn own_keyring(t: &Case, flags: &[&str]) -> Option<String> {
    if !Path::new("/proc/keys").exists() {
        t.skip("needs a kernel with keyrings");
    }
    let bundle = t.bundle().set("/linux/maskedPaths", json!([])).args(&["/bin/cat", "/proc/keys"]);
    let id = t.id();
    let output = t.runtime(&t.command_line("run", &bundle, flags, &id)).run();
    assert!(output.ok().stdout.contains("keyring"), "{:?}", output.stdout);
    output.stdout.lines().find(|line| line.contains(&format!("{id}:"))).map(str::to_string)
}

fn a_session_keyring_named_after_the_container_is_made(t: &Case) {
    let keyring = own_keyring(t, &[]);
    assert!(keyring.is_some_and(|line| line.contains(" keyring ")), "no keyring of the container");
}

fn the_session_keyring_of_the_caller_is_kept_if_told(t: &Case) {
    assert_eq!(own_keyring(t, &["--no-new-keyring"]), None);
}

fn a_program_of_another_user_cannot_be_run_without_permission(t: &Case) {
    let bundle = t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1000}));
    let path = bundle.in_rootfs("/opt/private");
    fs::copy(bundle.in_rootfs("/bin/busybox"), &path).expect("copy");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("chmod");
    t.run(&bundle.args(&["/opt/private", "true"])).fails().says("permission denied").says("/opt/private");
}

fn a_working_directory_closed_to_the_user_is_entered_before_the_user_is_set(t: &Case) {
    let bundle = t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1000}));
    let bundle = bundle.set("/process/cwd", json!("/root")).sh("ls 2>/dev/null || readlink /proc/self/cwd");
    fs::set_permissions(bundle.in_rootfs("/root"), fs::Permissions::from_mode(0o700)).expect("chmod");
    t.run(&bundle).ok().prints("/root");
}

fn a_shell_script_is_run_by_its_interpreter(t: &Case) {
    let bundle = t.bundle().args(&["/opt/script", "word"]);
    let path = bundle.in_rootfs("/opt/script");
    fs::write(&path, "#!/bin/sh\necho $0 $1\n").expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    t.run(&bundle).ok().prints("/opt/script word");
}

fn an_argument_list_of_64_kib_arrives(t: &Case) {
    let long = "x".repeat(65536);
    t.run(&t.bundle().args(&["/bin/sh", "-c", "echo ${#1}", "sh", &long])).ok().prints("65536");
}
