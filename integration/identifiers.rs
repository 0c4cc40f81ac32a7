//! Which container ids there can be.

use crate::harness::prelude::*;

cases!("identifiers", root: [
    an_id_of_every_allowed_character_works,
    an_id_that_begins_with_a_dash_works_after_two_dashes,
    an_id_with_a_slash_is_refused,
    an_id_with_white_space_is_refused,
    an_id_of_dots_is_refused,
    an_id_outside_ascii_is_refused,
    an_empty_id_is_refused,
    an_id_of_more_than_1024_bytes_is_refused,
    an_id_that_is_refused_is_refused_by_every_command,
]);

fn an_id_of_every_allowed_character_works(t: &Case) {
    let id = format!("{}.aZ_09+b-", t.id());
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    t.runtime(&t.command_line("create", &bundle, &[], &id)).run().ok();
    t.runtime(&["start", &id]).run().ok();
    assert_eq!(t.runtime(&["state", &id]).run().ok().json()["id"], id.as_str());
    t.runtime(&["delete", "--force", &id]).run().ok();
}

fn an_id_that_begins_with_a_dash_works_after_two_dashes(t: &Case) {
    let id = format!("-{}", t.id());
    let bundle = t.bundle().sh("echo here");
    t.command_line("run", &bundle, &[], &id);
    let dir = bundle.dir.display().to_string();
    t.runtime(&["run", "--bundle", &dir, "--", &id]).run().ok().prints("here");
}

/// None of these makes a container, or anything outside the state root.
fn refused(t: &Case, ids: &[&str]) {
    let bundle = t.bundle();
    t.directory("state-neighbour");
    for id in ids {
        let cgroup = format!("/{}/{}-x", crate::harness::case::parent_cgroup(), t.id_prefix);
        let bundle = bundle.clone().set("/linux/cgroupsPath", json!(cgroup));
        for verb in ["create", "run"] {
            t.runtime(&t.command_line(verb, &bundle, &[], id)).run().fails();
        }
        t.assert_no_side_effects();
    }
    let mut names: Vec<String> = fs::read_dir(&t.dir)
        .expect("the directory of the case")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with("out") && !name.starts_with("err") && name != "state")
        .collect();
    names.sort();
    assert_eq!(names, ["bundle1", "state-neighbour"]);
}

fn an_id_with_a_slash_is_refused(t: &Case) {
    refused(t, &["a/b", "/", "../outside", "a/../b", "./a", "a/"]);
}

fn an_id_with_white_space_is_refused(t: &Case) {
    refused(t, &["a b", "a\nb", "\n", "a\n", " a", "a\tb"]);
}

fn an_id_of_dots_is_refused(t: &Case) {
    refused(t, &[".", ".."]);
}

fn an_id_outside_ascii_is_refused(t: &Case) {
    refused(t, &["caf\u{e9}", "\u{65e5}", "a:b", "a@b", "a*", "a\\b", "a%2fb"]);
}

fn an_empty_id_is_refused(t: &Case) {
    refused(t, &[""]);
}

fn an_id_of_more_than_1024_bytes_is_refused(t: &Case) {
    refused(t, &[&"a".repeat(1025)]);
}

fn an_id_that_is_refused_is_refused_by_every_command(t: &Case) {
    let victim = t.file("victim/state.json", "{}");
    fs::create_dir_all(&t.state_root).expect("make the state root");
    for id in ["../victim", "..", ".", "x/../../victim"] {
        for line in [vec!["state", id], vec!["start", id], vec!["kill", id, "KILL"], vec!["delete", id]] {
            t.runtime(&line).run().fails();
        }
        let _ = t.runtime(&["delete", "--force", id]).run();
    }
    assert!(victim.exists(), "a file outside the state root was deleted");
    assert!(t.state_root.exists(), "the state root was deleted");
}
