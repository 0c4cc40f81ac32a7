//! `SCMP_ACT_NOTIFY`: calls that an agent answers.

use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::agent::{Agent, Answer};
use crate::harness::child_process::succeeds;
use crate::harness::prelude::*;
use crate::harness::soon;

cases!("seccomp_notify", root: [
    the_agent_answers_for_a_call,
    the_agent_is_told_of_the_process,
    the_connection_to_the_agent_ends_with_the_message,
    a_message_may_be_long,
    a_created_container_has_its_agent_when_it_is_started,
    an_executed_program_has_the_agent_too,
    calls_of_the_runtime_itself_can_be_notified,
    every_call_of_docker_can_be_notified,
    a_notifying_filter_works_without_no_new_privileges,
    a_notifying_filter_works_in_a_user_namespace,
    a_low_limit_of_open_files_leaves_room_for_the_agent,
    the_socket_may_have_a_long_path,
    without_an_agent_nothing_is_made,
    where_nobody_listens_nothing_is_left,
    a_socket_of_another_kind_is_an_error,
    a_start_without_the_agent_can_be_tried_again,
    an_exec_without_the_agent_is_an_error,
    an_agent_that_nothing_notifies_is_not_looked_for,
    not_everything_can_be_notified,
    the_receiver_of_an_annotation_is_an_agent,
    a_program_in_an_annotation_takes_the_place_of_the_rules,
    a_signal_takes_a_call_back,
    a_signal_waits_for_the_answer_if_a_flag_says_so,
], anyone: [
    an_ordinary_user_has_an_agent,
]);

/// mkdir(1) and what came of it.
const MKDIR: &str = "mkdir /dev/shm/d; echo done with $?; if test -d /dev/shm/d; then echo it is there; fi";

/// Everything is allowed, `names` are notified.
fn notifying(t: &Case, names: &[&str], socket: &Path) -> Bundle {
    let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": socket,
        "syscalls": [{"names": names, "action": "SCMP_ACT_NOTIFY"}]});
    t.bundle().set("/linux/seccomp", seccomp)
}

const MKDIRS: &[&str] = &["mkdir", "mkdirat"];

fn the_agent_answers_for_a_call(t: &Case) {
    let cases = [
        (Answer::Errno(libc::EXDEV), "done with 1"),
        (Answer::Gives(0), "done with 0"),
        (Answer::Continue, "done with 0\nit is there"),
    ];
    for (i, (answer, printed)) in cases.into_iter().enumerate() {
        let socket = t.path(&format!("agent{i}"));
        let agent = Agent::listen(&socket, answer);
        t.run(&notifying(t, MKDIRS, &socket).sh(MKDIR)).ok().prints(printed);
        assert_eq!(agent.calls(), ["mkdir"]);
    }
}

fn the_agent_is_told_of_the_process(t: &Case) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Continue);
    let bundle = notifying(t, MKDIRS, &socket)
        .set("/linux/seccomp/listenerMetadata", json!("of \"interest\""))
        .set("/annotations", json!({"org.example.key": "value"}));
    let container = t.launch(&bundle.clone().args(&["/bin/sleep", "300"]));
    let message = agent.message(0);
    assert_eq!(message.fds, 1);
    let state = message.state;
    let pid = container.pid();
    assert_eq!((&state["fds"], &state["pid"]), (&json!(["seccompFd"]), &json!(pid)), "{state}");
    assert_eq!(state["metadata"], "of \"interest\"", "{state}");
    assert!(state["ociVersion"].as_str().is_some_and(|version| version.starts_with("1.")), "{state}");
    let inner = &state["state"];
    assert_eq!((&inner["id"], &inner["pid"]), (&json!(container.id), &json!(pid)), "{state}");
    assert_eq!((&inner["status"], &inner["bundle"]), (&json!("creating"), &json!(bundle.dir)), "{state}");
    assert_eq!(inner["annotations"]["org.example.key"], "value", "{state}");
    assert_eq!(agent.messages().len(), 1);
}

fn the_connection_to_the_agent_ends_with_the_message(t: &Case) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Continue);
    let running = t.runtime(&t.command_line(
        "run",
        &notifying(t, MKDIRS, &socket).args(&["/bin/sleep", "300"]),
        &[],
        &t.id(),
    ));
    let _running = running.spawn();
    agent.message(0);
    eventually("the end of the connection", || agent.ended() == 1);
}

