"""What is measured: the tools compiled from this directory, the bundles, and the command lines."""

import json
import os
import shutil
import subprocess
import sys

from machine import PREFIX, run

HERE = os.path.dirname(os.path.abspath(__file__))


def compile_tools(tmp):
    cc = [os.environ.get("CC", "gcc"), "-O2"]
    floor = [os.path.join(HERE, f) for f in ("floor.c", "floor_cgroup.c", "floor_child.c")]
    empty = os.path.join(tmp, "empty.c")
    with open(empty, "w") as source:
        source.write("int main(void) { return 0; }\n")
    run(cc + ["-static", "-o", f"{tmp}/floor"] + floor)
    run(cc + ["-static", "-o", f"{tmp}/spawn", f"{HERE}/spawn.c"])
    run(cc + ["-static", "-o", f"{tmp}/empty", empty])
    run(cc + ["-o", f"{tmp}/seccomp", f"{HERE}/seccomp.c", "-lseccomp"])


def compile_profile(tmp, profile):
    """linux.seccomp in the lines that seccomp.c reads -> the BPF program for floor."""
    default_errno = profile.get("defaultErrnoRet", 1)
    lines = [f"default {profile['defaultAction']} {default_errno}"]
    lines += [f"arch {arch}" for arch in profile["architectures"]]
    for rule in profile["syscalls"]:
        args = "".join(
            f" {a['index']} {a['op']} {a['value']} {a.get('valueTwo', 0)}" for a in rule.get("args") or []
        )
        lines += [f"rule {rule['action']} {rule.get('errnoRet', 1)} {name}{args}" for name in rule["names"]]
    with open(f"{tmp}/profile.bpf", "wb") as bpf:
        text = "\n".join(lines) + "\n"
        subprocess.run([f"{tmp}/seccomp"], input=text.encode(), stdout=bpf, check=True)


def make_rootfs(tmp):
    rootfs = f"{tmp}/rootfs"
    for directory in ("bin", "dev", "proc", "sys", "tmp", "etc"):
        os.makedirs(f"{rootfs}/{directory}")
    busybox = shutil.which("busybox") or sys.exit("bench: no busybox (apt: busybox-static)")
    shutil.copy(busybox, f"{rootfs}/bin/busybox")
    for applet in ("true", "sleep"):
        os.symlink("busybox", f"{rootfs}/bin/{applet}")
    return rootfs


def default_spec(tmp, runtimes):
    """The config.json of `runc spec`, without a terminal; of another runtime where runc is not there."""
    maker = runtimes.get("runc") or next(iter(runtimes.values()), None)
    if not maker:
        return {}
    os.makedirs(f"{tmp}/spec")
    run([maker, "spec"], cwd=f"{tmp}/spec")
    with open(f"{tmp}/spec/config.json") as file:
        spec = json.load(file)
    spec["process"]["terminal"] = False
    # Newer versions write no ambient set, and it has no effect without an inheritable one.
    spec["process"]["capabilities"].pop("ambient", None)
    namespaces = spec["linux"]["namespaces"]
    # `runc spec` adds it on a v2 host only. The same work on every layout.
    if not any(n["type"] == "cgroup" for n in namespaces):
        namespaces.append({"type": "cgroup"})
    return spec


def write_bundle(path, spec, rootfs, cgroup, args, seccomp=None):
    spec = json.loads(json.dumps(spec))
    spec["process"]["args"] = args
    spec["root"]["path"] = rootfs
    spec["linux"]["cgroupsPath"] = f"/{cgroup}"
    if seccomp:
        spec["linux"]["seccomp"] = seccomp
    os.makedirs(path)
    with open(f"{path}/config.json", "w") as file:
        json.dump(spec, file)
    return path


class Runtime:
    """A participant with the command line of runc: argv lists, and its bundles."""

    def __init__(self, name, path, tmp, rootfs, spec, seccomp):
        self.name, self.path = name, path
        self.root = f"{tmp}/state-{name}"
        os.makedirs(self.root)
        cgroup, bundle = f"{PREFIX}-{name}", f"{tmp}/bundle-{name}"
        self.plain = write_bundle(bundle, spec, rootfs, cgroup, ["/bin/true"])
        self.filtered = write_bundle(f"{bundle}-seccomp", spec, rootfs, cgroup, ["/bin/true"], seccomp)
        sleep = ["/bin/sleep", "1000000"]
        self.sleeper = write_bundle(f"{bundle}-sleep", spec, rootfs, f"{cgroup}-sleep", sleep)

    def call(self, *args):
        return [self.path, "--root", self.root, *args]

    def commands(self, row, id):
        """Of one measurement: [(row of the table, argv)]."""
        if row == "run":
            return [("run", self.call("run", "-b", self.plain, id))]
        if row == "run-seccomp":
            return [("run-seccomp", self.call("run", "-b", self.filtered, id))]
        if row == "exec":
            return [("exec", self.call("exec", f"{PREFIX}-sleep", "/bin/true"))]
        return [
            ("create", self.call("create", "-b", self.plain, id)),
            ("start", self.call("start", id)),
            ("delete", self.delete(id)),
        ]

    def start_sleeper(self):
        id = f"{PREFIX}-sleep"
        return [self.call("create", "-b", self.sleeper, id), self.call("start", id)]

    def delete(self, id):
        return self.call("delete", "--force", id)


class Floor(Runtime):
    def __init__(self, path, tmp, rootfs):
        self.name, self.path = "floor", path
        self.root, self.rootfs, self.profile = f"{tmp}/state-floor", rootfs, f"{tmp}/profile.bpf"
        self.cgroup = f"{PREFIX}-floor"
        os.makedirs(self.root)

    def call(self, *args, cgroup=None):
        return [self.path, "--root", self.root, "--cgroup", cgroup or self.cgroup, *args]

    def commands(self, row, id):
        if row == "run":
            return [("run", self.call("run", self.rootfs, "/bin/true"))]
        if row == "run-seccomp":
            return [("run-seccomp", self.call("--seccomp", self.profile, "run", self.rootfs, "/bin/true"))]
        if row == "exec":
            return [("exec", self.call("exec", f"{PREFIX}-sleep", "/bin/true"))]
        return [
            ("create", self.call("create", id, self.rootfs, "/bin/true")),
            ("start", self.call("start", id)),
            ("delete", self.delete(id)),
        ]

    def start_sleeper(self):
        id = f"{PREFIX}-sleep"
        cgroup = f"{self.cgroup}-sleep"
        return [
            self.call("create", id, self.rootfs, "/bin/sleep", "1000000", cgroup=cgroup),
            self.call("start", id),
        ]

    def delete(self, id):
        return self.call("delete", id)
