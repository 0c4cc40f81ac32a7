//! Mounts that show other owners than the filesystem has.

use std::os::unix::fs::{MetadataExt, chown};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::harness::prelude::*;

cases!("idmapped_mounts", root: [
    an_idmapped_bind_mount_shows_other_owners,
    what_is_written_through_it_has_the_owner_of_the_filesystem,
    it_needs_no_user_namespace,
    the_mapping_of_the_user_namespace_is_used_without_another,
    a_mapping_of_its_own_comes_before_that_of_the_user_namespace,
    mappings_without_the_option_are_used,
    several_ranges_are_mapped_in_a_mount,
    uids_and_gids_have_maps_of_their_own,
    idmap_leaves_the_mounts_below_as_they_are,
    ridmap_reaches_the_mounts_below,
    the_option_can_bring_its_ids,
    ids_of_the_option_can_be_those_of_the_container,
    a_joined_user_namespace_has_the_mapping,
    a_read_only_idmapped_mount_is_read_only,
    what_the_host_forbids_on_the_source_stays_forbidden,
    what_the_host_forbids_on_the_root_filesystem_stays_forbidden,
    an_idmapped_file_is_mounted,
    an_idmapped_tmpfs_shows_other_owners,
    an_idmapped_tmpfs_of_a_user_namespace_shows_other_owners,
    many_idmapped_mounts_work,
    the_host_keeps_its_owners,
    one_list_of_mappings_is_refused,
    an_option_without_a_mapping_is_refused,
    ids_that_make_no_sense_are_refused,
    a_filesystem_that_cannot_is_an_error,
    an_idmapped_root_shows_the_owners_of_the_image,
    an_idmapped_root_can_have_ids_of_its_own,
]);

/// A tmpfs of the host with files of several owners, which every kernel can show by other ids.
struct Owned(PathBuf);

