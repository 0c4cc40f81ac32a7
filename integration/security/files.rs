//! /dev of an image or of a volume: nodes, links, the console, and what covers masked paths.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::oracle::{Flipper, Oracle, ROUNDS};
use crate::harness::child_process::succeeds;
use crate::harness::prelude::*;
use crate::harness::pty::Pty;

super::rows!("files", [
    dev_of_the_image_is_a_link: "CVE-2026-41579, CVE-2026-47766",
        "/dev or a directory in it is a link to the host, absolute or with `..`, and no tmpfs is mounted there. Nodes, \
         links and an unlinked ptmx would be the host's.",
        ["src/child/rootfs.rs" "make_devices", "src/child/target.rs" "directory_target", "src/sys/fs.rs" "mknodat"];
    dev_null_of_the_image_is_something_else: "CVE-2025-31133",
        "/dev/null of the image is a link to a kernel parameter or a file, another device, a directory; files are masked \
         with it. What it leads to would lie over them, to be written to.",
        ["src/child/rootfs.rs" "null_device", "src/child/rootfs.rs" "make_node"];
    dev_null_of_a_volume_is_exchanged_meanwhile: "CVE-2025-31133",
        "The same in a volume at /dev, where /dev/null is exchanged for a link meanwhile.",
        ["src/child/rootfs.rs" "null_device", "src/child/rootfs.rs" "make_node"];
    the_console_of_the_image_is_a_link: "CVE-2025-52565",
        "/dev/console is a link to the host, and /dev/pts is a volume with other things under the names of terminals. \
         What is mounted over the console, or opened as one, would be of the attacker's choice.",
        ["src/child/terminal.rs" "attach", "src/child/terminal.rs" "open_master", "src/sys/terminal.rs" "open_peer"];
    the_console_of_a_volume_is_exchanged_meanwhile: "CVE-2025-52565",
        "The same in a volume at /dev, where the console is exchanged for a link meanwhile.",
        ["src/child/target.rs" "file_target", "src/child/terminal.rs" "attach"];
    a_mask_has_no_room: "masked directories, near miss of crun and runc",
        "A container with CAP_SYS_ADMIN writes into masked directories, and makes them writable before. Memory of the \
         kernel would be used that is nobody's.",
        ["src/child/rootfs.rs" "empty_directory"];
    a_node_that_nobody_has_listed: "default device rules of runc and crun",
        "The nodes of a disk, of /dev/mem and of a tun device are made by a container with CAP_MKNOD. They could be \
         opened by whoever is not under its device rules.",
        ["src/plan/device_rules.rs" "new", "src/plan/device_rules.rs" "rules"];
]);

/// Without mounts at /dev and below it.
fn without_dev(bundle: Bundle) -> Bundle {
    let mounts = bundle.config["mounts"].as_array().expect("a list").clone();
    let other = |mount: &Value| !mount["destination"].as_str().is_some_and(|path| path.starts_with("/dev"));
    let mounts: Vec<Value> = mounts.into_iter().filter(other).collect();
    bundle.writable().set("/mounts", json!(mounts))
}

fn dev_of_the_image_is_a_link(t: &Case) {
    let oracle = Oracle::new(t);
    let up = format!("../../../../../../../../../..{}", oracle.victim.display());
    for leads_to in [oracle.victim.display().to_string(), up] {
        let bundle = without_dev(t.bundle());
        fs::remove_dir(bundle.in_rootfs("/dev")).expect("remove");
        symlink(&leads_to, bundle.in_rootfs("/dev")).expect("symlink");
        oracle.attack(t, &bundle);
        let disk = json!([{"path": "/dev/disk", "type": "c", "major": 1, "minor": 3}]);
        oracle.attack(t, &bundle.set("/linux/devices", disk));
        let bundle = without_dev(t.bundle());
        for name in ["pts", "shm", "mapper", "fd", "stdin"] {
            symlink(&leads_to, bundle.in_rootfs(&format!("/dev/{name}"))).expect("symlink");
        }
        symlink(oracle.path("null"), bundle.in_rootfs("/dev/zero")).expect("symlink");
        symlink(oracle.path("ptmx"), bundle.in_rootfs("/dev/ptmx")).expect("symlink");
        let node = json!([{"path": "/dev/mapper/node", "type": "c", "major": 1, "minor": 3}]);
        oracle.attack(t, &bundle.set("/linux/devices", node));
    }
}

