//! As much of rtnetlink(7) as moving a network device takes.

use crate::sys;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const NLMSG_ERROR: u16 = libc::NLMSG_ERROR as u16;
const NLMSG_DONE: u16 = libc::NLMSG_DONE as u16;
/// Bytes of a `nlmsghdr`.
const HEADER: usize = 16;
/// Bytes of an `ifinfomsg`.
const LINK: usize = 16;
/// Bytes of an `ifaddrmsg`.
const ADDRESS: usize = 8;
/// More than the kernel puts into one datagram.
const LARGEST: usize = 1 << 16;

/// What an address can be told to be; the rest of its flags is what has become of it.
const SETTABLE: u32 = libc::IFA_F_NODAD
    | libc::IFA_F_OPTIMISTIC
    | libc::IFA_F_HOMEADDRESS
    | libc::IFA_F_MANAGETEMPADDR
    | libc::IFA_F_NOPREFIXROUTE
    | libc::IFA_F_MCAUTOJOIN;

/// A device, as a network namespace has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub index: i32,
    pub name: String,
    pub up: bool,
}

/// An address of a device, as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    header: [u8; ADDRESS],
    attributes: Vec<(u16, Vec<u8>)>,
}

impl Address {
    fn attribute(&self, kind: u16) -> Option<&[u8]> {
        self.attributes.iter().find(|(k, _)| *k == kind).map(|(_, value)| value.as_slice())
    }

    fn flags(&self) -> u32 {
        self.attribute(libc::IFA_FLAGS).and_then(|v| number(v, 0)).unwrap_or(self.header[2].into())
    }

    /// Of the whole network, and not from a lease or an advertisement.
    pub(super) fn is_kept(&self) -> bool {
        self.flags() & libc::IFA_F_PERMANENT != 0 && self.header[3] == libc::RT_SCOPE_UNIVERSE
    }

    fn index(&self) -> Option<i32> {
        number(&self.header, 4).map(|index| index as i32)
    }

    /// The same for a device that is called otherwise and has another number.
    fn for_device(&self, index: i32, old: &str, new: &str) -> Request {
        let flags = self.flags() & SETTABLE;
        let mut header = self.header;
        header[2] = flags as u8;
        header[4..].copy_from_slice(&index.to_ne_bytes());
        let create = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        let mut request = Request::new(libc::RTM_NEWADDR, create, &header);
        for (kind, value) in &self.attributes {
            match *kind {
                libc::IFA_FLAGS => request.attribute(*kind, &flags.to_ne_bytes()),
                libc::IFA_LABEL => {
                    if let Some(label) = label(value, old, new) {
                        request.attribute(*kind, &label);
                    }
                }
                libc::IFA_LOCAL
                | libc::IFA_ADDRESS
                | libc::IFA_BROADCAST
                | libc::IFA_ANYCAST
                | libc::IFA_CACHEINFO
                | IFA_RT_PRIORITY => request.attribute(*kind, value),
                _ => {}
            }
        }
        request
    }
}

/// Metric of the route to the address's network (linux/if_addr.h).
const IFA_RT_PRIORITY: u16 = 9;

/// `eth0:web` of eth0 becomes `net1:web` of net1. One that has no room is left out; it is the name then.
fn label(value: &[u8], old: &str, new: &str) -> Option<Vec<u8>> {
    let text = CStr::from_bytes_until_nul(value).ok()?.to_str().ok()?;
    let alias = text.strip_prefix(old).filter(|rest| rest.starts_with(':'))?;
    let label = format!("{new}{alias}\0");
    (label.len() <= libc::IF_NAMESIZE).then(|| label.into_bytes())
}

/// One message to the kernel.
struct Request(Vec<u8>);

impl Request {
    fn new(kind: u16, flags: i32, header: &[u8]) -> Request {
        let flags = (flags | libc::NLM_F_REQUEST) as u16;
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend(header);
        Request(bytes)
    }

