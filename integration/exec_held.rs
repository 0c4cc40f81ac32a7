//! A supervisor gets hold of a process before it runs: `--pidfd-socket`, and `exec` in two phases.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;

use crate::harness::executed::{detached, exec, fifo, idle, line, pid_in, proc_file, shell};
use crate::harness::prelude::*;
use crate::harness::receiver::Receiver;

cases!("exec_held", root: [
    a_pidfd_of_init_is_sent_by_create,
    a_pidfd_of_init_is_sent_by_run_in_the_foreground_and_detached,
    a_pidfd_is_sent_by_exec,
    the_path_of_a_pidfd_socket_may_be_long,
    without_a_receiver_of_the_pidfd_nothing_is_executed,
    a_held_program_runs_when_its_fifo_is_opened,
    a_held_process_is_on_record_and_in_the_container,
    a_held_program_runs_as_a_user_who_could_not_open_the_fifo,
    a_held_program_runs_in_a_user_namespace,
    opening_the_fifo_is_enough,
    a_fifo_that_is_open_already_holds_nothing_back,
    the_exit_status_of_a_held_program_reaches_a_caller_in_the_foreground,
    a_held_program_that_is_missing_is_told_to_a_caller_in_the_foreground,
    a_signal_ends_the_wait_in_the_foreground,
    a_fifo_that_is_removed_ends_the_process,
    what_is_no_fifo_is_refused,
    a_held_process_ends_with_its_container,
    a_program_held_by_its_pidfd_runs_at_a_word,
    a_program_held_by_its_pidfd_never_runs_without_its_receiver,
    a_hold_by_pidfd_needs_a_receiver,
], anyone: [
    an_ordinary_user_holds_a_program,
]);

fn a_pidfd_of_init_is_sent_by_create(t: &Case) {
    let socket = t.path("receiver");
    let receiver = Receiver::listen(&socket);
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let (container, output) = t.try_create(&bundle, &["--pidfd-socket", &socket.display().to_string()]);
    output.ok();
    let mut received = receiver.next();
    assert_eq!((received.pid(), received.text.as_str()), (container.pid(), "standard"));
    received.wait_for_end();
    container.start().ok();
    assert_eq!(container.pid(), received.pid());
}

fn a_pidfd_of_init_is_sent_by_run_in_the_foreground_and_detached(t: &Case) {
    let socket = t.path("receiver");
    let receiver = Receiver::listen(&socket);
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let socket = socket.display().to_string();
    for flags in [&["--pidfd-socket", &socket][..], &["--detach", "--pidfd-socket", &socket]] {
        let id = t.id();
        let running = t.runtime(&t.command_line("run", &bundle, flags, &id)).spawn();
        let pid = receiver.next().pid();
        let state = || t.runtime(&["state", &id]).run();
        eventually("the container runs", || {
            state().status.success() && state().json()["status"] == "running"
        });
        assert_eq!(state().json()["pid"], json!(pid), "{flags:?}");
        if flags.len() == 3 {
            running.wait().ok();
        }
    }
}

fn a_pidfd_is_sent_by_exec(t: &Case) {
    let socket = t.path("receiver");
    let receiver = Receiver::listen(&socket);
    let container = idle(t, &t.bundle());
    let pid = detached(t, &container, &["--pidfd-socket", &socket.display().to_string()]);
    let received = receiver.next();
    assert_eq!((received.pid(), received.text.as_str()), (pid, "setns"));
    let mapped = idle(t, &t.bundle().user_namespace(100_000));
    let pid = detached(t, &mapped, &["--pidfd-socket", &socket.display().to_string()]);
    assert_eq!(receiver.next().pid(), pid, "with a user namespace");
}

fn the_path_of_a_pidfd_socket_may_be_long(t: &Case) {
    let socket = t.path(&format!("{0}/{0}/receiver", "x".repeat(100)));
    let receiver = Receiver::listen(&socket);
    let container = idle(t, &t.bundle());
    let pid = detached(t, &container, &["--pidfd-socket", &socket.display().to_string()]);
    assert_eq!(receiver.next().pid(), pid);
}

fn without_a_receiver_of_the_pidfd_nothing_is_executed(t: &Case) {
    let socket = t.path("receiver").display().to_string();
    let flags = ["--pidfd-socket", &socket];
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    t.try_create(&bundle, &flags).1.fails().says("receiver");
    t.run_with(&bundle, &flags).fails().says("receiver");
    t.assert_no_side_effects();
    let container = idle(t, &bundle);
    exec(t, &container, &flags, &["/bin/echo", "ran"]).fails().says("receiver").prints("");
}

