//! Paths in the root filesystem that lead elsewhere, or come to lead elsewhere meanwhile.

use std::os::unix::fs::symlink;

use super::oracle::Oracle;
use crate::harness::executed::{idle, line};
use crate::harness::prelude::*;

super::rows!("paths", [
    a_mount_target_is_exchanged_for_a_link: "CVE-2021-30465",
        "Two containers share a volume; one exchanges a directory of it for a link to where the sources of the other's \
         next mounts lie, while that is being created. A mount there would choose what these sources are.",
        ["src/child/mounts.rs" "mount_one", "src/child/target.rs" "mount_target", "src/sys/fs.rs" "open_in_root"];
    the_parent_of_a_mount_target_is_exchanged_for_a_link: "CVE-2024-45310",
        "The same while targets are made that are missing: directories and empty files would appear on the host, or an \
         existing file would be emptied.",
        ["src/child/target.rs" "make_directories", "src/child/target.rs" "file_target", "src/sys/fs.rs" "create_new"];
    a_target_behind_links_stays_inside: "CVE-2019-18837, CVE-2025-24965",
        "Mount targets behind absolute and relative links, chains of fifty links, `..` in plenty, names of 255 bytes, \
         paths of 4095, and links in place of the files that runtimes or managers put into an image.",
        ["src/sys/fs.rs" "open_in_root", "src/child/target.rs" "directory_target", "src/plan/path.rs" "new"];
    a_working_directory_behind_a_descriptor: "CVE-2024-21626",
        "The working directory is `/proc/self/fd/N`, or a link to it, for every N up to 24, of `run` and of `exec`; the \
         caller has left the host's root open. The program would start outside.",
        ["src/sys/fs.rs" "cwd_is_inside_root", "src/child/identity.rs" "assume", "src/child/gate.rs" "wait"];
    an_open_directory_of_the_caller: "CVE-2024-21626, CVE-2016-9962",
        "The caller has left directories of the host open. A program inside that had them could walk out.",
        ["src/child/mod.rs" "become_program", "src/sys/fs.rs" "cloexec_from"];
    a_read_only_path_is_exchanged_meanwhile: "GHSA-3q8j-pf29-vwv8",
        "Directories of a shared volume are masked and read-only paths, and are exchanged for links to the host \
         meanwhile. A path looked up once per system call would be covered here and left open there.",
        ["src/child/rootfs.rs" "existing", "src/child/rootfs.rs" "make_readonly", "src/child/rootfs.rs" "mask"];
]);

/// A volume with the directory `x`, and `link`, which leads to a directory of the host.
fn volume(t: &Case, leads_to: &Path) -> (PathBuf, [PathBuf; 2]) {
    let volume = t.directory("volume");
    let exchanged = [volume.join("x"), volume.join("link")];
    fs::create_dir(&exchanged[0]).expect("make a directory");
    symlink(leads_to, &exchanged[1]).expect("symlink");
    (volume, exchanged)
}

fn a_mount_target_is_exchanged_for_a_link(t: &Case) {
    let oracle = Oracle::new(t);
    let sources = t.directory("sources");
    fs::create_dir(sources.join("vol")).expect("make a directory");
    let (volume, exchanged) = volume(t, &sources);
    // What the attacker would like to be mounted over the sources.
    let evil = t.directory("evil");
    symlink("/", evil.join("vol")).expect("symlink");
    let bundle = t
        .bundle()
        .writable()
        .bind(&volume, "/v", &["rbind", "rw"])
        .bind(&evil, "/v/x", &["rbind", "rw"])
        .bind(sources.join("vol"), "/seen", &["rbind", "ro"]);
    let seen =
        format!("grep -qs {} /seen{} && echo reached the host", super::oracle::SECRET, oracle.path("secret"));
    oracle.race(t, &bundle, &exchanged, &format!("{seen}; true"));
    let names: Vec<_> = fs::read_dir(&sources).expect("read it").flatten().map(|e| e.file_name()).collect();
    assert_eq!(names, ["vol"], "made beside the sources of mounts");
}

fn the_parent_of_a_mount_target_is_exchanged_for_a_link(t: &Case) {
    let oracle = Oracle::new(t);
    let (volume, exchanged) = volume(t, &oracle.victim);
    let file = t.file("file", "mounted");
    let bundle = t
        .bundle()
        .writable()
        .bind(&volume, "/v", &["rbind", "rw"])
        .mount(json!({"destination": "/v/x/new/deep", "type": "tmpfs", "source": "tmpfs"}))
        .bind(&file, "/v/x/made", &["bind", "ro"])
        .bind(&file, "/v/x/f", &["bind", "ro"]);
    oracle.race(t, &bundle, &exchanged, "");
}

