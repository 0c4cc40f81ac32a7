//! On a directory in the place of resctrl: there, too, a class is a directory and entering it a write.
//! What only a kernel can do, to fill a new directory with files, is left out.

use super::*;
use crate::plan::resctrl::plan;
use serde_json::{Value, json};
use tempfile::TempDir;

const SCHEMATA: &str = "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n";

fn group(dir: &Path) {
    fs::create_dir_all(dir.join("mon_groups")).unwrap();
    fs::write(dir.join("tasks"), "").unwrap();
    fs::write(dir.join("schemata"), SCHEMATA).unwrap();
}

/// A default class and one called `gold`.
fn resctrl() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    group(dir.path());
    group(&dir.path().join("gold"));
    dir
}

fn planned(rdt: Value) -> Resctrl {
    plan(&serde_json::from_value(rdt).unwrap(), "box")
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn an_existing_class_is_entered_and_stays() {
    let dir = resctrl();
    for (id, class) in [("gold", dir.path().join("gold")), ("/", dir.path().to_owned())] {
        let record = create_in(dir.path(), &planned(json!({"closID": id}))).unwrap();
        record.enter(4711).unwrap();
        assert_eq!(read(class.join("tasks")), "4711", "{id}");
        assert_eq!(read(class.join("schemata")), SCHEMATA, "nothing asked to write there");
        remove(&record).unwrap();
        assert!(class.join("tasks").exists(), "{id}");
    }
}

#[test]
fn an_existing_class_must_have_what_is_asked_for() {
    let dir = resctrl();
    let create =
        |schema: &str| create_in(dir.path(), &planned(json!({"closID": "gold", "l3CacheSchema": schema})));
    create("L3:1=7ff").unwrap();
    let file = dir.path().join("gold/schemata");
    let expected = format!(
        "linux.intelRdt: the class is there and has not \"L3:1=7f\": {}\nhint: another closID makes a class of its own",
        file.display()
    );
    assert_eq!(create("L3:1=7f").unwrap_err().to_string(), expected);
    assert_eq!(read(file), SCHEMATA);
}

#[test]
fn schemata_are_written_to_an_existing_class() {
    let dir = resctrl();
    let rdt = json!({"closID": "gold", "memBwSchema": "MB:0=100", "schemata": ["L3:0=f", "MB:1=50"]});
    create_in(dir.path(), &planned(rdt)).unwrap();
    assert!(read(dir.path().join("gold/schemata")).starts_with("L3:0=f\nMB:1=50\n"));
}

#[test]
fn a_class_without_schemata_must_be_there() {
    let dir = resctrl();
    let error = create_in(dir.path(), &planned(json!({"closID": "silver"}))).unwrap_err().to_string();
    let start = format!("linux.intelRdt.closID: {}: ENOENT no such", dir.path().join("silver").display());
    assert!(error.starts_with(&start), "{error}");
    assert!(!dir.path().join("silver").exists());
}

#[test]
fn a_class_that_cannot_be_filled_is_removed_again() {
    let dir = resctrl();
    for rdt in [json!({"memBwSchema": "MB:0=20"}), json!({"closID": "silver", "schemata": ["MB:0=20"]})] {
        // Only the kernel makes the file in it.
        let error = create_in(dir.path(), &planned(rdt)).unwrap_err().to_string();
        assert!(error.contains("write \"MB:0=20\" to "), "{error}");
        assert!(!dir.path().join("box").exists() && !dir.path().join("silver").exists());
    }
}

#[test]
fn a_class_of_its_own_goes_with_the_container() {
    let dir = resctrl();
    let record = create_in(dir.path(), &planned(json!({}))).unwrap();
    let class = dir.path().join("box");
    assert!(class.is_dir());
    remove(&record).unwrap();
    assert!(!class.exists());
    remove(&record).unwrap();
}

#[test]
fn the_class_of_other_processes_is_not_taken() {
    let dir = resctrl();
    group(&dir.path().join("box"));
    create_in(dir.path(), &planned(json!({}))).unwrap();
    fs::write(dir.path().join("box/tasks"), format!("{}\n", std::process::id())).unwrap();
    let error = create_in(dir.path(), &planned(json!({}))).unwrap_err().to_string();
    assert!(error.ends_with("/box is the class of other processes already"), "{error}");
}

#[test]
fn a_class_that_was_made_for_it_stays_while_others_use_it() {
    let dir = tempfile::tempdir().unwrap();
    let class = dir.path().join("gold");
    fs::create_dir(&class).unwrap();
    let record = Record {
        made: true,
        ..Record::at(dir.path(), &planned(json!({"closID": "gold", "schemata": ["x"]})))
    };
    fs::write(class.join("tasks"), format!("{}\n", std::process::id())).unwrap();
    remove(&record).unwrap();
    assert!(class.is_dir());
    fs::remove_file(class.join("tasks")).unwrap();
    remove(&record).unwrap();
    assert!(!class.exists());
}

#[test]
fn a_monitoring_group_is_made_in_the_class_and_removed() {
    let dir = resctrl();
    let record =
        create_in(dir.path(), &planned(json!({"closID": "gold", "enableMonitoring": true}))).unwrap();
    let group = dir.path().join("gold/mon_groups/box");
    fs::write(group.join("tasks"), "").unwrap();
    record.enter(7).unwrap();
    assert_eq!((read(dir.path().join("gold/tasks")), read(group.join("tasks"))), ("7".into(), "7".into()));
    fs::remove_file(group.join("tasks")).unwrap();
    remove(&record).unwrap();
    assert!(!group.exists() && dir.path().join("gold/tasks").exists());
}

#[test]
fn the_kernels_reason_is_told() {
    let dir = resctrl();
    fs::create_dir(dir.path().join("info")).unwrap();
    fs::write(dir.path().join("info/last_cmd_status"), "Mask out of range\n").unwrap();
    let error = create_in(dir.path(), &planned(json!({"memBwSchema": "MB:0=1"}))).unwrap_err().to_string();
    assert!(error.ends_with("\nhint: resctrl says: Mask out of range"), "{error}");
}

#[test]
fn the_mount_is_found_by_its_type() {
    let mounts = "22 1 0:21 / /proc rw shared:5 - proc proc rw\n\
                  30 22 0:40 / /mnt/rdt rw,relatime - resctrl none rw,cdp\n";
    assert_eq!(find(mounts), Some(PathBuf::from("/mnt/rdt")));
    assert_eq!(find("22 1 0:21 / /resctrl rw - tmpfs resctrl rw\n"), None);
}

#[test]
fn the_schemata_of_a_class_can_be_changed_and_put_back() {
    let dir = resctrl();
    let record = create_in(dir.path(), &planned(json!({"closID": "gold"}))).unwrap();
    // A file keeps what a shorter write leaves.
    fs::write(dir.path().join("gold/schemata"), "MB:0=10\n").unwrap();
    assert_eq!(record.change("L3:0=7f", "--l3-cache-schema").unwrap(), "MB:0=10\n");
    assert_eq!(read(dir.path().join("gold/schemata")), "L3:0=7f\n");
    record.change("MB:0=10\n", "").unwrap();
    assert_eq!(read(dir.path().join("gold/schemata")), "MB:0=10\n");
    fs::remove_dir_all(dir.path().join("gold")).unwrap();
    let error = record.change("L3:0=7f", "--l3-cache-schema").unwrap_err().to_string();
    assert!(error.starts_with("--l3-cache-schema: ") && error.contains("gold/schemata: ENOENT"), "{error}");
}