fn a_message_may_be_long(t: &Case) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    let long = "x".repeat(1 << 20);
    let bundle = notifying(t, MKDIRS, &socket).set("/linux/seccomp/listenerMetadata", json!(long));
    t.run(&bundle.sh(MKDIR)).ok().prints("done with 1");
    assert_eq!(agent.message(0).state["metadata"], json!(long));
}

fn a_created_container_has_its_agent_when_it_is_started(t: &Case) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    let container = t.create(&notifying(t, MKDIRS, &socket).sh(MKDIR));
    assert_eq!(container.status(), "created");
    container.start().ok();
    container.wait_for("done with 1");
    assert_eq!(agent.messages().len(), 1);
    assert_eq!(agent.calls(), ["mkdir"]);
}

fn an_executed_program_has_the_agent_too(t: &Case) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    let container = t.launch(&notifying(t, MKDIRS, &socket).args(&["/bin/sleep", "300"]));
    let file = t.path("pid").display().to_string();
    let script = format!("{MKDIR}; sleep 300");
    let line = ["exec", "--detach", "--pid-file", &file, &container.id, "/bin/sh", "-c", &script];
    t.runtime(&line).run().ok();
    eventually("the call of the program", || agent.calls() == ["mkdir"]);
    let pid: i32 = fs::read_to_string(&file).expect("the pid").trim().parse().expect("a number");
    let state = agent.message(1).state;
    assert_eq!((&state["pid"], &state["state"]["pid"]), (&json!(pid), &json!(container.pid())), "{state}");
    assert_eq!(state["state"]["status"], "running", "{state}");
}

fn calls_of_the_runtime_itself_can_be_notified(t: &Case) {
    let names = [
        "capset",
        "clone",
        "clone3",
        "close",
        "close_range",
        "dup2",
        "execve",
        "exit_group",
        "fcntl",
        "futex",
        "ioctl",
        "openat",
        "poll",
        "prctl",
        "read",
        "recvmsg",
        "rt_sigaction",
        "sched_yield",
        "sendmsg",
        "sendto",
        "setgroups",
        "setresuid",
        "setuid",
        "wait4",
        "waitid",
    ];
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Continue);
    for no_new_privileges in [true, false] {
        let bundle = notifying(t, &names, &socket).set("/process/noNewPrivileges", json!(no_new_privileges));
        t.run(&bundle.sh("true; (echo it works); exit 7")).exits(7).prints("it works");
        assert!(agent.calls().iter().any(|name| name == "execve"), "{:?}", agent.calls());
    }
}

fn every_call_of_docker_can_be_notified(t: &Case) {
    let profile: Value = serde_json::from_str(include_str!("data/docker-seccomp.json")).expect("JSON");
    let rules = profile["syscalls"].as_array().expect("rules");
    let names = rules.iter().flat_map(|rule| rule["names"].as_array().expect("names"));
    let names: Vec<&str> = names.map(|name| name.as_str().expect("a name")).collect();
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Continue);
    t.run(&notifying(t, &names, &socket).sh("echo it works; exit 7")).exits(7).prints("it works");
    assert!(agent.calls().iter().any(|name| name == "write"), "{:?}", agent.calls());
}

fn a_notifying_filter_works_without_no_new_privileges(t: &Case) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    // Behind the filter this process still has to give up what it took to load it.
    let one = json!(["CAP_NET_BIND_SERVICE"]);
    let sets =
        json!({"bounding": one, "effective": one, "permitted": one, "inheritable": one, "ambient": one});
    let bundle = notifying(t, MKDIRS, &socket)
        .set("/process/noNewPrivileges", json!(false))
        .set("/process/user", json!({"uid": 1000, "gid": 1000}))
        .set("/process/capabilities", sets);
    t.run(&bundle.sh(&format!("{MKDIR}; id -u; grep CapEff /proc/self/status")))
        .ok()
        .prints("done with 1\n1000\nCapEff:\t0000000000000400");
    assert_eq!(agent.calls(), ["mkdir"]);
}

