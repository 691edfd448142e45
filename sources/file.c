/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: changes of files in a directory (spec events 1.C1), told by inotify. A file is announced when it is complete: when its writer has closed it,
 * or when it was moved in. What the kernel's queue could not hold, and what came while the daemon was down, is found by a look at the whole
 * directory (sources/watch.h). A directory that is not there is waited for. With `polling`, looks are all there is.
 *
 * The loop reads the kernel's queue and decides; whatever touches the file system runs aside (file_look.h). One thing at a time: no more
 * is read from the queue until what was read is announced, so a bus that is full fills the queue, and a queue that overflows ends in a look.
 */
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "sources/aside.h"
#include "sources/backoff.h"
#include "sources/check.h"
#include "sources/file_look.h"
#include "sources/webhook_context.h"

#define POLL (100 * NS_PER_MS)      /* between two looks, as in Argo */
#define POLL_SHARE 10               /* and so many times as long as a look takes */
#define SETTLE (10 * NS_PER_SEC)
#define STILL_FIRST (1 * NS_PER_SEC) /* until a file that nobody closes is looked at again; twice as long each time */
#define STILL_MAX (60 * NS_PER_SEC)
enum { QUEUE_READ = 64 << 10 };     /* bytes of the kernel's queue in one go: some 2,000 events */

struct file_source {
	str event_type;
	struct source_filter *filter;
	bool immediate;
	struct kvs metadata;
	bool polling;
	struct watch_path *watch_path_config;
	const struct val *src;
};

/* ---- the table ------------------------------------------------------------------------------------------------ */

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct file_source *s = obj;
	str unknown;

	if (!s->event_type.n)
		decode_error(c, in, NULL, "type must be specified: set eventType");
	watch_ops(s->event_type, &unknown);
	if (unknown.p)
		decode_error(c, in, "eventType", "unknown type \"%.*s\", which nothing matches: CREATE, WRITE, REMOVE, RENAME or CHMOD, or several "
			"with | between", STR_ARG(unknown));
	source_check_path(s->watch_path_config, in, c);
}

static const struct schema file_source_schema = { "FileEventSource", "Changes of files in a directory.",
	sizeof(struct file_source), (const struct field[]){
	FIELD(struct file_source, event_type, "eventType", 0,
		.doc = "CREATE, WRITE, REMOVE, RENAME, CHMOD, or several with `|` between."),
	FIELD_PTR(struct file_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct file_source, immediate, "immediate", 0,
		.doc = "Announce a file as soon as its name is there, and each write, as Argo does; else when its writer has closed it."),
	FIELD(struct file_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct file_source, polling, "polling", 0,
		.doc = "Look at the directory again and again instead of being told: for file systems of a network."),
	FIELD_PTR(struct file_source, watch_path_config, "watchPathConfig", 0, &watch_path_schema,
		.doc = "Directory and files to watch."),
	FIELD_SRC(struct file_source, src),
	{ 0 } }, check };

/* ---- the running source --------------------------------------------------------------------------------------- */

struct file {
	struct arena *arena;
	struct source *source;
	struct watch *watch;
	struct watch_match *match;
	str directory;           /* where the names are */
	bool polling, immediate, loaded;
	int fd;                  /* inotify; -1: polling */
	uv_poll_t readable;
	struct aside *aside;     /* a job is under way */
	struct timer timer;      /* the next look, or the next attempt */
	struct backoff_state backoff;
	int wd;                  /* of the directory, or of the one above while that is away; -1: none */
	const char *awaited;     /* what is to come in the one above; NULL: the directory is there */
	struct buf awaited_text;
	size_t maybe_old;        /* bytes of the queue that the last look may have seen */
	bool open_due, list_due; /* what to do once all is announced */
	int64_t not_before;      /* and when, after an attempt that failed */
	int64_t still_at, still_wait; /* when to look at what is held back; 0: nothing is */
	int64_t took_ns, looked_at;
};

