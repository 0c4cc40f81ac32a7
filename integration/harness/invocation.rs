//! One bounded call of the runtime.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use nix::sys::signal::Signal;

use super::PATIENCE;
use super::case::Case;
use super::child_process::ChildProcess;

/// A call that is being put together.
pub struct Invocation<'c> {
    case: &'c Case,
    prefix: Vec<OsString>,
    globals: Vec<OsString>,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    stdin: Option<PathBuf>,
    log: Option<PathBuf>,
    terminal: Option<File>,
}

impl<'c> Invocation<'c> {
    pub(super) fn new<S: AsRef<OsStr>>(case: &'c Case, args: &[S]) -> Invocation<'c> {
        Invocation {
            case,
            prefix: Vec::new(),
            globals: ["--root".into(), case.state_root.clone().into()]
                .into_iter()
                .chain(case.globals.borrow().iter().map(OsString::from))
                .collect(),
            args: args.iter().map(|arg| arg.as_ref().to_owned()).collect(),
            envs: Vec::new(),
            cwd: case.dir.clone(),
            stdin: None,
            log: None,
            terminal: None,
        }
    }

    /// Replaces the global flags, which are `--root DIR`.
    pub fn globals<S: AsRef<OsStr>>(mut self, flags: &[S]) -> Self {
        self.globals = flags.iter().map(|flag| flag.as_ref().to_owned()).collect();
        self
    }

    /// Adds global flags.
    pub fn global<S: AsRef<OsStr>>(mut self, flags: &[S]) -> Self {
        self.globals.extend(flags.iter().map(|flag| flag.as_ref().to_owned()));
        self
    }

    /// Adds `--log FILE --log-format FORMAT`.
    pub fn log(mut self, format: &str) -> Self {
        let path = self.case.dir.join(format!("log{}", self.case.next_file()));
        self.globals.extend(["--log".into(), path.clone().into(), "--log-format".into(), format.into()]);
        self.log = Some(path);
        self
    }

    /// Lets `busybox ARGS RUNTIME …` call the runtime.
    pub fn through_busybox(mut self, args: &[&str]) -> Self {
        self.prefix = vec![self.case.host.busybox.clone().into()];
        self.prefix.extend(args.iter().map(OsString::from));
        self
    }

    /// Lets a shell run `script`, which has the runtime and its arguments as `"$@"`.
    pub fn through_shell(self, script: &str) -> Self {
        self.through_busybox(&["sh", "-c", script, "sh"])
    }

    /// Keeps it and its children standing for a while after each such system call: who races with them wins.
    pub fn slow_after(self, call: &str) -> Self {
        self.slow_after_by(call, 300_000)
    }

    /// The same, by so many microseconds.
    pub fn slow_after_by(self, call: &str, delay: u32) -> Self {
        self.through_shell(&format!(
            "exec strace -f -qq -o /dev/null -e trace={call} -e inject={call}:delay_exit={delay} \"$@\""
        ))
    }

    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((key.into(), value.as_ref().into()));
        self
    }

    pub fn cwd(mut self, dir: &Path) -> Self {
        self.cwd = dir.to_owned();
        self
    }

    /// Standard input comes from this file, not `/dev/null`.
    pub fn stdin(mut self, file: &Path) -> Self {
        self.stdin = Some(file.to_owned());
        self
    }

    /// All three standard streams are this terminal.
    pub fn terminal(mut self, slave: File) -> Self {
        self.terminal = Some(slave);
        self
    }

    /// Calls it and waits; panics if it hangs.
    #[track_caller]
    pub fn run(self) -> Output {
        self.spawn().wait()
    }

    /// The same, but an error text if it hangs.
    pub fn try_run(self) -> Result<Output, String> {
        self.spawn().try_wait()
    }

    /// Calls it and does not wait.
    #[track_caller]
    pub fn spawn(self) -> Running<'c> {
        let case = self.case;
        let number = case.next_file();
        let [stdout, stderr] = ["out", "err"].map(|name| case.dir.join(format!("{name}{number}")));
        let from = case.from.borrow();
        let (mut argv, user_is_set) = from.prefix(case.user.get(), &case.host.busybox);
        argv.extend(self.prefix.iter().cloned());
        argv.push(case.host.runtime.clone().into());
        argv.extend(self.globals.iter().chain(&self.args).cloned());
        let record = Record {
            argv: show(&argv),
            status: "still running".to_string(),
            files: [Some(stdout.clone()), Some(stderr.clone()), self.log.clone()],
        };
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(from.envs()).envs(self.envs.iter().map(|(k, v)| (k, v))).current_dir(&self.cwd);
        if let Some((uid, gid)) = case.user.get().filter(|_| !user_is_set) {
            command.uid(uid).gid(gid);
        }
        self.streams(&mut command, &stdout, &stderr);
        let index = case.remember(record);
        let child = ChildProcess::spawn(&mut command).unwrap_or_else(|e| panic!("{}: {e}", show(&argv)));
        Running { case, child, index, argv: show(&argv), stdout, stderr, log: self.log, done: false }
    }

    fn streams(&self, command: &mut Command, stdout: &Path, stderr: &Path) {
        let [out, err] = [stdout, stderr].map(|path| {
            let file = File::create(path).expect("make a file for the output");
            self.case.give(path);
            file
        });
        if let Some(slave) = &self.terminal {
            let clone = || Stdio::from(slave.try_clone().expect("dup of the terminal"));
            command.stdin(clone()).stdout(clone()).stderr(clone());
            return;
        }
        let input = self.stdin.as_deref().unwrap_or(Path::new("/dev/null"));
        command.stdin(File::open(input).expect("open the standard input")).stdout(out).stderr(err);
    }
}

