//! `linux.netDevices`: network devices that go from the runtime's network namespace into the container's.

mod rtnl;

use crate::error::{Context, Error, Result};
use crate::plan::describe;
use crate::plan::namespaces::Kind;
use crate::plan::net_devices::NetDevice;
use crate::sys;
use crate::sys::fs::CWD;
use rtnl::{Address, Link, Route};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Devices that have moved: they come back when this is dropped, unless the container is there to stay.
/// The kernel would destroy the virtual ones together with its namespace, and give the others to the
/// first network namespace, whoever they were taken from.
#[derive(Debug)]
pub struct Moved {
    /// The runtime's network namespace, and the container's.
    home: OwnedFd,
    here: Route,
    there: Route,
    devices: Vec<Gone>,
}

/// A device that has gone, and what it was.
#[derive(Debug)]
struct Gone {
    was: Link,
    /// All that it had, those of a lease as well.
    addresses: Vec<Address>,
    name: String,
}

/// Moves the devices into the network namespace `there`. On an error all are back.
///
/// # Errors
/// A device that is not there or cannot be moved, a name that is taken.
pub fn move_all(devices: &[NetDevice], there: BorrowedFd) -> Result<Moved> {
    let namespace = || "linux.netDevices: the container's network namespace";
    let home = sys::fs::openat(CWD, c"/proc/self/ns/net", libc::O_RDONLY, 0).context(namespace)?;
    let inode = |fd: BorrowedFd| sys::fs::fstat(fd).map(|stat| stat.ino).context(namespace);
    if inode(home.as_fd())? == inode(there)? {
        return Err(Error::new(format!("{} is the one that the devices are in", namespace())));
    }
    let here = Route::open().context(namespace)?;
    let mut moved = Moved { there: open_in(there, home.as_fd())?, home, here, devices: Vec::new() };
    for device in devices {
        moved.go(device, there)?;
    }
    Ok(moved)
}

/// A socket of another network namespace belongs to it for good.
fn open_in(there: BorrowedFd, home: BorrowedFd) -> Result<Route> {
    let join = || "linux.netDevices: join the container's network namespace";
    sys::ns::setns(there, Kind::Network.flag())
        .context(join)
        .map_err(|e| e.hint("moving network devices takes CAP_NET_ADMIN and CAP_SYS_ADMIN on the host"))?;
    let opened = Route::open().context(join);
    sys::ns::setns(home, Kind::Network.flag()).context(|| "return to the network namespace")?;
    opened
}

impl Moved {
    /// They stay where they are.
    pub fn keep(mut self) {
        self.devices.clear();
    }

    fn go(&mut self, device: &NetDevice, there: BorrowedFd) -> Result<()> {
        let failed = |e: io::Error| describe::net_device(device, &e);
        let was = self.here.link(&device.name).map_err(failed)?;
        let name = device.name_among(&self.there.names().map_err(failed)?);
        let name = name.ok_or_else(|| describe::net_device_name_taken(device))?;
        let addresses = self.here.addresses(was.index).map_err(failed)?;
        self.here.give_away(was.index, there, &name).map_err(failed)?;
        let is = self.there.link(&name);
        self.devices.push(Gone { was, addresses, name });
        let (is, gone) = (is.map_err(failed)?, &self.devices[self.devices.len() - 1]);
        for address in gone.addresses.iter().filter(|address| address.is_kept()) {
            self.there.add(&is, address, &device.name).map_err(failed)?;
        }
        self.there.set_up(is.index).map_err(failed)
    }

    /// As far as that is possible; it is an error already that has led here.
    fn come_back(&mut self, gone: &Gone) -> io::Result<()> {
        let device = self.there.link(&gone.name)?;
        self.there.give_away(device.index, self.home.as_fd(), &gone.was.name)?;
        let device = self.here.link(&gone.was.name)?;
        for address in &gone.addresses {
            let _ = self.here.add(&device, address, &gone.name);
        }
        if gone.was.up { self.here.set_up(device.index) } else { Ok(()) }
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        while let Some(gone) = self.devices.pop() {
            let _ = self.come_back(&gone);
        }
    }
}
