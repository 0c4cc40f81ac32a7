//! What a runtime does on the host: files, sockets, hooks, names, and numbers without end.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use super::oracle::Oracle;
use crate::harness::executed::{exec, idle};
use crate::harness::host::Kind;
use crate::harness::prelude::*;

super::rows!("host", [
    numbers_and_names_without_end: "CVE-2021-43784",
        "Ten thousand id mappings, a cgroup path and a namespace path of 70 kB, 3 MB of environment, ten thousand groups. \
         Lengths that overflow would cut off what stands behind: the namespaces, the maps.",
        ["src/plan/namespaces.rs" "plan", "src/host/idmap.rs" "write_map", "src/wire.rs" "send_failure"];
    names_that_are_paths: "names of containers and cgroups, near miss of crun",
        "Ids and cgroup paths with `..`, slashes, newlines, 300 bytes; `exec --cgroup` with `..`. Directories would be made \
         elsewhere.",
        ["src/state.rs" "check_id", "src/plan/cgroup.rs" "group_path", "src/host/cgroup/below.rs" "open_below"];
    sockets_with_long_paths: "sun_path, near miss of crun",
        "Paths of 200 bytes for the console socket, the agent of seccomp, the notify socket and `--root`: longer than the \
         address of a socket, and cut off or written past its end.",
        ["src/host/socket.rs" "connect", "src/state/dir.rs" "make_gate", "src/host/notify.rs" "bind"];
    nothing_is_loaded_from_the_image: "CVE-2019-14271, CVE-2018-15664",
        "The image has libraries for name lookup and conversion, locales, a loader. What the runtime opens while it makes \
         a container is traced: nothing of these.",
        ["src/child/mod.rs" "enter", "src/child/home.rs" "open_regular"];
    no_socket_without_a_path: "CVE-2020-15257",
        "While containers are created, held, executed in and deleted in the host's network namespace, the abstract \
         sockets are listed: none of the runtime, which any container of that namespace could connect to.",
        ["src/state/dir.rs" "make_gate", "src/sys/socket.rs" "listen"];
    the_state_is_nobody_elses: "CVE-2022-1227, CVE-2021-41091, CVE-2022-24769",
        "With a umask of 0, every directory of the state has mode 0700 and every file 0600; the program has no umask of \
         the caller's.",
        ["src/state.rs" "claim", "src/state/dir.rs" "write", "src/child/mod.rs" "prepare"];
    hooks_do_not_hear_the_container: "CVE-2024-0132, CVE-2025-23266",
        "The container's environment has LD_PRELOAD, and the image the library. A hook of the host would load it; it must \
         have no environment but its own, and not run in the root filesystem.",
        ["src/plan/hooks.rs" "one", "src/child/hooks.rs" "execute"];
    hooks_are_programs_of_the_host: "hooks in the root filesystem",
        "Hooks that run outside are given as paths that lead into the root filesystem, by name and through a link, and as \
         relative ones. The image would choose what runs on the host.",
        ["src/plan/hooks.rs" "outside_of", "src/host/hooks.rs" "check", "src/spec/validate/hooks.rs" "check_hook"];
]);

fn numbers_and_names_without_end(t: &Case) {
    let oracle = Oracle::new(t);
    let own = |kind: &str| {
        fs::read_link(format!("/proc/self/ns/{kind}")).expect("our namespace").display().to_string()
    };
    let script: String = ["mnt", "net", "pid", "ipc", "uts"]
        .map(|kind| format!("[ $(readlink /proc/self/ns/{kind}) = '{}' ] && echo reached {kind};", own(kind)))
        .concat();
    let script = format!("{script} true");
    let mappings: Vec<Value> =
        (0..10_000).map(|i| json!({"containerID": i, "hostID": 100_000 + 2 * i, "size": 1})).collect();
    let mapped = t.bundle().namespace("user", None);
    let mapped = mapped.set("/linux/uidMappings", json!(mappings)).set("/linux/gidMappings", json!(mappings));
    oracle.attack_with(t, &mapped, &script);
    let long = "n".repeat(70_000);
    oracle.attack_with(t, &t.bundle().set("/linux/cgroupsPath", json!(format!("/{long}"))), &script);
    oracle.attack_with(t, &t.bundle().namespace("network", Some(&format!("/{long}"))), &script);
    let env: Vec<String> = (0..30).map(|i| format!("V{i}={}", "x".repeat(100_000))).collect();
    let mut bundle = t.bundle();
    bundle.config["process"]["env"]
        .as_array_mut()
        .expect("a list")
        .extend(env.iter().map(|text| json!(text)));
    oracle.attack_with(t, &bundle, &script);
    let groups: Vec<u32> = (1..10_000).collect();
    oracle.attack_with(t, &t.bundle().set("/process/user/additionalGids", json!(groups)), &script);
    oracle.attack_with(t, &t.bundle().set("/hostname", json!(long)), &script);
}

