/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minio: notifications of a bucket of MinIO (spec events 1.A4): GET /BUCKET?events=...&ping=10 answers for ever, with a line of JSON for each event and blanks
 * in between. A stream that ends, or says nothing for longer than it would ping, is begun anew; what was missed is looked for in a listing
 * (minio_catch_up.c). The mark is the server's time up to which all is told; while a listing is under way it stays where it was.
 */
#include "sources/minio.h"

#include <time.h>

#include "core/crypto.h"
#include "core/log.h"
#include "core/net/httpc.h"
#include "sources/backoff.h"
#include "sources/message.h"
#include "sources/s3_event.h"

#define START_MARGIN (60 * NS_PER_SEC) /* what the listing looks back: nothing before the first start is told */
enum { IDLE_MS = 35000, LINE_MAX_ = 16 << 20, SEEN_READ = 2000, LIST_AGAIN_S = 60, COMPLAIN_S = 60 };

/* ---- the running source ----------------------------------------------------------------------------------------------- */

/* An event that came while the bus was full. */
struct held {
	struct event *ev;
	int64_t time;
};

struct minio {
	struct source *source;
	const struct minio_source *config;
	struct httpc *client; /* of this source alone */
	struct catch_up *catch_up;
	struct backoff_state backoff;
	struct timer retry, list_again;
	struct buf in;         /* the beginning of a line */
	VEC(struct held) held; /* at most one piece of the stream, and one page of the listing */
	int64_t told, mark;    /* the server's time of the last event; and up to which it is known that all are told, 0: it never ran */
	int64_t complained;
	bool heard;            /* the stream has begun */
	bool behind;           /* there was time without a stream that no listing has looked at yet */
	bool list_failed, reading, stopping;
};

static void connect_(void *arg);

static void
emit(struct minio *m, struct event *ev, int64_t time)
{
	source_emit(m->source, ev, NULL);
	if (time > m->told)
		m->told = time;
}

/* In the turn in which the last of them was emitted. */
static void
all_are_told(struct minio *m)
{
	if (m->behind || m->held.n || m->told <= m->mark)
		return;
	m->mark = m->told;
	source_write_mark(m->source, m->mark);
}

static void
take(struct minio *m, struct event *ev, int64_t time)
{
	if (m->held.n || source_is_paused(m->source)) {
		*VEC_PUSH(&m->held) = (struct held){ ev, time };
		return;
	}
	emit(m, ev, time);
	all_are_told(m);
}

static void
complain(struct minio *m, const struct err *e)
{
	int64_t now = loop_now(source_loop(m->source));
	source_count_failure(m->source);
	if (m->complained && now - m->complained < COMPLAIN_S * NS_PER_SEC)
		return;
	m->complained = now;
	struct arena *a CLEANUP(free_arena) = arena_new();
	log_warn("a notification cannot be read and is dropped", "eventsource", str_z(a, source_name(m->source)), "event",
	         str_z(a, source_event_name(m->source)), "error", e->msg, NULL);
}

/* The event was about this object at that time. */
static int64_t
saw(struct catch_up *c, struct arena *a, const struct val *record)
{
	struct err e;
	int64_t time;
	str etag = val_get_str(val_path(record, "s3.object"), "eTag");
	if (time_parse_rfc3339(val_get_str(record, "eventTime"), &time, &e) < 0)
		return 0;
	catch_up_saw(c, s3_record_key(a, record), etag.p ? etag : S(""), time);
	return time;
}

static void
take_records(struct minio *m, struct arena *a, const struct val *records)
{
	struct message msg;
	struct buf list CLEANUP(free_buf) = { 0 };
	int64_t last = 0;
	for (size_t i = 0; i < records->n; i++) {
		int64_t time = saw(m->catch_up, a, &records->items[i]);
		last = time > last ? time : last;
		buf_add(&list, i ? S(",") : S("["));
		s3_record_json(&list, &records->items[i]);
	}
	buf_addc(&list, ']');
	message_begin(&msg);
	message_raw(&msg, "notification", buf_str(&list));
	message_metadata(&msg, &m->config->metadata);
	take(m, message_end(&msg), last);
}

/* A blank one says that the server is there. */
static void
take_line(struct minio *m, str line)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val v;
	struct err e;
	line = str_trim(line);
	if (!line.n)
		return;
	if (json_read(a, line, &v, &e) < 0) {
		complain(m, &e);
		return;
	}
	const struct val *records = val_get(&v, S("Records"));
	if (val_is(records, VAL_LIST) && records->n)
		take_records(m, a, records);
}