/// A call that has not been waited for; dropping it kills it.
pub struct Running<'c> {
    case: &'c Case,
    child: ChildProcess,
    index: usize,
    argv: String,
    stdout: PathBuf,
    stderr: PathBuf,
    log: Option<PathBuf>,
    done: bool,
}

impl Running<'_> {
    /// Of the runtime (or what it is called through).
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// What it has printed up to now.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// Waits until it has printed `text`.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        super::eventually(&format!("{:?} in the output", text), || self.stdout().contains(text));
    }

    /// Waits for its end; panics if that does not come.
    #[track_caller]
    pub fn wait(self) -> Output {
        self.try_wait().unwrap_or_else(|hung| panic!("{hung}"))
    }

    /// Waits for its end; an error text if that does not come.
    pub fn try_wait(mut self) -> Result<Output, String> {
        let Some(status) = self.child.wait(PATIENCE) else {
            return Err(format!("hung: {} did not end within {PATIENCE:?}", self.argv));
        };
        self.done = true;
        self.case.remember_status(self.index, describe(status));
        Ok(Output {
            argv: self.argv.clone(),
            status,
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
            log: self.log.as_deref().map(read).unwrap_or_default(),
            stdout_path: self.stdout.clone(),
        })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.case.remember_status(self.index, "killed by the harness".to_string());
        }
    }
}

/// What came of a call.
#[derive(Debug)]
pub struct Output {
    pub argv: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// The content of the file of `--log`, if [`Invocation::log`] was used.
    pub log: String,
    /// A container that outlives the call goes on writing here.
    pub stdout_path: PathBuf,
}

impl Output {
    /// Exit status 0.
    #[track_caller]
    pub fn ok(&self) -> &Output {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(&self, code: i32) -> &Output {
        let what = format!("{}\nstdout: {}\nstderr: {}", self.argv, self.stdout, self.stderr);
        assert_eq!(describe(self.status), format!("exit status {code}"), "of {what}");
        self
    }

    /// Ends with an exit status other than 0, not by a signal.
    #[track_caller]
    pub fn fails(&self) -> &Output {
        let failed = self.status.code().is_some_and(|code| code != 0);
        assert!(failed, "{}: {}, expected an error", self.argv, describe(self.status));
        self
    }

    /// The error text, on stderr or in the log, contains `text`, upper or lower case.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Output {
        let said = format!("{}{}", self.stderr, self.log);
        let found = said.to_lowercase().contains(&text.to_lowercase());
        assert!(found, "{}: {said:?} does not say {text:?}", self.argv);
        self
    }

    /// Standard output without white space around it.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }

    /// Standard output is `text`, apart from white space around it.
    #[track_caller]
    pub fn prints(&self, text: &str) -> &Output {
        assert_eq!(self.text(), text, "the output of {}\nstderr: {}", self.argv, self.stderr);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|e| panic!("{}: not JSON, {e}: {:?}", self.argv, self.stdout))
    }
}

/// What is kept of every call for the report.
pub struct Record {
    argv: String,
    pub(super) status: String,
    /// stdout, stderr, log.
    files: [Option<PathBuf>; 3],
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    $ {}\n      {}", self.argv, self.status)?;
        for (name, path) in ["stdout", "stderr", "log"].iter().zip(&self.files) {
            let Some(text) = path.as_deref().map(read).filter(|text| !text.is_empty()) else { continue };
            let short: String = text.chars().take(3000).collect();
            short.lines().try_for_each(|line| writeln!(f, "      {name}: {line}"))?;
        }
        Ok(())
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => format!("{status}"),
    }
}

fn show(argv: &[OsString]) -> String {
    let quote = |arg: &OsString| {
        let text = arg.to_string_lossy().into_owned();
        let plain = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "'\"$\\".contains(c));
        if plain { text } else { format!("{text:?}") }
    };
    argv.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
