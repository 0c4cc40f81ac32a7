//! What no attack may change or reach: a directory of the host, kernel parameters, what is mounted where; and the
//! flipper that races are run with.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::harness::mountinfo;
use crate::harness::prelude::*;

/// How often a race is run.
pub const ROUNDS: usize = 500;

/// Nobody inside can know it but from a file of the host.
pub const SECRET: &str = "c0ffee-of-the-host";

/// What a writer inside would change outside, if it could.
const PARAMETERS: [&str; 5] = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/shm_rmid_forced",
    "/proc/sys/net/ipv4/ip_default_ttl",
];

/// A directory of the host that every attack is aimed at, as it was in the beginning.
pub struct Oracle {
    /// Its path, which leads to it from the host's root only.
    pub victim: PathBuf,
    files: BTreeMap<PathBuf, String>,
    parameters: Vec<String>,
    mounts: usize,
}

impl Oracle {
    /// Makes the directory, with what attacks look for: a file to read, one to write to, the names of devices.
    pub fn new(t: &Case) -> Oracle {
        let victim = t.directory("victim");
        fs::write(victim.join("secret"), SECRET).expect("write");
        for name in ["f", "null", "console", "ptmx", "kcore", "passwd"] {
            fs::write(victim.join(name), "of the host").expect("write");
        }
        fs::create_dir_all(victim.join("sub/sub")).expect("make a directory");
        fs::set_permissions(victim.join("sub"), fs::Permissions::from_mode(0o700)).expect("chmod");
        symlink("/dev/null", victim.join("link")).expect("symlink");
        Oracle { files: look(&victim), parameters: parameters(), mounts: mounts_below(t), victim }
    }

    /// `/victim/name`, as text.
    pub fn path(&self, name: &str) -> String {
        self.victim.join(name).display().to_string()
    }

    /// A symbolic link at `at` that leads to the victim from wherever `/` is the host's.
    pub fn link(&self, name: &str, at: &Path) {
        symlink(self.victim.join(name), at).expect("symlink");
    }

    /// A script for inside, which prints `reached` and what, for each way out that works.
    pub fn probe(&self) -> String {
        let secret = self.path("secret");
        // In mountinfo it is relative to its filesystem.
        let parent = self.victim.parent().and_then(Path::file_name).expect("a parent").display();
        let tail = format!("{parent}/victim");
        format!(
            "for d in '' /proc/self/cwd /proc/1/root /proc/1/cwd /proc/self/fd/* /proc/1/fd/*; do \
               for up in '' /../../../../../../../../../..; do \
                 grep -qs {SECRET} $d$up{secret} && echo reached the host through $d; done; done; \
             for fd in /proc/self/fd/*; do [ -L $fd ] || continue; case ${{fd##*/}}$(readlink $fd) in \
               [012][!0-9]*|*pipe:*|*/proc/*) ;; [0-9]|[0-9][0-9]) ;; \
               *) echo reached $(readlink $fd) through $fd;; esac; done; \
             awk 'index($4, \"{tail}\") && !index($4, \"/rootfs/\") {{ print \"reached a mount:\", $0 }}' /proc/self/mountinfo; \
             for g in /sys/fs/cgroup /sys/fs/cgroup/*/; do \
               mkdir $g/escape 2>/dev/null && [ -e $g/escape/cgroup.procs ] && echo reached the cgroup $g; done; \
             find /dev -type b 2>/dev/null | sed 's/^/reached a disk: /'; \
             [ -f /proc/sysrq-trigger ] && (echo >/proc/sysrq-trigger) 2>/dev/null && echo reached sysrq; \
             p=/proc/sys/kernel/core_pattern; [ -s $p ] && c=$(cat $p) && (echo \"$c\" >$p) 2>/dev/null && \
               echo reached core_pattern; true\n",
        )
    }

    /// Nothing of the host has changed.
    #[track_caller]
    pub fn check(&self, t: &Case) {
        let now = look(&self.victim);
        let differs = |path: &&PathBuf| self.files.get(*path) != now.get(*path);
        let changed: BTreeSet<_> = self.files.keys().chain(now.keys()).filter(differs).collect();
        let inside =
            |path: &&PathBuf| path.strip_prefix(&self.victim).expect("below it").display().to_string();
        let names: Vec<String> = changed.iter().map(inside).filter(|name| !name.is_empty()).collect();
        assert!(self.victim.is_dir(), "the directory of the host is gone");
        assert!(changed.is_empty(), "changed on the host: {}", names.join(" "));
        let parameters = parameters();
        self.put_back(&parameters);
        for (path, (before, now)) in PARAMETERS.iter().zip(self.parameters.iter().zip(&parameters)) {
            assert!(before == now, "{path} of the host was {:?} and is {:?}", before.trim(), now.trim());
        }
        assert_eq!(mounts_below(t), self.mounts, "mounts on the host below the directory of the case");
    }

