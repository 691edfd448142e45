/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result: from the last line of a step's log to what the workflow sees: phase, message, exit code, outputs, in the
 * words of Argo and Kubernetes (spec 2.17). The line was written a moment ago and is in the page cache, so it is read
 * on the loop.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base64.h"
#include "engine/exec/exec.h"

#define END_MAX (32u << 20) /* bytes of the last line */
#define END_CHUNK (4u << 10)

/* What the helper says, before it is judged. */
struct ending {
	int code;
	enum task_cause cause;
	str error, message, result, progress;
	bool has_code;
	int64_t started, finished;
	struct task_usage usage;
	size_t outputs;     /* answered so far */
	str output_problem; /* the first required output that is not there */
	VEC(struct kv) parameters;
};

static str
without_newline(str s)
{
	return s.n && s.p[s.n - 1] == '\n' ? str_slice(s, 0, s.n - 1) : s;
}

/* What Argo's container `wait` says of an output that it could not read (spec 2.17). */
#define MISSING "wait: Error (exit code 64): outputs.parameters.%.*s: "

static void
take_output(struct task *t, struct ending *x, const struct record *r)
{
	str text = { r->p, r->n };
	if (x->outputs >= t->outputs.n)
		return;
	const struct task_output *o = &t->outputs.p[x->outputs++];
	if (r->type == TASK_EXIT_OUTPUT)
		*VEC_PUSH(&x->parameters) = (struct kv){ o->name, arena_dup(t->arena, without_newline(text)) };
	else if (x->output_problem.p || o->has_default)
		return;
	else if (r->type == TASK_EXIT_NO_OUTPUT)
		x->output_problem = arena_fmt(t->arena,
			MISSING "open %.*s: no such file or directory", STR_ARG(o->name), STR_ARG(o->path));
	else
		x->output_problem = arena_fmt(t->arena, MISSING "%.*s", STR_ARG(o->name), STR_ARG(text));
}

static void
take_usage(struct ending *x, const struct record *r)
{
	if (r->n == sizeof x->usage)
		memcpy(&x->usage, r->p, sizeof x->usage);
}

/* In Argo's units: seconds of a core, and of 100Mi. How much memory a step had over its time the kernel does not keep,
 * so it counts as if it had its peak from start to end. */
static struct usage
usage(const struct ending *x)
{
	const int64_t ms = x->finished > x->started ? (x->finished - x->started) / NS_PER_MS : 0;
	const double unit_kib = 100 << 10, units = (double)x->usage.max_rss_kib / unit_kib;
	if (x->usage.user_us < 0 || x->usage.system_us < 0 || units < 0)
		return (struct usage){ 0 };
	return (struct usage){ (x->usage.user_us + x->usage.system_us) / 1000, (int64_t)(units * (double)ms) };
}

static void
take_record(struct task *t, struct ending *x, const struct record *r)
{
	str text = { r->p, r->n };
	/* clang-format off */
	switch ((enum task_record)r->type) {
	case TASK_EXIT_CODE: x->code = record_i32(r), x->has_code = true; break;
	case TASK_EXIT_CAUSE: x->cause = (enum task_cause)record_i32(r); break;
	case TASK_EXIT_ERROR: x->error = text; break;
	case TASK_EXIT_MESSAGE: x->message = str_trim(text); break;
	case TASK_EXIT_RESULT: x->result = without_newline(text); break;
	case TASK_EXIT_PROGRESS: x->progress = progress_text(text); break;
	case TASK_EXIT_OUTPUT:
	case TASK_EXIT_NO_OUTPUT:
	case TASK_EXIT_BAD_OUTPUT: take_output(t, x, r); break;
	case TASK_EXIT_ARTIFACT:
	case TASK_EXIT_NO_ARTIFACT:
	case TASK_EXIT_BAD_ARTIFACT: artifact_kept(t, r->type, text); break;
	case TASK_EXIT_STARTED: x->started = record_i64(r); break;
	case TASK_EXIT_FINISHED: x->finished = record_i64(r); break;
	case TASK_EXIT_USAGE: take_usage(x, r); break;
	default: break;
	}
	/* clang-format on */
}

/* Main's failure takes precedence over outputs that could not be read. */
static void
judge(struct task *t, const struct ending *x, struct task_result *out)
{
	out->phase = PHASE_FAILED;
	if (x->error.p) {
		out->phase = PHASE_ERROR;
		out->message = arena_dup(t->arena, x->error);
	} else if (x->cause == TASK_CAUSE_DEADLINE) {
		out->message = S(POD_TOO_LONG);
	} else if (x->cause == TASK_CAUSE_OOM) {
		out->message = arena_fmt(t->arena, "main: OOMKilled (exit code %d)", x->code);
	} else if (x->code) {
		out->message = arena_fmt(t->arena, "main: Error (exit code %d)%s%.*s", x->code,
			x->message.n ? ": " : "", STR_ARG(x->message));
	} else if (x->output_problem.p) {
		out->phase = PHASE_ERROR;
		out->message = x->output_problem;
	} else {
		out->phase = PHASE_SUCCEEDED;
	}
}

