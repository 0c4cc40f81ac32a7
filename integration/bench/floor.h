/* What the three files of floor share: checks, steps, and who does what. */
#ifndef FLOOR_H
#define FLOOR_H

#include <errno.h>
#include <linux/filter.h>
#include <sys/types.h>

/* The value of `call`; if that is negative, the end, with line, text and errno. */
#define CHECK(call)                                     \
	({                                              \
		long ret_ = (long)(call);               \
		if (ret_ < 0)                           \
			die(__FILE__, __LINE__, #call); \
		ret_;                                   \
	})

#define FAIL(what) (errno = 0, die(__FILE__, __LINE__, what))

/* The fds through which a container's process gets into its cgroups. */
struct cgroups {
	int tasks[16]; /* of the v1 hierarchies, -1 after the last */
	int v2;        /* the directory for CLONE_INTO_CGROUP, or -1 */
};

/* Where the process of `create` waits for `start`. */
struct gate {
	int ready;    /* a byte goes there when the container is complete */
	int listener; /* `start` connects; end of file tells it of the execve() */
};

enum cgroup_mode { CGROUP_CREATE, CGROUP_EXISTS };

_Noreturn void die(const char *file, int line, const char *what);

/* A failure is also told there, as a byte: the connection of `start`. */
extern int failure_fd;

/* 0 instead of a failure that is `expected`: not there, already gone. */
static inline long present(long ret, int expected)
{
	return ret < 0 && errno == expected ? 0 : ret;
}

/* floor_cgroup.c */
void cgroups_open(struct cgroups *cg, const char *name, enum cgroup_mode mode);
void cgroups_join(const struct cgroups *cg);
void cgroups_remove(const char *name);
void cgroups_mount(void);

/* floor_child.c */
void enter_new(const char *rootfs);
void become(const char *keyring);
void gate_wait(const struct gate *gate);
_Noreturn void run_program(char **argv, const struct sock_fprog *seccomp);

#ifdef STEPS
void step(const char *what);
void steps_print(void);
#define STEP(what) step(what)
#else
#define STEP(what) ((void)0)
#define steps_print() ((void)0)
#endif

#endif
