//! Who the program is: users, capabilities, keys.

use rustix::fs::{XattrFlags, setxattr};
use std::os::unix::fs::symlink;

use super::oracle::Oracle;
use crate::harness::executed::{exec, idle, shell};
use crate::harness::prelude::*;

super::rows!("identity", [
    a_numeric_user_is_no_name: "CVE-2016-3697",
        "The image has a user named `1000` with uid 0; its passwd is a FIFO, endless, or huge. The number would be \
         looked up as a name, or the runtime wait and swell.",
        ["src/cli/values.rs" "user", "src/child/home.rs" "open_regular", "src/child/home.rs" "look_up"];
    a_user_that_is_no_number: "CVE-2026-30892",
        "`exec --user` with signs, spaces, hexadecimal and octal numbers, names, too large numbers, parts left out. What \
         is not understood, or not said, would become 0.",
        ["src/cli/values.rs" "user", "src/child/identity.rs" "assume"];
    capabilities_of_exec_are_not_inheritable: "CVE-2022-29162",
        "`exec --cap` and the configuration of `spec` give capabilities; a program of the image has file capabilities \
         that take effect with inheritable ones. An ordinary user inside would gain them.",
        ["src/command/exec.rs" "process", "src/child/identity.rs" "final_caps"];
    nothing_is_left_without_capabilities: "bounding set, youki",
        "The configuration names no capabilities at all: none may be in any set, nor be gained by a set-user-id program.",
        ["src/plan/identity.rs" "plan", "src/child/identity.rs" "assume"];
    the_keys_of_the_caller: "session keyring, youki",
        "The program looks for the caller's session keyring, which is inherited by default.",
        ["src/child/identity.rs" "new_keyring"];
]);

fn a_numeric_user_is_no_name(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1000}));
    let bundle = bundle.set("/process/env", json!(["PATH=/bin"]));
    let passwd = bundle.in_rootfs("/etc/passwd");
    // Not by id(1), which reads passwd itself.
    let ids = "grep Uid: /proc/self/status | grep -q '1000.*1000.*1000.*1000' || \
        echo reached $(grep Uid: /proc/self/status)";
    fs::write(&passwd, "1000:x:0:0::/root:/bin/sh\nroot:x:1000:1000::/opt:/bin/sh\n").expect("write");
    oracle.attack_with(t, &bundle, ids).ok();
    let container = idle(t, &bundle);
    for user in ["1000", "1000:1000"] {
        let output = shell(t, &container, &["--user", user], ids);
        oracle.check_after(t, output.ok());
    }
    fs::remove_file(&passwd).expect("remove");
    nix::unistd::mkfifo(&passwd, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    oracle.attack_with(t, &bundle, ids);
    fs::remove_file(&passwd).expect("remove");
    symlink("/dev/zero", &passwd).expect("symlink");
    oracle.attack_with(t, &bundle, ids);
    fs::remove_file(&passwd).expect("remove");
    fs::File::create(&passwd).and_then(|file| file.set_len(1 << 40)).expect("a long file");
    // Half a GiB of address space is enough for a runtime, and too little for the file.
    let line = t.command_line("run", &bundle.clone().sh(ids), &[], &t.id());
    let output = t.runtime(&line).through_shell("ulimit -v 4000000; exec \"$@\"").run();
    oracle.check_after(t, &output);
}

fn a_user_that_is_no_number(t: &Case) {
    let oracle = Oracle::new(t);
    let container = idle(t, &t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1001})));
    let who = "echo $(id -u) $(id -g)";
    for (user, right) in [("1", "1 1001"), ("1:2", "1 2")] {
        let output = shell(t, &container, &["--user", user], who);
        assert!(output.ok().text() == right, "--user {user:?} became {:?}", output.text());
    }
    for (user, harmless) in [
        ("1:", "1 "),
        (":1", "1000 1"),
        ("1:2:3", "1 2"),
        ("0x1", "1 "),
        ("01", "1 "),
        (" 1", "1 "),
        ("1a", "1 "),
        ("-1", "none"),
        ("4294967294:7", "4294967294 7"),
        ("4294967295", "none"),
        ("4294967296", "none"),
        ("4294967296:4294967296", "none"),
        ("root", "none"),
        ("", "1000 "),
    ] {
        let output = shell(t, &container, &["--user", user], who);
        let fine = !output.status.success() || output.text().starts_with(harmless);
        assert!(fine, "--user {user:?} became {:?}", output.text());
        oracle.check(t);
    }
    for uid in [json!(-1), json!(4294967296_i64), json!("1000"), json!(1.5)] {
        let bundle = t.bundle().set("/process/user", json!({"uid": uid, "gid": 0}));
        let output = t.run(&bundle.sh("id -u"));
        assert!(output.text() != "0", "uid {uid} became 0");
    }
}

