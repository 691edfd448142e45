/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate-jq: runs jq programs for the daemon, which starts it (sensors/jq.c) and kills it when one takes too long. A process of its own,
 * because libjq can neither be stopped nor be given a limit on memory, and because data of strangers goes through it. Once it is set up it may
 * read, write, and get memory, and nothing else.
 */
#include <errno.h>
#include <jq.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sensors/jq/protocol.h"
#include "sensors/jq/text.h"

enum { PROGRAMS = 16 };

struct program {
	char *text;
	uint32_t n;
	jq_state *jq;
	unsigned long used;
};
static struct program programs[PROGRAMS];
static unsigned long clock_of_use;

/* ---- talking ------------------------------------------------------------------------------------------------------- */

/* The daemon is gone, or this makes no sense: nothing is left to do. */
static void
must_read(void *to, size_t n)
{
	for (char *p = to; n;) {
		ssize_t got = read(JQ_FD, p, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			_exit(0);
		p += got;
		n -= (size_t)got;
	}
}

static void
must_write(const void *from, size_t n)
{
	for (const char *p = from; n;) {
		ssize_t put = write(JQ_FD, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			_exit(0);
		p += put;
		n -= (size_t)put;
	}
}

static void
reply(enum jq_status status, const char *text, size_t n)
{
	struct jq_reply r = { status, (uint32_t)n };
	must_write(&r, sizeof r);
	must_write(text, n);
}

static void
fail(const char *what)
{
	reply(JQ_FAILED, what, strlen(what));
}

static char *
must_alloc(size_t n)
{
	char *p = malloc(n + 1);
	if (!p)
		abort(); /* as libjq does: the daemon sees what came of it */
	p[n] = 0;
	return p;
}

/* ---- programs ------------------------------------------------------------------------------------------------------- */

/* The first message counts; what follows it is the program's line and a sum. */
static void
keep_first(void *to, jv message)
{
	char *text = to;
	if (!*text && jv_get_kind(message) == JV_KIND_STRING) {
		const char *s = jv_string_value(message);
		s += strncmp(s, "jq: ", 4) == 0 ? 4 : 0;
		s += strncmp(s, "error: ", 7) == 0 ? 7 : 0;
		snprintf(text, 400, "%.*s", (int)strcspn(s, "\n"), s);
		size_t n = strlen(text);
		if (n && text[n - 1] == ':')
			text[n - 1] = 0;
	}
	jv_free(message);
}

static void
drop(struct program *p)
{
	if (p->jq)
		jq_teardown(&p->jq);
	free(p->text);
	*p = (struct program){ 0 };
}

/* There is one event, and the program has it. */
static jv
no_input(jq_state *jq, void *arg)
{
	(void)jq, (void)arg;
	return jv_invalid_with_msg(jv_string("no more inputs"));
}

/* NULL: it does not compile; that was replied. Takes `text`. */
static struct program *
compile(char *text, uint32_t n)
{
	struct program *p = &programs[0];
	char why[400] = "", *whole = jq_text(text, n);
	if (!whole)
		abort();
	for (size_t i = 0; i < PROGRAMS; i++)
		if (programs[i].used < p->used)
			p = &programs[i];
	drop(p);
	*p = (struct program){ text, n, jq_init(), ++clock_of_use };
	if (!p->jq)
		abort();
	jq_set_error_cb(p->jq, keep_first, why);
	jq_set_input_cb(p->jq, no_input, NULL);
	bool ok = strlen(text) == n && jq_compile(p->jq, whole);
	jq_set_error_cb(p->jq, NULL, NULL);
	free(whole);
	if (ok)
		return p;
	drop(p);
	fail(*why ? why : "the program does not compile");
	return NULL;
}

static struct program *
find(char *text, uint32_t n)
{
	for (size_t i = 0; i < PROGRAMS; i++) {
		struct program *p = &programs[i];
		if (!p->jq || p->n != n || memcmp(p->text, text, n) != 0)
			continue;
		free(text);
		p->used = ++clock_of_use;
		return p;
	}
	return compile(text, n);
}

/* ---- one event ------------------------------------------------------------------------------------------------------- */

static void
fail_with(jv message)
{
	jv text = jv_get_kind(message) == JV_KIND_STRING ? message : jv_dump_string(message, 0);
	size_t n = (size_t)jv_string_length_bytes(jv_copy(text));
	reply(JQ_FAILED, jv_string_value(text), n > 400 ? 400 : n);
	jv_free(text);
}

static void
answer(jv result)
{
	if (jv_get_kind(result) != JV_KIND_OBJECT) {
		char why[100];
		snprintf(why, sizeof why, "the first output must be an object, not %s", jv_kind_name(jv_get_kind(result)));
		jv_free(result);
		fail(why);
		return;
	}
	jv text = jv_dump_string(result, JV_PRINT_SORTED);
	int n = jv_string_length_bytes(jv_copy(text));
	if (n < 0 || (unsigned)n > JQ_ANSWER_MAX)
		fail("the output is larger than 16 MiB");
	else
		reply(JQ_OK, jv_string_value(text), (size_t)n);
	jv_free(text);
}

/* Objects with their members by key, as gojq walks them; jq walks them as they came. Deep at most as its parser lets them be. */
static jv
sorted(jv v)
{
	if (jv_get_kind(v) == JV_KIND_ARRAY) {
		for (int i = 0, count = jv_array_length(jv_copy(v)); i < count; i++) {
			jv item = jv_array_get(jv_copy(v), i);
			if (jv_get_kind(item) == JV_KIND_ARRAY || jv_get_kind(item) == JV_KIND_OBJECT)
				v = jv_array_set(v, i, sorted(item));
			else
				jv_free(item);
		}
	}
	if (jv_get_kind(v) != JV_KIND_OBJECT)
		return v;
	jv keys = jv_keys(jv_copy(v)), out = jv_object();
	for (int i = 0, count = jv_array_length(jv_copy(keys)); i < count; i++) {
		jv key = jv_array_get(jv_copy(keys), i);
		out = jv_object_set(out, key, sorted(jv_object_get(jv_copy(v), jv_copy(key))));
	}
	jv_free(keys);
	jv_free(v);
	return out;
}

static void
run(struct program *p, const char *data, uint32_t n)
{
	jv input = jv_parse_sized(data, (int)n);
	if (!jv_is_valid(input)) {
		fail_with(jv_invalid_get_msg(input));
		return;
	}
	if (jv_get_kind(input) == JV_KIND_NULL) {
		jv_free(input);
		input = jv_object(); /* as Go's decoder has it */
	}
	if (jv_get_kind(input) != JV_KIND_OBJECT) {
		char why[100];
		snprintf(why, sizeof why, "the event's data must be an object, not %s", jv_kind_name(jv_get_kind(input)));
		jv_free(input);
		fail(why);
		return;
	}
	jq_start(p->jq, sorted(input), 0);
	jv result = jq_next(p->jq);
	if (jv_is_valid(result)) {
		answer(result);
		return;
	}
	bool halted = jq_halted(p->jq);
	if (jv_invalid_has_msg(jv_copy(result))) {
		fail_with(jv_invalid_get_msg(result));
		return;
	}
	jv_free(result);
	fail(halted ? "the program halted" : "the program gave no output");
}

static void
serve(void)
{
	struct jq_request r;
	must_read(&r, sizeof r);
	if (r.program > JQ_PROGRAM_MAX || r.data > JQ_DATA_MAX)
		_exit(1);
	char *text = must_alloc(r.program), *data = must_alloc(r.data);
	must_read(text, r.program);
	must_read(data, r.data);
	struct program *p = find(text, r.program);
	if (p && r.data)
		run(p, data, r.data);
	else if (p)
		reply(JQ_OK, "{}", 2);
	free(data);
}

/* ---- confinement ------------------------------------------------------------------------------------------------------ */

static const char *const allowed[] = {
	"read", "write", "munmap", "mremap", "brk", "madvise", "futex", "clock_gettime", "gettimeofday", "time", "exit", "exit_group", "rt_sigreturn",
	"rt_sigprocmask", "rt_sigaction", "sigaltstack", "getpid", "gettid", "tgkill", "getrandom", "restart_syscall", "sched_yield",
};

static bool
filter_calls(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok = ctx;
	for (size_t i = 0; ok && i < sizeof allowed / sizeof *allowed; i++) {
		int nr = seccomp_syscall_resolve_name(allowed[i]);
		ok = nr == __NR_SCMP_ERROR || seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0) == 0;
	}
	ok = ok && seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
	     seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 && seccomp_load(ctx) == 0;
	if (ctx)
		seccomp_release(ctx);
	return ok;
}

static bool
limit(int what, rlim_t most)
{
	struct rlimit r = { most, most };
	return setrlimit(what, &r) == 0;
}

/* A kernel without seccomp runs it without; the limits hold anywhere. */
static bool
confine(rlim_t memory)
{
	static char *nothing[] = { NULL };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "tidegate-jq");
	prctl(PR_SET_DUMPABLE, 0);
	if (!limit(RLIMIT_AS, memory) || !limit(RLIMIT_CORE, 0) || !limit(RLIMIT_FSIZE, 0))
		return false;
	setenv("TZ", "UTC", 1);
	tzset();
	environ = nothing; /* an empty one: libjq does not expect none */
	return filter_calls() || prctl(PR_GET_SECCOMP) < 0;
}

/* Everything that is loaded or allocated once is, before the doors close. */
static void
warm_up(void)
{
	static const char any[] = "localtime | mktime | todate | test(\"a\")";
	char *text = must_alloc(sizeof any - 1);
	memcpy(text, any, sizeof any);
	(void)compile(text, sizeof any - 1);
}

int
main(int argc, char **argv)
{
	long memory = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	if (memory <= 0) {
		dprintf(2, "tidegate-jq: runs jq programs for tidegate, which starts it; it is of no use by hand\n");
		return 2;
	}
	warm_up();
	if (!confine((rlim_t)memory << 20)) {
		dprintf(2, "tidegate-jq: cannot confine itself: %s\n", strerror(errno));
		return 1;
	}
	for (;;)
		serve();
}
