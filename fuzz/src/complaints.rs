//! What every error must be: one line, in words, about a place that the reader can find.

use serde_json::Value;
use tierce::error::{Cause, Error};

/// One line, not empty, and without what a terminal would obey.
pub fn is_one_line(text: &str) {
    assert!(!text.trim().is_empty(), "an empty text");
    assert!(!text.chars().any(char::is_control), "not one line: {text:?}");
}

/// An error about `text`, which was called `name`.
pub fn about(error: &Error, name: &str, text: &str) {
    is_one_line(&error.one_line());
    // A mistake has a line of its own.
    error.to_string().lines().for_each(is_one_line);
    match error.cause() {
        Cause::Invalid(mistakes) => {
            assert!(!mistakes.is_empty(), "no mistake: {error}");
            let document: Value = serde_json::from_str(text).unwrap_or_default();
            for mistake in mistakes {
                assert!(!mistake.path.is_empty() && !mistake.text.is_empty(), "{mistake:?}");
                assert!(leads_into(&mistake.path, &document), "no such place: {}", mistake.path);
            }
        }
        Cause::Text(_) => {
            // What was being done may say where.
            let line = error.one_line();
            let why = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&line);
            assert!(says_where(why), "says no place: {line}");
        }
        Cause::Errno(_) => panic!("{name}: an errno without a system call: {error}"),
    }
}

/// The members of a configuration, of a process and of resources: with one of them a place begins.
const BEGINNINGS: &[&str] = &[
    "ociVersion",
    "root",
    "process",
    "hostname",
    "domainname",
    "mounts",
    "linux",
    "hooks",
    "annotations",
    "vm",
];

fn says_where(why: &str) -> bool {
    let first = why.split([':', ' ', '.', '[']).next().unwrap_or_default();
    BEGINNINGS.contains(&first)
        // Of a text that is no JSON, or no object.
        || why.starts_with("line ") && why.contains(" column ")
        || why == "is empty"
        || why.ends_with(" is not an object") || why.ends_with(", not an object")
        // Of the machine.
        || why.starts_with("--systemd-cgroup needs ")
}

/// Does the path lead to a value of the document, or to a member or entry that one could have? Whole sections
/// may be missing, which are as if empty.
fn leads_into(path: &str, document: &Value) -> bool {
    let (mut rest, mut value) = (path, Some(document));
    while !rest.is_empty() {
        let Some((step, after)) = step(rest) else { return false };
        value = match (&step, value) {
            // The ids of `idmap=` and the like: a part of a text.
            (_, None | Some(Value::Null | Value::String(_))) => None,
            (Step::Key(key), Some(Value::Object(members))) => members.get(key),
            (Step::Index(index), Some(Value::Array(entries))) => entries.get(*index),
            // What is of another type is complained of itself.
            (Step::Key(_) | Step::Index(_), Some(_)) => return false,
        };
        rest = after;
    }
    true
}

enum Step {
    Key(String),
    Index(usize),
}

/// The first step of `linux.devices[1].path` or `["a.b"].c`, and what follows it.
fn step(path: &str) -> Option<(Step, &str)> {
    if let Some(rest) = path.strip_prefix("[\"") {
        let mut escaped = false;
        let end = rest.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let key = unescaped(&rest[..end])?;
        return Some((Step::Key(key), rest[end + 1..].strip_prefix(']')?));
    }
    if let Some(rest) = path.strip_prefix('[') {
        let (index, rest) = rest.split_once(']')?;
        return Some((Step::Index(index.parse().ok()?), rest));
    }
    let path = path.strip_prefix('.').unwrap_or(path);
    let end = path.find(['.', '[']).unwrap_or(path.len());
    (end > 0).then(|| (Step::Key(path[..end].to_owned()), &path[end..]))
}

/// A string as `{:?}` writes it, read back.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        plain.push(match chars.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            'u' => {
                let digits: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
            }
            other => other,
        });
    }
    Some(plain)
}
