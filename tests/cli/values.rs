//! Values that are understood, and mistakes, which are named.

use super::*;

#[test]
fn an_id_is_utf_8() {
    let exit = parse_os(vec!["state".into(), OsString::from_vec(b"a\xff".to_vec())]).unwrap_err();
    assert_eq!(exit.text(), "tierce: state: container id \"a\\xFF\" is not UTF-8\n");
}

#[test]
fn logs() {
    let log = |line: &str| ok(line).global.log;
    let quiet = LogOptions { file: None, format: LogFormat::Text, level: LogLevel::Warning };
    assert_eq!(log("list"), quiet);
    assert_eq!(log("--log file:/l list").file, Some("/l".into()));
    for (name, level) in [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warning),
        ("warning", LogLevel::Warning),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
    ] {
        assert_eq!(log(&format!("--log-level {name} list")).level, level);
        assert_eq!(log(&format!("--debug --log-level={name} list")).level, LogLevel::Debug);
    }
    assert_eq!(
        refused("--log-level loud list"),
        "--log-level \"loud\" is not known; it can be error, warning, info or debug"
    );
    assert_eq!(refused("--log-format xml list"), "--log-format \"xml\" is not known; it can be text or json");
    assert_eq!(refused("--log journald:x list"), "--log journald:x: not supported yet");
    assert_eq!(refused("--log syslog:x list"), "--log syslog:x: not supported yet");
}

#[test]
fn rootless() {
    for (text, value) in [("true", Rootless::True), ("false", Rootless::False), ("auto", Rootless::Auto)] {
        assert_eq!(ok(&format!("--rootless={text} list")).global.rootless, value);
        assert_eq!(ok(&format!("--rootless {text} list")).global.rootless, value);
    }
    assert_eq!(
        refused("--rootless yes list"),
        "--rootless \"yes\" is not known; it can be true, false or auto"
    );
}

