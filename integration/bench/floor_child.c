/* floor: what the container's process does between the clone and the execve. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "floor.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define NO_SUID_DEV_EXEC (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* mount(2) throughout: fsopen, fsconfig, fsmount and move_mount together take 3 to 9 us more each. */
static void mount_all(void)
{
	CHECK(mount("proc", "proc", "proc", 0, NULL));
	CHECK(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
	CHECK(mkdir("dev/pts", 0755));
	CHECK(mkdir("dev/shm", 0755));
	CHECK(mkdir("dev/mqueue", 0755));
	STEP("proc, dev");
	CHECK(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		    "newinstance,ptmxmode=0666,mode=0620,gid=5"));
	CHECK(mount("shm", "dev/shm", "tmpfs", NO_SUID_DEV_EXEC, "mode=1777,size=65536k"));
	CHECK(mount("mqueue", "dev/mqueue", "mqueue", NO_SUID_DEV_EXEC, NULL));
	STEP("devpts, shm, mqueue");
	CHECK(mount("sysfs", "sys", "sysfs", NO_SUID_DEV_EXEC | MS_RDONLY, NULL));
	STEP("sysfs");
	cgroups_mount();
	STEP("cgroup mounts");
}

static void make_devices(void)
{
	static const struct {
		const char *name;
		int major, minor;
	} nodes[] = { { "null", 1, 3 },   { "zero", 1, 5 },    { "full", 1, 7 },
		      { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 } };
	static const char *const links[][2] = { { "/proc/self/fd", "fd" },       { "/proc/self/fd/0", "stdin" },
						{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
						{ "/proc/kcore", "core" },       { "pts/ptmx", "ptmx" } };
	int dev = CHECK(open("dev", O_PATH | O_DIRECTORY | O_CLOEXEC));

	umask(0);
	for (size_t i = 0; i < LENGTH(nodes); i++)
		CHECK(mknodat(dev, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
	for (size_t i = 0; i < LENGTH(links); i++)
		CHECK(symlinkat(links[i][0], dev, links[i][1]));
	umask(022);
	STEP("devices");
}

/* Not every kernel has each of these files: ENOENT is let pass, as a runtime has to. */
static void mask_paths(void)
{
	static const char *const files[] = { "/proc/kcore",       "/proc/keys",        "/proc/latency_stats",
					     "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug" };
	static const char *const dirs[] = { "/proc/acpi", "/proc/asound", "/proc/scsi" };
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger" };

	for (size_t i = 0; i < LENGTH(files); i++)
		CHECK(present(mount("/dev/null", files[i], NULL, MS_BIND, NULL), ENOENT));
	/* One empty tmpfs under all of the directories: a bind is half the price of a superblock. */
	CHECK(mount("tmpfs", "/sys/firmware", "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1"));
	for (size_t i = 0; i < LENGTH(dirs); i++)
		CHECK(present(mount("/sys/firmware", dirs[i], NULL, MS_BIND, NULL), ENOENT));
	STEP("masked paths");
	for (size_t i = 0; i < LENGTH(readonly); i++) {
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0) {
			CHECK(present(-1, ENOENT));
			continue;
		}
		CHECK(mount(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	}
	CHECK(mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	STEP("readonly paths, root");
}

void enter_new(const char *rootfs)
{
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
	CHECK(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL));
	CHECK(chdir(rootfs));
	STEP("rootfs bound");
	mount_all();
	make_devices();
	CHECK(syscall(SYS_pivot_root, ".", "."));
	STEP("pivot_root");
	CHECK(umount2(".", MNT_DETACH)); /* waits for an expedited RCU grace period */
	CHECK(chdir("/"));
	STEP("old root detached");
	mask_paths();
	CHECK(sethostname("runc", 4));
}

/* Session, keyring, limits and privileges of the program; the same for `exec`. */
void become(const char *keyring)
{
	unsigned caps = 1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { .effective = caps, .permitted = caps } };
	struct rlimit files = { 1024, 1024 };

	CHECK(setsid());
	CHECK(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, keyring));
	STEP("session, keyring");
	CHECK(setrlimit(RLIMIT_NOFILE, &files));
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap >= 32 || !(caps & 1u << cap))
			CHECK(prctl(PR_CAPBSET_DROP, cap));
	STEP("bounding set");
	CHECK(setgroups(0, NULL));
	CHECK(setresgid(0, 0, 0));
	CHECK(setresuid(0, 0, 0));
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	CHECK(syscall(SYS_capset, &header, data));
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	STEP("ids, capabilities");
}

/* The connection is left open: execve() closes it, and that is what `start` waits for. */
void gate_wait(const struct gate *gate)
{
	CHECK(write(gate->ready, "", 1));
	failure_fd = CHECK(accept4(gate->listener, NULL, NULL, SOCK_CLOEXEC));
}

void run_program(char **argv, const struct sock_fprog *seccomp)
{
	static char *env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm",
			       NULL };

	CHECK(syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC));
	if (seccomp->len)
		CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, seccomp));
	STEP("seccomp");
	CHECK(execve(argv[0], argv, env));
	_exit(125);
}
