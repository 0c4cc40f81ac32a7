//! A network namespace with devices of its own, from which the runtime is called.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::caller::From;
use super::case::Case;
use super::child_process::ChildProcess;
use super::eventually;

const NSENTER: &str = "/usr/bin/nsenter";
/// That of busybox makes no veth devices.
const IP: &str = "/sbin/ip";
const LIMIT: Duration = Duration::from_secs(60);

/// Goes away, with all devices that are in it, when dropped.
pub struct Network<'c> {
    case: &'c Case,
    holder: ChildProcess,
    calls: Cell<u32>,
}

impl<'c> Network<'c> {
    /// A new one; the runtime is called from it from here on.
    pub fn new(case: &'c Case) -> Network<'c> {
        if ![NSENTER, IP].iter().all(|program| Path::new(program).exists()) {
            case.skip("needs nsenter and iproute2");
        }
        let own = fs::read_link("/proc/self/ns/net").expect("our namespace");
        let mut command = Command::new(&case.host.busybox);
        let holder = ChildProcess::spawn(command.args(["unshare", "-n", "sleep", "300"])).expect("unshare");
        let network = Network { case, holder, calls: Cell::new(0) };
        let link = || fs::read_link(network.file()).unwrap_or_else(|_| own.clone());
        eventually("there is a network namespace", || link() != own);
        let command = [NSENTER.to_owned(), format!("--net={}", network.file())];
        *case.from.borrow_mut() = From::Private(command.to_vec());
        network
    }

    /// Its file.
    pub fn file(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.pid())
    }

    /// What a script of root's prints that runs there.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        match self.try_sh(script) {
            Ok(text) => text,
            Err(text) => panic!("{script}: {text}"),
        }
    }

    /// A pair of devices that are linked with each other.
    pub fn pair(&self, name: &str, peer: &str) {
        let script = format!("ip link add {name} type veth peer name {peer} && ip link set {peer} up");
        if let Err(text) = self.try_sh(&script) {
            self.case.skip(format!("needs veth devices: {}", text.trim()));
        }
    }

    fn try_sh(&self, script: &str) -> Result<String, String> {
        let number = self.calls.replace(self.calls.get() + 1);
        let [out, err] = ["out", "err"].map(|name| self.case.dir.join(format!("net-{number}.{name}")));
        let file = |path| File::create(path).expect("make a file");
        let net = format!("--net={}", self.file());
        let mut command = Command::new(NSENTER);
        command.args([&net, "sh", "-ec", script]).stdout(file(&out)).stderr(file(&err));
        let ended = ChildProcess::spawn(&mut command).expect("nsenter").wait(LIMIT);
        let text = |path| fs::read_to_string(path).expect("what it has printed");
        if ended.is_some_and(|status| status.success()) { Ok(text(&out)) } else { Err(text(&err)) }
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        self.case.call_from_here();
    }
}