static void next(void *arg);
static void on_readable(uv_poll_t *p, int status, int events);

static void
listen_to_kernel(struct file *f, bool on)
{
	if (f->fd < 0)
		return;
	if (on)
		uv_poll_start(&f->readable, UV_READABLE, on_readable);
	else
		uv_poll_stop(&f->readable);
}

static void
failed(struct file *f, const struct err *e)
{
	source_state(f->source, false, e);
	f->open_due = true;
	f->not_before = loop_now(source_loop(f->source)) + backoff_next(&f->backoff, NULL);
}

/* ---- jobs ----------------------------------------------------------------------------------------------------------- */

static uint32_t
mask_of(const struct file *f)
{
	return IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_EXCL_UNLINK |
	       (f->immediate ? IN_MODIFY : IN_CLOSE_WRITE);
}

static void
wait_for_directory(struct file *f, const struct file_job *j)
{
	f->awaited_text.n = 0;
	buf_add(&f->awaited_text, str_c(j->awaited));
	f->awaited = f->awaited_text.p;
	f->maybe_old = 0;
	source_state(f->source, false, &j->err);
}

static void
looked(struct file *f, struct file_job *j)
{
	f->wd = j->wd >= 0 ? j->wd : f->wd;
	f->took_ns = j->took_ns;
	f->awaited = NULL;
	if (j->away)
		wait_for_directory(f, j);
	else if (j->err.code)
		failed(f, &j->err);
	else
		source_state(f->source, true, NULL);
	if (j->err.code) {
		/* What will be in a directory that was not there is new. */
		if (j->err.code == ERR_NOT_FOUND && watch_is_new(f->watch))
			watch_compare(f->watch, watch_look_new());
		else
			next(f);
		return;
	}
	backoff_reset(&f->backoff);
	f->maybe_old = j->queued;
	f->looked_at = loop_now(source_loop(f->source));
	watch_compare(f->watch, j->look);
	j->look = NULL;
}

static void
tell(struct file *f, const struct file_job *j)
{
	struct err e;
	for (size_t i = 0; i < j->facts.n; i++) {
		const struct file_fact *x = &j->facts.p[i];
		if (watch_tell(f->watch, x->fact, x->seen.name, x->is_there ? &x->seen : NULL, x->maybe_old, &e) < 0) {
			f->open_due = true; /* which says so, until there are fewer */
			break;
		}
	}
	watch_announce(f->watch);
}

static void
on_job(void *arg)
{
	struct file_job *j = arg;
	struct file *f = j->owner;
	f->aside = NULL;
	if (j->kind == FILE_NAMES)
		tell(f, j);
	else
		looked(f, j);
	file_job_free(j);
}

static void
run(struct file *f, struct file_job *j)
{
	struct err e;
	listen_to_kernel(f, false);
	timer_stop(&f->timer);
	j->owner = f;
	j->mask = mask_of(f);
	j->old_wd = f->wd;
	j->fd = f->fd < 0 ? -1 : fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
	if (f->fd >= 0 && j->fd < 0)
		err_errno(&e, "directory %s", j->directory);
	else
		f->aside = aside_start(source_loop(f->source), &(struct aside_job){ file_job_work, on_job, file_job_free, j }, &e);
	if (f->aside)
		return;
	file_job_free(j);
	failed(f, &e);
	next(f);
}

static struct file_job *
job(struct file *f, enum file_job_kind kind)
{
	return file_job_new(kind, f->directory, f->match);
}