fn names_that_are_paths(t: &Case) {
    let oracle = Oracle::new(t);
    let up = format!("../../../../../../../../../..{}", oracle.victim.display());
    let long = "n".repeat(300);
    let bundle = t.bundle().set("/linux/cgroupsPath", json!(t.cgroup_path(&t.id())));
    for id in ["../x", "a/b", "..", ".", "", "a\nb", "/", &up, &format!("{up}/new"), &long] {
        for verb in ["create", "run"] {
            t.runtime(&t.command_line(verb, &bundle, &[], id)).run().fails();
        }
        t.runtime(&["delete", "--force", "--", id]).run();
        oracle.check(t);
        t.assert_no_side_effects();
    }
    let outside = |path: &str| {
        let bundle = t.bundle().set("/linux/cgroupsPath", json!(path));
        oracle.attack(t, &bundle);
        let name = format!("{}-out", t.id_prefix);
        let parent = crate::harness::case::parent_cgroup();
        let at_the_top = t
            .host
            .cgroups
            .named(&name)
            .into_iter()
            .filter(|dir| !dir.display().to_string().contains(&parent));
        let made: Vec<_> = at_the_top.collect();
        made.iter().for_each(|dir| drop(fs::remove_dir(dir)));
        assert!(made.is_empty(), "cgroups outside of where they were asked for: {made:?}");
    };
    outside(&format!("/{}/../../../../{}-out", crate::harness::case::parent_cgroup(), t.id_prefix));
    outside(&format!("../../../{}-out", t.id_prefix));
    if !t.is(Kind::Tierce) {
        return;
    }
    let container = idle(t, &t.bundle());
    for group in ["..", "../..", "/..", "a/../../.."] {
        exec(t, &container, &["--cgroup", group], &["/bin/true"]).fails();
    }
    oracle.check(t);
}

fn sockets_with_long_paths(t: &Case) {
    let oracle = Oracle::new(t);
    let deep = t.directory(&"d".repeat(120));
    let path = deep.join("s".repeat(80));
    let text = path.display().to_string();
    assert!(text.len() > 200);
    // Bound through a short path, so that somebody listens there.
    let dir = fs::File::open(&deep).expect("open the directory");
    let short = format!("/proc/self/fd/{}/{}", std::os::fd::AsRawFd::as_raw_fd(&dir), "s".repeat(80));
    let _listener = UnixListener::bind(short).expect("listen");
    let bundle = t.bundle().sh(&oracle.probe());
    let terminal = bundle.clone().set("/process/terminal", json!(true));
    let line = t.command_line("create", &terminal, &["--console-socket", &text], &t.id());
    t.runtime(&line).try_run().map(|output| oracle.check_after(t, &output)).unwrap_or_default();
    let line = t.command_line("run", &bundle, &[], &t.id());
    let output =
        t.runtime(&line).globals(&["--root", &deep.join("r".repeat(100)).display().to_string()]).run();
    oracle.check_after(t, &output);
    let rule = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": text,
        "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_NOTIFY"}]});
    oracle.attack(t, &bundle.clone().set("/linux/seccomp", rule));
    for name in fs::read_dir(&deep).expect("read it").flatten().map(|entry| entry.file_name()) {
        let length = name.len();
        assert!(length == 80 || length == 100, "made with a name that was cut off: {name:?}");
    }
}

/// Files that the runtime opens or executes by name, from the first change of root on, as strace tells.
fn opened(trace: &str) -> Vec<String> {
    let paths = trace.lines().filter(|line| !line.contains("ENOENT"));
    paths.filter_map(|line| line.split('"').nth(1)).map(str::to_string).collect()
}

