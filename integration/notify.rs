//! `$NOTIFY_SOCKET`: a container tells the service manager that it is ready (sd_notify(3)).

use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;

use crate::harness::prelude::*;

cases!("notify", root: [
    start_waits_until_the_container_is_ready,
    a_detached_run_waits_until_the_container_is_ready,
    run_in_the_foreground_carries_all_that_the_container_says,
    start_returns_when_the_container_ends_without_being_ready,
    only_what_is_for_the_manager_is_passed_on,
    a_container_in_a_user_namespace_notifies,
    a_user_in_the_container_notifies,
    the_socket_of_the_manager_may_have_a_long_path,
    the_socket_of_the_manager_may_be_an_abstract_one,
    without_a_manager_there_is_no_socket,
    a_manager_that_is_not_there_is_an_error,
]);

/// A service manager: it collects what it is told.
struct Manager {
    path: String,
    messages: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    fn at(path: &Path) -> Manager {
        let dir = fs::File::open(path.parent().expect("a directory")).expect("open the directory");
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        let short = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
        Manager::serve(UnixDatagram::bind(short).expect("bind"), path.display().to_string())
    }

    fn of(t: &Case) -> Manager {
        Manager::at(&t.path("manager"))
    }

    fn serve(socket: UnixDatagram, path: String) -> Manager {
        let messages = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&messages);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            // Fds that come along are closed, as a barrier wants it.
            while let Ok(n) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                sink.lock().expect("lock").push(text);
            }
        });
        Manager { path, messages }
    }

    fn lines(&self) -> Vec<String> {
        let messages = self.messages.lock().expect("lock");
        messages.iter().flat_map(|m| m.lines()).map(str::to_string).collect()
    }

    #[track_caller]
    fn wait_for(&self, line: &str) {
        eventually(&format!("{line:?} at the manager, which has {:?}", self.lines()), || {
            self.lines().iter().any(|l| l == line)
        });
    }
}

/// A program of busybox and a sender: `nc` of busybox knows no datagram sockets.
fn sender(t: &Case) -> PathBuf {
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        t.skip("needs python3 to send from the container");
    }
    python.to_path_buf()
}

/// Sends what stands in `NOTE` into the socket of the container, from outside but in its mounts.
fn say(t: &Case, pid: i32, note: &str) {
    let script = "import os, socket, sys\n\
        fd = os.open(f'/proc/{sys.argv[1]}/root/run/notify', os.O_PATH)\n\
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
        s.connect(f'/proc/self/fd/{fd}/notify.sock')\n\
        s.send(sys.argv[2].encode())\n";
    let status = crate::harness::child_process::succeeds(std::process::Command::new(sender(t)).args([
        "-c",
        script,
        &pid.to_string(),
        note,
    ]));
    assert!(status, "send {note:?}");
}

fn the_bundle(t: &Case) -> Bundle {
    t.bundle().sh("echo $NOTIFY_SOCKET; trap 'exit 0' TERM; while :; do sleep 0.05; done")
}

fn state(t: &Case, id: &str) -> Value {
    let output = t.runtime(&["state", id]).run();
    if output.status.success() { output.json() } else { Value::Null }
}

fn pid_when_it_listens(t: &Case, id: &str) -> i32 {
    eventually("it runs, and the socket is there", || {
        let state = state(t, id);
        let socket = format!("/proc/{}/root/run/notify/notify.sock", state["pid"]);
        state["status"] == "running" && Path::new(&socket).exists()
    });
    state(t, id)["pid"].as_i64().expect("a pid") as i32
}

fn start_waits_until_the_container_is_ready(t: &Case) {
    let manager = Manager::of(t);
    let id = t.id();
    let create = t.command_line("create", &the_bundle(t), &[], &id);
    let output = t.runtime(&create).env("NOTIFY_SOCKET", &manager.path).run();
    output.ok();
    let starting = t.runtime(&["start", &id]).env("NOTIFY_SOCKET", &manager.path).spawn();
    let pid = pid_when_it_listens(t, &id);
    say(t, pid, "STATUS=almost");
    manager.wait_for("STATUS=almost");
    assert!(!manager.lines().iter().any(|line| line.starts_with("MAINPID")));
    say(t, pid, "READY=1");
    starting.wait().ok();
    manager.wait_for("READY=1");
    manager.wait_for(&format!("MAINPID={pid}"));
    let printed = fs::read_to_string(&output.stdout_path).expect("the output");
    assert_eq!(printed, "/run/notify/notify.sock\n");
}

fn a_detached_run_waits_until_the_container_is_ready(t: &Case) {
    let manager = Manager::of(t);
    let id = t.id();
    let run = t.command_line("run", &the_bundle(t), &["--detach"], &id);
    let running = t.runtime(&run).env("NOTIFY_SOCKET", &manager.path).spawn();
    let pid = pid_when_it_listens(t, &id);
    say(t, pid, "READY=1");
    running.wait().ok();
    manager.wait_for(&format!("MAINPID={pid}"));
    assert_eq!(state(t, &id)["status"], "running");
}