/// Masks that matter, and a look at whether they hold.
const MASKED: [&str; 3] = ["/proc/kcore", "/proc/sys/kernel/core_pattern", "/etc/passwd"];
const LOOK: &str = "for f in /proc/kcore /proc/sys/kernel/core_pattern /etc/passwd; do \
    test -e $f || continue; [ -s $f ] && echo reached what $f has; \
    [ $(stat -Lc %t:%T $f) = 1:3 ] || echo reached $f, which is $(stat -Lc '%F %t:%T' $f); \
    echo x >$f; done 2>/dev/null";

fn masked(bundle: Bundle) -> Bundle {
    let bundle = bundle.set("/linux/maskedPaths", json!(MASKED)).set("/linux/readonlyPaths", json!([]));
    bundle.writable().capabilities(&["CAP_DAC_OVERRIDE"])
}

fn dev_null_of_the_image_is_something_else(t: &Case) {
    let oracle = Oracle::new(t);
    let node = |at: &Path, major: &str, minor: &str| {
        let mut mknod = Command::new(&t.host.busybox);
        assert!(succeeds(mknod.args(["mknod", "-m", "666"]).arg(at).args(["c", major, minor])), "mknod");
    };
    let up = format!("../../../../../../../../../..{}", oracle.path("null"));
    for what in 0..6 {
        let bundle = masked(without_dev(t.bundle()));
        let null = bundle.in_rootfs("/dev/null");
        match what {
            0 => symlink("/proc/sys/kernel/core_pattern", &null).expect("symlink"),
            1 => oracle.link("null", &null),
            2 => symlink(&up, &null).expect("symlink"),
            3 => node(&null, "1", "5"),
            4 => fs::create_dir(&null).expect("make a directory"),
            _ => fs::write(&null, "content").expect("write"),
        }
        oracle.attack_with(t, &bundle, LOOK);
    }
}

fn dev_null_of_a_volume_is_exchanged_meanwhile(t: &Case) {
    let oracle = Oracle::new(t);
    let dev = t.directory("dev");
    let null = [dev.join("null"), dev.join("link")];
    assert!(
        succeeds(Command::new(&t.host.busybox).arg("mknod").arg(&null[0]).args(["c", "1", "3"])),
        "mknod"
    );
    symlink("/proc/sys/kernel/core_pattern", &null[1]).expect("symlink");
    // A bind at /dev keeps the nodes of the volume; what is masked is looked at by a path of its own.
    let bundle = masked(without_dev(t.bundle())).bind(&dev, "/dev", &["rbind", "rw"]);
    oracle.race(t, &bundle, &null, LOOK);
}

/// What runs with a terminal prints there.
fn with_terminal(t: &Case, bundle: &Bundle, script: &str) -> String {
    let pty = Pty::new(t, 24, 80);
    let bundle = bundle.clone().set("/process/terminal", json!(true)).sh(script);
    let line = t.command_line("run", &bundle, &[], &t.id());
    let output = t.runtime(&line).terminal(pty.slave()).run();
    // What was printed before the end is on its way.
    crate::harness::soon(std::time::Duration::from_millis(200), || pty.printed().contains("the end"));
    format!("{}{}", pty.printed(), output.stderr)
}

const CONSOLE: &str = "c=$(stat -Lc %t /dev/console); [ $c = 88 ] || echo reach''ed a console which is $c; \
    echo of the container >/dev/console; echo the end";

#[track_caller]
fn stays_inside(t: &Case, oracle: &Oracle, printed: &str) {
    assert!(!printed.contains("reached"), "{printed}");
    oracle.check(t);
}