    /// What an attack has changed stays so for nobody else.
    fn put_back(&self, now: &[String]) {
        for (path, (before, now)) in PARAMETERS.iter().zip(self.parameters.iter().zip(now)) {
            if before != now {
                let _ = fs::write(path, before);
            }
        }
    }

    /// The same, and the program has reached nothing: it was refused, or ran inside.
    #[track_caller]
    pub fn check_after(&self, t: &Case, output: &Output) {
        let said = format!("{}{}", output.stdout, output.stderr);
        if let Some(reached) = said.lines().find(|line| line.starts_with("reached") || line.contains(SECRET))
        {
            panic!("{reached}\n{}: {said}", output.argv);
        }
        self.check(t);
    }

    /// Runs the probe in this bundle, which need not work.
    #[track_caller]
    pub fn attack(&self, t: &Case, bundle: &Bundle) -> Output {
        self.attack_with(t, bundle, "")
    }

    /// The same, with another script after the probe.
    #[track_caller]
    pub fn attack_with(&self, t: &Case, bundle: &Bundle, then: &str) -> Output {
        let output = t.run(&bundle.clone().sh(&format!("{}{then}", self.probe())));
        self.check_after(t, &output);
        output
    }

    /// The same again and again, while two paths are exchanged.
    #[track_caller]
    pub fn race(&self, t: &Case, bundle: &Bundle, exchanged: &[PathBuf; 2], then: &str) {
        let flipper = Flipper::new(exchanged);
        let mut ran = 0;
        for _ in 0..ROUNDS {
            ran += usize::from(self.attack_with(t, bundle, then).status.success());
        }
        let flips = flipper.stop();
        println!(
            "         {}: {ran} of {ROUNDS} rounds ran a program, {flips} exchanges meanwhile",
            t.id_prefix
        );
        assert!(flips > ROUNDS as u64, "only {flips} exchanges");
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.put_back(&parameters());
    }
}

/// Every entry with its type, mode, owner, times and content.
fn look(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(path) = waiting.pop() {
        let Ok(meta) = path.symlink_metadata() else { continue };
        let content = match () {
            () if meta.is_symlink() => format!("{:?}", fs::read_link(&path)),
            () if meta.is_file() => format!("{:?}", fs::read(&path)),
            () if meta.is_dir() => {
                waiting.extend(fs::read_dir(&path).expect("read it").flatten().map(|entry| entry.path()));
                String::new()
            }
            () => format!("device {}", meta.rdev()),
        };
        let (mode, changed) = (meta.mode(), (meta.ctime(), meta.ctime_nsec()));
        found.insert(path, format!("{mode:o} {}:{} {changed:?} {content}", meta.uid(), meta.gid()));
    }
    found
}

fn parameters() -> Vec<String> {
    PARAMETERS.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
}

fn mounts_below(t: &Case) -> usize {
    let mounts = mountinfo::of("self").expect("mountinfo");
    mounts.iter().filter(|mount| mount.target.starts_with(&t.dir)).count()
}

/// Exchanges two paths without a pause.
pub struct Flipper {
    stop: Arc<AtomicBool>,
    flips: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Flipper {
    /// Begins; both paths must exist, on one filesystem.
    pub fn new([a, b]: &[PathBuf; 2]) -> Flipper {
        let (stop, flips) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (a, b, told, count) = (a.clone(), b.clone(), Arc::clone(&stop), Arc::clone(&flips));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                renameat2(AT_FDCWD, &a, AT_FDCWD, &b, RenameFlags::RENAME_EXCHANGE).expect("exchange");
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Flipper { stop, flips, thread: Some(thread) }
    }

    /// Ends; gives how often they were exchanged.
    pub fn stop(mut self) -> u64 {
        self.end();
        self.flips.load(Ordering::Relaxed)
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the flipper");
        }
    }
}

impl Drop for Flipper {
    fn drop(&mut self) {
        self.end();
    }
}
