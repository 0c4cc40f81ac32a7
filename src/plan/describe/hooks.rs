//! The words for a hook that failed.

use crate::error::Error;
use crate::plan::hooks::{Hook, Kind};
use crate::sys::process::Ended;

/// Why a hook failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ended so.
    Ended(Ended),
    /// It was killed because it took too long.
    TookTooLong,
    /// It was killed because this signal came for us.
    Interrupted(i32),
    /// execve(2) refused it.
    NotExecuted(i32),
}

/// The error of a hook; `output` is the end of what it wrote.
pub fn failed(hook: &Hook, fault: Fault, output: &str) -> Error {
    let path = format!("{:?}", hook.path.to_string_lossy());
    let text = match fault {
        Fault::NotExecuted(errno) => return not_executed(hook, &path, errno),
        Fault::Ended(Ended::Exited(status)) => format!("exit status {status}"),
        Fault::Ended(Ended::Killed(signal)) => format!("was killed by signal {signal}"),
        Fault::TookTooLong => {
            format!("was killed after its timeout of {} s", hook.timeout.unwrap_or_default().as_secs())
        }
        Fault::Interrupted(signal) => format!("was killed because signal {signal} came"),
    };
    // It is text of somebody else's, perhaps of the container: escaped, so that it stays on its line.
    let said = if output.is_empty() { String::new() } else { format!("; its output: {output:?}") };
    Error::new(format!("{text}{said}")).context(format!("{} ({path})", hook.location()))
}

fn not_executed(hook: &Hook, path: &str, errno: i32) -> Error {
    let error = Error::errno(format!("{}.path: {path}", hook.location()), errno);
    match (errno, hook.kind) {
        (libc::ENOENT, Kind::StartContainer) => {
            error.hint("it is looked for in the container; a script needs its interpreter there as well")
        }
        (libc::ENOENT, _) => {
            error.hint("it is looked for on the host, and so is the interpreter of a script")
        }
        (libc::ENOEXEC, _) => error.hint("not a program of this machine's kind, or a script without `#!`"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::hooks::plan;
    use crate::spec::config;
    use std::path::Path;

    #[test]
    fn what_a_hook_has_written_stays_on_one_line() {
        let hook = config::Hook { path: "/h".into(), timeout: Some(2), ..config::Hook::default() };
        let hooks = config::Hooks { poststop: vec![hook], ..config::Hooks::default() };
        let plan = plan(&hooks, Path::new("/")).unwrap();
        let text = |fault, output| failed(&plan.of(Kind::Poststop)[0], fault, output).to_string();
        assert_eq!(
            text(Fault::Ended(Ended::Exited(7)), "a\n\u{1b}[2J"),
            r#"hooks.poststop[0] ("/h"): exit status 7; its output: "a\n\u{1b}[2J""#
        );
        assert_eq!(
            text(Fault::TookTooLong, ""),
            r#"hooks.poststop[0] ("/h"): was killed after its timeout of 2 s"#
        );
    }
}