fn the_console_of_the_image_is_a_link(t: &Case) {
    let oracle = Oracle::new(t);
    let up = format!("../../../../../../../../../..{}", oracle.path("console"));
    for leads_to in [oracle.path("console"), up, "/proc/sys/kernel/core_pattern".to_string()] {
        let bundle = without_dev(t.bundle());
        symlink(&leads_to, bundle.in_rootfs("/dev/console")).expect("symlink");
        let pts = json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": ["newinstance", "ptmxmode=0666", "mode=0620"]});
        let printed = with_terminal(t, &bundle.clone().mount(pts), CONSOLE);
        stays_inside(t, &oracle, &printed);
        // And a volume in place of the terminals.
        let volume = t.directory(&format!("pts{}", t.next_number()));
        for name in ["ptmx", "0", "1"] {
            symlink(&leads_to, volume.join(name)).expect("symlink");
        }
        let printed = with_terminal(t, &bundle.bind(&volume, "/dev/pts", &["rbind", "rw"]), CONSOLE);
        stays_inside(t, &oracle, &printed);
    }
}

fn the_console_of_a_volume_is_exchanged_meanwhile(t: &Case) {
    let oracle = Oracle::new(t);
    let dev = t.directory("dev");
    let console = [dev.join("console"), dev.join("link")];
    fs::write(&console[0], "").expect("write");
    oracle.link("console", &console[1]);
    fs::create_dir(dev.join("pts")).expect("make a directory");
    let pts = json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
        "options": ["newinstance", "ptmxmode=0666", "mode=0620"]});
    let bundle = without_dev(t.bundle()).bind(&dev, "/dev", &["rbind", "rw"]).mount(pts);
    let pty = Pty::new(t, 24, 80);
    let bundle = bundle.set("/process/terminal", json!(true)).sh("echo of the container >/dev/console");
    let flipper = Flipper::new(&console);
    for _ in 0..ROUNDS {
        let line = t.command_line("run", &bundle, &[], &t.id());
        let _ = t.runtime(&line).terminal(pty.slave()).run();
        oracle.check(t);
    }
    assert!(flipper.stop() > ROUNDS as u64);
}

fn a_mask_has_no_room(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = t.bundle().writable().capabilities(&["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
    for name in ["one", "two"] {
        fs::create_dir_all(bundle.in_rootfs(&format!("/opt/{name}"))).expect("make a directory");
        fs::write(bundle.in_rootfs(&format!("/opt/{name}/hidden")), super::oracle::SECRET).expect("write");
    }
    let bundle = bundle.set("/linux/maskedPaths", json!(["/opt/one", "/opt/two", "/sys/firmware"]));
    let script = "for d in /opt/one /opt/two /sys/firmware; do \
        ls -A $d | sed \"s|^|reached in $d: |\"; \
        echo x 2>/dev/null >$d/f && echo reached $d, to write to; \
        mount -o remount,rw $d 2>/dev/null; mount -o remount,bind,rw $d 2>/dev/null; \
        dd if=/dev/zero of=$d/f bs=1M count=10 2>/dev/null; \
        [ $(du -sk $d 2>/dev/null | cut -f1) -gt 8 ] && echo reached memory by $d; done; true";
    let output = t.run(&bundle.sh(script));
    oracle.check_after(t, &output);
}

fn a_node_that_nobody_has_listed(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = t.bundle().writable().capabilities(&["CAP_MKNOD"]);
    let script = "try() { mknod /tmp/n $1 $2 $3 2>/dev/null && echo reached a node $1 $2:$3; \
        (exec </tmp/n) 2>/dev/null && echo reached the device; rm -f /tmp/n; }; \
        try b 8 0; try c 1 1; try c 10 200; try c 5 1; try b 7 0; mknod /tmp/null c 1 3 && echo >/tmp/null && echo works";
    let output = oracle.attack_with(t, &bundle, script);
    output.ok().prints("works");
}