    /// About the device with this number.
    fn link(kind: u16, flags: i32, index: i32) -> Request {
        let mut header = [0; LINK];
        header[4..8].copy_from_slice(&index.to_ne_bytes());
        Request::new(kind, flags, &header)
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = (4 + value.len()) as u16;
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn name(&mut self, name: &str) {
        let mut value = name.as_bytes().to_vec();
        value.push(0);
        self.attribute(libc::IFLA_IFNAME, &value);
    }
}

/// The devices of one network namespace.
#[derive(Debug)]
pub(super) struct Route {
    socket: OwnedFd,
    last: u32,
}

impl Route {
    /// Those of the namespace that the caller is in now.
    pub(super) fn open() -> io::Result<Route> {
        Ok(Route { socket: sys::netdev::route_socket()?, last: 0 })
    }

    /// The device of this name; ENODEV if there is none.
    pub(super) fn link(&mut self, name: &str) -> io::Result<Link> {
        let mut request = Request::link(libc::RTM_GETLINK, 0, 0);
        request.name(name);
        let replies = self.ask(request)?;
        replies.iter().find_map(link).ok_or_else(|| errno(libc::ENODEV))
    }

    /// The names of all devices.
    pub(super) fn names(&mut self) -> io::Result<Vec<String>> {
        let replies = self.ask(Request::link(libc::RTM_GETLINK, libc::NLM_F_DUMP, 0))?;
        Ok(replies.iter().filter_map(link).map(|link| link.name).collect())
    }

    /// All addresses of a device.
    pub(super) fn addresses(&mut self, index: i32) -> io::Result<Vec<Address>> {
        let replies = self.ask(Request::new(libc::RTM_GETADDR, libc::NLM_F_DUMP, &[0; ADDRESS]))?;
        let all = replies.iter().filter_map(address);
        Ok(all.filter(|address| address.index() == Some(index)).collect())
    }

    /// Moves a device into another network namespace, under this name. That takes it down and its
    /// addresses away.
    pub(super) fn give_away(&mut self, index: i32, to: BorrowedFd, name: &str) -> io::Result<()> {
        let mut request = Request::link(libc::RTM_SETLINK, 0, index);
        request.attribute(libc::IFLA_NET_NS_FD, &to.as_raw_fd().to_ne_bytes());
        request.name(name);
        self.ask(request).map(drop)
    }

    /// Gives a device an address that it had as `old`.
    pub(super) fn add(&mut self, device: &Link, address: &Address, old: &str) -> io::Result<()> {
        self.ask(address.for_device(device.index, old, &device.name)).map(drop)
    }

    /// Sets a device up.
    pub(super) fn set_up(&mut self, index: i32) -> io::Result<()> {
        let up = (libc::IFF_UP as u32).to_ne_bytes();
        let mut header = [0; LINK];
        header[4..8].copy_from_slice(&index.to_ne_bytes());
        header[8..12].copy_from_slice(&up);
        header[12..].copy_from_slice(&up);
        self.ask(Request::new(libc::RTM_SETLINK, 0, &header)).map(drop)
    }

    /// Sends a request; gives what is answered, each without its netlink header but with the type before.
    fn ask(&mut self, mut request: Request) -> io::Result<Vec<(u16, Vec<u8>)>> {
        self.last += 1;
        let bytes = &mut request.0;
        bytes[6] |= libc::NLM_F_ACK as u8;
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.last.to_ne_bytes());
        sys::socket::send(self.socket.as_fd(), bytes, None)?;
        let (mut replies, mut buffer) = (Vec::new(), vec![0; LARGEST]);
        loop {
            let (n, _) = sys::socket::receive(self.socket.as_fd(), &mut buffer)?;
            for (kind, sequence, body) in messages(&buffer[..n]) {
                match kind {
                    // What an earlier request, that failed, has still to say.
                    _ if sequence != self.last => {}
                    NLMSG_ERROR | NLMSG_DONE => {
                        let code = number(body, 0).map_or(0, |code| code as i32);
                        return if code < 0 { Err(errno(-code)) } else { Ok(replies) };
                    }
                    kind => replies.push((kind, body.to_vec())),
                }
            }
        }
    }
}

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