fn a_target_behind_links_stays_inside(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = t.bundle().writable();
    let root = |name: &str| bundle.in_rootfs(name);
    oracle.link("", &root("/absolute"));
    let up = format!("../../../../../../../../../..{}", oracle.victim.display());
    symlink(&up, root("/relative")).expect("symlink");
    symlink("/", root("/slash")).expect("symlink");
    for i in 0..50 {
        let next = if i == 49 { "absolute".to_string() } else { format!("chain{}", i + 1) };
        symlink(next, root(&format!("/chain{i}"))).expect("symlink");
    }
    for name in [
        "etc/resolv.conf",
        "etc/hosts",
        "etc/hostname",
        ".krun_config.json",
        "run/.containerenv",
        ".dockerenv",
    ] {
        oracle.link("f", &root(&format!("/{name}")));
    }
    let file = t.file("file", "mounted");
    let long = format!("/{}", "n".repeat(255));
    let longest = format!("/{}", "d/".repeat(2047));
    let dots = format!("/opt/{}{}", "../".repeat(40), oracle.victim.display());
    let slash = format!("/slash{}/new", oracle.victim.display());
    let targets = [
        "/absolute/new",
        "/relative/new",
        "/chain0/new",
        &slash,
        &dots,
        &long,
        &longest,
        "/absolute",
        "/relative/sub",
    ];
    for target in targets {
        let mount = json!({"destination": target, "type": "tmpfs", "source": "tmpfs"});
        oracle.attack(t, &bundle.clone().mount(mount));
    }
    for target in [
        "/absolute/f",
        "/relative/made",
        "/chain0/made",
        "/etc/resolv.conf",
        "/etc/hosts",
        "/.krun_config.json",
    ] {
        oracle.attack(t, &bundle.clone().bind(&file, target, &["bind", "ro"]));
    }
    for cwd in ["/absolute/cwd", "/relative/cwd"] {
        oracle.attack(t, &bundle.clone().set("/process/cwd", json!(cwd)));
    }
}

fn a_working_directory_behind_a_descriptor(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = t.bundle();
    let container = idle(t, &t.bundle());
    let script = format!("{} pwd | sed -n 's/^(unreachable)/reached &/p'", oracle.probe());
    let roots: String = (9..=20).map(|fd| format!("{fd}</ ")).collect();
    for fd in 3..=24 {
        let direct = format!("/proc/self/fd/{fd}");
        symlink(&direct, bundle.in_rootfs(&format!("/opt/fd{fd}"))).expect("symlink");
        for (cwd, caller) in [
            (direct.clone(), "exec"),
            (format!("/opt/fd{fd}"), "exec"),
            (direct, &format!("exec {roots}; exec")),
        ] {
            let bundle = bundle.clone().set("/process/cwd", json!(cwd)).sh(&script);
            let run = t.command_line("run", &bundle, &[], &t.id());
            let output = t.runtime(&run).through_shell(&format!("{caller} \"$@\"")).run();
            oracle.check_after(t, &output);
            let exec = line(&container, &["--cwd", &cwd], &["/bin/sh", "-c", &script]);
            let output = t.runtime(&exec).through_shell(&format!("{caller} \"$@\"")).run();
            oracle.check_after(t, &output);
        }
    }
}

fn an_open_directory_of_the_caller(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = t.bundle().sh(&oracle.probe());
    let container = idle(t, &t.bundle());
    let open: String =
        (3..=40).map(|fd| format!("{fd}<{} ", if fd % 2 == 0 { "/" } else { "/proc/self" })).collect();
    let caller = format!("exec {open}; exec \"$@\"");
    // busybox's shell has one digit for an fd at least: what it cannot open it says.
    let run = t.command_line("run", &bundle, &[], &t.id());
    let output = t.runtime(&run).through_shell(&caller).run();
    oracle.check_after(t, output.ok());
    let probe = oracle.probe();
    let exec = line(&container, &[], &["/bin/sh", "-c", &probe]);
    let output = t.runtime(&exec).through_shell(&caller).run();
    oracle.check_after(t, output.ok());
    let pid = container.pid();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("its fds").flatten();
    let above: Vec<_> = open
        .filter(|fd| fd.file_name().len() > 1 || fd.file_name() > *"2")
        .map(|fd| fs::read_link(fd.path()))
        .collect();
    assert!(above.is_empty(), "init has {above:?} open");
}

fn a_read_only_path_is_exchanged_meanwhile(t: &Case) {
    let oracle = Oracle::new(t);
    let (volume, exchanged) = volume(t, &oracle.victim);
    fs::write(exchanged[0].join("f"), "").expect("write");
    fs::create_dir(exchanged[0].join("sub")).expect("make a directory");
    let bundle = t
        .bundle()
        .writable()
        .bind(&volume, "/v", &["rbind", "rw"])
        .set("/linux/readonlyPaths", json!(["/v/x", "/v/x/f", "/proc/sys", "/proc/sysrq-trigger"]))
        .set("/linux/maskedPaths", json!(["/v/x/sub", "/v/x/f", "/proc/kcore"]));
    oracle.race(t, &bundle, &exchanged, "");
}