fn nothing_is_loaded_from_the_image(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = t.bundle().writable();
    let libs =
        ["libnss_files.so.2", "libnss_evil.so.2", "libc.so.6", "ld-linux-x86-64.so.2", "gconv-modules"];
    for dir in [
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/lib/x86_64-linux-gnu",
        "/usr/lib/locale",
    ] {
        fs::create_dir_all(bundle.in_rootfs(dir)).expect("make a directory");
        libs.iter()
            .for_each(|lib| fs::write(bundle.in_rootfs(&format!("{dir}/{lib}")), "evil").expect("write"));
    }
    fs::write(bundle.in_rootfs("/etc/nsswitch.conf"), "passwd: evil files\ngroup: evil files\n")
        .expect("write");
    fs::write(bundle.in_rootfs("/etc/ld.so.preload"), "/lib/libnss_evil.so.2\n").expect("write");
    let bundle = bundle.set("/process/user", json!({"uid": 1000, "gid": 1000})).args(&["/bin/true"]);
    let trace = t.path("trace");
    let line = t.command_line("run", &bundle, &[], &t.id());
    let traced = format!(
        "exec strace -f -o {} -e trace=open,openat,openat2,chroot,pivot_root \"$@\"",
        trace.display()
    );
    let output = t.runtime(&line).through_shell(&traced).run();
    if output.stderr.contains("strace: not found") {
        t.skip("needs strace");
    }
    output.ok();
    let trace = fs::read_to_string(&trace).expect("the trace");
    assert!(trace.contains("pivot_root") || trace.contains("chroot"), "no change of root was seen");
    let inside: String = trace
        .lines()
        .skip_while(|l| !l.contains("pivot_root(") && !l.contains("chroot("))
        .map(|l| format!("{l}\n"))
        .collect();
    let image = |path: &String| {
        libs.iter().any(|lib| path.ends_with(lib)) || path.contains("nsswitch") || path.contains("/locale")
    };
    let loaded: Vec<String> = opened(&inside).into_iter().filter(image).collect();
    assert!(loaded.is_empty(), "opened after the change of root: {loaded:?}");
    oracle.check(t);
}

/// Abstract sockets of the network namespace.
fn abstract_sockets() -> Vec<String> {
    let text = fs::read_to_string("/proc/net/unix").expect("/proc/net/unix");
    let names =
        text.lines().filter_map(|line| line.split_whitespace().nth(7)).filter(|name| name.starts_with('@'));
    names.map(str::to_string).collect()
}

fn no_socket_without_a_path(t: &Case) {
    let oracle = Oracle::new(t);
    let before = abstract_sockets();
    let check = || {
        let new: Vec<_> = abstract_sockets()
            .into_iter()
            .filter(|name| !before.contains(name) && name.contains(&t.id_prefix))
            .collect();
        assert!(new.is_empty(), "{new:?}");
    };
    let bundle = t.bundle().without_namespace("network").unset("/hostname").args(&["/bin/sleep", "300"]);
    let container = t.create(&bundle);
    check();
    // Of the processes of the container: what they have open is no socket that others can name.
    let pid = container.pid();
    let inodes: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("its fds")
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter_map(|link| {
            link.to_str()?.strip_prefix("socket:[").map(|rest| rest.trim_end_matches(']').to_string())
        })
        .collect();
    let table = fs::read_to_string("/proc/net/unix").expect("/proc/net/unix");
    let named = table
        .lines()
        .filter(|line| line.split_whitespace().nth(6).is_some_and(|inode| inodes.iter().any(|i| i == inode)));
    let abstracts: Vec<&str> = named.filter(|line| line.contains(" @")).collect();
    assert!(abstracts.is_empty(), "{abstracts:?}");
    container.start().ok();
    exec(t, &container, &[], &["/bin/true"]).ok();
    check();
    container.delete_by_force().ok();
    oracle.check(t);
}