/* What is held back is looked at again: its writer may have died before it was seen, or have closed it under another name. */
static void
look_again(struct file *f)
{
	struct file_job *j = job(f, FILE_NAMES);
	struct watch_look *held = watch_held_names(f->watch);
	size_t n;
	const struct watch_seen *seen = watch_look_seen(held, &n);
	for (size_t i = 0; i < n; i++) {
		struct file_fact *x = VEC_PUSH(&j->facts);
		x->fact = WATCH_STILL;
		x->seen.name = arena_dup(j->arena, seen[i].name);
	}
	watch_look_free(held);
	f->still_wait = f->still_wait * 2 < STILL_MAX ? f->still_wait * 2 : STILL_MAX;
	f->still_at = loop_now(source_loop(f->source)) + f->still_wait;
	run(f, j);
}

static void
arm(struct file *f)
{
	struct loop *l = source_loop(f->source);
	int64_t now = loop_now(l);
	if (f->polling) {
		f->list_due = true;
		timer_start(l, &f->timer, now + (f->took_ns * POLL_SHARE > POLL ? f->took_ns * POLL_SHARE : POLL), next, f);
		return;
	}
	if (!watch_held(f->watch))
		f->still_at = 0;
	else if (!f->still_at)
		f->still_at = now + (f->still_wait = STILL_FIRST);
	if (f->still_at)
		timer_start(l, &f->timer, f->still_at, next, f);
	listen_to_kernel(f, true);
}

/* All is announced: what is to be done now. */
static void
next(void *arg)
{
	struct file *f = arg;
	if (f->aside || !f->loaded || !watch_is_idle(f->watch) || source_is_paused(f->source))
		return;
	if (f->not_before > loop_now(source_loop(f->source))) {
		listen_to_kernel(f, false);
		timer_start(source_loop(f->source), &f->timer, f->not_before, next, f);
		return;
	}
	bool open = f->open_due, list = f->list_due;
	f->open_due = f->list_due = false;
	if (open || list)
		run(f, job(f, open ? FILE_OPEN : FILE_LIST));
	else if (f->still_at && watch_held(f->watch) && f->still_at <= loop_now(source_loop(f->source)))
		look_again(f);
	else
		arm(f);
}

static void
all_announced(void *arg)
{
	next(arg);
}

/* ---- the kernel's queue --------------------------------------------------------------------------------------------- */

static const struct {
	uint32_t mask;
	enum watch_fact fact;
} facts[] = { { IN_CREATE, WATCH_MADE }, { IN_MOVED_TO, WATCH_MOVED_IN }, { IN_CLOSE_WRITE, WATCH_CLOSED }, { IN_MODIFY, WATCH_WRITTEN },
	{ IN_ATTRIB, WATCH_TOUCHED }, { IN_DELETE, WATCH_DELETED }, { IN_MOVED_FROM, WATCH_MOVED_OUT } };

static void
take(struct file *f, struct file_job *j, const struct inotify_event *ev, bool maybe_old)
{
	struct err e;
	str name = str_c(ev->len ? ev->name : NULL);
	if (ev->mask & IN_Q_OVERFLOW)
		f->list_due = true;
	if (ev->wd != f->wd || f->open_due)
		return; /* of a watch that is no more */
	if (ev->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED) || (f->awaited && str_eq(name, str_c(f->awaited))))
		f->open_due = true;
	int matches = f->awaited || !name.n ? 0 : watch_matches(f->match, name, &e);
	f->list_due |= matches < 0; /* too much work for the expression: the look will say so */
	if (matches <= 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
		if (!(ev->mask & facts[i].mask))
			continue;
		struct file_fact *x = VEC_PUSH(&j->facts);
		*x = (struct file_fact){ .fact = facts[i].fact, .maybe_old = maybe_old, .seen.name = arena_dup(j->arena, name) };
	}
}

static void
on_readable(uv_poll_t *p, int status UNUSED, int events UNUSED)
{
	struct file *f = p->data;
	_Alignas(struct inotify_event) char queue[QUEUE_READ];
	ssize_t n = read(f->fd, queue, sizeof queue);
	struct file_job *j = job(f, FILE_NAMES);
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (const void *)(queue + at);
		at += (ssize_t)(sizeof *ev + ev->len);
		take(f, j, ev, f->maybe_old > 0);
		f->maybe_old -= f->maybe_old < sizeof *ev + ev->len ? f->maybe_old : sizeof *ev + ev->len;
	}
	if (j->facts.n) {
		run(f, j);
		return;
	}
	file_job_free(j);
	if (f->open_due || f->list_due)
		next(f);
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

