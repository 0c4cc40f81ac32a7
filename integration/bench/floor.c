/*
 * floor: the kernel operations of a container's life, with nothing decided.
 *
 * It does what a runtime must do for the config.json that `runc spec` writes (plus a cgroup
 * namespace), every value written into this file, so its time is the lower bound to compare a
 * runtime with. Every call is checked; a failure prints line, call and errno and exits with 125.
 * It is not a runtime: it validates nothing and trusts the rootfs.
 *
 *   floor [OPTIONS] run ROOTFS PROG [ARG...]     wait for it; its exit status
 *   floor [OPTIONS] create ID ROOTFS PROG [ARG...]
 *   floor [OPTIONS] start ID
 *   floor [OPTIONS] exec ID PROG [ARG...]        wait for it; its exit status
 *   floor [OPTIONS] delete ID                    kill, wait, remove
 *
 *   --root DIR      state (default /run/floor)
 *   --cgroup NAME   cgroup below the root of each hierarchy (default floor-PID)
 *   --seccomp FILE  raw BPF, an array of struct sock_filter, loaded before execve()
 *
 * FLOOR_CGROUPS names the hierarchies, so that none are looked for: the v1 directories below
 * /sys/fs/cgroup (each also its mount option), joined by ':'; `unified` among them for the v2 one
 * of a hybrid host; or just `v2` when /sys/fs/cgroup is cgroup2 itself.
 *
 * Built with -DSTEPS, `run` prints the microseconds of every step on stderr.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "floor.h"

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS)

static struct {
	const char *root, *cgroup;
	struct sock_fprog seccomp;
} opt = { .root = "/run/floor" };

int failure_fd = -1;

void die(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s%s%s\n", file, line, what, errno ? ": " : "", errno ? strerror(errno) : "");
	if (failure_fd >= 0 && write(failure_fd, "", 1) < 0)
		perror("floor: start is not told");
	_exit(125);
}

#ifdef STEPS
/* In a page that both processes write to. */
static struct steps {
	int count;
	struct {
		const char *what;
		double at;
	} step[100];
} *steps;

void step(const char *what)
{
	struct timespec now;

	if (!steps)
		steps = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
			     -1, 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	steps->step[steps->count].what = what;
	steps->step[steps->count++].at = now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

void steps_print(void)
{
	for (int i = 1; i < steps->count; i++)
		fprintf(stderr, "%s\t%.1f\n", steps->step[i].what, steps->step[i].at - steps->step[i - 1].at);
}
#endif

static const char *state_path(const char *id, const char *file)
{
	static char path[108]; /* as long as sun_path */

	if (snprintf(path, sizeof path, "%s/%s/%s", opt.root, id, file) >= (int)sizeof path)
		FAIL("state path too long");
	return path;
}

/*
 * No vfork or CLONE_VM, though it saves some 3 % of a run: a runtime has things to do between the
 * clone and the execve (maps, hooks, state), and a container that is joined could write to the memory.
 */
static pid_t clone_into(unsigned long flags, int cgroup2)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };

	if (cgroup2 >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = cgroup2;
	}
	return CHECK(syscall(SYS_clone3, &args, sizeof args));
}

