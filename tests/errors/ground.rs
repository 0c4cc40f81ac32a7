//! Where a case takes place: a directory with a bundle and a state root, and the proof that nothing is
//! left behind.

use crate::case::{Case, merge, same};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than any command may take: a hang is an error too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who `? user` is, where the tests run as root.
const USER: u32 = 65534;

/// What `!` lines may use beside `$T`, the program with its `--root`.
const PRELUDE: &str = r#"
set -e
until_stopped() { while [ "$($T state @ID | grep -c '"stopped"')" = 0 ]; do sleep 0.01; done; }
stop() { $T kill @ID KILL; until_stopped; }
"#;

/// What there is of a container, or of anything else that a case has made.
#[derive(Debug, PartialEq, Eq, Default)]
struct Traces {
    states: BTreeSet<PathBuf>,
    cgroups: BTreeSet<PathBuf>,
    mounts: Vec<String>,
    processes: BTreeSet<String>,
}

/// One case's own directory, named `@TMP` in its text.
pub struct Ground {
    dir: TempDir,
    id: String,
    program: PathBuf,
}

impl Ground {
    pub fn new() -> Ground {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let dir = tempfile::Builder::new().prefix("tierce-errors-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let id = format!("errors-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        for inside in ["bundle/rootfs/dev", "bundle/rootfs/proc", "bundle/rootfs/sys"] {
            fs::create_dir_all(dir.path().join(inside)).unwrap();
        }
        let pause = dir.path().join("bundle/rootfs/pause");
        fs::write(&pause, pause_program()).unwrap();
        fs::set_permissions(&pause, fs::Permissions::from_mode(0o755)).unwrap();
        Ground { dir, id, program: env!("CARGO_BIN_EXE_tierce").into() }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    fn with_names(&self, text: &str) -> String {
        text.replace("@TMP", self.dir.path().to_str().unwrap()).replace("@ID", &self.id)
    }

    fn without_names(&self, text: &str) -> Vec<String> {
        let text = text.replace(self.dir.path().to_str().unwrap(), "@TMP").replace(&self.id, "@ID");
        text.lines().map(str::to_owned).collect()
    }

    /// What this machine or this user does not have for a case.
    pub fn lacks(&self, case: &Case) -> Option<String> {
        let is_root = is_root();
        let met = |need: &&String| match need.as_str() {
            "root" => is_root,
            "user" => is_root || own_uid() == USER,
            shell => self.shell(&self.with_names(shell)).output().unwrap().status.success(),
        };
        case.needs.iter().find(|need| !met(need)).cloned()
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("sh");
        let tierce = format!("{} --root {}", self.program.display(), self.path("state").display());
        shell.args(["-c", script]).current_dir(self.path("bundle")).env("T", tierce);
        shell.stdin(Stdio::null()).env("XDG_RUNTIME_DIR", self.dir.path());
        shell
    }

    /// Carries the case out; gives what is not as it should be.
    pub fn carry_out(mut self, case: &Case) -> Vec<String> {
        let mut config = default_config();
        merge(&mut config, &case.patch);
        fs::write(self.path("bundle/config.json"), self.with_names(&config.to_string())).unwrap();
        let as_user = is_root() && case.needs.iter().any(|need| need == "user");
        if as_user {
            self.program_for_all();
        }
        let mut wrong = Vec::new();
        if let Err(text) = self.script("preparation", &case.preparation) {
            wrong.push(text);
        } else {
            let mut before = self.traces();
            self.command(case, as_user, &mut wrong);
            if case.ends {
                before.processes.clear();
            }
            if case.goes {
                before = Traces::default();
            }
            // A process that has told its error, or was told one, has not ended yet.
            let patience = if case.ends || before != Traces::default() { 5 } else { 0 };
            self.compare("after the command", &before, patience, &mut wrong);
        }
        wrong.extend(self.script("tidying", &case.tidying).err());
        self.clean_up(&mut wrong);
        self.compare("after delete --force", &Traces::default(), 0, &mut wrong);
        wrong
    }

    /// The build's directory may be closed to the user.
    fn program_for_all(&mut self) {
        let copy = self.path("tierce");
        fs::copy(&self.program, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        self.program = copy;
        std::os::unix::fs::chown(self.dir.path(), Some(USER), Some(USER)).unwrap();
    }

    fn script(&self, what: &str, lines: &[String]) -> Result<(), String> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut shell = self.shell(&self.with_names(&(PRELUDE.to_owned() + &lines.join("\n"))));
        match self.run(&mut shell)? {
            (0, ..) => Ok(()),
            (_, stdout, stderr) => {
                Err(format!("the {what} failed: {}", [stdout, stderr].concat().join("\n")))
            }
        }
    }

    fn command(&self, case: &Case, as_user: bool, wrong: &mut Vec<String>) {
        let log = match case.arguments.contains("--log ") {
            true => "",
            false => "--log @TMP/log --log-format json",
        };
        let line = format!("exec $T {log} {}", case.arguments);
        let mut shell = self.shell(&self.with_names(&line));
        if as_user {
            shell.uid(USER).gid(USER);
        }
        let (status, stdout, stderr) = match self.run(&mut shell) {
            Ok(done) => done,
            Err(text) => return wrong.push(text),
        };
        wrong.extend(differs("exit status", &[case.status.to_string()], &[status.to_string()]));
        wrong.extend(differs("stderr", &case.stderr, &stderr));
        wrong.extend(differs("stdout", &case.stdout, &stdout));
        if !log.is_empty() && wrong.is_empty() {
            wrong.extend(differs("log", &case.log(), &self.log()));
        }
    }

    /// The messages of the log; each line is one JSON object.
    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        let message = |line: &str| match serde_json::from_str::<Value>(line) {
            Ok(entry) => entry["msg"].as_str().unwrap_or(line).to_owned(),
            Err(e) => format!("{e}: {line}"),
        };
        text.lines().flat_map(|line| self.without_names(&message(line))).collect()
    }

    /// Into files: a container that is left behind would keep a pipe open.
    fn run(&self, command: &mut Command) -> Result<(i32, Vec<String>, Vec<String>), String> {
        let (out, err) = (self.path("stdout"), self.path("stderr"));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let status = wait(&mut child);
        let read = |path: &Path| self.without_names(&fs::read_to_string(path).unwrap());
        match status {
            Some(status) => Ok((status, read(&out), read(&err))),
            None => Err(format!("hangs; stderr: {}", read(&err).join("\n"))),
        }
    }

    fn clean_up(&self, wrong: &mut Vec<String>) {
        for state in self.traces().states {
            let id = state.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut delete = self.shell(&format!("exec $T delete --force {id}"));
            match self.run(&mut delete) {
                Ok((0, _, stderr)) if stderr.is_empty() => {}
                other => wrong.push(format!("delete --force: {other:?}")),
            }
        }
    }

    fn compare(&self, when: &str, before: &Traces, patience: u64, wrong: &mut Vec<String>) {
        let deadline = Instant::now() + Duration::from_secs(patience);
        let mut after = self.traces();
        while after != *before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            after = self.traces();
        }
        if after != *before {
            wrong.push(format!("{when} there is\n    {after:?}\n  not\n    {before:?}"));
        }
    }

