//! newuidmap(1) and newgidmap(1): the programs that let an ordinary user map more than the own id, namely
//! the ids that /etc/subuid and /etc/subgid grant (subuid(5)).

use crate::error::{Context, Error, Result};
use crate::plan::namespaces::IdMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where the helpers are if `$PATH` has them not.
const USUAL: &str = "/usr/bin";

/// Lets the helper write a map of the process `pid`.
///
/// # Errors
/// It is not there, or it refuses: in its own words, with the line that would change its mind.
pub(super) fn write(pid: i32, map: &IdMap) -> Result<()> {
    let (name, location) = (map.kind.helper(), map.kind.location());
    let Some(program) = find(name) else {
        let error = Error::new(format!("{location}: {name} is neither in $PATH nor in {USUAL}"));
        return Err(error.hint(format!(
            "without {name}(1) an ordinary user can map the own id only; Debian has it in the package uidmap"
        )));
    };
    let mut command = Command::new(&program);
    command.arg(pid.to_string()).args(map.text.split_whitespace()).env_clear().stdin(Stdio::null());
    let output = command.output().context(|| format!("{location}: {}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    let said = if said.is_empty() { format!("{name}: {}", output.status) } else { said };
    Err(match not_granted(map) {
        None => Error::new(format!("{location}: {said}")),
        Some((index, line)) => Error::new(format!("{location}[{index}]: {said}"))
            .hint(format!("{} would have to grant it: {line}", map.kind.grants())),
    })
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from(USUAL)]);
    directories.filter(|d| d.is_absolute()).map(|d| d.join(name)).find(|program| {
        std::fs::metadata(program).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    })
}

/// The first range that the file of the grants does not have, and the line that is missing there. Grants
/// may also come from elsewhere (nsswitch.conf(5)), so only the helper can say what is allowed.
fn not_granted(map: &IdMap) -> Option<(usize, String)> {
    let (uid, own) = map.caller;
    let text = std::fs::read_to_string(map.kind.grants()).unwrap_or_default();
    let granted = grants(&text, uid, name_of(uid).as_deref());
    let missing = |first: u64, size: u64| {
        (first, size) != (own.into(), 1)
            && !granted.iter().any(|(from, count)| *from <= first && first + size <= from + count)
    };
    map.text.lines().enumerate().find_map(|(i, line)| {
        let mut numbers = line.split(' ').skip(1).filter_map(|n| n.parse::<u64>().ok());
        let (first, size) = (numbers.next()?, numbers.next()?);
        missing(first, size)
            .then(|| (i, format!("{}:{first}:{size}", name_of(uid).unwrap_or(uid.to_string()))))
    })
}

/// First id and number of each range of a user, who is named by name or by number.
fn grants(text: &str, uid: u32, name: Option<&str>) -> Vec<(u64, u64)> {
    let of = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let mine = name == Some(owner) || owner.parse() == Ok(uid);
        let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        mine.then_some(range)
    };
    text.lines().filter_map(of).collect()
}

/// As /etc/passwd has it.
fn name_of(uid: u32) -> Option<String> {
    let text = std::fs::read("/etc/passwd").ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_of_the_name_or_the_number() {
        let text = "alice:100000:65536\n1000:300000:5\nbob:1:2\n\n#x\nalice:nonsense\nalice:7:8:9\n";
        assert_eq!(grants(text, 1000, Some("alice")), [(100_000, 65_536), (300_000, 5), (7, 8)]);
        assert_eq!(grants(text, 1001, None), []);
    }
}