static int wait_for(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A new container: its cgroups, its process and what that does up to the gate. */
static pid_t new_container(char **args, const struct gate *gate)
{
	struct cgroups cg;

	cgroups_open(&cg, opt.cgroup, CGROUP_CREATE);
	STEP("cgroups made");
	pid_t pid = clone_into(NAMESPACES, cg.v2);
	if (pid == 0) {
		STEP("clone3");
		cgroups_join(&cg);
		CHECK(unshare(CLONE_NEWCGROUP));
		STEP("cgroups joined");
		enter_new(args[0]);
		become(opt.cgroup);
		if (gate)
			gate_wait(gate);
		run_program(args + 1, &opt.seccomp);
	}
	return pid;
}

static int verb_run(char **args)
{
	STEP("start");
	int status = wait_for(new_container(args, NULL));

	STEP("execve, program, exit");
	cgroups_remove(opt.cgroup);
	STEP("cgroups removed");
	steps_print();
	return status;
}

static int verb_create(char **args)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct gate gate;
	int pair[2];
	char byte;

	CHECK(present(mkdir(opt.root, 0700), EEXIST));
	CHECK(mkdir(state_path(args[0], ""), 0700));
	strcpy(addr.sun_path, state_path(args[0], "gate"));
	gate.listener = CHECK(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	CHECK(bind(gate.listener, (struct sockaddr *)&addr, sizeof addr));
	CHECK(listen(gate.listener, 1));
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	gate.ready = pair[1];
	pid_t pid = new_container(args + 1, &gate);
	CHECK(close(pair[1]));
	if (CHECK(read(pair[0], &byte, 1)) != 1)
		FAIL("the container ended before it was created");

	FILE *state = fopen(state_path(args[0], "state"), "we");
	CHECK(state ? fprintf(state, "%d %s\n", pid, opt.cgroup) : -1);
	CHECK(fclose(state));
	return 0;
}

static int verb_start(char **args)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = CHECK(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	char byte;

	strcpy(addr.sun_path, state_path(args[0], "gate"));
	CHECK(connect(sock, (struct sockaddr *)&addr, sizeof addr));
	if (CHECK(read(sock, &byte, 1)) != 0) /* end of file: execve() closed the other end */
		FAIL("the container could not start");
	return 0;
}

static pid_t read_state(const char *id)
{
	static char cgroup[256];
	FILE *state = fopen(state_path(id, "state"), "re");
	pid_t pid;

	CHECK(state ? 0 : -1);
	if (fscanf(state, "%d %255s", &pid, cgroup) != 2)
		FAIL("state");
	fclose(state);
	opt.cgroup = cgroup;
	return pid;
}

static int verb_exec(char **args)
{
	struct cgroups cg;
	int target = CHECK(syscall(SYS_pidfd_open, read_state(args[0]), 0));

	cgroups_open(&cg, opt.cgroup, CGROUP_EXISTS);
	/* The cgroup namespace last, in the child: with nsdelegate, a clone into a cgroup is refused
	 * to a process which is itself outside of its cgroup namespace. */
	CHECK(setns(target, NAMESPACES));
	pid_t pid = clone_into(0, cg.v2);
	if (pid == 0) {
		cgroups_join(&cg);
		CHECK(setns(target, CLONE_NEWCGROUP));
		become(opt.cgroup);
		run_program(args + 1, &opt.seccomp);
	}
	return wait_for(pid);
}

static int verb_delete(char **args)
{
	/* The one failure let pass: a container that has ended and was reaped by its parent. */
	int target = syscall(SYS_pidfd_open, read_state(args[0]), 0);

	if (target < 0 && errno != ESRCH)
		die(__FILE__, __LINE__, "pidfd_open");
	if (target >= 0) {
		struct pollfd ended = { .fd = target, .events = POLLIN };

		CHECK(present(syscall(SYS_pidfd_send_signal, target, SIGKILL, NULL, 0), ESRCH));
		CHECK(poll(&ended, 1, -1));
	}
	cgroups_remove(opt.cgroup);
	CHECK(unlink(state_path(args[0], "gate")));
	CHECK(unlink(state_path(args[0], "state")));
	CHECK(rmdir(state_path(args[0], "")));
	return 0;
}

/* Before the clone: the file is the host's. */
static void read_seccomp(const char *file)
{
	static struct sock_filter filter[BPF_MAXINSNS];
	int fd = CHECK(open(file, O_RDONLY | O_CLOEXEC));

	opt.seccomp.len = CHECK(read(fd, filter, sizeof filter)) / sizeof *filter;
	opt.seccomp.filter = filter;
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*call)(char **args);
		int args;
	} verbs[] = { { "run", verb_run, 2 },     { "create", verb_create, 3 }, { "start", verb_start, 1 },
		      { "exec", verb_exec, 2 },   { "delete", verb_delete, 1 } };
	static char cgroup[32];
	char **arg = argv + 1;

	for (; arg[0] && arg[1] && !strncmp(arg[0], "--", 2); arg += 2) {
		if (!strcmp(*arg, "--root"))
			opt.root = arg[1];
		else if (!strcmp(*arg, "--cgroup"))
			opt.cgroup = arg[1];
		else if (!strcmp(*arg, "--seccomp"))
			read_seccomp(arg[1]);
		else
			FAIL(*arg);
	}
	if (!opt.cgroup) {
		snprintf(cgroup, sizeof cgroup, "floor-%d", getpid());
		opt.cgroup = cgroup;
	}
	for (unsigned i = 0; *arg && i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(*arg, verbs[i].name) && argv + argc - arg > verbs[i].args)
			return verbs[i].call(arg + 1);
	fprintf(stderr, "usage: see the top of floor.c\n");
	return 125;
}