fn a_notifying_filter_works_in_a_user_namespace(t: &Case) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    t.run(&notifying(t, MKDIRS, &socket).user_namespace(100_000).sh(MKDIR)).ok().prints("done with 1");
    let container =
        t.launch(&notifying(t, MKDIRS, &socket).user_namespace(100_000).args(&["/bin/sleep", "300"]));
    t.runtime(&["exec", &container.id, "/bin/sh", "-c", MKDIR]).run().ok().prints("done with 1");
    assert_eq!(agent.calls(), ["mkdir", "mkdir"]);
}

fn a_low_limit_of_open_files_leaves_room_for_the_agent(t: &Case) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    let limit = json!([{"type": "RLIMIT_NOFILE", "soft": 4, "hard": 4}]);
    let bundle = notifying(t, MKDIRS, &socket).set("/process/rlimits", limit);
    t.run(&bundle.args(&["/bin/mkdir", "/dev/shm/d"])).exits(1).says("Invalid cross-device link");
    assert_eq!(agent.calls(), ["mkdir"]);
}

fn the_socket_may_have_a_long_path(t: &Case) {
    let here = t.path("agent");
    let agent = Agent::listen(&here, Answer::Errno(libc::EXDEV));
    let long = t.path(&format!("{}/agent", "x".repeat(120)));
    fs::rename(&here, &long).expect("move the socket");
    t.run(&notifying(t, MKDIRS, &long).sh(MKDIR)).ok().prints("done with 1");
    assert_eq!(agent.calls(), ["mkdir"]);
}

fn without_an_agent_nothing_is_made(t: &Case) {
    let socket = t.path("agent");
    let bundle = notifying(t, MKDIRS, &socket).args(&["/bin/true"]);
    t.run(&bundle).fails().says("agent").says("o such file or directory");
    t.try_create(&bundle, &[]).1.fails().says("agent").says("o such file or directory");
}

fn where_nobody_listens_nothing_is_left(t: &Case) {
    let socket = t.path("agent");
    drop(UnixListener::bind(&socket).expect("bind"));
    t.run(&notifying(t, MKDIRS, &socket).args(&["/bin/true"]))
        .fails()
        .says("agent")
        .says("onnection refused");
}

fn a_socket_of_another_kind_is_an_error(t: &Case) {
    let socket = t.path("agent");
    let _datagrams = UnixDatagram::bind(&socket).expect("bind");
    t.run(&notifying(t, MKDIRS, &socket).args(&["/bin/true"]))
        .fails()
        .says("agent")
        .says("wrong type for socket");
}

fn a_start_without_the_agent_can_be_tried_again(t: &Case) {
    let socket = t.path("agent");
    drop(UnixListener::bind(&socket).expect("bind"));
    let container = t.create(&notifying(t, MKDIRS, &socket).sh(MKDIR));
    container.start().fails().says("agent").says("onnection refused");
    assert_eq!(container.status(), "created");
    fs::remove_file(&socket).expect("remove the socket");
    container.start().fails().says("agent").says("o such file or directory");
    Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    container.start().ok();
    container.wait_for("done with 1");
}

fn an_exec_without_the_agent_is_an_error(t: &Case) {
    let socket = t.path("agent");
    let _agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    let container = t.launch(&notifying(t, MKDIRS, &socket).args(&["/bin/sleep", "300"]));
    fs::remove_file(&socket).expect("remove the socket");
    let output = t.runtime(&["exec", &container.id, "/bin/echo", "it runs"]).run();
    output.fails().says("agent").says("o such file or directory").prints("");
    assert_eq!(container.status(), "running");
}

fn an_agent_that_nothing_notifies_is_not_looked_for(t: &Case) {
    let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nonexistent/agent",
        "listenerMetadata": "none", "syscalls": [{"names": MKDIRS, "action": "SCMP_ACT_ERRNO"}]});
    t.run(&t.bundle().set("/linux/seccomp", seccomp).sh(MKDIR)).ok().prints("done with 1");
}

fn not_everything_can_be_notified(t: &Case) {
    let socket = t.path("agent");
    let _agent = Agent::listen(&socket, Answer::Continue);
    let bundle = notifying(t, MKDIRS, &socket).set("/linux/seccomp/defaultAction", json!("SCMP_ACT_NOTIFY"));
    t.run(&bundle.args(&["/bin/true"])).fails().says("SCMP_ACT_NOTIFY");
}

