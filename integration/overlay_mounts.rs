//! Overlays, and data that are longer than one call of the kernel takes.

use std::process::{Command, Stdio};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::harness::child_process::succeeds;
use crate::harness::prelude::*;

cases!("overlay_mounts", root: [
    an_overlay_shows_its_layers_and_writes_to_the_upper_one,
    an_overlay_of_lower_layers_is_read_only,
    relative_layers_are_in_the_bundle,
    layers_with_odd_names_are_found,
    a_list_of_many_layers_is_taken,
    a_list_of_more_than_a_page_is_taken,
    a_list_with_very_long_paths_is_taken,
    an_upper_layer_with_a_very_long_path_is_taken,
    a_missing_layer_is_an_error,
    an_overlay_works_in_a_user_namespace,
]);

/// Directories for layers, on a tmpfs of the host: not every filesystem can be an upper layer.
struct Layers(PathBuf);

impl Layers {
    fn new(t: &Case) -> Layers {
        // It may be a module, which nobody has needed yet.
        succeeds(Command::new("modprobe").arg("overlay").stderr(Stdio::null()));
        let supported = fs::read_to_string("/proc/filesystems").expect("/proc/filesystems");
        if !supported.lines().any(|line| line.ends_with("\toverlay")) {
            t.skip("needs overlayfs");
        }
        let dir = t.directory("layers");
        mount(Some("none"), &dir, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("mount a tmpfs");
        Layers(dir)
    }

    /// A layer with a file that has the name and the text.
    fn layer(&self, path: &str, file: &str) -> String {
        let dir = self.0.join(path);
        fs::create_dir_all(&dir).expect("make a layer");
        fs::write(dir.join(file), file).expect("write");
        dir.to_str().expect("text").to_owned()
    }

    fn directory(&self, path: &str) -> String {
        let dir = self.0.join(path);
        fs::create_dir_all(&dir).expect("make a directory");
        dir.to_str().expect("text").to_owned()
    }
}

impl Drop for Layers {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn overlay(options: &[String]) -> Value {
    json!({"destination": "/opt", "type": "overlay", "source": "overlay", "options": options})
}

fn an_overlay_shows_its_layers_and_writes_to_the_upper_one(t: &Case) {
    let layers = Layers::new(t);
    let lower = format!("lowerdir={}:{}", layers.layer("a", "x"), layers.layer("b", "y"));
    let (upper, work) = (layers.directory("up"), layers.directory("work"));
    let bundle = t.bundle().mount(overlay(&[lower, format!("upperdir={upper}"), format!("workdir={work}")]));
    t.run(&bundle.sh("cat /opt/x /opt/y; echo; echo new >/opt/x; rm /opt/y; ls /opt")).ok().prints("xy\nx");
    assert_eq!(fs::read_to_string(format!("{upper}/x")).expect("the copy"), "new\n");
    assert_eq!(fs::read_to_string(layers.0.join("a/x")).expect("the original"), "x");
}

fn an_overlay_of_lower_layers_is_read_only(t: &Case) {
    let layers = Layers::new(t);
    let lower = format!("lowerdir={}:{}", layers.layer("a", "x"), layers.layer("b", "y"));
    let bundle = t.bundle().mount(overlay(&[lower]));
    t.run(&bundle.sh("cat /opt/x /opt/y; touch /opt/z 2>/dev/null || echo refused")).ok().prints("xyrefused");
}

fn relative_layers_are_in_the_bundle(t: &Case) {
    Layers::new(t);
    let bundle = t.bundle().mount(overlay(&["lowerdir=one:two".to_owned()]));
    for layer in ["one", "two"] {
        fs::create_dir(bundle.dir.join(layer)).expect("make a layer");
        fs::write(bundle.dir.join(layer).join(layer), "").expect("write");
    }
    t.run(&bundle.args(&["/bin/ls", "/opt"])).ok().prints("one\ntwo");
}

fn layers_with_odd_names_are_found(t: &Case) {
    let layers = Layers::new(t);
    let odd = layers.layer("a:b, c\\d", "x");
    let escaped = odd.replace('\\', "\\\\").replace(':', "\\:").replace(',', "\\,");
    let short = format!("lowerdir={escaped}:{}", layers.layer("b", "y"));
    let many: Vec<String> = (0..20).map(|i| layers.layer(&format!("layer-{i}"), "z")).collect();
    let long = format!("lowerdir={escaped}:{}:{}", layers.layer("b", "y"), many.join(":"));
    for (lower, listed) in [(short, "x\ny"), (long, "x\ny\nz")] {
        t.run(&t.bundle().mount(overlay(&[lower])).args(&["/bin/ls", "/opt"])).ok().prints(listed);
    }
}

/// A list of that many layers, of which each has a file `f` that says which it is, and one of its own.
fn many(layers: &Layers, count: usize, prefix: &str) -> String {
    let layer = |i| {
        let dir = layers.layer(&format!("{prefix}{i}"), &format!("own-{i}"));
        fs::write(Path::new(&dir).join("f"), format!("{i}")).expect("write");
        dir
    };
    (0..count).map(layer).collect::<Vec<_>>().join(":")
}

fn shows_all(t: &Case, lower: String, count: usize) {
    let bundle = t.bundle().mount(overlay(&[format!("lowerdir={lower}")]));
    t.run(&bundle.sh("cat /opt/f; echo; ls /opt | wc -l")).ok().prints(&format!("0\n{}", count + 1));
}

fn a_list_of_many_layers_is_taken(t: &Case) {
    let layers = Layers::new(t);
    let lower = many(&layers, 20, "layer-");
    assert!(lower.len() > 255 && lower.len() < 4000);
    shows_all(t, lower, 20);
}

fn a_list_of_more_than_a_page_is_taken(t: &Case) {
    let layers = Layers::new(t);
    let lower = many(&layers, 150, "a-layer-with-a-longer-name-");
    assert!(lower.len() > 4096);
    shows_all(t, lower, 150);
}

fn a_list_with_very_long_paths_is_taken(t: &Case) {
    let layers = Layers::new(t);
    let lower = many(&layers, 3, &format!("{}/{}/", "d".repeat(200), "e".repeat(200)));
    shows_all(t, lower, 3);
}

fn an_upper_layer_with_a_very_long_path_is_taken(t: &Case) {
    let layers = Layers::new(t);
    let long = format!("{}/{}", "d".repeat(200), "e".repeat(200));
    let (upper, work) = (layers.directory(&format!("{long}/up")), layers.directory(&format!("{long}/work")));
    let lower = format!("lowerdir={}", layers.layer("a", "x"));
    let bundle = t.bundle().mount(overlay(&[lower, format!("upperdir={upper}"), format!("workdir={work}")]));
    t.run(&bundle.sh("cat /opt/x; touch /opt/new")).ok().prints("x");
    assert!(Path::new(&upper).join("new").exists());
}

fn a_missing_layer_is_an_error(t: &Case) {
    let layers = Layers::new(t);
    let short = format!("lowerdir={}/nowhere", layers.0.display());
    let long = format!("lowerdir={}:{}/nowhere", many(&layers, 20, "layer-"), layers.0.display());
    for lower in [short, long] {
        t.run(&t.bundle().mount(overlay(&[lower]))).fails().says("/opt");
    }
    t.assert_no_side_effects();
}

fn an_overlay_works_in_a_user_namespace(t: &Case) {
    let layers = Layers::new(t);
    let (upper, work) = (layers.directory("up"), layers.directory("work"));
    for dir in [&upper, &work] {
        std::os::unix::fs::chown(dir, Some(100_000), Some(100_000)).expect("chown");
    }
    let lower = format!("lowerdir={}", many(&layers, 20, "layer-"));
    let options = [lower, format!("upperdir={upper}"), format!("workdir={work}"), "userxattr".to_owned()];
    let bundle = t.bundle().user_namespace(100_000).mount(overlay(&options));
    t.run(&bundle.sh("cat /opt/own-19; touch /opt/new")).ok().prints("own-19");
    assert!(Path::new(&upper).join("new").exists());
}
