//! The program: argv, environment, where it is looked for.

use super::identity::Identity;
use super::lsm::{self, Lsm};
use super::path::InRoot;
use super::scheduling::Scheduling;
use super::{Facts, seccomp};
use crate::error::Result;
use crate::spec::config;
use crate::sys::exec::CStringArray;
use crate::sys::terminal::Size;
use std::collections::HashSet;
use std::ffi::CString;

/// The process to become.
#[derive(Debug)]
pub struct Process {
    /// argv
    pub args: CStringArray,
    /// envp; `HOME` is open unless it is configured, for what the container's /etc/passwd says.
    pub env: CStringArray,
    /// Where the program may be: itself if argv[0] has a slash, else once for each directory of the
    /// container's `$PATH`.
    pub candidates: Vec<CString>,
    /// Working directory.
    pub cwd: CString,
    /// The same inside the root, to be made if it is missing.
    pub cwd_in_root: InRoot,
    /// Ids, capabilities, limits.
    pub identity: Identity,
    /// Scheduler, CPUs, memory nodes, personality.
    pub scheduling: Scheduling,
    /// AppArmor and SELinux.
    pub lsm: Lsm,
    /// Give it a terminal, of this size if one is told.
    pub terminal: Option<Terminal>,
    /// System call filter.
    pub seccomp: Option<seccomp::Filter>,
    /// Who gets its notification fd.
    pub listener: Option<seccomp::Listener>,
    /// To be written to /proc/PID/oom_score_adj; `None` where it has that value already.
    pub oom_score_adj: Option<String>,
    /// Name of a new session keyring.
    pub keyring: Option<CString>,
    /// How many fds from 3 on the program inherits.
    pub preserve_fds: u32,
    /// So many of them are sockets to listen on.
    pub listen: Option<Listen>,
}

/// Socket activation (sd_listen_fds(3)). The program is told its own pid in `$LISTEN_PID` when it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// `$LISTEN_FDS`
    pub fds: u32,
    /// `$LISTEN_FDNAMES`
    pub names: Option<String>,
}

/// A pseudo-terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// process.consoleSize
    pub size: Option<Size>,
}

/// What the process depends on beside its own section.
pub struct Around<'a> {
    /// Container id.
    pub id: &'a str,
    /// Its identity.
    pub identity: Identity,
    /// When, where and as what it runs.
    pub scheduling: Scheduling,
    /// The whole configuration, for the filter.
    pub spec: &'a config::Spec,
    /// Host probes.
    pub facts: &'a Facts,
    /// `--no-new-keyring` was not given.
    pub new_keyring: bool,
    /// `--preserve-fds`, and the fds of `listen`.
    pub preserve_fds: u32,
    /// Socket activation.
    pub listen: Option<&'a Listen>,
}

/// Where execvp(3) looks without `$PATH` (confstr(3), `_CS_PATH`), with the sbin directories.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Plans the process.
///
/// # Errors
/// NUL bytes, a seccomp profile that makes no sense.
pub fn plan(process: &config::Process, around: Around) -> Result<Process> {
    let args = process.args.as_deref().unwrap_or_default();
    let strings = |name: &str, list: &[String]| -> Result<Vec<CString>> {
        list.iter().enumerate().map(|(i, s)| super::c_string(&format!("process.{name}[{i}]"), s)).collect()
    };
    let cwd_in_root =
        InRoot::new(&process.cwd).ok_or_else(|| crate::error::Error::new("process.cwd: holds a NUL byte"))?;
    let (seccomp, listener) = seccomp::plan(around.spec)?.unzip();
    let keyring = around.new_keyring.then(|| super::c_string("id", &format!("_ses.{}", around.id)));
    Ok(Process {
        candidates: candidates(args.first().map_or("", |a| a), &process.env)?,
        args: CStringArray::new(strings("args", args)?),
        env: match around.listen {
            None => environment(strings("env", &process.env)?),
            Some(listen) => activated(strings("env", &process.env)?, listen)?,
        },
        cwd: super::c_string("process.cwd", &process.cwd)?,
        cwd_in_root,
        identity: around.identity,
        scheduling: around.scheduling,
        lsm: lsm::plan(process, around.facts.modules)?,
        terminal: process.terminal.then(|| Terminal {
            size: process
                .console_size
                .filter(|s| s.width > 0 || s.height > 0)
                .map(|s| Size { rows: s.height, columns: s.width }),
        }),
        seccomp,
        listener: listener.flatten(),
        oom_score_adj: process
            .oom_score_adj
            .filter(|adj| *adj != around.facts.oom_score_adj)
            .map(|adj| adj.to_string()),
        keyring: keyring.transpose()?,
        preserve_fds: around.preserve_fds,
        listen: around.listen.cloned(),
    })
}

