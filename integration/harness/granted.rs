//! A user with subordinate ids. The files of the machine are not touched: every call has a mount namespace
//! of its own, where others lie over them.

use std::fs;
use std::path::Path;

use super::caller::From;
use super::case::Case;

/// Name of the user, who is otherwise nobody of this machine.
pub const NAME: &str = "tierce-it";

/// The first of 65536 ids that are granted, of users and of groups.
pub const FIRST: u32 = 3_000_000;

const HELPERS: [&str; 2] = ["/usr/bin/newuidmap", "/usr/bin/newgidmap"];
const FILES: [&str; 3] = ["passwd", "subuid", "subgid"];

impl Case {
    /// From here on calls the runtime as an ordinary user with a name and with subordinate ids.
    pub fn call_with_subordinate_ids(&self) {
        self.call_with_subordinate_ids_after("true");
    }

    /// The same where this script of root's has come before, in the mount namespace of the call.
    pub fn call_with_subordinate_ids_after(&self, script: &str) {
        let tools = ["/usr/bin/unshare", "/usr/bin/setpriv"];
        for needed in tools.iter().chain(&HELPERS).map(Path::new) {
            if !needed.exists() {
                self.skip(format!("needs {}", needed.display()));
            }
        }
        self.become_ordinary_user();
        let (uid, gid) = self.caller();
        let passwd = fs::read_to_string("/etc/passwd").expect("passwd");
        let user = format!("{NAME}:x:{uid}:{gid}::/nonexistent:/bin/sh\n");
        let grant = format!("{NAME}:{FIRST}:65536\n");
        for (file, text) in FILES.iter().zip([&(passwd + &user), &grant, &grant]) {
            if !Path::new("/etc").join(file).exists() {
                self.skip(format!("needs /etc/{file}, to hide it"));
            }
            fs::write(self.dir.join(file), text).expect("write a file");
        }
        let dir = self.dir.display();
        let hide = FILES.map(|file| format!("mount -o bind {dir}/{file} /etc/{file}"));
        let become_user = format!("exec setpriv --reuid {uid} --regid {gid} --clear-groups \"$@\"");
        let all = [&["set -e", script], &hide.each_ref().map(String::as_str)[..], &[&become_user]].concat();
        let command = ["/usr/bin/unshare", "--mount", "sh", "-c", &all.join("\n"), "sh"];
        *self.from.borrow_mut() = From::Private(command.map(String::from).to_vec());
    }

    /// A script that hides the helpers, and a `$PATH` to call the runtime with.
    pub fn without_helpers(&self) -> (String, &'static str) {
        let hide = HELPERS.map(|helper| format!("mount -o bind /dev/null {helper}"));
        (hide.join("\n"), "/usr/sbin:/usr/bin:/sbin:/bin")
    }

    /// From here on calls the runtime as a user of this machine who has subordinate ids of both kinds, from
    /// the same one on; gives the own ids, and that one.
    pub fn become_user_with_subordinate_ids(&self) -> ((u32, u32), u32) {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let (passwd, subuid, subgid) = (read("/etc/passwd"), read("/etc/subuid"), read("/etc/subgid"));
        let found =
            subuid.lines().filter(|line| subgid.lines().any(|other| other == *line)).find_map(|line| {
                let (name, range) = line.split_once(':')?;
                let user = passwd.lines().find_map(|user| user.strip_prefix(&format!("{name}:")))?;
                let mut ids = user.split(':').skip(1).filter_map(|id| id.parse::<u32>().ok());
                Some(((ids.next()?, ids.next()?), range.split(':').next()?.parse::<u32>().ok()?))
            });
        let Some((ids, first)) = found.filter(|_| Path::new(HELPERS[0]).exists()) else {
            self.skip("needs a user with subordinate ids");
        };
        self.user.set(Some(ids));
        self.give(&self.dir);
        (ids, first)
    }
}
