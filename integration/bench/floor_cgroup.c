/* floor: the cgroups of a container, in v1 hierarchies, on a hybrid host, or in v2. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "floor.h"

#define BASE "/sys/fs/cgroup"
#define MOUNT_FLAGS (MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RELATIME)
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static struct {
	const char *v1[16];
	const char *v2; /* where cgroup2 is mounted */
	int read, count;
} layout;

static void read_layout(void)
{
	static char names[512];
	const char *set = getenv("FLOOR_CGROUPS");

	if (layout.read++)
		return;
	if (!set || strlen(set) >= sizeof names)
		FAIL("FLOOR_CGROUPS is not set");
	strcpy(names, set);
	for (char *name = strtok(names, ":"); name; name = strtok(NULL, ":"))
		if (!strcmp(name, "v2"))
			layout.v2 = BASE;
		else if (!strcmp(name, "unified"))
			layout.v2 = BASE "/unified";
		else if (layout.count < 15)
			layout.v1[layout.count++] = name;
}

static const char *path_in(const char *dir, const char *name, const char *file)
{
	static char path[512];

	snprintf(path, sizeof path, "%s%s/%s%s", *dir == '/' ? "" : BASE "/", dir, name, file);
	return path;
}

/* Writes each of `values` by a write() of its own. */
static void put(const char *path, const char *const *values, int count)
{
	int fd = CHECK(open(path, O_WRONLY | O_CLOEXEC));

	for (int i = 0; i < count; i++)
		CHECK(write(fd, values[i], strlen(values[i])));
	close(fd);
}

/* A new cpuset takes no process before it has cpus and mems. */
static void copy_cpuset(const char *dir, const char *name, const char *file)
{
	char value[256];
	const char *values[] = { value };
	int fd = CHECK(open(path_in(dir, "", file), O_RDONLY | O_CLOEXEC));
	long len = CHECK(read(fd, value, sizeof value - 1));

	value[len] = 0;
	close(fd);
	put(path_in(dir, name, file), values, 1);
}

static void allow_devices_v1(const char *name)
{
	static const char *const all[] = { "a" };
	static const char *const rules[] = { "c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm",   "c 1:7 rwm",
					     "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 136:* rwm", "c 5:2 rwm" };

	put(path_in("devices", name, "/devices.deny"), all, 1);
	put(path_in("devices", name, "/devices.allow"), rules, LENGTH(rules));
}

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define LOAD(reg, offset) INSN(BPF_LDX | BPF_MEM | BPF_W, reg, 1, offset, 0)
#define IF_EQUAL(reg, value, skip) INSN(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, skip, value)
#define RETURN(value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, value), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* The same rules as a program: struct bpf_cgroup_dev_ctx is {access << 16 | type, major, minor}. */
static void allow_devices_v2(int dir)
{
	struct bpf_insn prog[] = {
		LOAD(2, 0), LOAD(4, 4), LOAD(5, 8),
		INSN(BPF_ALU | BPF_MOV | BPF_X, 3, 2, 0, 0),
		INSN(BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16),
		INSN(BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff),
		IF_EQUAL(3, BPF_DEVCG_ACC_MKNOD, 13),
		IF_EQUAL(2, BPF_DEVCG_DEV_CHAR, 2),
		RETURN(0),
		IF_EQUAL(4, 136, 9),
		IF_EQUAL(4, 5, 6),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, 9, 1),
		IF_EQUAL(5, 3, 6), IF_EQUAL(5, 5, 5), IF_EQUAL(5, 7, 4), IF_EQUAL(5, 8, 3), IF_EQUAL(5, 9, 2),
		IF_EQUAL(5, 0, 1),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 2, 2),
		RETURN(1),
		RETURN(0),
	};
	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insns = (unsigned long)prog,
				.insn_cnt = LENGTH(prog), .license = (unsigned long)"GPL" };
	int fd = CHECK(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
	union bpf_attr attach = { .target_fd = dir, .attach_bpf_fd = fd, .attach_type = BPF_CGROUP_DEVICE };

	CHECK(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach));
	close(fd);
}

static void create_v1(const char *dir, const char *name)
{
	CHECK(mkdir(path_in(dir, name, ""), 0755));
	if (!strcmp(dir, "cpuset")) {
		copy_cpuset(dir, name, "/cpuset.cpus");
		copy_cpuset(dir, name, "/cpuset.mems");
	} else if (!strcmp(dir, "devices")) {
		allow_devices_v1(name);
	}
}

void cgroups_open(struct cgroups *cg, const char *name, enum cgroup_mode mode)
{
	int i;

	read_layout();
	for (i = 0; i < layout.count; i++) {
		if (mode == CGROUP_CREATE)
			create_v1(layout.v1[i], name);
		cg->tasks[i] = CHECK(open(path_in(layout.v1[i], name, "/tasks"), O_WRONLY | O_CLOEXEC));
		STEP(layout.v1[i]);
	}
	cg->tasks[i] = cg->v2 = -1;
	if (!layout.v2)
		return;
	if (mode == CGROUP_CREATE)
		CHECK(mkdir(path_in(layout.v2, name, ""), 0755));
	cg->v2 = CHECK(open(path_in(layout.v2, name, ""), O_DIRECTORY | O_CLOEXEC));
	if (mode == CGROUP_CREATE && !layout.count)
		allow_devices_v2(cg->v2);
	STEP("cgroup2");
}

/*
 * `0` from a lone thread takes no threadgroup lock. A pid written by another process does, and
 * waits for an RCU grace period: over 10 ms on an idle machine.
 */
void cgroups_join(const struct cgroups *cg)
{
	for (int i = 0; cg->tasks[i] >= 0; i++)
		CHECK(write(cg->tasks[i], "0", 1));
}

void cgroups_remove(const char *name)
{
	read_layout();
	for (int i = 0; i < layout.count; i++)
		CHECK(rmdir(path_in(layout.v1[i], name, "")));
	if (layout.v2)
		CHECK(rmdir(path_in(layout.v2, name, "")));
}

/* Below the rootfs as working directory. In the new cgroup namespace, so each shows its own root. */
void cgroups_mount(void)
{
	char path[128], option[128];

	if (!layout.count) {
		CHECK(mount("cgroup", "sys/fs/cgroup", "cgroup2", MOUNT_FLAGS | MS_RDONLY, NULL));
		return;
	}
	CHECK(mount("tmpfs", "sys/fs/cgroup", "tmpfs", MOUNT_FLAGS, "mode=755"));
	for (int i = 0; i < layout.count; i++) {
		const char *dir = layout.v1[i];

		snprintf(path, sizeof path, "sys/fs/cgroup/%s", dir);
		snprintf(option, sizeof option, "%s%s", strcmp(dir, "systemd") ? "" : "none,name=", dir);
		CHECK(mkdir(path, 0755));
		CHECK(mount("cgroup", path, "cgroup", MOUNT_FLAGS | MS_RDONLY, option));
		if (!strchr(dir, ','))
			continue;
		for (char *name = strtok(option, ","); name; name = strtok(NULL, ",")) {
			snprintf(path, sizeof path, "sys/fs/cgroup/%s", name);
			CHECK(symlink(dir, path));
		}
	}
	CHECK(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MOUNT_FLAGS, NULL));
}
