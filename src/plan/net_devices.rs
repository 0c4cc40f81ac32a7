//! `linux.netDevices`: which device moves, and what it is called then.

use crate::spec::config;
use crate::spec::validate::at::At;
use std::collections::BTreeMap;

/// A network device to move into the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetDevice {
    /// In the runtime's network namespace.
    pub name: String,
    /// In the container's; a `%d` in it stands for the first number that is free.
    pub new_name: String,
}

/// Longest name of a device (`IFNAMSIZ` with its NUL byte).
const LONGEST: usize = libc::IF_NAMESIZE - 1;

/// Plans the moves, in the order of the names.
pub fn plan(devices: &BTreeMap<String, config::NetDevice>) -> Vec<NetDevice> {
    let of = |(name, device): (&String, &config::NetDevice)| {
        let new_name = device.name.as_ref().filter(|new| !new.is_empty()).unwrap_or(name);
        NetDevice { name: name.clone(), new_name: new_name.clone() }
    };
    devices.iter().map(of).collect()
}

impl NetDevice {
    /// Where in the configuration it is.
    pub fn location(&self) -> String {
        At::Root.key("linux").key("netDevices").key(&self.name).to_string()
    }

    /// Is the new name one for a number to be put in?
    pub fn is_template(&self) -> bool {
        self.new_name.contains("%d")
    }

    /// Its name beside devices that are called `taken`; none if there is no room for it.
    pub fn name_among(&self, taken: &[String]) -> Option<String> {
        let free = |name: &String| !taken.contains(name);
        match self.new_name.split_once("%d") {
            None => Some(self.new_name.clone()).filter(free),
            Some((before, after)) => {
                let mut names = (0..=taken.len()).map(|number| format!("{before}{number}{after}"));
                names.find(free).filter(|name| name.len() <= LONGEST)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_takes_the_first_free_number() {
        let device = |new: &str| NetDevice { name: "x".into(), new_name: new.into() };
        let taken = ["lo", "eth0", "eth1", "eth3", "a0b"].map(String::from);
        for (name, expected) in [
            ("eth%d", Some("eth2")),
            ("net%d", Some("net0")),
            ("a%db", Some("a1b")),
            ("eth2", Some("eth2")),
            ("eth1", None),
            ("fifteen-bytes-x%d", None),
            ("thirteen-byte%d", Some("thirteen-byte0")),
        ] {
            assert_eq!(device(name).name_among(&taken).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn without_a_new_name_the_old_one_is_kept() {
        let devices = serde_json::from_str(r#"{"eth1": {"name": "net0"}, "eth0": {"name": ""}, "a": {}}"#);
        let names: Vec<_> = plan(&devices.unwrap()).into_iter().map(|d| (d.name, d.new_name)).collect();
        let expected = [("a", "a"), ("eth0", "eth0"), ("eth1", "net0")];
        assert_eq!(names, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
