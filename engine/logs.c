/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs: what the steps of a workflow printed, merged by time. The step helpers write a file per pod; a round of reading takes
 * place on a pool thread and hands at most a megabyte of lines to the loop. With follow, the kernel says when a file or the
 * folder changed (inotify), and the engine when the workflow has ended: nothing polls.
 */
#include "engine/selector.h"
#include "engine/shell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/lang/regex.h"

enum { ROUND_BYTES = 1 << 20, CHUNK = 64 << 10, MAX_PODS = 100000 };

/* A pod's file. Between rounds it belongs to the loop, in a round to the pool thread. */
struct pod_log {
	str pod, path;
	int fd;
	struct buf ahead;  /* read and not yet given out */
	size_t taken;      /* of ahead */
	bool at_end;       /* nothing behind `ahead` when last looked */
	uv_fs_event_t *watch;
};

struct line {
	size_t pod;
	int64_t time;
	str text; /* in round_text */
};

struct log_stream {
	struct engine *engine;
	struct arena *arena;
	struct log_query query;
	struct regex *grep;
	str dir;
	VEC(struct pod_log) pods;
	struct map names; /* of files, to find new ones */
	bool pod_found;   /* the pod that was asked for is there, be it without the container */
	struct selector selector;
	struct map selected; /* pods that the selector chose; grows on the loop, between rounds */
	size_t looked_at;    /* nodes that it has seen */
	struct archived stored; /* of a finished workflow, where there is a selector */
	VEC(struct line) lines;
	struct arena *round_text;
	uv_fs_event_t *dir_watch;
	struct watch *watch;
	int64_t given; /* bytes, for limit_bytes */
	bool running, again, started, finished, finished_before_round, drained, ended, stopped;
	void (*line)(void *arg, str pod, int64_t time, str text);
	void (*end)(void *arg, const struct err *e);
	void *arg;
};

static void start_round(struct log_stream *ls);

/* ---- on the pool thread ---------------------------------------------------------------------------------------- */

/* Where the last `n` lines of a file begin. */
static off_t
tail_offset(int fd, int64_t n)
{
	char chunk[CHUNK];
	off_t at = lseek(fd, 0, SEEK_END);
	if (n == 0)
		return at;
	int64_t seen = 0;
	char next = '#'; /* first byte of the line behind the line feed; the helper's own lines begin so and do not count */
	while (at > 0) {
		size_t take = at < (off_t)sizeof chunk ? (size_t)at : sizeof chunk;
		ssize_t got = pread(fd, chunk, take, at - (off_t)take);
		if (got != (ssize_t)take)
			return 0;
		for (size_t i = take; i > 0; next = chunk[--i])
			if (chunk[i - 1] == '\n' && next != '#' && ++seen == n)
				return at - (off_t)(take - i);
		at -= (off_t)take;
	}
	return 0;
}