impl Owned {
    fn new(t: &Case) -> Owned {
        let dir = t.directory("owned");
        mount(Some("none"), &dir, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("mount a tmpfs");
        let owned = Owned(dir);
        for (name, uid, gid) in [("zero", 0, 0), ("one", 1, 2), ("alice", 1000, 1000)] {
            fs::write(owned.0.join(name), name).expect("write");
            chown(owned.0.join(name), Some(uid), Some(gid)).expect("chown");
        }
        let below = owned.0.join("below");
        fs::create_dir(&below).expect("make a directory");
        mount(Some("none"), &below, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("mount a tmpfs");
        fs::write(below.join("deep"), "").expect("write");
        owned
    }

    fn forbid_writing(&self) {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID;
        mount(None::<&str>, &self.0, None::<&str>, flags, None::<&str>).expect("make it read-only");
    }

    fn on_mnt(&self, bundle: Bundle, options: &[&str], maps: Option<(Value, Value)>) -> Bundle {
        let mut mount = json!({"destination": "/mnt", "source": self.0, "options": options});
        if let Some((uids, gids)) = maps {
            mount["uidMappings"] = uids;
            mount["gidMappings"] = gids;
        }
        // Root of the container could not make it in an image of the host's root.
        fs::create_dir_all(bundle.in_rootfs("/mnt")).expect("make the target");
        bundle.mount(mount)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = umount2(&self.0.join("below"), MntFlags::MNT_DETACH);
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn map(ranges: &[(u32, u32, u32)]) -> Value {
    let range = |(inside, outside, size): &(u32, u32, u32)| json!({"containerID": inside, "hostID": outside, "size": size});
    ranges.iter().map(range).collect()
}

/// The same for users and groups.
fn both(ranges: &[(u32, u32, u32)]) -> Option<(Value, Value)> {
    Some((map(ranges), map(ranges)))
}

const OWNERS: &str = "cd /mnt; stat -c '%n %u %g' zero one alice";

fn an_idmapped_bind_mount_shows_other_owners(t: &Case) {
    let owned = Owned::new(t);
    let bundle = t.bundle().user_namespace(100_000);
    let bundle = owned.on_mnt(bundle, &["bind", "idmap"], both(&[(0, 100_000, 2000)]));
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 0 0\none 1 2\nalice 1000 1000");
}

fn what_is_written_through_it_has_the_owner_of_the_filesystem(t: &Case) {
    let owned = Owned::new(t);
    let bundle = t.bundle().user_namespace(100_000).capabilities(&["CAP_CHOWN"]);
    let bundle = owned.on_mnt(bundle, &["rbind", "idmap"], both(&[(0, 100_000, 2000)]));
    t.run(&bundle.sh("touch /mnt/new && chown 1000:7 /mnt/zero && cat /mnt/one")).ok().prints("one");
    let owner = |name: &str| {
        let stat = fs::metadata(owned.0.join(name)).expect("stat");
        (stat.uid(), stat.gid())
    };
    assert_eq!((owner("new"), owner("zero")), ((0, 0), (1000, 7)));
}

fn it_needs_no_user_namespace(t: &Case) {
    let owned = Owned::new(t);
    let bundle = owned.on_mnt(t.bundle(), &["bind", "idmap"], both(&[(0, 5000, 2000)]));
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 5000 5000\none 5001 5002\nalice 6000 6000");
}

fn the_mapping_of_the_user_namespace_is_used_without_another(t: &Case) {
    let owned = Owned::new(t);
    let bundle = owned.on_mnt(t.bundle().user_namespace(100_000), &["bind", "idmap"], None);
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 0 0\none 1 2\nalice 1000 1000");
}

fn a_mapping_of_its_own_comes_before_that_of_the_user_namespace(t: &Case) {
    let owned = Owned::new(t);
    let bundle = t.bundle().user_namespace(100_000);
    let bundle = owned.on_mnt(bundle, &["bind", "idmap"], both(&[(0, 100_010, 2000)]));
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 10 10\none 11 12\nalice 1010 1010");
}

fn mappings_without_the_option_are_used(t: &Case) {
    let owned = Owned::new(t);
    let bundle = owned.on_mnt(t.bundle(), &["bind"], both(&[(0, 5000, 2000)]));
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 5000 5000\none 5001 5002\nalice 6000 6000");
}

fn several_ranges_are_mapped_in_a_mount(t: &Case) {
    let owned = Owned::new(t);
    let maps = both(&[(0, 10, 1), (1, 20, 2), (1000, 7, 1)]);
    let bundle = owned.on_mnt(t.bundle(), &["bind", "idmap"], maps);
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 10 10\none 20 21\nalice 7 7");
}

fn uids_and_gids_have_maps_of_their_own(t: &Case) {
    let owned = Owned::new(t);
    let maps = Some((map(&[(0, 100, 2000)]), map(&[(0, 200, 2000)])));
    let bundle = owned.on_mnt(t.bundle(), &["bind", "idmap"], maps);
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 100 200\none 101 202\nalice 1100 1200");
}

fn idmap_leaves_the_mounts_below_as_they_are(t: &Case) {
    let owned = Owned::new(t);
    let bundle = owned.on_mnt(t.bundle(), &["rbind", "idmap"], both(&[(0, 5000, 2000)]));
    t.run(&bundle.sh("stat -c %u /mnt/zero /mnt/below/deep")).ok().prints("5000\n0");
}

fn ridmap_reaches_the_mounts_below(t: &Case) {
    let owned = Owned::new(t);
    let bundle = owned.on_mnt(t.bundle(), &["rbind", "ridmap"], both(&[(0, 5000, 2000)]));
    t.run(&bundle.sh("stat -c %u /mnt/zero /mnt/below/deep")).ok().prints("5000\n5000");
}

fn the_option_can_bring_its_ids(t: &Case) {
    let owned = Owned::new(t);
    let option = "idmap=uids=0-100-1#1-300-1#1000-7-1;gids=0-200-2000";
    let bundle = owned.on_mnt(t.bundle(), &["bind", option], None);
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 100 200\none 300 202\nalice 7 1200");
}

fn ids_of_the_option_can_be_those_of_the_container(t: &Case) {
    let owned = Owned::new(t);
    let bundle = t.bundle().user_namespace(100_000);
    let bundle = owned.on_mnt(bundle, &["bind", "idmap=uids=@0-50-2000;gids=@0-60-2000"], None);
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 50 60\none 51 62\nalice 1050 1060");
}

fn a_joined_user_namespace_has_the_mapping(t: &Case) {
    let owned = Owned::new(t);
    let first = t.launch(&t.bundle().user_namespace(100_000).args(&["/bin/sleep", "300"]));
    let path = format!("/proc/{}/ns/user", first.pid());
    let bundle = owned.on_mnt(t.bundle().namespace("user", Some(&path)), &["bind", "idmap"], None);
    t.run(&bundle.sh(OWNERS)).ok().prints("zero 0 0\none 1 2\nalice 1000 1000");
    first.delete_by_force().ok();
}

fn a_read_only_idmapped_mount_is_read_only(t: &Case) {
    let owned = Owned::new(t);
    let bundle = t.bundle().user_namespace(100_000);
    let bundle = owned.on_mnt(bundle, &["bind", "idmap", "ro"], None);
    t.run(&bundle.sh("cat /mnt/zero; touch /mnt/new 2>/dev/null || echo ' refused'"))
        .ok()
        .prints("zero refused");
}

/// Root of a user namespace may change the mounts of its own mount namespace, but not what was set by
/// the host (mount_namespaces(7), "Restrictions on mount namespaces").
const LOCKED: &str = "mount -o remount,bind,rw,suid $0 2>/dev/null; touch $0/new 2>/dev/null || echo refused; umount $0/below 2>/dev/null; ls $0/below";

fn what_the_host_forbids_on_the_source_stays_forbidden(t: &Case) {
    let owned = Owned::new(t);
    owned.forbid_writing();
    for (kind, below) in [("rbind", "\ndeep"), ("bind", "")] {
        let bundle = t.bundle().user_namespace(100_000).capabilities(&["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
        let bundle = owned.on_mnt(bundle, &[kind, "idmap"], None);
        let bundle = match kind {
            // What lies below a mount that is left behind cannot be hidden.
            "bind" => {
                let _ = umount2(&owned.0.join("below"), MntFlags::MNT_DETACH);
                bundle
            }
            _ => bundle,
        };
        t.run(&bundle.args(&["/bin/sh", "-c", LOCKED, "/mnt"])).ok().prints(&format!("refused{below}"));
    }
}

fn what_the_host_forbids_on_the_root_filesystem_stays_forbidden(t: &Case) {
    let bundle = idmapped_root(t, "container").capabilities(&["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
    fs::create_dir_all(bundle.in_rootfs("/below")).expect("make a directory");
    let (root, none) = (bundle.in_rootfs("/"), None::<&str>);
    mount(Some(&root), &root, none, MsFlags::MS_BIND, none).expect("bind the root filesystem");
    let _off = Unmounted(root.clone());
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(None::<&str>, &root, none, flags, none).expect("make it read-only");
    t.run(&bundle.args(&["/bin/sh", "-c", LOCKED, "/"])).ok().prints("refused");
}

/// Takes a mount away at the end.
struct Unmounted(PathBuf);

impl Drop for Unmounted {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn an_idmapped_file_is_mounted(t: &Case) {
    let owned = Owned::new(t);
    let bundle = t.bundle().mount(json!({"destination": "/etc/new", "source": owned.0.join("one"),
        "options": ["bind", "idmap"], "uidMappings": map(&[(0, 70, 10)]), "gidMappings": map(&[(0, 80, 10)])}));
    t.run(&bundle.args(&["/bin/stat", "-c", "%u %g", "/etc/new"])).ok().prints("71 82");
}

fn an_idmapped_tmpfs_shows_other_owners(t: &Case) {
    let bundle = t.bundle().mount(json!({"destination": "/opt", "type": "tmpfs", "source": "tmpfs",
        "options": ["mode=0755", "idmap", "tmpcopyup"],
        "uidMappings": map(&[(0, 70, 10)]), "gidMappings": map(&[(0, 80, 10)])}));
    fs::write(bundle.in_rootfs("/opt/f"), "x").expect("write");
    t.run(&bundle.args(&["/bin/stat", "-c", "%u %g", "/opt", "/opt/f"])).ok().prints("70 80\n70 80");
}

fn an_idmapped_tmpfs_of_a_user_namespace_shows_other_owners(t: &Case) {
    let bundle = t.bundle().user_namespace(100_000);
    fs::create_dir_all(bundle.in_rootfs("/opt")).expect("make the target");
    let bundle = bundle.mount(json!({"destination": "/opt", "type": "tmpfs", "source": "tmpfs",
        "options": ["mode=0755", "idmap"],
        "uidMappings": map(&[(0, 100_070, 10)]), "gidMappings": map(&[(0, 100_080, 10)])}));
    t.run(&bundle.args(&["/bin/stat", "-c", "%u %g", "/opt"])).ok().prints("70 80");
}

fn many_idmapped_mounts_work(t: &Case) {
    let owned = Owned::new(t);
    let mut bundle = t.bundle().user_namespace(100_000);
    for i in 0..30 {
        let mut mount =
            json!({"destination": format!("/mnt/{i}"), "source": owned.0, "options": ["bind", "idmap"]});
        if i % 2 == 0 {
            mount["uidMappings"] = map(&[(0, 100_000 + i, 1)]);
            mount["gidMappings"] = map(&[(0, 100_000, 1)]);
        }
        bundle = bundle.mount(mount);
    }
    let expected: Vec<String> = (0..30).map(|i| (if i % 2 == 0 { i } else { 0 }).to_string()).collect();
    let script = "for i in $(seq 0 29); do stat -c %u /mnt/$i/zero; done";
    for i in 0..30 {
        fs::create_dir_all(bundle.in_rootfs(&format!("/mnt/{i}"))).expect("make a target");
    }
    t.run(&bundle.sh(script)).ok().prints(&expected.join("\n"));
}

fn the_host_keeps_its_owners(t: &Case) {
    let owned = Owned::new(t);
    let bundle = owned.on_mnt(t.bundle(), &["rbind", "ridmap"], both(&[(0, 5000, 2000)]));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    assert_eq!(fs::metadata(owned.0.join("alice")).expect("stat").uid(), 1000);
    assert_eq!(fs::metadata(owned.0.join("below/deep")).expect("stat").uid(), 0);
    container.delete_by_force().ok();
}

fn one_list_of_mappings_is_refused(t: &Case) {
    for (given, missing) in [("uidMappings", "gidMappings"), ("gidMappings", "uidMappings")] {
        let mut mount = json!({"destination": "/mnt", "source": "/", "options": ["bind", "idmap"]});
        mount[given] = map(&[(0, 1, 1)]);
        t.run(&t.bundle().mount(mount)).fails().says(missing);
    }
    t.assert_no_side_effects();
}

fn an_option_without_a_mapping_is_refused(t: &Case) {
    for option in ["idmap", "ridmap"] {
        t.run(&t.bundle().bind("/", "/mnt", &["bind", option])).fails();
    }
    t.assert_no_side_effects();
}

fn ids_that_make_no_sense_are_refused(t: &Case) {
    for ids in ["", "uids=0-1-1", "uids=0-1;gids=0-1-1", "uids=a-b-c;gids=0-1-1", "uids=0-1-0;gids=0-1-1"] {
        t.run(&t.bundle().bind("/", "/mnt", &["bind", &format!("idmap={ids}")])).fails();
    }
    t.assert_no_side_effects();
}

fn a_filesystem_that_cannot_is_an_error(t: &Case) {
    let bundle =
        t.bundle().mount(json!({"destination": "/mnt", "source": "/proc", "options": ["bind", "idmap"],
        "uidMappings": map(&[(0, 1, 1)]), "gidMappings": map(&[(0, 1, 1)])}));
    t.run(&bundle).fails().says("/mnt");
    t.assert_no_side_effects();
}

fn idmapped_root(t: &Case, value: &str) -> Bundle {
    let bundle = t.bundle().user_namespace(100_000).writable().capabilities(&["CAP_CHOWN"]);
    bundle.set("/annotations", json!({"tierce.root.idmap": value}))
}

fn an_idmapped_root_shows_the_owners_of_the_image(t: &Case) {
    let bundle = idmapped_root(t, "container");
    chown(bundle.in_rootfs("/home/alice"), Some(1000), Some(1000)).expect("chown");
    let script = "stat -c '%u %g' / /etc/passwd /home/alice; touch /etc/new && chown 1000:1000 /etc/new && echo written";
    t.run(&bundle.clone().sh(script)).ok().prints("0 0\n0 0\n1000 1000\nwritten");
    let new = fs::metadata(bundle.in_rootfs("/etc/new")).expect("stat");
    assert_eq!((new.uid(), new.gid()), (1000, 1000));
}

fn an_idmapped_root_can_have_ids_of_its_own(t: &Case) {
    let bundle = idmapped_root(t, "uids=@0-0-500#1000-100700-1;gids=0-100000-2000");
    chown(bundle.in_rootfs("/home/alice"), Some(1000), Some(1000)).expect("chown");
    t.run(&bundle.args(&["/bin/stat", "-c", "%u %g", "/", "/home/alice"])).ok().prints("0 0\n700 1000");
}
