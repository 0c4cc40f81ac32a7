//! The habits of Go's flag package and of getopt_long(3), and which command gets what.

use super::*;

#[test]
fn run_with_everything() {
    let options = run("run -b /b -f c.json -d --keep --no-subreaper --no-pivot --no-new-keyring \
                       --pid-file /p --preserve-fds 2 --console-socket /s x");
    let expected = RunOptions {
        create: CreateOptions {
            bundle: "/b".into(),
            config: Config::File("c.json".into()),
            console_socket: Some("/s".into()),
            pid_file: Some("/p".into()),
            no_pivot: true,
            no_new_keyring: true,
            preserve_fds: 2,
            ..defaults("x")
        },
        detach: true,
        keep: true,
        no_subreaper: true,
    };
    assert_eq!(options, expected);
    let plain = RunOptions { create: defaults("x"), detach: false, keep: false, no_subreaper: false };
    assert_eq!(run("run x"), plain);
    assert_eq!(run("run --config - x").create.config, Config::Stdin);
}

#[test]
fn one_dash_is_as_good_as_two() {
    assert!(run("run --detach --pid-file /p -no-subreaper --bundle /t x").no_subreaper);
    assert_eq!(run("run -bundle /b x").create.bundle.to_str(), Some("/b"));
    assert_eq!(run("run -bundle=/b x").create.bundle.to_str(), Some("/b"));
    assert_eq!(ok("-log=/l -log-format=json -debug list").global.log.level, LogLevel::Debug);
    assert_eq!(ok("-root /r list").global.root, Some("/r".into()));
    assert_eq!(exec("exec -env A=1 -tty x sh").env, ["A=1"]);
    assert!(printed("run -help").contains("tierce run"));
}

#[test]
fn a_flag_and_its_value_in_every_spelling() {
    for flags in ["-b /b", "-b/b", "-b=/b", "--bundle /b", "--bundle=/b", "-bundle /b", "-bundle=/b"] {
        assert_eq!(run(&format!("run {flags} x")).create.bundle.to_str(), Some("/b"), "{flags}");
        assert_eq!(run(&format!("run x {flags}")).create.bundle.to_str(), Some("/b"), "{flags}");
    }
}

#[test]
fn letters_may_stand_together() {
    let options = exec("exec -dte A=1 x sh");
    assert_eq!((options.detach, options.tty, options.env), (true, true, vec!["A=1".into()]));
    assert_eq!(exec("exec -dp/f x").process, ExecProcess::File("/f".into()));
    let json = Command::List(ListOptions { format: ListFormat::Json, quiet: true });
    assert_eq!(ok("list -qf json").command, json);
    assert_eq!(refused("exec -dx y sh"), "exec: unknown flag -x");
    assert_eq!(refused("exec -xd y sh"), "exec: unknown flag -xd");
}

#[test]
fn repeated_flags() {
    let options = run("run --keep --keep -d --detach --bundle /a --bundle /b x");
    assert_eq!((options.keep, options.detach), (true, true));
    assert_eq!(options.create.bundle.to_str(), Some("/b"));
    assert_eq!(ok("--root /a --root /b --debug --debug list").global.root, Some("/b".into()));
    assert_eq!(exec("exec -e A=1 --env B=2 -e A=3 x sh").env, ["A=1", "B=2", "A=3"]);
}

#[test]
fn switches_take_go_s_truth_values() {
    assert!(run("run --detach=true x").detach);
    assert!(run("run -d=1 x").detach);
    assert!(!run("run --detach=false x").detach);
    assert!(!run("run -d --detach=false x").detach);
    assert!(run("run --detach=0 -d x").detach);
    assert_eq!(refused("run --detach=maybe x"), "run: --detach is true or false, not \"maybe\"");
}

#[test]
fn a_value_may_begin_with_a_dash() {
    assert_eq!(run("run --bundle -b x").create.bundle.to_str(), Some("-b"));
    assert_eq!(run("run --pid-file --keep x").create.pid_file, Some("--keep".into()));
    assert_eq!(run("run -- -x").create.id, "-x");
}

#[test]
fn paths_are_any_bytes() {
    let latin1 = OsString::from_vec(b"/caf\xe9".to_vec());
    let joined = OsString::from_vec(b"--bundle=/caf\xe9".to_vec());
    for args in
        [vec!["run".into(), "-b".into(), latin1.clone(), "x".into()], vec!["run".into(), joined, "x".into()]]
    {
        match parse_os(args).unwrap().command {
            Command::Run(options) => assert_eq!(options.create.bundle.as_os_str(), latin1),
            other => panic!("{other:?}"),
        }
    }
    let log = parse_os(vec!["--log".into(), latin1.clone(), "list".into()]).unwrap().global.log;
    assert_eq!(log.file.as_deref().map(|f| f.as_os_str()), Some(latin1.as_os_str()));
}

