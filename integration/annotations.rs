//! Annotations: kept in the state, and some of them obeyed.

use crate::harness::agent::{Agent, Answer};
use crate::harness::prelude::*;

cases!("annotations", root: [
    all_annotations_are_in_the_state,
    a_pidfd_of_init_is_sent_where_an_annotation_says,
    without_a_receiver_of_the_pidfd_nothing_is_made,
    an_unknown_system_call_is_an_error_where_an_annotation_says_so,
    a_handler_that_is_not_there_is_an_error,
]);

fn all_annotations_are_in_the_state(t: &Case) {
    let annotations = json!({
        "org.systemd.property.TimeoutStopUSec": "uint64 123456789",
        "org.example.key": "a \"value\"",
        "run.oci.no-such-annotation": "1",
        "empty": "",
    });
    let bundle = t.bundle().set("/annotations", annotations.clone()).args(&["/bin/sleep", "300"]);
    assert_eq!(t.launch(&bundle).state()["annotations"], annotations);
}

fn a_pidfd_of_init_is_sent_where_an_annotation_says(t: &Case) {
    let socket = t.path(&format!("{}/receiver", "x".repeat(120)));
    let here = t.path("receiver");
    let receiver = Agent::listen(&here, Answer::Continue);
    fs::rename(&here, &socket).expect("move the socket");
    let bundle = t.bundle().set("/annotations", json!({"run.oci.pidfd_receiver": socket}));
    let bundle = bundle.args(&["/bin/sleep", "300"]);
    let container = t.create(&bundle);
    assert_eq!(receiver.message(0).pidfd_of, Some(container.pid()));
    let id = t.id();
    let _running = t.runtime(&t.command_line("run", &bundle, &[], &id)).spawn();
    let pidfd_of = receiver.message(1).pidfd_of;
    let state = || t.runtime(&["state", &id]).run();
    eventually("the state", || state().status.success());
    assert_eq!(json!(pidfd_of), state().json()["pid"]);
    assert_eq!(receiver.messages().len(), 2);
}

fn without_a_receiver_of_the_pidfd_nothing_is_made(t: &Case) {
    let annotations = json!({"run.oci.pidfd_receiver": t.path("receiver")});
    let bundle = t.bundle().set("/annotations", annotations).args(&["/bin/true"]);
    t.run(&bundle).fails().says("receiver").says("o such file or directory");
    t.assert_no_side_effects();
}

fn an_unknown_system_call_is_an_error_where_an_annotation_says_so(t: &Case) {
    let rule = json!({"names": ["mkdir", "no_such_call_ever"], "action": "SCMP_ACT_ERRNO"});
    let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    let bundle = t.bundle().set("/linux/seccomp", seccomp).args(&["/bin/true"]);
    let strict = |value: &str| {
        t.run(&bundle.clone().set("/annotations", json!({"run.oci.seccomp_fail_unknown_syscall": value})))
    };
    strict("1").fails().says("no_such_call_ever");
    strict("0").ok();
}

/// Who asks for a machine of its own must not get less.
fn a_handler_that_is_not_there_is_an_error(t: &Case) {
    t.run(&t.bundle().set("/annotations", json!({"run.oci.handler": "no-such-handler"}))).fails();
    t.assert_no_side_effects();
}
