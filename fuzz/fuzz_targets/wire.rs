//! What the two processes say to each other: records as they are sent, and whatever else may come.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use tierce::sys::process::Ended;
use tierce::sys::socket::{pair, send};
use tierce::wire::{self, Failure, FromChild, NOTE, Step, ToChild};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let (child, host) = pair().expect("a pair of sockets");
    let (child, host) = (child.as_fd(), host.as_fd());
    anything(child, host, rest, kind & 1 != 0);
    words(child, host, rest);
    failure(child, host, rest);
    records(child, host, rest);
});

/// Whatever comes is a record, or said to be none.
fn anything(child: BorrowedFd, host: BorrowedFd, bytes: &[u8], pass: bool) {
    send(child, bytes, pass.then_some(child)).expect("send bytes");
    match wire::receive(host) {
        Ok(FromChild::Closed) => assert!(bytes.is_empty(), "not closed"),
        Ok(_) if bytes.len() < 16 + NOTE => panic!("a part of a record: {bytes:?}"),
        Ok(FromChild::Failure(failure)) => drop(failure.note()),
        Ok(
            FromChild::Terminal(_)
            | FromChild::Hopped(..)
            | FromChild::Tree(..)
            | FromChild::Listener(_)
            | FromChild::Network(_),
        ) => assert!(pass, "an fd from nowhere"),
        Ok(FromChild::Ready | FromChild::Mounted | FromChild::HookEnded(_)) => {}
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EBADMSG)),
    }
}

/// The child goes on at the word that it waits for, and at no other.
fn words(child: BorrowedFd, host: BorrowedFd, bytes: &[u8]) {
    send(host, bytes, None).expect("send bytes");
    let went_on = match wire::expect(child, ToChild::Go) {
        Ok(()) => true,
        Err(error) => {
            let ended = bytes.is_empty().then_some(libc::EPIPE);
            assert_eq!(error.raw_os_error(), Some(ended.unwrap_or(libc::EBADMSG)));
            false
        }
    };
    assert_eq!(went_on, bytes.first() == Some(&b'g'), "{bytes:?}");
    send(host, bytes, None).expect("send bytes");
    assert!(wire::expect_stream(child).is_err(), "a stream without an fd");
}

fn failure(child: BorrowedFd, host: BorrowedFd, bytes: &[u8]) {
    let mut fields = [0; 13 + NOTE];
    fields.iter_mut().zip(bytes).for_each(|(field, byte)| *field = *byte);
    let step = Step::ALL[usize::from(fields[0]) % Step::ALL.len()];
    let errno = i32::from_ne_bytes([fields[9], fields[10], fields[11], fields[12]]);
    let index = u32::from_ne_bytes([fields[1], fields[2], fields[3], fields[4]]);
    let mut sent = Failure::new(step, index as usize, &io::Error::from_raw_os_error(errno));
    sent.part = u32::from_ne_bytes([fields[5], fields[6], fields[7], fields[8]]);
    sent.note.copy_from_slice(&fields[13..]);
    wire::send_failure(child, &sent);
    let FromChild::Failure(got) = received(host) else { panic!("no failure") };
    assert_eq!((got.step, got.index, got.part, got.errno), (step, index, sent.part, errno));
    assert_eq!((got.note, got.note()), (sent.note, sent.note()));
}

fn records(child: BorrowedFd, host: BorrowedFd, bytes: &[u8]) {
    let mut number = [0; 4];
    number.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let [status, ..] = number;
    let number = i32::from_ne_bytes(number);
    for ended in [Ended::Exited(status), Ended::Killed(number)] {
        wire::send_hook_ended(child, ended).expect("send");
        assert!(matches!(received(host), FromChild::HookEnded(got) if got == ended));
    }
    wire::send_hopped(child, child, number).expect("send");
    let FromChild::Hopped(fd, pid) = received(host) else { panic!("not hopped") };
    assert_eq!(pid, number);
    is_the_same(&fd, child);
    wire::send_terminal(child, child).expect("send");
    let FromChild::Terminal(fd) = received(host) else { panic!("no terminal") };
    is_the_same(&fd, child);
    wire::send_ready(child).expect("send");
    assert!(matches!(received(host), FromChild::Ready));
    wire::send_mounted(child).expect("send");
    assert!(matches!(received(host), FromChild::Mounted));
    wire::send_listener(child, child).expect("send");
    assert!(matches!(received(host), FromChild::Listener(_)));
    wire::send_network(child, child).expect("send");
    assert!(matches!(received(host), FromChild::Network(_)));
    // The answer is there before the question: one thread plays both.
    wire::tell(host, ToChild::IdsMapped).expect("tell");
    let index = number.unsigned_abs() as usize;
    wire::have_ids_mapped(child, child, index).expect("the answer");
    assert!(matches!(received(host), FromChild::Tree(_, got) if got == index));
    wire::send_stream(host, host).expect("send");
    is_the_same(&wire::expect_stream(child).expect("a stream"), host);
}

fn received(host: BorrowedFd) -> FromChild {
    wire::receive(host).expect("a record")
}

/// Do both refer to one file?
fn is_the_same(fd: &OwnedFd, other: BorrowedFd) {
    let number = |fd: BorrowedFd| {
        let file = File::from(fd.try_clone_to_owned().expect("another fd"));
        file.metadata().expect("fstat").ino()
    };
    assert_eq!(number(fd.as_fd()), number(other));
}
