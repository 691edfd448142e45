/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/hdfs_walk.h"

#include "core/net/webhdfs.h"

#define TIMEOUT_MS 30000

struct hdfs_walk {
	struct httpc *client;
	struct hdfs_place *place;
	struct arena *arena;
	struct watch_look *seen;
	VEC(str) directories; /* relative, "" is the first; in the arena */
	size_t at;            /* the one that is being listed */
	str after;            /* the last name of the part that came; absent: from the beginning */
	size_t asked;         /* addresses that were asked for this call in vain */
	struct err first;     /* what the first of them said */
	void (*done)(void *arg, struct watch_look *seen, const struct err *e);
	void *arg;
};

static void
walk_free(struct hdfs_walk *w)
{
	watch_look_free(w->seen);
	VEC_FREE(&w->directories);
	arena_free(w->arena);
	free(w);
}

static void
end(struct hdfs_walk *w, const struct err *e)
{
	struct watch_look *seen = e ? NULL : w->seen;
	struct err copy = e ? *e : (struct err){ 0 };
	void (*done)(void *arg, struct watch_look *seen, const struct err *e) = w->done;
	void *arg = w->arg;
	w->seen = e ? w->seen : NULL;
	walk_free(w);
	done(arg, seen, e ? &copy : NULL);
}

static void
fail(struct hdfs_walk *w, enum err_code code, const char *what)
{
	struct err e;
	str directory = w->directories.p[w->at];
	err_set(&e, code, "hdfs %.*s%s%.*s: %.300s", STR_ARG(w->place->directory), directory.n ? "/" : "", STR_ARG(directory), what);
	end(w, &e);
}

/* ---- an answer ------------------------------------------------------------------------------------------------------ */

/* "755" as bits; what is none is 0. */
static uint32_t
permissions(str octal)
{
	uint32_t mode = 0;
	for (size_t i = 0; i < octal.n && i < 4; i++)
		mode = mode * 8 + ((uint32_t)(unsigned char)octal.p[i] & 7);
	return mode;
}

/* Whether something below the directory can match. */
static bool
is_on_the_way(const struct hdfs_place *p, str directory)
{
	return !p->path.n || (str_starts(p->path, directory) && p->path.n > directory.n && p->path.p[directory.n] == '/');
}

