/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minio: notifications of a bucket of MinIO (spec events 1.A4): GET /BUCKET?events=...&ping=1 answers for ever, with a
 * line of JSON for each event and an empty notification every second in between. A stream that ends, or says nothing
 * for long, is begun anew. What it has not told is looked for in listings (minio_catch_up.c): after each connection,
 * now and then, and all the time where the server holds its stream back. Several of its releases of 2025 and later do
 * so until they have 4 KiB, because a wrapper around the answer swallows the order to send what is there.
 *
 * Both ways give an object's event the same delivery id, so that it is one. The mark is the server's time up to which
 * listings have found all.
 */
#include "sources/minio.h"

#include "core/crypto.h"
#include "core/lines.h"
#include "core/log.h"
#include "core/net/httpc.h"
#include "sources/backoff.h"
#include "sources/s3_event.h"

#define START_MARGIN MINIO_OVERLAP /* what the listing looks back: nothing before the first start is told */
enum { LINE_MAX_ = 16 << 20, SEEN_READ = 2000, LIST_AGAIN_S = 60, COMPLAIN_S = 60 };
/*
 * Silence on the stream, which is asked for something every second: so long, and it is held back; so long, and a
 * stream that was not held back is broken. One that is, may be silent until the pings alone have filled the server's
 * buffers.
 */
enum { QUIET_MS = 2500, BROKEN_MS = 35000, HELD_BACK_MS = 15 * 60 * 1000 };
/* A ping that comes so long after what came before it was sent at once, and not with what was held back. */
#define ALONE_AFTER (300 * NS_PER_MS)
/*
 * How long to wait between two listings: so many times what the last one took, within limits. First where the stream
 * tells all, then where it is held back.
 */
static const struct {
	int64_t times, least, most;
} PAUSES[] = { { 100, 300 * NS_PER_SEC, 3600 * NS_PER_SEC }, { 20, 2 * NS_PER_SEC, 60 * NS_PER_SEC } };

/* ---- the running source ------------------------------------------------------------------------------------------ */

struct minio {
	struct source *source;
	const struct minio_source *config;
	struct httpc *client; /* of this source alone */
	struct catch_up *catch_up;
	struct minio_seen *seen;
	str region; /* owned; the server may have said another than the manifest, which has none */
	struct backoff_state backoff;
	struct timer retry, list, quiet;
	struct lines lines;
	VEC(struct event *) held; /* came while the bus was full: at most one piece of the stream and one page of a listing */
	int64_t mark;      /* the server's time before which all is told; 0: it never ran */
	int64_t next_mark; /* what it will be when `held` is empty */
	int64_t asked, came, listing; /* by our clock, when the stream was asked for, something came on it, a listing began */
	int64_t complained;
	bool streaming;               /* the stream was asked for, and has not ended */
	bool heard;                   /* it has begun */
	bool at_once;                 /* the server sends what it has at once: seen on this connection */
	bool held_back;               /* it does not */
	bool list_failed, reading, stopping;
};

static void connect_(void *arg);

/* In the turn in which the last of them was emitted. */
static void
all_are_told(struct minio *m)
{
	if (m->held.n || m->next_mark <= m->mark)
		return;
	m->mark = m->next_mark;
	source_write_mark(m->source, m->mark);
}