#[test]
fn global_flags_stand_before_the_command() {
    let text = parse_line("run --root /r x").unwrap_err().text();
    assert_eq!(
        text,
        "tierce: run: unknown flag --root\nhint: --root stands before the command: tierce --root ... run\n"
    );
    assert!(
        parse_line("run --version").unwrap_err().text().starts_with("tierce: run: unknown flag --version\n")
    );
}

#[test]
fn delete_and_list() {
    assert_eq!(ok("delete -f x").command, Command::Delete { id: "x".into(), force: true });
    assert_eq!(ok("delete x --force").command, Command::Delete { id: "x".into(), force: true });
    let table = ListOptions { format: ListFormat::Table, quiet: false };
    assert_eq!(ok("list").command, Command::List(table));
    assert_eq!(ok("list -q").command, Command::List(ListOptions { quiet: true, ..table }));
    assert_eq!(ok("list -f table").command, Command::List(table));
    assert_eq!(refused("list -f yaml"), "list: --format \"yaml\" is not known; it can be table or json");
}

#[test]
fn spec_and_plan() {
    let spec = |bundle: &str, rootless, output| SpecOptions { bundle: bundle.into(), rootless, output };
    let file = |name: &str| SpecOutput::File(name.into());
    assert_eq!(ok("spec").command, Command::Spec(spec(".", false, file("config.json"))));
    assert_eq!(
        ok("spec --bundle /b --rootless").command,
        Command::Spec(spec("/b", true, file("config.json")))
    );
    assert_eq!(ok("spec -f my.json").command, Command::Spec(spec(".", false, file("my.json"))));
    assert_eq!(ok("spec -f -").command, Command::Spec(spec(".", false, SpecOutput::Stdout)));
    let plan =
        PlanOptions { id: None, bundle: ".".into(), config: Config::InBundle, format: PlanFormat::Text };
    assert_eq!(ok("plan").command, Command::Plan(plan));
    let plan = PlanOptions {
        id: Some("x".into()),
        bundle: "/b".into(),
        config: Config::File("c".into()),
        format: PlanFormat::Json,
    };
    assert_eq!(ok("plan -b /b -f c --format json x").command, Command::Plan(plan));
}

#[test]
fn exec_with_everything() {
    let options = exec(
        "exec -d --pid-file /p -t --console-socket /s --pidfd-socket /f --exec-wait-pidfd --cwd /tmp -e A=1 -u 1:2 -g 3 -g 4 \
         -c CAP_KILL --cap CAP_CHOWN --no-new-privs --preserve-fds 5 --cgroup sub --ignore-paused \
         --process-label l --apparmor a x sh -c true",
    );
    let expected = ExecOptions {
        id: "x".into(),
        process: argv(&["sh", "-c", "true"]),
        detach: true,
        pid_file: Some("/p".into()),
        tty: true,
        console_socket: Some("/s".into()),
        pidfd_socket: Some("/f".into()),
        cwd: Some("/tmp".into()),
        env: vec!["A=1".into()],
        user: Some(ExecUser { uid: 1, gid: Some(2) }),
        additional_gids: vec![3, 4],
        caps: vec!["CAP_KILL".into(), "CAP_CHOWN".into()],
        no_new_privs: true,
        preserve_fds: 5,
        cgroup: vec![SubCgroup { controllers: vec![], path: "sub".into() }],
        wait: ExecWait::Receiver,
        ignore_paused: true,
        process_label: Some("l".into()),
        apparmor: Some("a".into()),
    };
    assert_eq!(options, expected);
}

#[test]
fn what_follows_the_id_of_exec_is_not_ours() {
    let program = |line: &str| exec(line).process;
    assert_eq!(
        program("exec x ls -la --help -bundle=/ --"),
        argv(&["ls", "-la", "--help", "-bundle=/", "--"])
    );
    assert_eq!(program("exec x sh --detach --user root"), argv(&["sh", "--detach", "--user", "root"]));
    assert!(!exec("exec x sh --detach").detach);
    assert_eq!(program("exec x -- ls -- -l"), argv(&["ls", "--", "-l"]));
    assert_eq!(program("exec -t -- x ls -l"), argv(&["ls", "-l"]));
    assert_eq!(program("exec x -l"), argv(&["-l"]));
    let bytes = OsStr::from_bytes(b"a\xff").to_owned();
    let invocation = parse_os(vec!["exec".into(), "x".into(), bytes.clone()]).unwrap();
    match invocation.command {
        Command::Exec(options) => assert_eq!(options.process, ExecProcess::Command(vec![bytes])),
        other => panic!("{other:?}"),
    }
}