/// `security.capability`, version 2: effective, and inheritable CAP_NET_RAW.
fn give_file_capability(file: &Path) {
    let words: [u32; 5] = [0x0200_0001, 0, NET_RAW as u32, 0, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    setxattr(file, "security.capability", &bytes, XattrFlags::empty()).expect("set the file capability");
}

const NET_RAW: u64 = 1 << 13;

fn capabilities_of_exec_are_not_inheritable(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = t.bundle().set("/process/noNewPrivileges", json!(false)).capabilities(&["CAP_NET_RAW"]);
    let program = bundle.in_rootfs("/opt/busybox");
    fs::copy(t.host.work.join("busybox"), &program).expect("copy");
    give_file_capability(&program);
    let permitted = |output: &Output| {
        let line =
            output.ok().stdout.lines().find(|line| line.starts_with("CapPrm")).unwrap_or("").to_string();
        u64::from_str_radix(line.split_whitespace().last().unwrap_or("0"), 16).expect("a mask")
    };
    let look = ["/opt/busybox", "grep", "Cap", "/proc/self/status"];
    // The attack works where the set is not empty.
    let inheritable = bundle.clone().set("/process/capabilities/inheritable", json!(["CAP_NET_RAW"]));
    let container = idle(t, &inheritable);
    assert_eq!(permitted(&exec(t, &container, &["--user", "1000"], &look)) & NET_RAW, NET_RAW);
    let container = idle(t, &bundle);
    for flags in [&["--user", "1000"][..], &["--user", "1000", "--cap", "CAP_NET_RAW"]] {
        let output = exec(t, &container, flags, &look);
        assert_eq!(permitted(&output) & NET_RAW, 0, "reached by {flags:?}: {}", output.stdout);
        assert!(output.stdout.contains("CapInh:\t0000000000000000"), "{}", output.stdout);
    }
    let dir = t.directory("spec");
    t.runtime(&["spec"]).cwd(&dir).run().ok();
    let spec = fs::read_to_string(dir.join("config.json")).expect("what spec wrote");
    let spec: Value = serde_json::from_str(&spec).expect("JSON");
    let inheritable = spec["process"]["capabilities"]["inheritable"].as_array().map_or(0, Vec::len);
    assert_eq!(inheritable, 0, "what spec writes is inheritable");
    oracle.check(t);
}

fn nothing_is_left_without_capabilities(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = t.bundle().writable().set("/process/noNewPrivileges", json!(false));
    let bundle = bundle.unset("/process/capabilities");
    let script = "for set in Inh Prm Eff Bnd Amb; do \
        grep -q \"Cap$set:.*0000000000000000\" /proc/self/status || echo reached $(grep Cap$set /proc/self/status); done; \
        chown 1:1 /etc/passwd 2>/dev/null && echo reached CAP_CHOWN; \
        chroot / true 2>/dev/null && echo reached CAP_SYS_CHROOT; true";
    oracle.attack_with(t, &bundle, script).ok();
    let container = idle(t, &bundle);
    let output = shell(t, &container, &[], script);
    oracle.check_after(t, output.ok());
}

fn the_keys_of_the_caller(t: &Case) {
    let Ok(own) = fs::read_to_string("/proc/keys") else { t.skip("needs a kernel with keyrings") };
    let serials = |text: &str| -> Vec<String> {
        let keyrings = text.lines().filter(|line| line.contains("keyring") && line.contains("_ses"));
        keyrings.filter_map(|line| line.split_whitespace().next()).map(str::to_string).collect()
    };
    let (oracle, own) = (Oracle::new(t), serials(&own));
    let bundle = t.bundle().set("/linux/maskedPaths", json!([]));
    // Another user: what he sees are the keys that he possesses.
    let bundle = bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
    let output = oracle.attack_with(t, &bundle, "cat /proc/keys");
    let seen = serials(output.ok().text());
    let shared: Vec<_> = seen.iter().filter(|serial| own.contains(serial)).collect();
    assert!(shared.is_empty(), "the session keyring of the caller: {shared:?} of {own:?}");
    assert!(output.stdout.contains("keyring"), "a session keyring of its own: {}", output.stdout);
}