static void
take(struct minio *m, struct event *ev)
{
	if (m->held.n || source_is_paused(m->source))
		*VEC_PUSH(&m->held) = ev;
	else
		source_emit(m->source, ev, NULL);
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

static void
take_records(struct minio *m, struct arena *a, const struct val *records)
{
	struct buf list CLEANUP(free_buf) = { 0 };
	str delivery = STR_NONE;
	for (size_t i = 0; i < records->n; i++) {
		delivery = minio_saw(m->seen, a, &records->items[i]);
		buf_add(&list, i ? S(",") : S("["));
		s3_record_json(&list, &records->items[i]);
	}
	buf_addc(&list, ']');
	struct event *ev = minio_event(m->config, buf_str(&list));
	if (records->n == 1 && delivery.p) /* as MinIO sends them */
		ev->dedup = arena_dup(ev->arena, delivery);
	take(m, ev);
}

/* A blank one says that the server is there. */
static bool
take_line(void *arg, str line)
{
	struct minio *m = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val v;
	struct err e;
	if (!line.p)
		return false; /* no notification is that long */
	line = str_trim(line);
	if (!line.n)
		return true;
	if (json_read(a, line, &v, &e) < 0) {
		complain(m, &e);
		return true;
	}
	const struct val *records = val_get(&v, S("Records"));
	if (val_is(records, VAL_LIST) && records->n)
		take_records(m, a, records);
	return true;
}

static void went_quiet(void *arg);

static void
listen_for_silence(struct minio *m)
{
	struct loop *l = source_loop(m->source);
	timer_start(l, &m->quiet, loop_now(l) + (m->at_once ? BROKEN_MS : QUIET_MS) * NS_PER_MS, went_quiet, m);
}

static bool
is_ping(str bytes)
{
	str line = str_trim(bytes);
	return !line.n || str_eq(line, S("{\"Records\":null}"));
}

/* Something came: the server is there, and if it is nothing but a ping, it keeps nothing back. */
static void
came(struct minio *m, str bytes)
{
	int64_t now = loop_now(source_loop(m->source));
	bool alone = m->came && now - m->came > ALONE_AFTER && now - m->came < QUIET_MS * NS_PER_MS;
	if (alone && !m->lines.part.n && is_ping(bytes)) {
		m->at_once = true;
		m->held_back = false;
	}
	m->came = now;
	if (!m->held_back)
		listen_for_silence(m);
}

static bool
piece(void *arg, str bytes)
{
	struct minio *m = arg;
	came(m, bytes);
	return lines_take(&m->lines, bytes, take_line, m) && !m->lines.skipping;
}

/* ---- connecting -------------------------------------------------------------------------------------------------- */

static void
list(void *arg)
{
	struct minio *m = arg;
	m->listing = loop_now(source_loop(m->source));
	catch_up_begin(m->catch_up, m->mark);
}

static void
list_in(struct minio *m, int64_t ns)
{
	struct loop *l = source_loop(m->source);
	timer_start(l, &m->list, loop_now(l) + ns, list, m);
}

/* After one that took so long; 0: none was needed yet. */
static void
list_later(struct minio *m, int64_t took)
{
	int64_t pause = took * PAUSES[m->held_back].times;
	if (pause < PAUSES[m->held_back].least)
		pause = PAUSES[m->held_back].least;
	else if (pause > PAUSES[m->held_back].most)
		pause = PAUSES[m->held_back].most;
	list_in(m, pause);
}

/* At the first start nothing was missed: it counts from when the stream was asked for. */
static void
begin_at(struct minio *m, int64_t server_time)
{
	m->next_mark = server_time - (loop_now(source_loop(m->source)) - m->asked) + START_MARGIN;
	all_are_told(m);
}

/* No call can be sent from within one: the list is asked for in another turn. */
static void
opened(void *arg, int status, const struct http_answer *head)
{
	struct minio *m = arg;
	if (!status) {
		m->asked = loop_now(source_loop(m->source));
		if (m->held_back) /* as the last time */
			list_in(m, 0);
		else
			listen_for_silence(m);
		return;
	}
	m->heard = true;
	backoff_reset(&m->backoff);
	source_state(m->source, true, NULL);
	if (m->mark) {
		list_in(m, 0);
	} else { /* in whole seconds: what was written in that before the start may be told */
		begin_at(m, minio_server_time(m->source, head));
		list_later(m, 0);
	}
}

static void
retry(struct minio *m, const struct err *e)
{
	struct loop *l = source_loop(m->source);
	timer_stop(&m->quiet);
	timer_stop(&m->list);
	lines_reset(&m->lines);
	m->streaming = false;
	source_state(m->source, false, e);
	timer_start(l, &m->retry, loop_now(l) + backoff_next(&m->backoff, NULL), connect_, m);
}

/* In a stream that has told at once what there was, it means that the connection is broken. */
static void
went_quiet(void *arg)
{
	struct minio *m = arg;
	struct err e;
	if (source_is_paused(m->source)) {
		listen_for_silence(m);
	} else if (m->at_once) {
		err_set(&e, ERR_TIMEOUT, "the stream of notifications: nothing came for %d s", BROKEN_MS / 1000);
		httpc_forget(m->client, m);
		retry(m, &e);
	} else {
		m->held_back = true;
		list(m);
	}
}

/* A server that was given another region says which; true: it is asked once more, with that. */
static bool
takes_region(struct minio *m, struct arena *a, const struct http_answer *ans)
{
	struct loop *l = source_loop(m->source);
	str wanted = minio_wanted_region(a, ans->status, ans->body);
	if (m->config->region.n || !wanted.n || str_eq(wanted, m->region))
		return false;
	str_disown(m->region);
	m->region = str_own(wanted);
	timer_start(l, &m->retry, loop_now(l), connect_, m);
	return true;
}

static void
ended(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct minio *m = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e;
	if (m->stopping || (!failure && takes_region(m, a, ans)))
		return;
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
	httpc_forget(m->client, m); /* one of which only a listing has said that nobody is there */
	m->heard = m->at_once = false;
	m->came = 0;
	if (minio_request(m->source, m->region, minio_stream_query(m->config, a), a, &call, &e) < 0) {
		retry(m, &e);
		return;
	}
	call.piece = piece;
	call.opened = opened;
	call.idle_ms = HELD_BACK_MS;
	m->streaming = true;
	httpc_send(m->client, &call, ended, m);
	if (source_is_paused(m->source))
		httpc_pause(m->client, m, true);
}

/* ---- catching up ------------------------------------------------------------------------------------------------- */

static void
missed(void *arg, str record, str delivery)
{
	struct minio *m = arg;
	struct buf records CLEANUP(free_buf) = { 0 };
	buf_addf(&records, "[%.*s]", STR_ARG(record));
	struct event *ev = minio_event(m->config, buf_str(&records));
	ev->dedup = arena_dup(ev->arena, delivery);
	take(m, ev);
}

/* The stream goes on, if there is one; what it does not tell is not known. */
static void
list_failed(struct minio *m, const struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	bool away = e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT;
	if (!m->list_failed)
		log_warn("notifications that were missed are not known yet", "eventsource", str_z(a, source_name(m->source)), "event",
		         str_z(a, source_event_name(m->source)), "error", e->msg, NULL);
	m->list_failed = true;
	if (!m->streaming)
		return;
	if (m->held_back && away)
		retry(m, e);
	else if (m->held_back && !m->heard)
		source_state(m->source, false, e);
	if (!away || !m->held_back)
		list_in(m, LIST_AGAIN_S * NS_PER_SEC);
}

/* Where the stream is held back, this is what shows that all is well. */
static void
listed(void *arg, int64_t time, const struct err *e)
{
	struct minio *m = arg;
	int64_t took = loop_now(source_loop(m->source)) - m->listing;
	if (m->stopping)
		return;
	if (e) {
		list_failed(m, e);
		return;
	}
	m->list_failed = false;
	if (m->held_back && m->streaming) {
		backoff_reset(&m->backoff);
		source_state(m->source, true, NULL);
	}
	if (!m->mark) { /* that the source runs was not said before, so whole seconds cost nothing */
		begin_at(m, time + NS_PER_SEC);
	} else {
		m->next_mark = time;
		all_are_told(m);
	}
	if (m->streaming)
		list_later(m, took);
}

static const struct catch_up_ops catch_up_ops = { missed, listed };

/* ---- life -------------------------------------------------------------------------------------------------------- */

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
			(void)minio_saw(m->seen, l->arena, &records->items[r]).n;
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
	m->mark = mark;
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
	*m = (struct minio){ .source = s, .config = source_config(s), .client = httpc_new(source_loop(s)),
	                     .lines = { .max = LINE_MAX_ } };
	m->seen = minio_seen_new();
	m->region = str_own(m->config->region.n ? m->config->region : S("us-east-1"));
	m->catch_up = catch_up_new(s, m->client, &m->region, m->seen, &catch_up_ops, m);
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
		source_emit(s, m->held.p[n], NULL);
	if (n)
		memmove(m->held.p, m->held.p + n, (m->held.n - n) * sizeof *m->held.p);
	m->held.n -= n;
	all_are_told(m);
	if (source_is_paused(s))
		return;
	httpc_pause(m->client, m, false);
	catch_up_go_on(m->catch_up);
	if (m->heard) /* MinIO drops what a listener does not take in time */
		list_in(m, PAUSES[true].least);
}

static void
free_minio(struct minio *m)
{
	struct source *s = m->source;
	catch_up_free(m->catch_up);
	minio_seen_free(m->seen);
	str_disown(m->region);
	for (size_t i = 0; i < m->held.n; i++)
		event_unref(m->held.p[i]);
	VEC_FREE(&m->held);
	lines_reset(&m->lines);
	free(m);
	source_stopped(s);
}

static void
stop(struct source *s)
{
	struct minio *m = source_data(s);
	m->stopping = true;
	timer_stop(&m->retry);
	timer_stop(&m->list);
	timer_stop(&m->quiet);
	httpc_free(m->client); /* ends the stream and the listing */
	if (!m->reading)
		free_minio(m);
}

const struct source_ops source_minio = { .kind = "minio", .doc = "Notifications of a MinIO bucket.", .schema = &minio_source_schema,
	.start = start, .pause = pause_, .stop = stop, .wrap = minio_wrap };