/// What the configuration says of `$LISTEN_…` does not count: the fds are those of the caller.
fn activated(mut entries: Vec<CString>, listen: &Listen) -> Result<CStringArray> {
    entries.retain(|entry| !entry.to_bytes().starts_with(b"LISTEN_PID="));
    entries.push(super::c_string("LISTEN_FDS", &format!("LISTEN_FDS={}", listen.fds))?);
    let names =
        listen.names.iter().map(|n| super::c_string("LISTEN_FDNAMES", &format!("LISTEN_FDNAMES={n}")));
    entries.extend(names.collect::<Result<Vec<_>>>()?);
    Ok(environment(entries).with_own_pid("LISTEN_PID="))
}

/// Of several entries with one name the last one counts, as under the peers; programs would take the
/// first (getenv(3)). `HOME` is always there.
fn environment(entries: Vec<CString>) -> CStringArray {
    let entries = last_of_each_name(entries);
    match entries.iter().any(|entry| entry.to_bytes().starts_with(b"HOME=")) {
        true => CStringArray::new(entries),
        false => CStringArray::with_open(entries, "HOME=", "/"),
    }
}

fn last_of_each_name(entries: Vec<CString>) -> Vec<CString> {
    let mut seen = HashSet::new();
    let name = |entry: &CString| entry.to_bytes().split(|b| *b == b'=').next().unwrap_or(&[]).to_vec();
    let mut kept: Vec<_> = entries.into_iter().rev().filter(|entry| seen.insert(name(entry))).collect();
    kept.reverse();
    kept
}

fn candidates(program: &str, env: &[String]) -> Result<Vec<CString>> {
    if program.contains('/') {
        return Ok(vec![super::c_string("process.args[0]", program)?]);
    }
    let path = env.iter().rev().find_map(|e| e.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let full = |directory: &str| match directory {
        // An empty element is the working directory (environ(7)).
        "" => format!("./{program}"),
        directory => format!("{directory}/{program}"),
    };
    path.split(':').map(|d| super::c_string("process.env PATH", &full(d))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_entries_with_one_name_the_last_one_counts() {
        let entries = ["A=1", "B=2", "A=3=x", "AB=4", "B="].map(|e| CString::new(e).unwrap());
        let kept = last_of_each_name(entries.to_vec());
        assert_eq!(kept, ["A=3=x", "AB=4", "B="].map(|e| CString::new(e).unwrap()));
    }

    #[test]
    fn a_home_is_looked_up_unless_it_is_configured() {
        let open = |entry: &str| environment(vec![CString::new(entry).unwrap()]).is_open();
        assert!(open("HOMES=/x") && open("A=HOME=/x"));
        assert!(!open("HOME=/x") && !open("HOME="));
    }

    #[test]
    fn the_program_is_looked_for_in_the_path_of_the_container() {
        let env = ["PATH=/a::/b".to_owned()];
        let found = candidates("x", &env).unwrap();
        assert_eq!(found, [c"/a/x".to_owned(), c"./x".to_owned(), c"/b/x".to_owned()]);
        assert_eq!(candidates("./x", &env).unwrap(), [c"./x".to_owned()]);
        assert!(candidates("sh", &[]).unwrap().contains(&c"/bin/sh".to_owned()));
    }
}
