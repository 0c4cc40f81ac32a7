//! A child that was born outside of its cgroup waits until systemd has put it there.

use super::Fds;
use crate::sys;
use crate::wire::{self, ToChild};
use std::io;
use std::os::fd::AsFd;

/// How often, and how long in ms, a child whose host is gone looks where it is.
const LOOKS: u32 = 500;
const PAUSE: i32 = 10;

/// Waits for the host's word. If the host has asked and is gone, waits for systemd all the same: a scope that its
/// process does not live to see stays for ever, as systemd takes it away when the last one leaves.
pub(super) fn wait(fds: &Fds) -> io::Result<()> {
    let (mut before, mut now) = ([0; 512], [0; 512]);
    where_it_is(fds, &mut before)?;
    wire::expect(fds.host.as_fd(), ToChild::Asked)?;
    let entered = wire::expect(fds.host.as_fd(), ToChild::Entered);
    if entered.is_err() {
        for _ in 0..LOOKS {
            where_it_is(fds, &mut now)?;
            if now != before {
                break;
            }
            sys::poll::poll(&mut [], PAUSE)?;
        }
    }
    entered
}

/// The beginning of /proc/self/cgroup.
fn where_it_is(fds: &Fds, text: &mut [u8]) -> io::Result<()> {
    let file = sys::fs::open_in_proc(fds.proc, c"self/cgroup", libc::O_RDONLY)?;
    sys::fs::read(file.as_fd(), text).map(drop)
}