    fn traces(&self) -> Traces {
        let name = self.dir.path().to_str().unwrap();
        let states = fs::read_dir(self.path("state")).into_iter().flatten().flatten().map(|e| e.path());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut traces = Traces {
            states: states.filter(|p| p.is_dir()).collect(),
            mounts: mounts.lines().filter(|line| line.contains(name)).map(str::to_owned).collect(),
            ..Traces::default()
        };
        find_cgroups(Path::new("/sys/fs/cgroup"), &self.id, &mut traces.cgroups);
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|e| e.file_name().into_string().ok()?.parse::<u32>().ok());
        traces.processes = pids.filter_map(|pid| self.is_ours(pid)).collect();
        traces
    }

    /// Does the process know of this directory, by its environment or its mounts?
    fn is_ours(&self, pid: u32) -> Option<String> {
        let name = self.dir.path().to_str().unwrap();
        let of = |file: &str| {
            let content = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&content).into_owned()
        };
        let knows =
            pid != std::process::id() && (of("environ").contains(name) || of("mountinfo").contains(name));
        let is = format!("{pid} {} {}", of("comm").trim(), of("cmdline").replace('\0', " ").trim());
        // A process that has ended meanwhile has no name any more.
        (knows && Path::new(&format!("/proc/{pid}")).exists()).then_some(is)
    }
}

fn differs(what: &str, expected: &[String], got: &[String]) -> Option<String> {
    let lines = |lines: &[String]| lines.join("\n    ");
    (!same(expected, got)).then(|| format!("{what}:\n    {}\n  not\n    {}", lines(got), lines(expected)))
}

fn find_cgroups(directory: &Path, id: &str, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            if entry.file_name().to_string_lossy().contains(id) {
                found.insert(entry.path());
            }
            find_cgroups(&entry.path(), id, found);
        }
    }
}

fn wait(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return Some(status.code().unwrap_or(-1)),
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                child.wait().unwrap();
                return None;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn own_uid() -> u32 {
    fs::metadata("/proc/self").unwrap().uid()
}

fn is_root() -> bool {
    own_uid() == 0
}

/// Of which the patches of the cases are changes.
fn default_config() -> Value {
    json!({
        "ociVersion": "1.2.0",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/pause"],
            "env": ["PATH=/bin:/sbin"],
            "cwd": "/",
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs"},
        "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}
    })
}

/// A static program that only waits, so that the root filesystem needs nothing else.
fn pause_program() -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    // mov eax, 34 (pause); syscall; jmp back
    const CODE: (u16, &[u8]) = (62, &[0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]);
    #[cfg(target_arch = "aarch64")]
    // mov x0..x3, 0; mov x8, 73 (ppoll); svc 0; b back
    const CODE: (u16, &[u8]) = (
        183,
        &[
            0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2, 0x02, 0x00, 0x80, 0xd2, 0x03, 0x00, 0x80, 0xd2,
            0x28, 0x09, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0xfa, 0xff, 0xff, 0x17,
        ],
    );
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let (machine, code) = CODE;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    let mut put = |bytes: &[u8]| elf.extend_from_slice(bytes);
    // The ELF header (elf(5)): an executable with one program header behind this one.
    [2, machine].iter().for_each(|n| put(&n.to_le_bytes()));
    put(&1u32.to_le_bytes());
    [BASE + HEADERS, 64, 0].iter().for_each(|n| put(&n.to_le_bytes()));
    put(&0u32.to_le_bytes());
    [64u16, 56, 1, 64, 0, 0].iter().for_each(|n| put(&n.to_le_bytes()));
    // PT_LOAD, readable and executable: the whole file.
    [1u32, 5].iter().for_each(|n| put(&n.to_le_bytes()));
    let size = HEADERS + code.len() as u64;
    [0, BASE, BASE, size, size, 0x1000].iter().for_each(|n| put(&n.to_le_bytes()));
    put(code);
    elf
}
