//! `--console-socket`: the terminal is somebody else's to carry.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use crate::harness::executed::{exec, idle};
use crate::harness::host::kernel_is_at_least;
use crate::harness::prelude::*;
use crate::harness::receiver::Receiver;

cases!("console_socket", root: [
    create_sends_the_terminal,
    run_sends_the_terminal_when_detached,
    exec_sends_the_terminal_when_detached,
    the_path_of_a_console_socket_may_be_long,
    the_console_has_the_size_of_the_configuration,
    the_console_of_an_executed_program_has_the_size_of_its_process,
    the_console_is_bound_by_its_descriptor,
    a_console_socket_without_a_terminal_is_refused,
    the_script_of_the_documentation_supervises_a_container,
]);

/// A terminal that was sent.
struct Console {
    master: File,
    printed: String,
}

impl Console {
    #[track_caller]
    fn of(receiver: &Receiver) -> Console {
        let mut received = receiver.next();
        assert_eq!(received.fds.len(), 1, "fds");
        Console { master: File::from(received.fds.remove(0)), printed: String::new() }
    }

    /// Reads until it has printed `text`.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.printed.contains(text) {
            let mut fds = [rustix::event::PollFd::new(&self.master, rustix::event::PollFlags::IN)];
            let time = rustix::event::Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
            let ready = rustix::event::poll(&mut fds, Some(&time)).expect("poll");
            let n = if ready == 0 { 0 } else { self.master.read(&mut buffer).unwrap_or(0) };
            assert!(n > 0, "no {text:?} on the terminal, which shows {:?}", self.printed);
            self.printed.push_str(&String::from_utf8_lossy(&buffer[..n]).replace('\r', ""));
        }
    }
}

const TALK: &str = "test -t 0 && test -t 1 && test -t 2 && echo its $(tty); read word; echo \"got <$word>\"; \
                    echo through the console >/dev/console; sleep 300";

#[track_caller]
fn talk(receiver: &Receiver) {
    let mut console = Console::of(receiver);
    console.wait_for("its /dev/");
    console.master.write_all(b"cask\n").expect("type");
    console.wait_for("got <cask>");
    console.wait_for("through the console");
    // It is the master end, of a terminal with modes.
    nix::sys::termios::tcgetattr(console.master.as_fd()).expect("tcgetattr");
}

fn talking(t: &Case) -> Bundle {
    t.bundle().set("/process/terminal", json!(true)).sh(TALK)
}

fn create_sends_the_terminal(t: &Case) {
    let socket = t.path("console");
    let receiver = Receiver::listen(&socket);
    let (container, output) = t.try_create(&talking(t), &["--console-socket", &socket.display().to_string()]);
    output.ok();
    container.start().ok();
    talk(&receiver);
}

fn run_sends_the_terminal_when_detached(t: &Case) {
    let socket = t.path("console");
    let receiver = Receiver::listen(&socket);
    t.run_with(&talking(t), &["--detach", "--console-socket", &socket.display().to_string()]).ok();
    talk(&receiver);
}

fn exec_sends_the_terminal_when_detached(t: &Case) {
    let socket = t.path("console");
    let receiver = Receiver::listen(&socket);
    for bundle in [t.bundle(), t.bundle().user_namespace(100_000)] {
        let container = idle(t, &bundle);
        let flags = ["--tty", "--detach", "--console-socket", &socket.display().to_string()];
        let script = TALK.replace(">/dev/console", "");
        exec(t, &container, &flags, &["/bin/sh", "-c", &script]).ok();
        talk(&receiver);
    }
}

fn the_path_of_a_console_socket_may_be_long(t: &Case) {
    let socket = t.path(&format!("{0}/{0}/console", "x".repeat(100)));
    let receiver = Receiver::listen(&socket);
    t.run_with(&talking(t), &["--detach", "--console-socket", &socket.display().to_string()]).ok();
    talk(&receiver);
}

