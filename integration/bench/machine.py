"""The machine under the benchmark: mounts, cgroup layout, and what has to be removed at the end."""

import ctypes
import os
import signal
import subprocess
import sys
import time

CGROUPS = "/sys/fs/cgroup"
PREFIX = f"tierce-bench-{os.getpid()}"  # of cgroups and container ids


def run(argv, **kwargs):
    """A command that has to work."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, **kwargs)
    if done.returncode:
        sys.exit(f"bench: {' '.join(argv)}: status {done.returncode}\n{done.stderr}")
    return done.stdout


def cgroup_mounts():
    """Mount point -> file system type of what is mounted at or below /sys/fs/cgroup."""
    found = {}
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            fields, _, rest = line.partition(" - ")
            where, kind = fields.split()[4], rest.split()[0]
            if (where == CGROUPS or where.startswith(CGROUPS + "/")) and kind.startswith("cgroup"):
                found[where] = kind
    return found


def layout_of(mounts):
    """Hybrid is what runtimes call it: v1 hierarchies, and cgroup2 at .../unified."""
    if mounts.get(CGROUPS) == "cgroup2":
        return "v2"
    return "hybrid" if "cgroup2" in mounts.values() else "v1"


def private_mounts(wanted, has_crun):
    """Unshares the mounts and arranges the cgroup ones as `wanted`; says what was done.

    Debian's crun refuses a hybrid host. Whoever is measured sees the same mounts, so that all do
    the same work: where crun takes part, the cgroup2 of a hybrid host is unmounted for all of them.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
        sys.exit(f"bench: unshare: {os.strerror(ctypes.get_errno())} (root is needed)")
    run(["mount", "--make-rprivate", "/"])
    layout = layout_of(cgroup_mounts())
    if wanted == "auto":
        wanted = "v1" if layout == "hybrid" and has_crun else layout
    if wanted == layout:
        return f"{layout}, as it is"
    if wanted == "v1" and layout == "hybrid":
        run(["umount", f"{CGROUPS}/unified"])
        return "v1: hybrid, with cgroup2 unmounted in a private mount namespace" + " (for crun)" * has_crun
    if wanted == "v2":
        run(["umount", "-R", CGROUPS])
        run(["mount", "-t", "cgroup2", "cgroup2", CGROUPS])
        controllers = open(f"{CGROUPS}/cgroup.controllers").read().strip() or "none"
        return f"v2: {layout}, remounted in a private mount namespace; controllers: {controllers}"
    sys.exit(f"bench: cannot make {wanted} of {layout}")


def floor_cgroups():
    """FLOOR_CGROUPS, as floor.c wants it."""
    mounts = cgroup_mounts()
    if layout_of(mounts) == "v2":
        return "v2"
    return ":".join(sorted(os.path.basename(m) for m in mounts))


def subtree_control():
    """Root of each cgroup2 -> the controllers it gives to its children."""
    roots = [mount for mount, kind in cgroup_mounts().items() if kind == "cgroup2"]
    files = [f"{root}/cgroup.subtree_control" for root in roots]
    return {name: set(open(name).read().split()) for name in files}


def restore_subtree_control(before):
    """Takes back the controllers that a runtime has turned on."""
    for name, now in subtree_control().items():
        for controller in now - before.get(name, now):
            with open(name, "w") as file:
                file.write(f"-{controller}")


def remove_cgroups():
    """What a failed or interrupted command left below the roots, with the processes in it."""
    for mount in cgroup_mounts():
        for name in os.listdir(mount):
            if not name.startswith(PREFIX):
                continue
            for where, _, _ in os.walk(f"{mount}/{name}", topdown=False):
                remove_cgroup(where)


def remove_cgroup(where):
    for _ in range(100):
        try:
            with open(f"{where}/cgroup.procs") as procs:
                pids = [int(pid) for pid in procs.read().split()]
            for pid in filter(None, pids):  # 0 would be ourselves
                os.kill(pid, signal.SIGKILL)
            return os.rmdir(where)
        except FileNotFoundError:
            return None
        except OSError:
            time.sleep(0.02)  # not all of them have ended
    return print(f"bench: {where} is still there", file=sys.stderr)
