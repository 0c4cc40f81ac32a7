/*
 * seccomp: compiles a profile once, for `floor --seccomp`, which loads it as it is.
 *
 *   seccomp < RULES > FILTER      an array of struct sock_filter
 *
 * RULES is linux.seccomp of a config.json in lines of words, numbers in decimal:
 *   default ACTION ERRNO | arch NAME | rule ACTION ERRNO SYSCALL [INDEX OP VALUE VALUE_TWO]...
 * As in a runtime, a system call that libseccomp does not know is left out.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 40
#define MAX_ARGS 6

static void fail(const char *what, const char *word, int code)
{
	fprintf(stderr, "seccomp: %s %s: %s\n", what, word, strerror(-code));
	exit(2);
}

static unsigned action(const char *name, const char *error)
{
	if (!strcmp(name, "SCMP_ACT_ALLOW"))
		return SCMP_ACT_ALLOW;
	if (!strcmp(name, "SCMP_ACT_ERRNO"))
		return SCMP_ACT_ERRNO(atoi(error));
	if (!strcmp(name, "SCMP_ACT_KILL_PROCESS"))
		return SCMP_ACT_KILL_PROCESS;
	fail("action", name, -EINVAL);
	return 0;
}

static enum scmp_compare compare(const char *name)
{
	static const char *const names[] = { "", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ" };

	for (int i = 1; i < 8; i++)
		if (!strcmp(name + strlen("SCMP_CMP_"), names[i]))
			return i; /* in the order of enum scmp_compare */
	fail("operator", name, -EINVAL);
	return 0;
}

static void add_arch(scmp_filter_ctx ctx, const char *name)
{
	char lower[32];
	int i = 0, code;

	for (name += strlen("SCMP_ARCH_"); name[i] && i < 31; i++)
		lower[i] = name[i] | 0x20 * (name[i] >= 'A' && name[i] <= 'Z');
	lower[i] = 0;
	code = seccomp_arch_add(ctx, seccomp_arch_resolve_name(lower));
	if (code < 0 && code != -EEXIST)
		fail("arch", lower, code);
}

static void add_rule(scmp_filter_ctx ctx, unsigned default_action, char **word, int count)
{
	struct scmp_arg_cmp arg[MAX_ARGS];
	unsigned act = action(word[1], word[2]);
	int args = 0, syscall = seccomp_syscall_resolve_name(word[3]);

	if (syscall == __NR_SCMP_ERROR || act == default_action)
		return;
	for (int i = 4; i + 3 < count && args < MAX_ARGS; i += 4)
		arg[args++] = (struct scmp_arg_cmp){ atoi(word[i]), compare(word[i + 1]),
						     strtoull(word[i + 2], NULL, 10),
						     strtoull(word[i + 3], NULL, 10) };
	int code = seccomp_rule_add_array(ctx, act, syscall, args, arg);
	if (code < 0)
		fail("rule", word[3], code);
}

int main(void)
{
	static char line[4096];
	char *word[MAX_WORDS];
	scmp_filter_ctx ctx = NULL;
	unsigned default_action = 0;

	while (fgets(line, sizeof line, stdin)) {
		int count = 0, code = 0;

		for (char *w = strtok(line, " \n"); w && count < MAX_WORDS; w = strtok(NULL, " \n"))
			word[count++] = w;
		if (count == 3 && !strcmp(word[0], "default")) {
			default_action = action(word[1], word[2]);
			ctx = seccomp_init(default_action);
			code = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, as crun and runc do */
		} else if (count == 2 && !strcmp(word[0], "arch")) {
			add_arch(ctx, word[1]);
		} else if (count >= 4 && !strcmp(word[0], "rule")) {
			add_rule(ctx, default_action, word, count);
		} else {
			code = -EINVAL;
		}
		if (code < 0)
			fail("line", word[0], code);
	}
	int code = seccomp_export_bpf(ctx, 1);
	if (code < 0)
		fail("export", "", code);
	return 0;
}