fn run_in_the_foreground_carries_all_that_the_container_says(t: &Case) {
    let manager = Manager::of(t);
    let id = t.id();
    let run = t.command_line("run", &the_bundle(t), &[], &id);
    let running = t.runtime(&run).env("NOTIFY_SOCKET", &manager.path).spawn();
    let pid = pid_when_it_listens(t, &id);
    for message in ["READY=1\nSTATUS=fine", "WATCHDOG=1", "RELOADING=1", "STATUS=one more", "STOPPING=1"] {
        say(t, pid, message);
        message.lines().for_each(|line| manager.wait_for(line));
    }
    manager.wait_for(&format!("MAINPID={}", running.pid()));
    running.signal(Signal::SIGTERM);
    running.wait().ok();
}

fn start_returns_when_the_container_ends_without_being_ready(t: &Case) {
    let manager = Manager::of(t);
    let id = t.id();
    let bundle = t.bundle().sh("exit 3");
    let create = t.command_line("create", &bundle, &[], &id);
    t.runtime(&create).env("NOTIFY_SOCKET", &manager.path).run().ok();
    t.runtime(&["start", &id]).env("NOTIFY_SOCKET", &manager.path).run().ok();
    assert_eq!(manager.lines(), [] as [&str; 0]);
}

fn only_what_is_for_the_manager_is_passed_on(t: &Case) {
    let manager = Manager::of(t);
    let id = t.id();
    let run = t.command_line("run", &the_bundle(t), &[], &id);
    let running = t.runtime(&run).env("NOTIFY_SOCKET", &manager.path).spawn();
    let pid = pid_when_it_listens(t, &id);
    say(t, pid, "MAINPID=1\nSTATUS=one\nFDSTORE=1\nNOTIFYACCESS=all\nX=y");
    say(t, pid, "MAINPID=1");
    say(t, pid, "STATUS=two");
    manager.wait_for("STATUS=two");
    assert_eq!(manager.lines(), ["STATUS=one", "STATUS=two"]);
    running.signal(Signal::SIGTERM);
    running.wait().ok();
}

fn notifies(t: &Case, bundle: &Bundle, manager: &Manager) {
    let id = t.id();
    let run = t.command_line("run", bundle, &["--detach"], &id);
    let running = t.runtime(&run).env("NOTIFY_SOCKET", &manager.path).spawn();
    let pid = pid_when_it_listens(t, &id);
    say(t, pid, "READY=1");
    running.wait().ok();
    manager.wait_for("READY=1");
}

fn a_container_in_a_user_namespace_notifies(t: &Case) {
    let bundle = the_bundle(t).user_namespace(100_000);
    // Root of the namespace cannot make it: the files are another's.
    fs::create_dir_all(bundle.in_rootfs("/run/notify")).expect("make a directory");
    notifies(t, &bundle, &Manager::of(t));
}

fn a_user_in_the_container_notifies(t: &Case) {
    let bundle = the_bundle(t).set("/process/user", json!({"uid": 1000, "gid": 1000}));
    let manager = Manager::of(t);
    let id = t.id();
    let script = "echo $NOTIFY_SOCKET; test -w /run/notify/notify.sock && test ! -w /run/notify && echo writable; \
                  touch /run/notify/x 2>/dev/null || echo closed; sleep 300";
    let run = t.command_line("run", &bundle.sh(script), &[], &id);
    let running = t.runtime(&run).env("NOTIFY_SOCKET", &manager.path).spawn();
    running.wait_for("/run/notify/notify.sock\nwritable\nclosed\n");
    t.runtime(&["kill", &id, "KILL"]).run().ok();
    running.wait().exits(137);
}

fn the_socket_of_the_manager_may_have_a_long_path(t: &Case) {
    let manager = Manager::at(&t.path(&format!("{0}/{0}/manager", "x".repeat(100))));
    notifies(t, &the_bundle(t), &manager);
}

fn the_socket_of_the_manager_may_be_an_abstract_one(t: &Case) {
    let name = format!("tierce-it-{}-{}", std::process::id(), t.id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let socket = UnixDatagram::bind_addr(&address).expect("bind");
    notifies(t, &the_bundle(t), &Manager::serve(socket, format!("@{name}")));
}

fn without_a_manager_there_is_no_socket(t: &Case) {
    t.run(&t.bundle().sh("echo ${NOTIFY_SOCKET-none}; ls -d /run/notify 2>/dev/null")).fails().prints("none");
}

fn a_manager_that_is_not_there_is_an_error(t: &Case) {
    let line = t.command_line("run", &t.bundle().sh("echo ran"), &[], &t.id());
    let missing = t.path("missing");
    t.runtime(&line).env("NOTIFY_SOCKET", &missing).run().fails().says("NOTIFY_SOCKET").prints("");
    t.assert_no_side_effects();
}