fn the_receiver_of_an_annotation_is_an_agent(t: &Case) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    let bundle = notifying(t, MKDIRS, &socket).unset("/linux/seccomp/listenerPath");
    let bundle = bundle.set("/annotations", json!({"run.oci.seccomp.receiver": socket}));
    t.run(&bundle.sh(MKDIR)).ok().prints("done with 1");
    assert_eq!(agent.calls(), ["mkdir"]);
}

/// A program that answers the system call `number` with `verdict` and allows all others, in base64.
fn bpf_in_base64(t: &Case, number: u32, verdict: u32) -> String {
    // ld [nr]; jeq number, 0, 1; ret verdict; ret ALLOW
    let code: [(u16, u8, u8, u32); 4] =
        [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, verdict), (0x06, 0, 0, libc::SECCOMP_RET_ALLOW)];
    let bytes = code
        .iter()
        .flat_map(|(code, jt, jf, k)| [&code.to_ne_bytes()[..], &[*jt, *jf], &k.to_ne_bytes()[..]].concat());
    let file = t.path("program.bpf");
    fs::write(&file, bytes.collect::<Vec<u8>>()).expect("write the program");
    let encoded = t.path("program.base64");
    let output = fs::File::create(&encoded).expect("make a file");
    let done = succeeds(Command::new(&t.host.busybox).args(["base64", "-w", "0"]).arg(file).stdout(output));
    assert!(done, "base64");
    fs::read_to_string(encoded).expect("read the text")
}

fn a_program_in_an_annotation_takes_the_place_of_the_rules(t: &Case) {
    // chdir is called alike everywhere.
    let chdir = libc::SYS_chdir as u32;
    let denied = bpf_in_base64(t, chdir, libc::SECCOMP_RET_ERRNO | libc::EXDEV as u32);
    let rule = json!({"names": MKDIRS, "action": "SCMP_ACT_ERRNO"});
    let bundle =
        t.bundle().set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}));
    let script = "cd /tmp && echo in tmp; mkdir /dev/shm/d && echo made";
    let with = |data: &str| bundle.clone().set("/annotations", json!({"run.oci.seccomp_bpf_data": data}));
    t.run(&with(&denied).sh(script)).ok().prints("made");
    t.run(&bundle.clone().sh(script)).exits(1).prints("in tmp");
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    let notified = bpf_in_base64(t, chdir, libc::SECCOMP_RET_USER_NOTIF);
    let bundle = with(&notified).set("/linux/seccomp/listenerPath", json!(socket));
    t.run(&bundle.sh(script)).ok().prints("made");
    assert!(agent.calls().iter().any(|name| name == "chdir"), "{:?}", agent.calls());
}

/// A shell that waits for the answer to its chdir(2), and gets a signal that it has a trap for.
fn interrupted(t: &Case, flags: Value) -> (Agent, Container<'_>) {
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Later);
    let bundle = notifying(t, &["chdir"], &socket).set("/linux/seccomp/flags", flags);
    let container = t.launch(&bundle.sh("trap 'echo trapped' USR1; cd /tmp; echo in $(pwd)"));
    kill(Pid::from_raw(agent.pending(0).pid), Signal::SIGUSR1).expect("kill");
    (agent, container)
}

fn a_signal_takes_a_call_back(t: &Case) {
    let (agent, container) = interrupted(t, json!([]));
    eventually("the call is taken back", || !agent.pending(0).is_valid());
    container.wait_for("trapped");
}

fn a_signal_waits_for_the_answer_if_a_flag_says_so(t: &Case) {
    let (agent, container) = interrupted(t, json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]));
    let call = agent.pending(0);
    // Without the flag it is taken back as soon as the process runs.
    assert!(!soon(Duration::from_millis(300), || !call.is_valid()), "the call was taken back");
    call.proceed();
    container.wait_for("trapped");
    container.wait_for("in /tmp");
}

fn an_ordinary_user_has_an_agent(t: &Case) {
    t.become_ordinary_user();
    let socket = t.path("agent");
    let agent = Agent::listen(&socket, Answer::Errno(libc::EXDEV));
    t.give(&socket);
    t.run(&notifying(t, MKDIRS, &socket).sh(MKDIR)).ok().prints("done with 1");
    assert_eq!(agent.calls(), ["mkdir"]);
}
