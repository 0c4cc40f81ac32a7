//! `ps`: the processes of a container, by their pids on the host, or as the host's ps(1) shows them.

use super::Env;
use crate::cli::{ListFormat, PsOptions};
use crate::error::{Context, Error, Result};
use crate::host::processes;
use crate::state;
use std::ffi::OsString;
use std::process::{Command, Output, Stdio};

/// Prints them.
///
/// # Errors
/// ps(1) is not there, or prints no pids.
pub fn run(env: &Env, options: &PsOptions) -> Result<()> {
    ps(env, options).context(|| format!("ps {}", options.id))
}

fn ps(env: &Env, options: &PsOptions) -> Result<()> {
    let state = state::open(&env.root, &options.id)?.read_complete(&options.id)?;
    let pids = processes::of(&state)?;
    match options.format {
        ListFormat::Json => super::print(&format!("{}\n", serde_json::json!(pids))),
        ListFormat::Table => super::print(&only(&listed(&options.ps)?, &pids)?),
    }
}

/// What ps(1) prints of all processes.
fn listed(args: &[OsString]) -> Result<String> {
    let default = [OsString::from("-ef")];
    let args = if args.is_empty() { &default } else { args };
    let Output { status, stdout, stderr } =
        Command::new("ps").args(args).stdin(Stdio::null()).output().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::new("ps: executable file not found in $PATH")
                .hint("the table is made by the host's ps; --format json does without"),
            _ => Error::io("ps", &e),
        })?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&stderr);
    let first = words.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(Error::new(format!("ps: {status}: {}", first.trim())))
}

/// The title and the lines with one of these pids.
fn only(table: &str, pids: &[i32]) -> Result<String> {
    let (title, rows) = table.split_once('\n').unwrap_or((table, ""));
    let Some(column) = title.split_whitespace().position(|name| name == "PID") else {
        return Err(Error::new("ps: has no column PID")
            .hint("its options must ask for it, such as `-o pid,comm`; --format json does without"));
    };
    let is_ours = |row: &&str| {
        let pid = row.split_whitespace().nth(column).and_then(|cell| cell.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    Ok([title].into_iter().chain(rows.lines().filter(is_ours)).flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rows_of_the_container_are_shown() {
        let table = "USER   PID COMMAND\nroot     1 init\nroot    12 sh -c 1\nroot   121 x\n";
        assert_eq!(only(table, &[12]).unwrap(), "USER   PID COMMAND\nroot    12 sh -c 1\n");
        assert_eq!(only(table, &[]).unwrap(), "USER   PID COMMAND\n");
        assert!(only("COMMAND\ninit\n", &[1]).is_err());
    }
}