static bool
piece(void *arg, str bytes)
{
	struct minio *m = arg;
	size_t end;
	while ((end = str_find_char(bytes, '\n', 0)) != SIZE_MAX) {
		str line = str_slice(bytes, 0, end);
		if (m->in.n) {
			buf_add(&m->in, line);
			line = buf_str(&m->in);
		}
		take_line(m, line);
		m->in.n = 0;
		bytes = str_slice(bytes, end + 1, bytes.n);
	}
	buf_add(&m->in, bytes);
	return m->in.n <= LINE_MAX_;
}

/* ---- connecting ------------------------------------------------------------------------------------------------------- */

static void
look_back(void *arg)
{
	struct minio *m = arg;
	catch_up_begin(m->catch_up, m->mark);
}

/* At the first start nothing was missed. */
static void
begin_at(struct minio *m, int64_t server_time)
{
	m->behind = false;
	m->mark = m->told = server_time + START_MARGIN;
	source_write_mark(m->source, m->mark);
}

static int64_t
server_time(struct minio *m, const struct http_answer *head)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct tm t = { 0 };
	str date = http_answer_header(head, "Date");
	const char *end = date.n ? strptime(str_z(a, date), "%a, %d %b %Y %H:%M:%S GMT", &t) : NULL;
	return end && !*end ? (int64_t)timegm(&t) * NS_PER_SEC : loop_now(source_loop(m->source));
}

static void
opened(void *arg, int status, const struct http_answer *head)
{
	struct minio *m = arg;
	if (!status)
		return;
	m->heard = true;
	backoff_reset(&m->backoff);
	source_state(m->source, true, NULL);
	if (!m->mark)
		begin_at(m, server_time(m, head));
	else /* no call can be sent from within one */
		timer_start(source_loop(m->source), &m->list_again, loop_now(source_loop(m->source)), look_back, m);
}

static void
retry(struct minio *m, const struct err *e)
{
	struct loop *l = source_loop(m->source);
	source_state(m->source, false, e);
	timer_start(l, &m->retry, loop_now(l) + backoff_next(&m->backoff, NULL), connect_, m);
}

/* Some builds of MinIO send nothing, not even a head, before they have a few KiB: there the listing finds everything. */
static void
ended(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct minio *m = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e;
	m->in.n = 0;
	m->behind = true;
	if (m->stopping)
		return;
	if (failure && failure->code == ERR_TIMEOUT && !m->heard) {
		if (m->mark)
			look_back(m);
		else
			begin_at(m, loop_now(source_loop(m->source)));
	}
	if (failure)
		e = *failure;
	else if (ans->status / 100 == 2)
		err_set(&e, ERR_UNAVAILABLE, "the server ended the stream of notifications");
	else
		minio_refused(a, ans->status, ans->body, &e);
	retry(m, &e);
}

static void
connect_(void *arg)
{
	struct minio *m = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_call call;
	struct err e;
	m->heard = false;
	if (minio_request(m->source, minio_stream_query(m->config, a), a, &call, &e) < 0) {
		retry(m, &e);
		return;
	}
	call.piece = piece;
	call.opened = opened;
	call.idle_ms = IDLE_MS;
	httpc_send(m->client, &call, ended, m);
	if (source_is_paused(m->source))
		httpc_pause(m->client, m, true);
}

/* ---- catching up ------------------------------------------------------------------------------------------------------ */

static void
missed(void *arg, str record, str dedup)
{
	struct minio *m = arg;
	struct message msg;
	struct buf list CLEANUP(free_buf) = { 0 };
	buf_addf(&list, "[%.*s]", STR_ARG(record));
	message_begin(&msg);
	message_raw(&msg, "notification", buf_str(&list));
	message_metadata(&msg, &m->config->metadata);
	struct event *ev = message_end(&msg);
	ev->dedup = arena_dup(ev->arena, dedup);
	take(m, ev, 0);
}

static void
caught_up(void *arg, const struct err *e)
{
	struct minio *m = arg;
	struct loop *l = source_loop(m->source);
	if (m->stopping)
		return;
	if (e) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		if (!m->list_failed)
			log_warn("notifications that were missed are not known yet", "eventsource", str_z(a, source_name(m->source)), "event",
			         str_z(a, source_event_name(m->source)), "error", e->msg, NULL);
		m->list_failed = true;
		timer_start(l, &m->list_again, loop_now(l) + LIST_AGAIN_S * NS_PER_SEC, look_back, m);
		return;
	}
	m->list_failed = m->behind = false;
	all_are_told(m);
}

static const struct catch_up_ops catch_up_ops = { missed, caught_up };

/* ---- life ------------------------------------------------------------------------------------------------------------- */

