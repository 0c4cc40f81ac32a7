//! What a user sees when something does not work: situations and the exact words for them, from the
//! command line to the exit status. The cases are in the `.txt` files beside this one.

mod case;
mod ground;

use case::Case;
use ground::Ground;
use std::path::Path;

/// Carries out all cases of a file, or those with `$ERRORS_CASE` in their name. Some can only be had as
/// root, or on some machines: these are skipped, with the reason.
fn all(file: &str, least: usize) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors").join(file))
        .unwrap();
    let cases = Case::read(&text);
    assert!(cases.len() >= least, "{} cases", cases.len());
    let (mut failed, mut skipped) = (Vec::new(), 0);
    let only = std::env::var("ERRORS_CASE").ok();
    for case in cases.iter().filter(|case| only.as_ref().is_none_or(|name| case.name.contains(name))) {
        let ground = Ground::new();
        if let Some(needed) = ground.lacks(case) {
            skipped += 1;
            eprintln!("skipped: {}: needs {needed}", case.name);
            continue;
        }
        let wrong = ground.carry_out(case);
        if !wrong.is_empty() {
            failed.push(format!("# {}\n{}\n", case.name, wrong.join("\n")));
        }
    }
    eprintln!("{} cases, {skipped} skipped", cases.len());
    assert!(failed.is_empty(), "{} of {}\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn calls_that_make_no_sense() {
    all("calls.txt", 20);
}

#[test]
fn configurations_that_cannot_be_planned() {
    all("plan.txt", 20);
}

#[test]
fn what_the_host_refuses() {
    all("host.txt", 20);
}

#[test]
fn what_the_child_cannot_do() {
    all("child.txt", 20);
}

#[test]
fn hooks_that_fail() {
    all("hooks.txt", 20);
}

#[test]
fn containers_that_are_not_in_the_right_state() {
    all("lifecycle.txt", 20);
}

#[test]
fn what_a_process_cannot_have() {
    all("process.txt", 20);
}