/// A program that is held back, detached.
struct Held<'c> {
    container: Container<'c>,
    fifo: PathBuf,
    pid: i32,
}

const SCRIPT: &str = "echo $(id -u) >/dev/shm/ran; exec sleep 298";

fn held<'c>(t: &'c Case, bundle: &Bundle, flags: &[&str]) -> Held<'c> {
    let container = idle(t, bundle);
    let (fifo, pid_file) = (fifo(t, "fifo"), t.path("held.pid"));
    let [path, pid_path] = [&fifo, &pid_file].map(|path| path.display().to_string());
    let flags = [&["--detach", "--pid-file", &pid_path, "--exec-wait-fifo", &path], flags].concat();
    shell(t, &container, &flags, SCRIPT).ok();
    Held { container, fifo, pid: pid_in(&pid_file) }
}

impl Held<'_> {
    /// What the program has written, if it ran.
    fn ran(&self, t: &Case) -> String {
        shell(t, &self.container, &[], "cat /dev/shm/ran 2>/dev/null").text().to_string()
    }

    #[track_caller]
    fn wait_until_it_runs(&self, t: &Case, output: &str) {
        eventually("the program runs", || self.ran(t) == output);
        eventually("it is the same process", || proc_file(self.pid, "cmdline") == "sleep\x00298\x00");
    }
}

/// Opens the fifo as a supervisor does; gives what can be read from it.
fn read(fifo: &Path) -> String {
    let mut text = String::new();
    File::open(fifo).and_then(|mut file| file.read_to_string(&mut text)).expect("read the fifo");
    text
}

fn a_held_program_runs_when_its_fifo_is_opened(t: &Case) {
    let held = held(t, &t.bundle(), &[]);
    assert_eq!(held.ran(t), "", "before");
    assert_eq!(read(&held.fifo), "0");
    held.wait_until_it_runs(t, "0");
}

fn a_held_process_is_on_record_and_in_the_container(t: &Case) {
    let held = held(t, &t.bundle(), &["--user", "1000:1000"]);
    let init = held.container.pid();
    for kind in ["mnt", "pid", "net", "ipc", "uts"] {
        let [its, of_init] =
            [held.pid, init].map(|pid| fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("ns"));
        assert_eq!(its, of_init, "{kind}");
    }
    assert_eq!(proc_file(held.pid, "cgroup"), proc_file(init, "cgroup"));
    let status = proc_file(held.pid, "status");
    assert!(status.contains("Uid:\t1000\t1000\t1000\t1000"), "{status}");
    assert_eq!(held.ran(t), "");
}

fn a_held_program_runs_as_a_user_who_could_not_open_the_fifo(t: &Case) {
    let held = held(t, &t.bundle(), &["--user", "1000:1000"]);
    assert_eq!(read(&held.fifo), "0");
    held.wait_until_it_runs(t, "1000");
}

fn a_held_program_runs_in_a_user_namespace(t: &Case) {
    let held = held(t, &t.bundle().user_namespace(100_000), &[]);
    assert_eq!(held.ran(t), "", "before");
    assert_eq!(read(&held.fifo), "0");
    held.wait_until_it_runs(t, "0");
}

fn open_at_once(fifo: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(fifo).expect("open the fifo")
}

fn opening_the_fifo_is_enough(t: &Case) {
    let held = held(t, &t.bundle(), &[]);
    drop(open_at_once(&held.fifo));
    held.wait_until_it_runs(t, "0");
}

fn a_fifo_that_is_open_already_holds_nothing_back(t: &Case) {
    let container = idle(t, &t.bundle());
    let fifo = fifo(t, "fifo");
    let _reader = open_at_once(&fifo);
    let flags = ["--exec-wait-fifo", &fifo.display().to_string()];
    exec(t, &container, &flags, &["/bin/echo", "ran"]).ok().prints("ran");
}

/// A held program with its caller in the foreground, waiting.
fn in_the_foreground<'c>(t: &'c Case, container: &Container, script: &str) -> (Running<'c>, PathBuf) {
    let (fifo, pid_file) = (fifo(t, "fifo"), t.path("held.pid"));
    let [path, pid_path] = [&fifo, &pid_file].map(|path| path.display().to_string());
    let flags = ["--pid-file", &pid_path, "--exec-wait-fifo", &path];
    let running = t.runtime(&line(container, &flags, &[script])).spawn();
    eventually("the pid file", || pid_file.exists());
    (running, fifo)
}