fn the_console_has_the_size_of_the_configuration(t: &Case) {
    let socket = t.path("console");
    let receiver = Receiver::listen(&socket);
    let bundle = t.bundle().set("/process/terminal", json!(true)).sh("echo size $(stty size); sleep 300");
    let bundle = bundle.set("/process/consoleSize", json!({"height": 43, "width": 131}));
    t.run_with(&bundle, &["--detach", "--console-socket", &socket.display().to_string()]).ok();
    Console::of(&receiver).wait_for("size 43 131");
}

fn the_console_of_an_executed_program_has_the_size_of_its_process(t: &Case) {
    let socket = t.path("console");
    let receiver = Receiver::listen(&socket);
    let container = idle(t, &t.bundle());
    let process = json!({
        "terminal": true,
        "consoleSize": {"height": 44, "width": 132},
        "user": {"uid": 0, "gid": 0},
        "args": ["/bin/sh", "-c", "echo size $(stty size); sleep 300"],
        "cwd": "/",
    });
    let file = t.file("process.json", &process.to_string()).display().to_string();
    let socket = socket.display().to_string();
    let flags = ["--detach", "--process", &file, "--console-socket", &socket];
    exec(t, &container, &flags, &[]).ok();
    Console::of(&receiver).wait_for("size 44 132");
}

/// CVE-2025-52565: whatever stands at /dev/console or below /dev/pts leads nowhere else.
fn the_console_is_bound_by_its_descriptor(t: &Case) {
    let victim = t.file("victim", "untouched");
    let socket = t.path("console");
    let receiver = Receiver::listen(&socket);
    let mut bundle = talking(t).writable();
    bundle.list("/mounts").retain(|mount| mount["destination"] != "/dev");
    let link = bundle.in_rootfs("/dev/console");
    let _ = fs::create_dir_all(bundle.in_rootfs("/dev"));
    std::os::unix::fs::symlink(&victim, &link).expect("make a link");
    let (container, output) = t.try_create(&bundle, &["--console-socket", &socket.display().to_string()]);
    if output.status.success() {
        container.start().ok();
        talk(&receiver);
    }
    assert_eq!(fs::read_to_string(victim).expect("read"), "untouched");
}

fn a_console_socket_without_a_terminal_is_refused(t: &Case) {
    let socket = t.path("console");
    let _receiver = Receiver::listen(&socket);
    let flags = ["--console-socket", &socket.display().to_string()];
    t.try_create(&t.bundle(), &flags).1.fails().says("terminal");
    t.assert_no_side_effects();
}

const SCRIPT: &str = include_str!("supervise.py");
const README: &str = include_str!("../README.md");

fn the_script_of_the_documentation_supervises_a_container(t: &Case) {
    for line in SCRIPT.lines() {
        assert!(README.contains(line), "README.md does not show {line:?}");
    }
    if !kernel_is_at_least(6, 15) || !Path::new("/usr/bin/python3").exists() {
        t.skip("needs python3 and a kernel that tells the exit status by a pidfd (Linux 6.15)");
    }
    let bundle = t.bundle().set("/process/terminal", json!(true)).sh("seq 1 2000; sleep 1; exit 42");
    let id = t.id();
    t.command_line("run", &bundle, &[], &id);
    // The runtime is called as it is, so that it needs its own directory for states.
    let wrapper = t.file(
        "runtime",
        &format!("#!/bin/sh\nexec {} --root {} \"$@\"\n", t.host.runtime.display(), t.state_root.display()),
    );
    fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    let script = t.file("supervise.py", SCRIPT);
    let dir = bundle.dir.display().to_string();
    let shell = format!("exec /usr/bin/python3 {} {} {dir} {id}", script.display(), wrapper.display());
    let output = t.runtime(&["unused"]).through_shell(&shell).run();
    let printed = output.exits(42).stdout.replace('\r', "");
    assert!(printed.starts_with("1\n2\n") && printed.ends_with("1999\n2000\n"), "{printed:?}");
    assert_eq!(t.state_entries(), [] as [&str; 0]);
}
