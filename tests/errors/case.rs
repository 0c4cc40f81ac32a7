//! The form of the cases.
//!
//! A block a case, with an empty line between; a line says by its beginning what it is:
//!
//! ```text
//! # name
//! ? shell       the case is skipped unless this succeeds; `? root`; `? user`: as an ordinary one
//! ! shell       preparation, in the bundle directory
//! - shell       what undoes the preparation, where `delete --force` does not
//! {json}        merge patch (RFC 7396) on the configuration, over as many lines as it likes
//! $ arguments   of tierce, as the shell reads them; else `create -b @TMP/bundle @ID`
//! ~> text       a warning in the log
//! => text       a line of standard error
//! <= text       a line of standard output
//! exit 127      the status, where it is not 1
//! its processes end   those that were there before the command
//! its container goes  all of it
//! ```
//!
//! Text before the first block is for people, but for `? ` lines, which hold for all blocks. `@TMP`
//! stands for the directory of the case, `@ID` for its container, `@PID` for any number.

use serde_json::{Value, json};

/// One situation and what comes of it.
#[derive(Debug, Default)]
pub struct Case {
    pub name: String,
    pub needs: Vec<String>,
    pub preparation: Vec<String>,
    pub tidying: Vec<String>,
    pub patch: Value,
    pub arguments: String,
    pub warnings: Vec<String>,
    pub stderr: Vec<String>,
    pub stdout: Vec<String>,
    pub status: i32,
    pub ends: bool,
    pub goes: bool,
}

impl Case {
    /// All blocks of a file.
    pub fn read(text: &str) -> Vec<Case> {
        let mut blocks = text.split("\n\n");
        let needs = blocks.clone().take_while(|b| !b.starts_with("# ")).flat_map(str::lines);
        let needs: Vec<_> = needs.filter_map(|line| line.strip_prefix("? ")).collect();
        blocks.by_ref().filter(|b| b.starts_with("# ")).map(|b| Case::block(b, &needs)).collect()
    }

    fn block(block: &str, needs: &[&str]) -> Case {
        let mut case = Case {
            status: 1,
            arguments: "create -b @TMP/bundle @ID".into(),
            patch: json!({}),
            ..Case::default()
        };
        case.needs.extend(needs.iter().map(|need| (*need).to_owned()));
        let mut json = String::new();
        for line in block.lines() {
            let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
            match mark {
                "#" => case.name = rest.into(),
                "?" => case.needs.push(rest.into()),
                "!" => case.preparation.push(rest.into()),
                "-" => case.tidying.push(rest.into()),
                "$" => case.arguments = rest.into(),
                "~>" => case.warnings.push(rest.into()),
                "=>" => case.stderr.push(rest.into()),
                "<=" => case.stdout.push(rest.into()),
                "its" if rest == "container goes" => case.goes = true,
                "its" => case.ends = true,
                "exit" => case.status = rest.parse().expect(block),
                _ => json.push_str(line),
            }
        }
        if !json.is_empty() {
            case.patch = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {block}"));
        }
        case
    }

    /// What the log has: the warnings and the error, as one line each.
    pub fn log(&self) -> Vec<String> {
        let mut log = self.warnings.clone();
        let Some((first, rest)) = self.stderr.split_first() else { return log };
        let mut line = first.trim_start_matches("tierce: ").to_owned();
        let (mistakes, hints): (Vec<&str>, Vec<&str>) =
            rest.iter().map(String::as_str).partition(|line| line.starts_with("  "));
        if !mistakes.is_empty() {
            let (what, _) = line.rsplit_once(": ").expect(&self.name);
            let mistakes: Vec<_> = mistakes.iter().map(|mistake| mistake.trim()).collect();
            line = format!("{what}: {}", mistakes.join("; "));
        }
        for hint in hints {
            line = format!("{line} ({hint})");
        }
        log.push(line);
        log
    }
}

/// Are the lines those expected, where `@PID` may be any number?
pub fn same(expected: &[String], got: &[String]) -> bool {
    expected.len() == got.len() && expected.iter().zip(got).all(|(expected, got)| line_is(expected, got))
}

fn line_is(expected: &str, got: &str) -> bool {
    let mut got = got;
    let mut parts = expected.split("@PID");
    let Some(rest) = got.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    got = rest;
    for part in parts {
        let digits = got.bytes().take_while(u8::is_ascii_digit).count();
        match got[digits..].strip_prefix(part) {
            Some(rest) if digits > 0 => got = rest,
            _ => return false,
        }
    }
    got.is_empty()
}

/// RFC 7396.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else { return *target = patch.clone() };
    if !target.is_object() {
        *target = Value::Object(Default::default());
    }
    for (key, patch) in members {
        match patch {
            Value::Null => drop(target.as_object_mut().and_then(|members| members.remove(key))),
            patch => merge(&mut target[key], patch),
        }
    }
}