/* What main left, of a pod or alone. */
static void
take_outputs(struct task *t, struct ending *x, struct task_result *out)
{
	out->parameters.n = x->parameters.n;
	out->parameters.p = ARENA_ARRAY(t->arena, struct kv, x->parameters.n);
	if (x->parameters.n)
		memcpy(out->parameters.p, x->parameters.p, x->parameters.n * sizeof *x->parameters.p);
	if (t->capture && x->result.p)
		out->result = arena_dup(t->arena, x->result);
	if (x->progress.p)
		out->progress = arena_dup(t->arena, x->progress);
}

static int
lost(struct err *e)
{
	return err_set(e, ERR_INTERNAL, TASK_LOST "what its helper left is not readable");
}

static int
parse_one(struct task *t, const char *p, size_t n, struct task_result *out, struct err *e)
{
	struct ending x = { 0 };
	struct record r;
	for (const char *at = p; record_next(&at, p + n, &r);)
		take_record(t, &x, &r);
	int rc = !x.has_code && !x.error.p ? lost(e) : 0;
	if (rc == 0) {
		*out = (struct task_result){ .exit_code = x.has_code ? x.code : -1 };
		judge(t, &x, out);
		out->usage = usage(&x);
		take_outputs(t, &x, out);
	}
	VEC_FREE(&x.parameters);
	return rc;
}

/* ---- pods -------------------------------------------------------------------------------------------------------- */

static const char *
reason(const struct ending *x)
{
	return x->cause == TASK_CAUSE_OOM ? "OOMKilled" : "Error";
}

/* A container as its node shows it (assessNodeStatus, v4.1.2). */
static void
judge_member(struct task *t, const struct task_member *m, const struct ending *x, struct container_result *out)
{
	*out = (struct container_result){ .name = m->name, .phase = PHASE_PENDING, .message = S(""), .exit_code = -1 };
	if (x->error.p) {
		out->phase = PHASE_ERROR;
		out->message = arena_dup(t->arena, x->error);
	} else if (x->has_code) {
		out->exit_code = x->code;
		out->phase = !x->code ? PHASE_SUCCEEDED : x->code == TASK_EXIT_NOT_STARTED ? PHASE_ERROR : PHASE_FAILED;
		if (x->code)
			out->message = arena_fmt(t->arena, "%.*s: %s (exit code %d): %.*s", STR_ARG(m->name), reason(x), x->code,
				STR_ARG(x->message));
	}
}

enum rank { RANK_INIT, RANK_MAIN, RANK_SIDE };

static enum rank
rank(const struct task_member *m)
{
	return m->role == TASK_ROLE_INIT ? RANK_INIT : m->role == TASK_ROLE_MAIN ? RANK_MAIN : RANK_SIDE;
}

/* Init containers in order, then main ones, then side ones; among equals by name, as a kubelet lists them. */
static bool
comes_before(const struct task_member *a, const struct task_member *b)
{
	if (rank(a) != rank(b) || a->role == TASK_ROLE_INIT)
		return rank(a) < rank(b);
	return str_cmp(a->name, b->name) < 0;
}

