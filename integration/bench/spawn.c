/*
 * spawn: runs a plan of commands one after the other and says how long each took.
 *
 *   spawn < PLAN      one command a line: LABEL \t IDLE_US \t ARGV0 \t ARGV1 ...
 *
 * The time is from just before posix_spawn() (a vfork in glibc: the caller's size does not count)
 * until wait4() has the status. IDLE_US of sleep comes before it and is not in it. Each line is
 * answered on stdout by LABEL \t MICROSECONDS \t STATUS, STATUS as in a shell (128 + signal).
 * The commands have /dev/null as stdin and stdout, and the caller's stderr.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void die(const char *what)
{
	fprintf(stderr, "spawn: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* Splits `line` at its tabs into `field`, NULL-terminated; the number of fields is returned. */
static int split(char *line, char **field, int max)
{
	int n = 0;

	line[strcspn(line, "\n")] = 0;
	for (char *f = strtok(line, "\t"); f && n < max - 1; f = strtok(NULL, "\t"))
		field[n++] = f;
	field[n] = NULL;
	return n;
}

static void idle(long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	if (us > 0)
		nanosleep(&t, NULL);
}

static double spawn_and_wait(char **argv, int *status)
{
	pid_t pid;
	double start = now_us();

	errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		die(argv[0]);
	if (wait4(pid, status, 0, NULL) != pid)
		die("wait4");
	double end = now_us();

	*status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
	return end - start;
}

int main(void)
{
	static char line[8192];
	char *field[64];
	int status, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int plan_fd = fcntl(0, F_DUPFD_CLOEXEC, 10), out_fd = fcntl(1, F_DUPFD_CLOEXEC, 10);

	if (null < 0 || plan_fd < 0 || out_fd < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		die("stdio");
	FILE *plan = fdopen(plan_fd, "r"), *out = fdopen(out_fd, "w");
	if (!plan || !out)
		die("fdopen");
	while (fgets(line, sizeof line, plan)) {
		if (split(line, field, 64) < 3)
			continue;
		idle(atol(field[1]));
		double us = spawn_and_wait(field + 2, &status);
		fprintf(out, "%s\t%.1f\t%d\n", field[0], us, status);
		fflush(out);
	}
	return 0;
}