/// Type, sequence number and body of each message of a datagram.
fn messages(mut bytes: &[u8]) -> Vec<(u16, u32, &[u8])> {
    let mut all = Vec::new();
    while let (Some(length), Some(kind), Some(sequence)) =
        (number(bytes, 0), short(bytes, 4), number(bytes, 8))
    {
        let length = length as usize;
        let Some(body) = bytes.get(HEADER..length) else { break };
        all.push((kind, sequence, body));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// Type and value of each attribute.
fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while let (Some(length), Some(kind)) = (short(bytes, 0), short(bytes, 2)) {
        let length = usize::from(length);
        let Some(value) = bytes.get(4..length) else { break };
        all.push((kind, value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

fn link((kind, body): &(u16, Vec<u8>)) -> Option<Link> {
    if *kind != libc::RTM_NEWLINK {
        return None;
    }
    let (_, name) = attributes(body.get(LINK..)?).into_iter().find(|(kind, _)| *kind == libc::IFLA_IFNAME)?;
    Some(Link {
        index: number(body, 4)? as i32,
        name: CStr::from_bytes_until_nul(name).ok()?.to_string_lossy().into_owned(),
        up: number(body, 8)? & libc::IFF_UP as u32 != 0,
    })
}

fn address((kind, body): &(u16, Vec<u8>)) -> Option<Address> {
    if *kind != libc::RTM_NEWADDR {
        return None;
    }
    let attributes = attributes(body.get(ADDRESS..)?);
    Some(Address {
        header: body[..ADDRESS].try_into().ok()?,
        attributes: attributes.into_iter().map(|(kind, value)| (kind, value.to_vec())).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_follows_the_name_of_its_device() {
        assert_eq!(label(b"eth0:web\0", "eth0", "net1"), Some(b"net1:web\0".to_vec()));
        assert_eq!(label(b"eth0\0", "eth0", "net1"), None);
        assert_eq!(label(b"eth01:web\0", "eth0", "net1"), None);
        assert_eq!(label(b"eth0:a-long-one\0", "eth0", "much-longer"), None);
        assert_eq!(label(b"no end", "eth0", "net1"), None);
    }

    #[test]
    fn what_was_written_is_read_again() {
        let mut request = Request::link(libc::RTM_NEWLINK, 0, 7);
        request.attribute(99, &[1, 2, 3, 4, 5]);
        request.name("eth0");
        let length = request.0.len() as u32;
        request.0[..4].copy_from_slice(&length.to_ne_bytes());
        let mut twice = request.0.clone();
        twice.extend(&request.0);
        let all = messages(&twice);
        assert_eq!(all.len(), 2);
        let (kind, _, body) = all[1];
        let expected = Link { index: 7, name: "eth0".into(), up: false };
        assert_eq!(link(&(kind, body.to_vec())), Some(expected));
    }

    #[test]
    fn what_is_cut_off_ends_the_list() {
        let mut request = Request::link(libc::RTM_NEWLINK, 0, 7);
        request.name("eth0");
        let length = request.0.len() as u32;
        request.0[..4].copy_from_slice(&length.to_ne_bytes());
        // Without the three bytes that fill it up it is whole.
        for end in 0..request.0.len() - 3 {
            assert!(messages(&request.0[..end]).is_empty(), "{end}");
            assert!(attributes(&request.0[HEADER + LINK..end.max(HEADER + LINK)]).is_empty(), "{end}");
        }
        assert_eq!(attributes(&[0, 0, 0, 0, 0, 0]), []);
    }
}