static const size_t *
in_order(struct task *t)
{
	size_t *order = ARENA_ARRAY(t->arena, size_t, t->members.n + 1), n = 0;
	for (size_t i = 0; i < t->members.n; i++) {
		size_t k = n++;
		for (; k > 0 && comes_before(&t->members.p[i], &t->members.p[order[k - 1]]); k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
	return order;
}

static void
fail(struct task_result *out, enum phase phase, str message)
{
	out->phase = phase;
	out->message = message;
}

/* Whether this container failed, and so speaks for the pod. */
static bool
judge_container(struct task *t, const struct task_member *m, const struct ending *x, struct task_result *out)
{
	bool ended_by_us = m->role != TASK_ROLE_MAIN && (x->code == 137 || x->code == 143);
	if (x->error.p)
		fail(out, PHASE_ERROR, arena_fmt(t->arena, "%.*s: %.*s", STR_ARG(m->name), STR_ARG(x->error)));
	else if (!x->has_code && m->role == TASK_ROLE_MAIN)
		fail(out, PHASE_ERROR, arena_fmt(t->arena, "Pod failed before %.*s container starts due to PodInitializing: ", STR_ARG(m->name)));
	else if (x->code && !ended_by_us)
		fail(out, PHASE_FAILED, arena_fmt(t->arena, "%.*s: %s (exit code %d)%s%.*s", STR_ARG(m->name), reason(x), x->code,
			x->message.n ? ": " : "", STR_ARG(x->message)));
	return out->phase != PHASE_SUCCEEDED;
}

static bool
judge_containers(struct task *t, const size_t *order, const struct ending *list, bool side, struct task_result *out)
{
	for (size_t i = 0; i < t->members.n; i++) {
		const struct task_member *m = &t->members.p[order[i]];
		if ((rank(m) == RANK_SIDE) == side && judge_container(t, m, &list[order[i]], out))
			return true;
	}
	return false;
}

/* The container that Argo calls `wait`: whether it could not read an output. */
static bool
judge_executor(const struct task *t, const struct ending *list, struct task_result *out)
{
	for (size_t i = 0; i < t->members.n; i++)
		if (list[i].output_problem.p)
			fail(out, PHASE_ERROR, list[i].output_problem);
	return out->phase != PHASE_SUCCEEDED;
}

/* The first that failed speaks for the pod: init, main, the executor, side containers (inferFailedReason, v4.1.2; spec 2.17). */
static void
judge_pod(struct task *t, const struct ending *pod, const struct ending *list, struct task_result *out)
{
	const size_t *order = in_order(t);
	out->phase = PHASE_SUCCEEDED;
	out->message = S("");
	if (pod->error.p)
		fail(out, PHASE_ERROR, arena_dup(t->arena, pod->error));
	else if (pod->cause == TASK_CAUSE_DEADLINE)
		fail(out, PHASE_FAILED, S(POD_TOO_LONG));
	else if (!judge_containers(t, order, list, false, out) && !judge_executor(t, list, out))
		judge_containers(t, order, list, true, out);
}

/* The records of each container follow its name. */
static void
split(struct task *t, const char *p, size_t n, struct ending *pod, struct ending *list)
{
	struct ending *x = pod;
	struct record r;
	for (const char *at = p; record_next(&at, p + n, &r);) {
		if (r.type != TASK_EXIT_CONTAINER) {
			if (x)
				take_record(t, x, &r);
			continue;
		}
		x = NULL;
		for (size_t i = 0; i < t->members.n; i++)
			if (str_eq(t->members.p[i].name, (str){ r.p, r.n }))
				x = &list[i];
	}
}

static int
parse_pod(struct task *t, const char *p, size_t n, struct task_result *out, struct err *e)
{
	struct ending pod = { 0 }, *list = ARENA_ARRAY(t->arena, struct ending, t->members.n);
	struct container_result *containers = ARENA_ARRAY(t->arena, struct container_result, t->members.n);
	split(t, p, n, &pod, list);
	if (!pod.finished) {
		VEC_FREE(&pod.parameters);
		return lost(e);
	}
	*out = (struct task_result){ .exit_code = -1, .containers = containers };
	judge_pod(t, &pod, list, out);
	for (size_t i = 0; i < t->members.n; i++) {
		const struct task_member *m = &t->members.p[i];
		struct usage u = usage(&list[i]);
		out->usage.cpu += u.cpu;
		out->usage.memory += u.memory;
		if (m->role == TASK_ROLE_MAIN)
			judge_member(t, m, &list[i], &containers[out->containers_n++]);
		if (m->role == TASK_ROLE_MAIN && str_eq(m->name, S("main"))) {
			out->exit_code = list[i].has_code ? list[i].code : -1;
			take_outputs(t, &list[i], out);
		}
		VEC_FREE(&list[i].parameters);
	}
	return 0;
}

int
result_parse(struct task *t, const char *p, size_t n, struct task_result *out, struct err *e)
{
	return t->members.n ? parse_pod(t, p, n, out, e) : parse_one(t, p, n, out, e);
}

/* The last line without its line feed. ERR_NOT_FOUND if it is not complete or not the line of an end. */
static int
last_line(int fd, int64_t size, struct buf *b, struct err *e)
{
	for (int64_t want = END_CHUNK;; want *= 8) {
		int64_t from = size > want ? size - want : 0;
		b->n = 0;
		ssize_t n = pread(fd, buf_room(b, (size_t)(size - from) + 1), (size_t)(size - from), from);
		if (n < 0)
			return err_errno(e, "read how the step ended");
		b->n = (size_t)n;
		if (!n || b->p[n - 1] != '\n')
			break;
		const char *before = memrchr(b->p, '\n', (size_t)n - 1);
		str line = before ? (str){ before + 1, (size_t)(b->p + n - 2 - before) } : (str){ b->p, (size_t)n - 1 };
		if (before || from == 0) {
			if (!str_starts(line, S(TASK_LOG_END)))
				break;
			memmove(b->p, line.p, line.n);
			b->n = line.n;
			return 0;
		}
		if (want > END_MAX)
			return err_set(e, ERR_LIMIT, "the step's outputs have more than %u bytes", END_MAX);
	}
	return err_set(e, ERR_NOT_FOUND, "the step has not ended");
}

int
result_read(struct task *t, struct task_result *out, struct err *e)
{
	char path[TASK_PATH_MAX];
	struct stat st;
	struct buf b CLEANUP(free_buf) = { 0 };
	snprintf(path, sizeof path, "%s.log", t->dir.p);
	int fd CLEANUP(close_fd) = openat(t->x->tasks_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "read how the step ended");
	if (last_line(fd, st.st_size, &b, e) < 0)
		return -1;
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	str records;
	if (base64_decode(tmp, str_slice(buf_str(&b), sizeof TASK_LOG_END - 1, b.n), &records, e) < 0)
		return err_set(e, ERR_INTERNAL, TASK_LOST "what its helper left is not readable");
	return result_parse(t, records.p, records.n, out, e);
}