/* The last events in the log: what a listing need not find again. */
struct last_events {
	struct arena *arena;
	struct minio *minio;
	struct bus_query query;
	struct event **events;
	size_t n;
};

static int
read_last(sqlite3 *db, void *arg, struct err *e)
{
	struct last_events *l = arg;
	return bus_read(db, &l->query, &l->events, &l->n, l->arena, e);
}

static void free_minio(struct minio *m);

static void
last_read(void *arg, const struct err *failure UNUSED)
{
	struct last_events *l = arg;
	struct minio *m = l->minio;
	for (size_t i = 0; i < l->n; i++) {
		struct err e;
		const struct val *data = event_data(l->events[i], &e), *records = val_get(data, S("notification"));
		for (size_t r = 0; val_is(records, VAL_LIST) && r < records->n; r++)
			(void)saw(m->catch_up, l->arena, &records->items[r]);
		event_unref(l->events[i]);
	}
	arena_free(l->arena);
	m->reading = false;
	if (m->stopping)
		free_minio(m);
	else
		connect_(m);
}

static void
mark_read(struct source *s, int64_t mark)
{
	struct minio *m = source_data(s);
	struct arena *a = arena_new();
	struct last_events *l = ARENA_NEW(a, struct last_events);
	m->mark = m->told = mark;
	m->behind = true;
	*l = (struct last_events){ .arena = a, .minio = m, .query = { .ns = source_ns(s), .source = source_name(s), .subject = source_event_name(s),
		                                                      .limit = SEEN_READ, .newest_first = true } };
	m->reading = true;
	store_read(sources_store(source_owner(s)), read_last, l, last_read);
}

static int
start(struct source *s, struct err *e)
{
	if (crypto_load(e) < 0)
		return -1;
	struct minio *m = MEM_NEW(struct minio);
	*m = (struct minio){ .source = s, .config = source_config(s), .client = httpc_new(source_loop(s)) };
	m->catch_up = catch_up_new(s, m->client, &catch_up_ops, m);
	source_set_data(s, m);
	source_connecting(s);
	source_read_mark(s, mark_read);
	return 0;
}

static void
pause_(struct source *s, bool on)
{
	struct minio *m = source_data(s);
	size_t n = 0;
	if (on) {
		httpc_pause(m->client, m, true);
		return;
	}
	for (; n < m->held.n && !source_is_paused(s); n++)
		emit(m, m->held.p[n].ev, m->held.p[n].time);
	if (n)
		memmove(m->held.p, m->held.p + n, (m->held.n - n) * sizeof *m->held.p);
	m->held.n -= n;
	all_are_told(m);
	if (source_is_paused(s))
		return;
	httpc_pause(m->client, m, false);
	catch_up_go_on(m->catch_up);
}

static void
free_minio(struct minio *m)
{
	struct source *s = m->source;
	catch_up_free(m->catch_up);
	for (size_t i = 0; i < m->held.n; i++)
		event_unref(m->held.p[i].ev);
	VEC_FREE(&m->held);
	buf_free(&m->in);
	free(m);
	source_stopped(s);
}

static void
stop(struct source *s)
{
	struct minio *m = source_data(s);
	m->stopping = true;
	timer_stop(&m->retry);
	timer_stop(&m->list_again);
	httpc_free(m->client); /* ends the stream and the listing */
	if (!m->reading)
		free_minio(m);
}

/* One record, or a whole notification. */
static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct minio_source *c = source_config(s);
	struct val v;
	struct message msg;
	struct buf list CLEANUP(free_buf) = { 0 };
	if (json_read(a, body, &v, e) < 0)
		return -1;
	const struct val *records = val_get(&v, S("Records"));
	if (v.kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "the body must be a record of a notification, or {\"Records\": [...]}");
	size_t n = val_is(records, VAL_LIST) ? records->n : 1;
	for (size_t i = 0; i < n; i++) {
		buf_add(&list, i ? S(",") : S("["));
		s3_record_json(&list, val_is(records, VAL_LIST) ? &records->items[i] : &v);
	}
	buf_add(&list, n ? S("]") : S("[]"));
	message_begin(&msg);
	message_raw(&msg, "notification", buf_str(&list));
	message_metadata(&msg, &c->metadata);
	struct event *ev = message_end(&msg);
	*out = arena_dup(a, ev->data);
	event_unref(ev);
	return 0;
}

const struct source_ops source_minio = { .kind = "minio", .doc = "Notifications of a MinIO bucket.", .schema = &minio_source_schema,
	.start = start, .pause = pause_, .stop = stop, .wrap = wrap };
