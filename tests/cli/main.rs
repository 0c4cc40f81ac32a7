//! The command line as callers write it, without running anything.

mod help;
mod managers;
mod spelling;
mod values;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use tierce::cli::*;

fn parse_os(args: Vec<OsString>) -> Result<Invocation, Exit> {
    parse(std::iter::once("tierce".into()).chain(args))
}

/// Words between blanks.
fn parse_line(line: &str) -> Result<Invocation, Exit> {
    parse_os(line.split_whitespace().map(OsString::from).collect())
}

#[track_caller]
fn ok(line: &str) -> Invocation {
    parse_line(line).unwrap_or_else(|exit| panic!("{line}: {}", exit.text()))
}

/// The first line of the error.
#[track_caller]
fn refused(line: &str) -> String {
    refused_os(&line.split_whitespace().collect::<Vec<_>>())
}

/// The same of words that may have blanks in them.
#[track_caller]
fn refused_os(words: &[&str]) -> String {
    let line = words.join(" ");
    match parse_os(words.iter().map(OsString::from).collect()) {
        Err(exit @ Exit::Refuse { .. }) => {
            assert_eq!(exit.status(), 1, "{line}");
            let text = exit.text();
            assert!(text.starts_with("tierce: ") && text.ends_with('\n'), "{text}");
            text["tierce: ".len()..].lines().next().unwrap().to_owned()
        }
        other => panic!("{line} is accepted: {other:?}"),
    }
}

#[track_caller]
fn printed(line: &str) -> String {
    match parse_line(line) {
        Err(exit @ Exit::Print(_)) => {
            assert_eq!(exit.status(), 0, "{line}");
            exit.text()
        }
        other => panic!("{line} prints nothing: {other:?}"),
    }
}

#[track_caller]
fn create(line: &str) -> CreateOptions {
    match ok(line).command {
        Command::Create(options) => options,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn run(line: &str) -> RunOptions {
    match ok(line).command {
        Command::Run(options) => options,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn kill(line: &str) -> KillOptions {
    match ok(line).command {
        Command::Kill(options) => options,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn exec(line: &str) -> ExecOptions {
    match ok(line).command {
        Command::Exec(options) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn argv(words: &[&str]) -> ExecProcess {
    ExecProcess::Command(words.iter().map(OsString::from).collect())
}

fn defaults(id: &str) -> CreateOptions {
    CreateOptions {
        id: id.into(),
        bundle: ".".into(),
        config: Config::InBundle,
        console_socket: None,
        pidfd_socket: None,
        pid_file: None,
        no_pivot: false,
        no_new_keyring: false,
        preserve_fds: 0,
    }
}