/* One FileStatus of the listing. */
static int
take_status(struct hdfs_walk *w, const struct val *status, struct err *e)
{
	str base = w->directories.p[w->at], suffix = webhdfs_text(status, "pathSuffix");
	bool is_directory = webhdfs_is_directory(status);
	if (watch_look_count(w->seen, e) < 0)
		return -1;
	if (!suffix.n || str_find_char(suffix, '/', 0) != SIZE_MAX)
		return err_set(e, ERR_INVALID, "it is no directory");
	str name = arena_fmt(w->arena, "%.*s%s%.*s", STR_ARG(base), base.n ? "/" : "", STR_ARG(suffix));
	if (is_directory && w->directories.n == HDFS_DIRECTORIES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d directories: watch one further down", HDFS_DIRECTORIES_MAX);
	if (is_directory && is_on_the_way(w->place, name))
		*VEC_PUSH(&w->directories) = name;
	int rc = watch_matches(w->place->match, name, e);
	if (rc <= 0)
		return rc;
	struct watch_seen seen = { .name = name, .complete = is_directory ? WATCH_COMPLETE : WATCH_NOT_SURE };
	seen.stamp = (struct watch_stamp){ .id = (uint64_t)webhdfs_number(status, "fileId"), .mode = permissions(webhdfs_text(status, "permission")) };
	if (!is_directory) {
		seen.stamp.size = webhdfs_number(status, "length");
		seen.stamp.mtime = webhdfs_number(status, "modificationTime");
	}
	return watch_look_add(w->seen, &seen, e);
}

/* 1: there is more of this directory; 0: that was all. */
static int
take_listing(struct hdfs_walk *w, str body, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val v;
	if (json_read(a, body, &v, e) < 0)
		return err_wrap(e, "the answer");
	str after;
	const struct val *statuses = webhdfs_listing(&v, &after);
	if (!statuses)
		return err_set(e, ERR_INVALID, "the answer is no listing of WebHDFS");
	for (size_t i = 0; i < statuses->n; i++)
		if (take_status(w, &statuses->items[i], e) < 0)
			return -1;
	w->after = after.p ? arena_dup(w->arena, after) : STR_NONE;
	return w->after.p != NULL;
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

static void ask(struct hdfs_walk *w);

/* The directory is done. */
static void
go_on(struct hdfs_walk *w)
{
	w->after = STR_NONE;
	w->asked = 0;
	if (++w->at < w->directories.n)
		ask(w);
	else
		end(w, NULL);
}

/* The next address is asked for the same, or all were. */
static void
ask_another(struct hdfs_walk *w, const struct err *e)
{
	if (w->asked == 0)
		w->first = *e;
	if (++w->asked == w->place->addresses.n) {
		end(w, &w->first);
		return;
	}
	w->place->active = (w->place->active + 1) % w->place->addresses.n;
	ask(w);
}

static void
refused(struct hdfs_walk *w, const struct http_answer *ans)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct webhdfs_refusal r;
	struct err e;
	webhdfs_refusal(ans, a, &r);
	if (r.code == ERR_UNAVAILABLE) {
		err_set(&e, r.code, "hdfs at %.*s: %.*s", STR_ARG(w->place->addresses.p[w->place->active]), STR_ARG(r.text));
		ask_another(w, &e);
	} else if (r.code == ERR_NOT_FOUND && w->at) {
		go_on(w); /* it went while we walked */
	} else if (ans->status == 400 && !w->place->whole) {
		w->place->whole = true; /* a server older than 2.8 does not know the operation */
		ask(w);
	} else {
		fail(w, r.code, r.code == ERR_UNAUTHENTICATED ? "401: the server wants a login, and Kerberos is not served" : r.text.p);
	}
}

static void
on_answer(void *arg, const struct http_answer *ans, const struct err *e)
{
	struct hdfs_walk *w = arg;
	struct err ours;
	if (e && (e->code == ERR_LIMIT || e->code == ERR_UNSUPPORTED || e->code == ERR_INVALID)) {
		fail(w, e->code, e->msg);
		return;
	}
	if (e) {
		ask_another(w, e);
		return;
	}
	if (ans->status != 200) {
		refused(w, ans);
		return;
	}
	int more = take_listing(w, ans->body, &ours);
	w->asked = 0;
	if (more < 0)
		fail(w, ours.code, ours.msg);
	else if (more)
		ask(w);
	else
		go_on(w);
}

static void
ask(struct hdfs_walk *w)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct hdfs_place *p = w->place;
	str directory = w->directories.p[w->at];
	struct webhdfs_op op = { "GET", p->whole ? "LISTSTATUS" : "LISTSTATUS_BATCH", .query = { { S("startAfter"), w->after } }, .query_n = w->after.p != NULL };
	op.path = arena_fmt(a, "%.*s%s%.*s", STR_ARG(p->directory), str_ends(p->directory, S("/")) || !directory.n ? "" : "/", STR_ARG(directory));
	str url = webhdfs_url(p->addresses.p[p->active], &op, p->user, a);
	struct http_call call = { .method = S("GET"), .url = url, .timeout_ms = TIMEOUT_MS, .max_response = WEBHDFS_ANSWER_MAX };
	httpc_send(w->client, &call, on_answer, w);
}

struct hdfs_walk *
hdfs_walk(struct httpc *c, struct hdfs_place *p, void (*done)(void *arg, struct watch_look *seen, const struct err *e), void *arg)
{
	struct hdfs_walk *w = MEM_NEW(struct hdfs_walk);
	*w = (struct hdfs_walk){ .client = c, .place = p, .arena = arena_new(), .seen = watch_look_new(), .done = done, .arg = arg };
	*VEC_PUSH(&w->directories) = S("");
	ask(w);
	return w;
}

void
hdfs_walk_leave(struct hdfs_walk *w)
{
	if (!w)
		return;
	httpc_forget(w->client, w);
	walk_free(w);
}
