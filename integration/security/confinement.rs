//! Processes that enter a container, and the terminal that they come from.

use super::oracle::{Oracle, ROUNDS, SECRET};
use crate::harness::executed::{exec, idle, line};
use crate::harness::prelude::*;
use crate::harness::pty::Pty;

super::rows!("confinement", [
    an_executed_process_is_watched: "CVE-2016-9962, CVE-2016-8649",
        "A program inside looks for each process that enters, at its fds, its root and its working directory, before it \
         becomes its program. It would find those of the runtime.",
        ["src/child/sandbox.rs" "join", "src/child/identity.rs" "assume", "src/sys/process.rs" "set_dumpable"];
    an_executed_process_is_watched_standing_still: "CVE-2016-9962, CVE-2016-8649",
        "The same with the runtime slowed down where it gives up its capabilities, so that the moment lasts.",
        ["src/child/sandbox.rs" "join", "src/child/identity.rs" "assume", "src/sys/process.rs" "set_dumpable"];
    the_file_of_the_runtime: "CVE-2019-5736",
        "A container with many capabilities opens /proc/PID/exe of processes that enter it, changes its mode and mount, \
         keeps it open until nobody executes it, and then writes.",
        ["src/host/exe.rs" "protect", "src/sys/exe.rs" "become_file"];
    the_runtime_is_the_program: "CVE-2019-5736",
        "The program is `/proc/self/exe`, or a script with it as interpreter, by `run` and by `exec`: the image would \
         choose what the runtime loads, and get hold of its file.",
        ["src/host/exe.rs" "protect", "src/sys/exe.rs" "execute_sealed_copy"];
    the_terminal_of_the_caller: "CVE-2016-10124, CVE-2017-5226",
        "The caller's terminal is the standard input of `run` and `exec`. As controlling terminal, the program would type \
         into the caller's shell (TIOCSTI).",
        ["src/child/mod.rs" "prepare", "src/sys/process.rs" "setsid"];
]);

/// Looks at every process that is the runtime still, without end. Its own name and arguments are no such words.
const WATCH: &str = "while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] && continue; \
    c=$(tr '\\0' ' ' 2>/dev/null <$p/cmdline); case $c in *--root*|*runc*init*) ;; *) continue;; esac; \
    echo met $c; \
    for f in $p/fd/*; do case ${f##*/} in [012*]) ;; *) l=$(readlink $f) && echo reached $f, which is $l;; esac; done; \
    for d in root cwd fd/3 fd/4 fd/5 fd/6 fd/7; do for up in '' /../../../../../../../../../..; do \
        grep -qs SECRET $p/$d$up/VICTIM && echo reached the host through $p/$d; done; done; \
    grep -qs SECRET $p/environ && echo reached the environment of the caller; done; done 2>/dev/null";

/// A container that watches, with the capabilities that most have.
fn watching<'c>(t: &'c Case, oracle: &Oracle) -> Container<'c> {
    let bundle = t.bundle().capabilities(&["CAP_DAC_OVERRIDE", "CAP_SYS_CHROOT", "CAP_SETUID", "CAP_CHOWN"]);
    let watch = WATCH.replace("SECRET", SECRET).replace("/VICTIM", &oracle.path("secret"));
    fs::write(bundle.in_rootfs("/opt/watch"), watch).expect("write");
    t.launch(&bundle.args(&["/bin/sh", "/opt/watch"]))
}

/// By the program's own word; what it prints is cut where it is written just now.
#[track_caller]
fn nothing_reached(container: &Container) {
    let said = container.stdout();
    let reached: Vec<&str> = said.lines().filter(|line| line.starts_with("reached")).take(5).collect();
    assert!(reached.is_empty(), "{reached:?}");
}

fn an_executed_process_is_watched(t: &Case) {
    let oracle = Oracle::new(t);
    let container = watching(t, &oracle);
    for _ in 0..ROUNDS {
        t.runtime(&line(&container, &[], &["/bin/true"])).env("HOST", SECRET).run().ok();
    }
    nothing_reached(&container);
    oracle.check(t);
}

fn an_executed_process_is_watched_standing_still(t: &Case) {
    let oracle = Oracle::new(t);
    let container = watching(t, &oracle);
    let before = container.stdout().matches("met ").count();
    for call in ["capset", "setresuid,setuid", "fchdir,chdir", "prctl"] {
        let line = line(&container, &[], &["/bin/true"]);
        let output = t.runtime(&line).slow_after_by(call, 30_000).env("HOST", SECRET).run();
        if output.stderr.contains("strace") {
            t.skip("needs strace");
        }
        output.ok();
    }
    assert!(container.stdout().matches("met ").count() > before, "the program has seen nobody");
    nothing_reached(&container);
    oracle.check(t);
}

fn the_file_of_the_runtime(t: &Case) {
    crate::runtime_file::a_container_cannot_change_the_file_of_the_runtime(t);
}

fn the_runtime_is_the_program(t: &Case) {
    let oracle = Oracle::new(t);
    let before = fs::read(&t.host.runtime).expect("the file of the runtime");
    let bundle = t.bundle().writable();
    fs::write(bundle.in_rootfs("/opt/script"), "#!/proc/self/exe\n").expect("write");
    fs::set_permissions(bundle.in_rootfs("/opt/script"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("chmod");
    // What a dynamic runtime would load from the image instead.
    for name in ["lib", "lib64", "lib/x86_64-linux-gnu"] {
        fs::create_dir_all(bundle.in_rootfs(&format!("/{name}"))).expect("make a directory");
        for lib in ["libc.so.6", "libseccomp.so.2", "libcap.so.2", "libyajl.so.2", "libsystemd.so.0"] {
            fs::copy(t.host.work.join("busybox"), bundle.in_rootfs(&format!("/{name}/{lib}"))).expect("copy");
        }
    }
    let container = idle(t, &bundle);
    for args in [&["/proc/self/exe"][..], &["/opt/script"], &["/proc/self/exe", "--version"]] {
        let output = t.run(&bundle.clone().args(args));
        oracle.check_after(t, &output);
        let output = exec(t, &container, &[], args);
        oracle.check_after(t, &output);
    }
    assert!(
        fs::read(&t.host.runtime).expect("read it again") == before,
        "the file of the runtime has changed"
    );
}

fn the_terminal_of_the_caller(t: &Case) {
    let oracle = Oracle::new(t);
    let pty = Pty::new(t, 24, 80);
    // Field 7 of proc_pid_stat(5) is the controlling terminal.
    let script = "set -- $(cat /proc/self/stat); \
        [ $7 = 0 ] || echo reach''ed the terminal $7; (exec </dev/tty) 2>/dev/null && echo reach''ed /dev/tty; echo the end";
    let bundle = t.bundle();
    let run = t.command_line("run", &bundle.clone().sh(script), &[], &t.id());
    // As in a shell's session, which has the terminal.
    let call = |line: &[&str]| t.runtime(line).through_busybox(&["setsid", "-c"]).terminal(pty.slave()).run();
    call(&run.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    pty.wait_for("the end");
    let container = idle(t, &bundle);
    call(&line(&container, &[], &["/bin/sh", "-c", script])).ok();
    crate::harness::eventually("both programs have ended", || pty.printed().matches("the end").count() > 1);
    let printed = pty.printed();
    let reached: Vec<&str> = printed.lines().filter(|line| line.contains("reached")).collect();
    assert!(reached.is_empty(), "{reached:?}");
    oracle.check(t);
}