fn write_program(bundle: &Bundle, text: &str) {
    let path = bundle.in_rootfs("/opt/script");
    fs::write(&path, text).expect("write a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
}

fn the_exit_status_of_a_held_program_reaches_a_caller_in_the_foreground(t: &Case) {
    let bundle = t.bundle();
    write_program(&bundle, "#!/bin/sh\necho ran; exit 42\n");
    let container = idle(t, &bundle);
    let (running, fifo) = in_the_foreground(t, &container, "/opt/script");
    assert_eq!(running.stdout(), "");
    assert_eq!(read(&fifo), "0");
    running.wait().exits(42).prints("ran");
}

fn a_held_program_that_is_missing_is_told_to_a_caller_in_the_foreground(t: &Case) {
    let bundle = t.bundle();
    write_program(&bundle, "#!/no/such/interpreter\n");
    let container = idle(t, &bundle);
    let (running, fifo) = in_the_foreground(t, &container, "/opt/script");
    read(&fifo);
    running.wait().exits(127).says("no such file or directory");
}

fn a_signal_ends_the_wait_in_the_foreground(t: &Case) {
    let container = idle(t, &t.bundle());
    let (running, _) = in_the_foreground(t, &container, "/bin/true");
    running.signal(Signal::SIGTERM);
    running.wait().exits(128 + 15);
    shell(t, &container, &[], "ps | grep -c '[t]rue'").prints("0");
}

fn a_fifo_that_is_removed_ends_the_process(t: &Case) {
    let container = idle(t, &t.bundle());
    let (running, fifo) = in_the_foreground(t, &container, "/bin/true");
    fs::remove_file(fifo).expect("remove the fifo");
    running.wait().exits(1).says("the fifo was removed");
}

fn what_is_no_fifo_is_refused(t: &Case) {
    let container = idle(t, &t.bundle());
    let (file, missing) = (t.file("file", ""), t.path("missing"));
    for (path, why) in [(&file, "fifo"), (&missing, "no such file")] {
        let flags = ["--exec-wait-fifo", &path.display().to_string()];
        exec(t, &container, &flags, &["/bin/echo", "ran"]).exits(1).says(why).prints("");
    }
}

fn a_held_process_ends_with_its_container(t: &Case) {
    let held = held(t, &t.bundle(), &[]);
    held.container.delete_by_force().ok();
    eventually("the process ends", || !Path::new(&format!("/proc/{}", held.pid)).exists());
}

fn a_program_held_by_its_pidfd_runs_at_a_word(t: &Case) {
    let socket = t.path("receiver");
    let receiver = Receiver::listen(&socket);
    for bundle in [t.bundle(), t.bundle().user_namespace(100_000)] {
        let container = idle(t, &bundle);
        let flags = ["--detach", "--pidfd-socket", &socket.display().to_string(), "--exec-wait-pidfd"];
        shell(t, &container, &[&flags[..], &["--user", "1000:1000"]].concat(), SCRIPT).ok();
        let mut received = receiver.next();
        let held = Held { container, fifo: PathBuf::new(), pid: received.pid() };
        assert_eq!(held.ran(t), "", "before");
        assert!(received.is_silent(), "the connection is open while it waits");
        received.answer("g");
        received.wait_for_end();
        held.wait_until_it_runs(t, "1000");
    }
}

fn a_program_held_by_its_pidfd_never_runs_without_its_receiver(t: &Case) {
    let socket = t.path("receiver");
    let receiver = Receiver::listen(&socket);
    let container = idle(t, &t.bundle());
    let flags = ["--pidfd-socket", &socket.display().to_string(), "--exec-wait-pidfd"];
    let running = t.runtime(&line(&container, &flags, &["/bin/echo", "ran"])).spawn();
    drop(receiver.next());
    running.wait().exits(1).says("receiver").prints("");
    let detached = [&["--detach"], &flags[..]].concat();
    exec(t, &container, &detached, &["/bin/sleep", "297"]).ok();
    let received = receiver.next();
    let pid = received.pid();
    drop(received);
    eventually("the process ends", || !Path::new(&format!("/proc/{pid}")).exists());
}

fn a_hold_by_pidfd_needs_a_receiver(t: &Case) {
    let container = idle(t, &t.bundle());
    let output = exec(t, &container, &["--exec-wait-pidfd"], &["/bin/echo", "ran"]);
    output.fails().says("--pidfd-socket").prints("");
}

fn an_ordinary_user_holds_a_program(t: &Case) {
    t.become_ordinary_user();
    let held = held(t, &t.bundle(), &[]);
    assert_eq!(held.ran(t), "", "before");
    assert_eq!(read(&held.fifo), "0");
    held.wait_until_it_runs(t, "0");
}