static void load(void *arg);

static void
on_loaded(void *arg, const struct err *e)
{
	struct file *f = arg;
	struct loop *l = source_loop(f->source);
	f->loaded = !e;
	f->open_due = true;
	if (e) {
		source_state(f->source, false, e);
		timer_start(l, &f->timer, loop_now(l) + backoff_next(&f->backoff, NULL), load, f);
	} else {
		next(f);
	}
}

static void
load(void *arg)
{
	struct file *f = arg;
	watch_load(f->watch, on_loaded);
}

static int
open_queue(struct file *f, struct err *e)
{
	f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->fd < 0)
		return err_errno(e, "asking the kernel for changes of files (sysctl fs.inotify.max_user_instances)");
	uv_poll_init(loop_uv(source_loop(f->source)), &f->readable, f->fd);
	f->readable.data = f;
	return 0;
}

static void
file_free(struct file *f)
{
	watch_match_unref(f->match);
	buf_free(&f->awaited_text);
	arena_free(f->arena);
}

static int
start(struct source *s, struct err *e)
{
	const struct file_source *config = source_config(s);
	const struct watch_path *path = config->watch_path_config;
	struct arena *a = arena_new();
	struct file *f = ARENA_NEW(a, struct file);
	str name;
	*f = (struct file){ .arena = a, .source = s, .fd = -1, .wd = -1, .polling = config->polling, .immediate = config->immediate };
	f->directory = watch_place(a, path->directory, path->path, &name);
	if (watch_match_new(name, path->path_regexp, &f->match, e) < 0 || (!f->polling && open_queue(f, e) < 0)) {
		file_free(f);
		return -1;
	}
	str place = arena_fmt(a, "file\n%.*s\n%.*s\n%.*s", STR_ARG(f->directory), STR_ARG(path->path),
	                      STR_ARG(path->path_regexp));
	struct watch_options options = { .match = watch_match_ref(f->match), .directory = f->polling ? STR_NONE : f->directory, .place = place,
	                                 .type = config->event_type, .metadata = &config->metadata, .settle_ns = SETTLE,
	                                 .rules = f->immediate ? WATCH_AT_ONCE : WATCH_CONTENT_WRITTEN };
	f->watch = watch_new(s, &options, all_announced, f);
	source_set_data(s, f);
	source_connecting(s);
	load(f);
	return 0;
}

static void
on_pause(struct source *s, bool on)
{
	struct file *f = source_data(s);
	if (on)
		listen_to_kernel(f, false);
	else if (!watch_is_idle(f->watch))
		watch_resume(f->watch);
	else
		next(f);
}

static void
on_closed(uv_handle_t *h)
{
	struct file *f = h->data;
	close(f->fd);
	file_free(f);
}

static void
stop(struct source *s)
{
	struct file *f = source_data(s);
	timer_stop(&f->timer);
	aside_leave(f->aside);
	watch_free(f->watch);
	if (f->fd >= 0)
		uv_close((uv_handle_t *)&f->readable, on_closed);
	else
		file_free(f);
	source_stopped(s);
}

static void
describe(const struct source *s, struct val_map *m, struct arena *a)
{
	const struct file *f = source_data(s);
	watch_describe(f->watch, m, a);
	if (f->looked_at)
		val_map_add(m, S("lastLook"), val_str(time_rfc3339(a, f->looked_at)));
}

const struct source_ops source_file = { .kind = "file", .doc = "Changes of files in a directory.", .schema = &file_source_schema,
	.start = start, .pause = on_pause, .stop = stop, .describe = describe };