#[test]
fn a_mistake_behind_the_command_goes_to_the_log() {
    match parse_line("--log /l --log-format json run --nonsense x") {
        Err(Exit::Refuse { log: Some(log), error }) => {
            assert_eq!((log.file, log.format), (Some("/l".into()), LogFormat::Json));
            assert!(error.one_line().starts_with("run: unknown flag --nonsense"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(parse_line("--nonsense run x"), Err(Exit::Refuse { log: None, .. })));
}

#[test]
fn signals() {
    for (name, number) in [
        ("KILL", 9),
        ("SIGKILL", 9),
        ("sigkill", 9),
        ("Term", 15),
        ("0", 0),
        ("1", 1),
        ("64", 64),
        ("SIGRTMIN", 34),
        ("RTMIN+3", 37),
        ("sigrtmin+30", 64),
        ("RTMAX", 64),
        ("RTMAX-14", 50),
        ("IOT", libc::SIGABRT),
        ("CLD", libc::SIGCHLD),
        ("POLL", libc::SIGIO),
        ("WINCH", libc::SIGWINCH),
    ] {
        assert_eq!(kill(&format!("kill x {name}")).signal, number, "{name}");
    }
    assert_eq!(kill("kill x").signal, libc::SIGTERM);
    for bad in [
        "FOO",
        "SIG",
        "SIGSIGKILL",
        "65",
        "+9",
        "9x",
        "RTMIN+31",
        "RTMIN-1",
        "RTMAX-31",
        "99999999999",
        "KILL,TERM",
    ] {
        assert_eq!(refused(&format!("kill x {bad}")), format!("kill: signal {bad:?} is not known"));
    }
    let empty = parse_os(["kill", "x", ""].map(OsString::from).to_vec()).unwrap_err();
    assert!(empty.text().starts_with("tierce: kill: signal \"\" is not known\n"));
    assert_eq!(refused("kill x -9"), "kill: unknown flag -9");
}

/// What strtoul(3) and its like would read as some number, and names.
const NO_USERS: &[&str] = &[
    "",
    ":",
    "1:",
    ":1",
    "0x1",
    "01",
    "1:01",
    "00",
    " 1",
    "1 ",
    "1a",
    "-1",
    "+1",
    "1:-1",
    "4294967295",
    "1:4294967295",
    "4294967296",
    "99999999999999999999",
    "root",
    "root:root",
    "1:root",
    "1:2:3",
    "1.0",
    "1_0",
    "١",
];

#[test]
fn users_are_numbers() {
    let user = |text: &str| exec(&format!("exec -u {text} x id")).user;
    assert_eq!(user("0"), Some(ExecUser { uid: 0, gid: None }));
    assert_eq!(user("1"), Some(ExecUser { uid: 1, gid: None }));
    assert_eq!(user("1:0"), Some(ExecUser { uid: 1, gid: Some(0) }));
    assert_eq!(user("4294967294:65534"), Some(ExecUser { uid: 4294967294, gid: Some(65534) }));
    assert_eq!(exec("exec x id").user, None);
    for text in NO_USERS {
        let args = ["exec", "--user", text, "x", "id"].map(OsString::from).to_vec();
        let exit = parse_os(args).expect_err(text);
        assert!(
            exit.text().starts_with(&format!("tierce: exec: --user {text:?} is not UID or UID:GID")),
            "{text:?}"
        );
        assert_eq!(exit.status(), 1);
    }
}

#[test]
fn groups_counts_and_variables_are_checked() {
    for bad in ["wheel", "4294967295", "-1", "01", "1,2"] {
        let message = format!("exec: --additional-gids {bad:?} is not a numeric group id");
        assert_eq!(refused(&format!("exec -g {bad} x id")), message);
    }
    assert_eq!(refused("run --preserve-fds -1 x"), "run: --preserve-fds \"-1\" is not a decimal number");
    let below = |text: &str| exec(&format!("exec --cgroup {text} x id")).cgroup;
    let one = |controllers: &[&str], path: &str| {
        vec![SubCgroup {
            controllers: controllers.iter().map(|c| c.to_string()).collect(),
            path: path.into(),
        }]
    };
    assert_eq!(below("/a/b"), one(&[], "/a/b"));
    assert_eq!(below("cpu,cpuacct:a"), one(&["cpu", "cpuacct"], "a"));
    for (bad, why) in [
        ("a/../b", "`..` could lead out of the container's cgroup"),
        ("cpu:..", "`..` could lead out of the container's cgroup"),
        ("cpu:", "has no path"),
        (":a", "a controller before `:` has no name"),
    ] {
        assert_eq!(refused(&format!("exec --cgroup {bad} x id")), format!("exec: --cgroup {bad:?}: {why}"));
    }
    assert_eq!(exec("exec --exec-wait-fifo /f x id").wait, ExecWait::Fifo("/f".into()));
    let needs = "exec: --exec-wait-pidfd: needs --pidfd-socket, where the word to go on comes from";
    assert_eq!(refused("exec --exec-wait-pidfd x id"), needs);
    let both = "exec: --exec-wait-fifo and --exec-wait-pidfd exclude each other";
    assert_eq!(refused("exec --exec-wait-fifo /f --pidfd-socket /s --exec-wait-pidfd x id"), both);
    assert_eq!(refused("exec -e A x id"), "exec: --env \"A\" is not NAME=VALUE");
    assert_eq!(refused("exec -e =A x id"), "exec: --env \"=A\" is not NAME=VALUE");
    assert_eq!(exec("exec -e A= x id").env, ["A="]);
}

#[test]
fn exec_needs_one_program() {
    assert_eq!(refused("exec x"), "exec: neither COMMAND nor --process is given");
    assert_eq!(refused("exec"), "exec: ID is missing");
    assert_eq!(refused("exec -p /f x ls"), "exec: COMMAND and --process exclude each other");
}

#[test]
fn operands_are_counted() {
    for verb in ["run", "create", "start", "state", "kill", "delete", "exec"] {
        assert_eq!(refused(verb), format!("{verb}: ID is missing"));
    }
    for line in [
        "run x y",
        "create x y",
        "start x y",
        "state x y",
        "kill x 9 y",
        "delete x y",
        "list y",
        "plan x y",
        "spec y",
        "features y",
    ] {
        let verb = line.split(' ').next().unwrap();
        assert_eq!(refused(line), format!("{verb}: argument \"y\" is one too many"));
    }
}

#[test]
fn unknown_flags_are_named() {
    for verb in
        ["run", "create", "start", "state", "kill", "delete", "list", "spec", "plan", "features", "exec"]
    {
        assert_eq!(refused(&format!("{verb} --nonsense x")), format!("{verb}: unknown flag --nonsense"));
        assert_eq!(refused(&format!("{verb} --nonsense=1 x")), format!("{verb}: unknown flag --nonsense"));
        assert_eq!(refused(&format!("{verb} -Z x")), format!("{verb}: unknown flag -Z"));
        assert_eq!(refused(&format!("{verb} -nonsense=1 x")), format!("{verb}: unknown flag -nonsense"));
    }
    assert_eq!(refused("--nonsense list"), "unknown flag --nonsense");
    assert_eq!(refused("--criu /bin/criu run x"), "unknown flag --criu");
    assert_eq!(refused("create --detach x"), "create: unknown flag --detach");
    let text = parse_line("run --nonsense x").unwrap_err().text();
    assert!(text.ends_with("\nhint: usage: tierce run [OPTIONS] ID; see `tierce run --help`\n"), "{text}");
}

#[test]
fn values_must_be_there() {
    assert_eq!(refused("run x --bundle"), "run: --bundle needs a value");
    assert_eq!(refused("run x -b"), "run: --bundle needs a value");
    assert_eq!(refused("--root"), "--root needs a value");
    assert_eq!(refused("run --bundle= x"), "run: --bundle is empty");
    assert_eq!(refused("--log= list"), "--log is empty");
    assert_eq!(refused("--log file: list"), "--log is empty");
}

#[test]
fn no_command_and_unknown_commands() {
    assert_eq!(refused(""), "no command was given");
    assert_eq!(refused("--debug"), "no command was given");
    assert_eq!(refused("frobnicate x"), "unknown command \"frobnicate\"");
    assert_eq!(refused("help frobnicate"), "unknown command \"frobnicate\"");
    assert_eq!(ok("-- state x").command, Command::State { id: "x".into() });
    assert!(matches!(parse(std::iter::empty()), Err(Exit::Refuse { .. })));
}

/// As Go's time.ParseDuration reads them.
#[test]
fn intervals() {
    let interval = |text: &str| match ok(&format!("events --interval {text} x")).command {
        Command::Events(options) => options.interval.as_nanos(),
        other => panic!("{other:?}"),
    };
    for (text, ns) in [
        ("1s", 1_000_000_000),
        ("1.5s", 1_500_000_000),
        ("1m30s", 90_000_000_000),
        ("2h", 7_200_000_000_000),
        ("250ms", 250_000_000),
        ("10us", 10_000),
        ("10µs", 10_000),
        ("7ns", 7),
        (".5s", 500_000_000),
    ] {
        assert_eq!(interval(text), ns, "{text}");
    }
    for text in ["5", "s", "-1s", "1 s", "1x", "1s2", "1..5s", "."] {
        let error = refused_os(&["events", "--interval", text, "x"]);
        let expected = format!("events: --interval {text:?} is not a duration such as 5s, 500ms or 1m30s");
        assert_eq!(error, expected);
    }
    assert_eq!(refused("events --interval 0s x"), "events: --interval \"0s\" is not more than 0");
}

#[test]
fn what_follows_the_id_of_ps_is_for_the_ps_of_the_host() {
    let options = |line: &str| match ok(line).command {
        Command::Ps(options) => (options.id, options.format, options.ps),
        other => panic!("{other:?}"),
    };
    let table = ListFormat::Table;
    assert_eq!(options("ps x"), ("x".into(), table, vec![]));
    assert_eq!(
        options("ps x -ef -o pid"),
        ("x".into(), table, vec!["-ef".into(), "-o".into(), "pid".into()])
    );
    assert_eq!(options("ps x -- --help"), ("x".into(), table, vec!["--help".into()]));
    assert_eq!(options("ps -f json x"), ("x".into(), ListFormat::Json, vec![]));
    assert_eq!(refused("ps"), "ps: ID is missing");
    assert_eq!(refused("ps --format yaml x"), "ps: --format \"yaml\" is not known; it can be table or json");
}

#[test]
fn stats_takes_any_number_of_containers() {
    let options = |line: &str| match ok(line).command {
        Command::Stats(options) => (options.ids, options.format),
        other => panic!("{other:?}"),
    };
    assert_eq!(options("stats"), (vec![], ListFormat::Table));
    assert_eq!(options("stats a b --format json"), (vec!["a".into(), "b".into()], ListFormat::Json));
    assert_eq!(
        refused("stats a /b"),
        "stats: container id \"/b\": only letters, digits and _ + . - are allowed"
    );
}