static void
open_log(struct log_stream *ls, struct pod_log *p)
{
	p->fd = open(p->path.p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (p->fd >= 0 && ls->query.tail >= 0)
		lseek(p->fd, tail_offset(p->fd, ls->query.tail), SEEK_SET);
}

/* `file` is "POD", with what main printed, or "POD@CONTAINER" (engine/shim/task.h). */
static void
add_pod(struct log_stream *ls, str file)
{
	str container = file, name = str_cut(&container, '@');
	if (!container.n)
		container = S("main");
	if (map_get(&ls->names, file) || ls->pods.n >= MAX_PODS || (ls->query.pod.n && !str_eq(ls->query.pod, name)) ||
	    (ls->query.selector.n && !map_get(&ls->selected, name)))
		return;
	ls->pod_found = true;
	if (ls->query.container.n && !str_eq(ls->query.container, container))
		return;
	struct pod_log *p = VEC_PUSH(&ls->pods);
	p->pod = arena_dup(ls->arena, name);
	p->path = arena_fmt(ls->arena, "%.*s/%.*s.log", STR_ARG(ls->dir), STR_ARG(file));
	p->fd = -1;
	map_put(&ls->names, arena_dup(ls->arena, file), ls);
}

static void
find_pods(struct log_stream *ls)
{
	DIR *d = opendir(ls->dir.p);
	if (!d)
		return;
	struct dirent *entry;
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.' && str_ends(str_c(entry->d_name), S(".log")))
			add_pod(ls, str_slice(str_c(entry->d_name), 0, strlen(entry->d_name) - 4));
	closedir(d);
}

/* The next whole line ahead, reading more of the file if need be. False if there is none now. */
static bool
peek(struct log_stream *ls, struct pod_log *p, str *line)
{
	for (;;) {
		str ahead = str_slice(buf_str(&p->ahead), p->taken, p->ahead.n);
		size_t end = str_find_char(ahead, '\n', 0);
		if (end != SIZE_MAX) {
			*line = str_slice(ahead, 0, end);
			return true;
		}
		if (p->fd < 0)
			open_log(ls, p);
		if (p->taken)
			memmove(p->ahead.p, p->ahead.p + p->taken, p->ahead.n - p->taken);
		p->ahead.n -= p->taken;
		p->taken = 0;
		ssize_t got = p->fd < 0 ? 0 : read(p->fd, buf_room(&p->ahead, CHUNK), CHUNK);
		p->at_end = got <= 0;
		if (got <= 0)
			return false;
		p->ahead.n += (size_t)got;
	}
}

static bool
split(str line, int64_t *time, str *text)
{
	struct err ignored; /* a line without a time is shown as it is */
	size_t space = str_find_char(line, ' ', 0);
	if (space == SIZE_MAX || time_parse_rfc3339(str_slice(line, 0, space), time, &ignored)) {
		*text = line;
		return false;
	}
	*text = str_slice(line, space + 1, line.n);
	return true;
}

static bool
wanted(const struct log_stream *ls, int64_t time, str text)
{
	struct err ignored; /* a line that costs the pattern too much is shown rather than hidden */
	return time >= ls->query.since_ns && (!ls->grep || regex_matches(ls->grep, text, &ignored) != 0);
}

/* The pod whose next line is the oldest; SIZE_MAX if none has one. */
static size_t
oldest(struct log_stream *ls, str *line, int64_t *time, str *text)
{
	size_t best = SIZE_MAX;
	for (size_t i = 0; i < ls->pods.n; i++) {
		str l, t;
		int64_t at = 0;
		if (!peek(ls, &ls->pods.p[i], &l))
			continue;
		split(l, &at, &t);
		if (best != SIZE_MAX && at >= *time)
			continue;
		best = i;
		*line = l;
		*time = at;
		*text = t;
	}
	return best;
}

static void
read_round(void *arg)
{
	struct log_stream *ls = arg;
	find_pods(ls);
	size_t bytes = 0;
	ls->drained = false;
	while (bytes < ROUND_BYTES) {
		str line = STR_NONE, text = STR_NONE;
		int64_t time = 0;
		size_t i = oldest(ls, &line, &time, &text);
		if (i == SIZE_MAX) {
			ls->drained = true;
			return;
		}
		ls->pods.p[i].taken += line.n + 1;
		bytes += line.n + 1;
		if (line.n && line.p[0] == '#')
			continue; /* the helper's own (engine/shim/task.h): output begins with its time */
		if (wanted(ls, time, text))
			*VEC_PUSH(&ls->lines) = (struct line){ i, time, arena_dup(ls->round_text, text) };
	}
}

/* ---- on the loop ----------------------------------------------------------------------------------------------- */

static void
closed(uv_handle_t *h)
{
	free(h);
}

static void
unwatch(uv_fs_event_t **w)
{
	if (*w)
		uv_close((uv_handle_t *)*w, closed);
	*w = NULL;
}

static void
stream_free(struct log_stream *ls)
{
	for (size_t i = 0; i < ls->pods.n; i++) {
		unwatch(&ls->pods.p[i].watch);
		close_fd(&ls->pods.p[i].fd);
		buf_free(&ls->pods.p[i].ahead);
	}
	unwatch(&ls->dir_watch);
	engine_unwatch(ls->watch);
	VEC_FREE(&ls->pods);
	VEC_FREE(&ls->lines);
	map_free(&ls->names);
	map_free(&ls->selected);
	run_free(ls->stored.run);
	regex_free(ls->grep);
	arena_free(ls->round_text);
	arena_free(ls->arena);
}

static void
file_changed(uv_fs_event_t *w, const char *name, int events, int status)
{
	(void)name, (void)events, (void)status;
	start_round(w->data);
}

static void
watch_path(struct log_stream *ls, uv_fs_event_t **w, const char *path)
{
	if (*w)
		return;
	*w = MEM_NEW(uv_fs_event_t);
	uv_fs_event_init(loop_uv(ls->engine->loop), *w);
	(*w)->data = ls;
	if (uv_fs_event_start(*w, file_changed, path, 0))
		unwatch(w); /* not there yet: the folder above tells when it is */
}

/* New files and folders are watched after the round that found them; what came in between is read by one more round. */
static bool
watch_all(struct log_stream *ls)
{
	bool added = !ls->dir_watch;
	watch_path(ls, &ls->dir_watch, ls->dir.p);
	added = added && ls->dir_watch;
	for (size_t i = 0; i < ls->pods.n; i++) {
		if (ls->pods.p[i].watch)
			continue;
		watch_path(ls, &ls->pods.p[i].watch, ls->pods.p[i].path.p);
		added = added || ls->pods.p[i].watch;
	}
	return added;
}

static void
give_lines(struct log_stream *ls)
{
	for (size_t i = 0; i < ls->lines.n && !ls->stopped; i++) {
		const struct line *l = &ls->lines.p[i];
		ls->given += (int64_t)l->text.n + 1;
		if (ls->query.limit_bytes && ls->given > ls->query.limit_bytes) {
			ls->ended = true;
			break;
		}
		ls->line(ls->arg, ls->pods.p[l->pod].pod, l->time, l->text);
	}
	ls->lines.n = 0;
	arena_reset(ls->round_text);
}

static void
round_done(void *arg)
{
	struct log_stream *ls = arg;
	ls->running = false;
	give_lines(ls);
	if (ls->stopped) {
		stream_free(ls);
		return;
	}
	bool follow = ls->query.follow && !ls->ended;
	bool more = !ls->ended && (!ls->drained || (follow && watch_all(ls)));
	if (more || (ls->again && follow)) {
		start_round(ls);
	} else if (!follow || ls->finished_before_round) {
		struct err none;
		bool missing = ls->query.pod.n && !ls->pods.n;
		if (missing && ls->pod_found)
			err_set(&none, ERR_INVALID, "container %.*s is not valid for pod %.*s", STR_ARG(ls->query.container), STR_ARG(ls->query.pod));
		else if (missing)
			err_set(&none, ERR_NOT_FOUND, "pods \"%.*s\" not found: it is none of this workflow's, or has not started", STR_ARG(ls->query.pod));
		ls->end(ls->arg, missing ? &none : NULL);
		stream_free(ls);
	}
}

static str
label_of(void *node, str key)
{
	return node_label(node, key);
}

/* Nodes that came since the last round: whether the selector wants their pods. */
static void
select_pods(struct log_stream *ls)
{
	const struct live *l = live_find(ls->engine, ls->query.ns, ls->query.name);
	const struct run *r = l ? l->run : ls->stored.run;
	struct node *n;
	while (ls->query.selector.n && r && (n = run_node_next(r, &ls->looked_at)))
		if (node_pod(n).n && selector_match(&ls->selector, label_of, n))
			map_put(&ls->selected, arena_dup(ls->arena, node_pod(n)), ls);
}

static void
start_round(struct log_stream *ls)
{
	ls->again = ls->running;
	if (ls->running || !ls->started)
		return;
	select_pods(ls);
	ls->running = true;
	ls->finished_before_round = ls->finished;
	loop_work(ls->engine->loop, read_round, round_done, ls);
}

static void
workflow_changed(void *arg, str ns, str name, bool finished, bool deleted)
{
	(void)ns, (void)name;
	struct log_stream *ls = arg;
	ls->finished = ls->finished || finished || deleted;
	start_round(ls);
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static int
exists(sqlite3 *db, void *arg, struct err *e)
{
	struct log_stream *ls = arg;
	int64_t id;
	if (archive_find(db, ls->query.ns, ls->query.name, &id, e))
		return -1;
	if (id && ls->query.selector.n)
		return archive_load(db, ls->query.ns, ls->query.name, true, &archive_no_world, &ls->stored, e);
	return id ? 0 : err_set(e, ERR_NOT_FOUND, "workflows.argoproj.io \"%.*s\" not found", STR_ARG(ls->query.name));
}

static void
found(void *arg, const struct err *e)
{
	struct log_stream *ls = arg;
	const struct live *l = live_find(ls->engine, ls->query.ns, ls->query.name);
	if (ls->stopped || (e && !l)) {
		if (!ls->stopped)
			ls->end(ls->arg, e);
		stream_free(ls);
		return;
	}
	bool waits = !l && admission_waits(ls->engine, ls->query.ns, ls->query.name); /* it will run, later */
	ls->finished = ls->finished || (l ? run_finished(l->run) : !waits);
	ls->started = true;
	start_round(ls);
}

struct log_stream *
engine_logs(struct engine *g, const struct log_query *q, void (*line)(void *arg, str pod, int64_t time, str text),
            void (*end)(void *arg, const struct err *e), void *arg, struct err *e)
{
	if (q->previous) {
		err_set(e, ERR_UNSUPPORTED, "logs of previous containers: a pod's container is never restarted here");
		return NULL;
	}
	struct arena *a = arena_new();
	struct log_stream *ls = ARENA_NEW(a, struct log_stream);
	*ls = (struct log_stream){ .engine = g, .arena = a, .query = *q, .line = line, .end = end, .arg = arg };
	ls->query.selector = arena_dup(a, q->selector);
	if (selector_parse_labels(a, ls->query.selector, &ls->selector, e) || (q->grep.n && regex_compile(q->grep, &ls->grep, e))) {
		arena_free(a);
		return NULL;
	}
	ls->query.ns = arena_dup(a, q->ns);
	ls->query.name = arena_dup(a, q->name);
	ls->query.pod = arena_dup(a, q->pod);
	ls->query.container = arena_dup(a, q->container);
	ls->dir = executor_workflow_dir(g->executor, a, q->ns, q->name);
	ls->round_text = arena_new();
	if (q->follow)
		ls->watch = engine_watch(g, ls->query.ns, ls->query.name, workflow_changed, ls);
	store_read(g->store, exists, ls, found);
	return ls;
}

void
engine_logs_stop(struct log_stream *ls)
{
	/* A round or the look-up under way ends first, and then frees. */
	ls->stopped = true;
	if (ls->started && !ls->running)
		stream_free(ls);
}