fn the_state_is_nobody_elses(t: &Case) {
    let oracle = Oracle::new(t);
    let id = t.id();
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let open = "umask 0; exec \"$@\"";
    let create = t.command_line("create", &bundle, &[], &id);
    t.runtime(&create).through_shell(open).run().ok();
    let check = |when: &str| {
        let mut waiting = vec![t.state_root.clone()];
        while let Some(path) = waiting.pop() {
            let meta = path.symlink_metadata().expect("what is there");
            let mode = meta.permissions().mode() & 0o7777;
            let link = meta.is_symlink();
            let name = path.strip_prefix(&t.state_root).expect("below it").display();
            assert!(
                link || mode & 0o077 == 0,
                "when {when}, ID{} has mode {mode:o}",
                tail(&name.to_string())
            );
            assert_eq!(meta.uid(), 0, "{}", path.display());
            if meta.is_dir() {
                assert_eq!(mode, 0o700, "{when}: {}", path.display());
                waiting.extend(fs::read_dir(&path).expect("read it").flatten().map(|entry| entry.path()));
            }
        }
    };
    check("created");
    t.runtime(&["start", &id]).through_shell(open).run().ok();
    check("running");
    t.runtime(&["exec", &id, "/bin/true"]).through_shell(open).run().ok();
    t.runtime(&["kill", &id, "KILL"]).through_shell(open).run().ok();
    eventually("it is stopped", || t.runtime(&["state", &id]).run().ok().json()["status"] == "stopped");
    check("stopped");
    let run = t.command_line("run", &t.bundle().sh("umask"), &[], &t.id());
    t.runtime(&run).through_shell(open).run().ok().prints("0022");
    oracle.check(t);
}

/// Behind the id of the container.
fn tail(name: &str) -> &str {
    name.find('/').map_or("", |at| &name[at..])
}

fn hooks_do_not_hear_the_container(t: &Case) {
    let oracle = Oracle::new(t);
    let (notes, bundle) = Notes::new(t, t.bundle().writable());
    fs::write(bundle.in_rootfs("/x.so"), "no library: the loader would complain").expect("write");
    let mut bundle = bundle.env("LD_PRELOAD=/proc/self/cwd/x.so").env("EVIL=1").args(&["/bin/true"]);
    let kinds = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];
    for kind in kinds {
        let script = format!(
            "cat >/dev/null; (env; echo end) >{}; pwd >{}",
            notes.path(kind),
            notes.path(&format!("{kind}-cwd"))
        );
        // A dynamic program of the host would load what is in LD_PRELOAD, so its environment is what is looked at.
        bundle = bundle.hook_with(kind, &script, json!({"env": null}));
    }
    let hooks = without_null_env(&bundle.config["hooks"]);
    let bundle = bundle.set("/hooks", hooks);
    t.run(&bundle);
    for kind in kinds {
        let env = notes.read(kind);
        assert!(!env.contains("EVIL") && !env.contains("LD_PRELOAD"), "{kind}: {env}");
        let cwd = notes.read(&format!("{kind}-cwd"));
        assert!(cwd.is_empty() || cwd != bundle.in_rootfs("").display().to_string(), "{kind} runs in {cwd}");
        assert!(!Path::new(&cwd).join("x.so").exists(), "{kind} runs in {cwd}");
    }
    assert!(kinds.iter().any(|kind| notes.read(kind).contains("end")), "no hook has run");
    oracle.check(t);
}

fn without_null_env(hooks: &Value) -> Value {
    let mut hooks = hooks.clone();
    for list in hooks.as_object_mut().expect("hooks").values_mut() {
        for hook in list.as_array_mut().expect("a list") {
            hook.as_object_mut().expect("a hook").remove("env");
        }
    }
    hooks
}

fn hooks_are_programs_of_the_host(t: &Case) {
    let oracle = Oracle::new(t);
    let (notes, bundle) = Notes::new(t, t.bundle().writable());
    let inside = bundle.in_rootfs("/bin/busybox");
    let link = t.path("innocent");
    symlink(&inside, &link).expect("symlink");
    let by_dots = t.dir.join("victim/../bundle1/rootfs/bin/busybox");
    for path in [inside, link, by_dots, PathBuf::from("bin/busybox"), PathBuf::from("./rootfs/bin/busybox")] {
        for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
            let script = format!("echo reached {kind} >{}", notes.path("ran"));
            let bundle = bundle.clone().hook_with(kind, &script, json!({"path": path}));
            oracle.attack(t, &bundle);
            assert!(!notes.has("ran"), "{} by {}", notes.read("ran"), path.display());
        }
    }
    // And within the container it is what it should be.
    let bundle = bundle.hook_with("startContainer", &format!("echo >{}", notes.path("ran")), json!({}));
    t.run(&bundle.args(&["/bin/true"])).ok();
    assert!(notes.has("ran"));
}
