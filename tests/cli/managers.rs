//! The argument lists of Podman, conmon, containerd, Docker, BuildKit, Buildah and CRI-O.

use super::*;

#[test]
fn conmon_creates() {
    let line = "--log-format=json --log /r/oci-log create --bundle /d --pid-file /r/pidfile \
                --console-socket /tmp/conmon-term.X --preserve-fds 3 --no-pivot --no-new-keyring 9f86d0";
    assert_eq!(
        create(line),
        CreateOptions {
            bundle: "/d".into(),
            console_socket: Some("/tmp/conmon-term.X".into()),
            pid_file: Some("/r/pidfile".into()),
            no_pivot: true,
            no_new_keyring: true,
            preserve_fds: 3,
            ..defaults("9f86d0")
        }
    );
    let global = ok(line).global;
    let log =
        LogOptions { file: Some("/r/oci-log".into()), format: LogFormat::Json, level: LogLevel::Warning };
    assert_eq!(global.log, log);
    assert_eq!((global.root, global.cgroup_manager), (None, CgroupManager::Cgroupfs));
    assert_eq!(global.rootless, Rootless::Auto);
}

#[test]
fn conmon_names_the_cgroup_manager() {
    let manager = |line: &str| ok(line).global.cgroup_manager;
    let create = "--log-format=json --log /l create --bundle /d --pid-file /p x";
    assert_eq!(manager(&format!("--systemd-cgroup {create}")), CgroupManager::Systemd);
    let disabled = "--log-format=json --log /l --cgroup-manager disabled create --bundle /d --pid-file /p x";
    assert_eq!(manager(disabled), CgroupManager::Disabled);
    assert_eq!(manager("--cgroup-manager=systemd list"), CgroupManager::Systemd);
    assert_eq!(manager("--cgroup-manager systemd --systemd-cgroup list"), CgroupManager::Systemd);
    assert_eq!(manager("--cgroup-manager cgroupfs list"), CgroupManager::Cgroupfs);
    assert_eq!(
        refused("--systemd-cgroup --cgroup-manager disabled list"),
        "--systemd-cgroup and --cgroup-manager ask for different things"
    );
}

#[test]
fn conmon_asks_for_debugging() {
    let debugging = ok("--debug --log-format=json --log /l create --bundle /d --pid-file /p x");
    assert_eq!(debugging.global.log.level, LogLevel::Debug);
    assert_eq!(ok("--debug start x").command, Command::Start { id: "x".into() });
    assert_eq!(ok("--debug delete x").command, Command::Delete { id: "x".into(), force: false });
}

#[test]
fn conmon_execs() {
    let options = exec(
        "--log-format=json --log /e/oci-log exec --pid-file /p --process /f --detach --tty --console-socket /s x",
    );
    assert_eq!(options.process, ExecProcess::File("/f".into()));
    assert_eq!((options.detach, options.tty), (true, true));
    assert_eq!(options.pid_file, Some("/p".into()));
    assert_eq!(options.console_socket, Some("/s".into()));
    let plain = exec("--root=/run/r exec --pid-file /p --process /f --detach x");
    assert_eq!((plain.id.as_str(), plain.tty, plain.console_socket), ("x", false, None));
}

#[test]
fn podman_calls() {
    assert!(printed("--version").starts_with("tierce version "));
    assert_eq!(ok("start x").command, Command::Start { id: "x".into() });
    assert_eq!(kill("kill x 15"), KillOptions { id: "x".into(), signal: 15, all: false });
    assert_eq!(kill("kill --all x 9"), KillOptions { id: "x".into(), signal: 9, all: true });
    assert_eq!(ok("delete --force x").command, Command::Delete { id: "x".into(), force: true });
    assert_eq!(ok("pause x").command, Command::Pause { id: "x".into() });
    assert_eq!(ok("resume x").command, Command::Resume { id: "x".into() });
}

#[test]
fn containerd_calls() {
    let flags = "--root /run/containerd/runc/k8s.io --log /t/log.json --log-format json";
    let options = create(&format!(
        "{flags} create --bundle /t --pid-file /t/init.pid --console-socket /tmp/pty1/pty.sock --no-pivot x"
    ));
    assert_eq!(
        options,
        CreateOptions {
            bundle: "/t".into(),
            pid_file: Some("/t/init.pid".into()),
            console_socket: Some("/tmp/pty1/pty.sock".into()),
            no_pivot: true,
            ..defaults("x")
        }
    );
    assert_eq!(ok(&format!("{flags} start x")).global.root, Some("/run/containerd/runc/k8s.io".into()));
    assert_eq!(
        ok(&format!("{flags} --systemd-cgroup start x")).global.cgroup_manager,
        CgroupManager::Systemd
    );
    assert_eq!(ok(&format!("{flags} delete x")).command, Command::Delete { id: "x".into(), force: false });
    assert_eq!(
        ok(&format!("{flags} delete --force x")).command,
        Command::Delete { id: "x".into(), force: true }
    );
    assert_eq!(kill(&format!("{flags} kill x 9")).signal, 9);
    assert!(kill(&format!("{flags} kill --all x 9")).all);
    let options = exec(&format!(
        "{flags} exec --process /tmp/runc-process1 --console-socket /s --detach --pid-file /t/e.pid x"
    ));
    assert_eq!((options.id.as_str(), options.detach), ("x", true));
    assert_eq!(ok("features").command, Command::Features);
    let json = PsOptions { id: "x".into(), format: ListFormat::Json, ps: Vec::new() };
    assert_eq!(ok(&format!("{flags} ps --format json x")).command, Command::Ps(json));
    let events = |line: &str| match ok(line).command {
        Command::Events(options) => (options.id, options.once, options.interval.as_millis()),
        other => panic!("{other:?}"),
    };
    assert_eq!(events(&format!("{flags} events --stats x")), ("x".into(), true, 5000));
    assert_eq!(events(&format!("{flags} events --interval=10s x")), ("x".into(), false, 10_000));
}

#[test]
fn go_runc_lists_and_asks_for_the_state() {
    let json = ListOptions { format: ListFormat::Json, quiet: false };
    assert_eq!(ok("list --format=json").command, Command::List(json));
    assert_eq!(ok("state x").command, Command::State { id: "x".into() });
}

#[test]
fn buildkit_and_buildah_call() {
    let options = run("--log /f --log-format json run --bundle /b --keep x");
    assert_eq!((options.create.bundle.to_str(), options.keep, options.detach), (Some("/b"), true, false));
    ok("--log /f --log-format json delete x");
    let options = create(
        "--debug create --bundle /b --pid-file /b/pid --no-new-keyring --console-socket /b/console.sock n",
    );
    assert!(options.no_new_keyring);
    ok("start n");
    ok("state n");
    ok("delete n");
}

#[test]
fn crio_calls() {
    assert_eq!(create("--root=/run/r create --bundle /d --pid-file /f x").pid_file, Some("/f".into()));
    for verb in ["state x", "start x", "delete --force x"] {
        assert_eq!(ok(&format!("--root /run/r {verb}")).global.root, Some("/run/r".into()));
    }
    assert_eq!(kill("--root /run/r kill x KILL").signal, 9);
    assert_eq!(kill("--root /run/r kill -a x 9"), KillOptions { id: "x".into(), signal: 9, all: true });
    let options = exec("--root /run/r exec --process /f x");
    assert_eq!((options.process, options.detach), (ExecProcess::File("/f".into()), false));
}
