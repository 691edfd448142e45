/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/kafka_feed.h"

#include <stdatomic.h>

#include "core/clock.h"
#include "core/tz.h"
#include "sources/backoff.h"

enum {
	BATCH = 256,
	GROUPED_MAX = 2048 /* bytes of a record: larger ones share nothing */
};

/* ---- readers -------------------------------------------------------------------------------------------------------- */

int
kafka_reader_new(struct source *s, str broker, str topic, kafka_event_fn *event, struct kafka_reader **out, struct err *e)
{
	struct arena *a = arena_new();
	struct kafka_reader *r = ARENA_NEW(a, struct kafka_reader);
	str name = source_name(s), event_name = source_event_name(s);
	*r = (struct kafka_reader){ .arena = a, .source = s, .event = event, .dedup_prefix = arena_fmt(a, "%.*s:", STR_ARG(topic)),
	                            .next = -1 };
	r->id_prefix = arena_fmt(a, "%.*s:%.*s:%.*s:%.*s:", STR_ARG(name), STR_ARG(event_name), STR_ARG(broker), STR_ARG(topic));
	if (tz_open(a, S("Local"), &r->zone, e) < 0) {
		arena_free(a);
		return -1;
	}
	*out = r;
	return 0;
}

void
kafka_reader_free(void *reader)
{
	struct kafka_reader *r = reader;
	arena_free(r->arena);
}

static str
join(struct arena *a, str head, str tail)
{
	char *text = arena_alloc(a, head.n + tail.n + 1, 1);
	memcpy(text, head.p, head.n);
	memcpy(text + head.n, tail.p, tail.n);
	return (str){ text, head.n + tail.n };
}

/*
 * The id is Argo's. The same message is known by its time, too: a topic that was deleted and made anew counts its offsets from the
 * beginning, and nothing of it is to be taken for what was there before.
 */
void
kafka_reader_name(const struct kafka_reader *r, const struct kafka_record *record, struct event *ev)
{
	char text[80];
	size_t place_n = (size_t)text_format(text, sizeof text, "%d:%lld", record->partition, (long long)record->offset);
	size_t n = place_n + (size_t)text_format(text + place_n, sizeof text - place_n, ":%lld", (long long)record->timestamp_ms);
	ev->id = join(ev->arena, r->id_prefix, (str){ text, place_n });
	ev->dedup = join(ev->arena, r->dedup_prefix, (str){ text, n });
}

int
kafka_reader_wrap(struct source *s, str topic, kafka_event_fn *event, const struct kafka_record *record, struct arena *a, str *out, struct err *e)
{
	struct kafka_reader *r;
	if (kafka_reader_new(s, STR_NONE, topic, event, &r, e) < 0)
		return -1;
	struct event *ev = event(r, record, e);
	if (ev)
		*out = arena_dup(a, ev->data);
	event_unref(ev);
	kafka_reader_free(r);
	return ev ? 0 : -1;
}

void
kafka_option(struct peer_target *t, struct http_header *room, const char *name, str value)
{
	room[t->options_n++] = (struct http_header){ str_c(name), value };
	t->options = room;
}

/* ---- the place in one partition ------------------------------------------------------------------------------------------ */

/* On the loop. A mark is one more than the offset: 0 is none. */
static void
keep_place(void *arg)
{
	struct kafka_reader *r = arg;
	atomic_store(&r->told, false);
	r->next = atomic_load(&r->settled);
	source_write_named_mark(r->source, r->mark, r->next + 1);
}

static void
settled_to(struct feed *f, struct kafka_reader *r, int64_t next)
{
	atomic_store(&r->settled, next);
	if (!atomic_exchange(&r->told, true))
		loop_post(source_loop(feed_source(f)), keep_place, r);
}

/* ---- the feed --------------------------------------------------------------------------------------------------------- */

struct kafka_conn {
	struct kafka_consumer *consumer;
	struct kafka_reader *reader;
	struct feed *feed;
	bool reads, told; /* reads: as was told; told: it was, and it still is so */
	struct err missing;          /* why the next message has to wait: its schema cannot be had. Code 0: it need not */
	struct backoff_state waits;
	int64_t again_ms;            /* when it is tried again */
};

void *
kafka_feed_open(struct feed *f, const struct peer_target *t, struct err *e)
{
	struct kafka_consumer *c = kafka_consumer_open(t, e);
	if (!c)
		return NULL;
	struct kafka_conn *k = MEM_NEW(struct kafka_conn);
	*k = (struct kafka_conn){ .consumer = c, .reader = feed_context(feed_source(f)), .feed = f };
	k->reader->registry = avro_registry_new(t);
	if (k->reader->mark.p && !peer_option(t, "offset").p)
		settled_to(f, k->reader, kafka_consumer_begin(c));
	return k;
}

static void
tell_state(struct kafka_conn *k)
{
	struct err why = k->missing;
	bool reads = kafka_consumer_reads(k->consumer, &why) && !k->missing.code;
	atomic_store(&k->reader->partitions, kafka_consumer_partitions(k->consumer));
	if ((reads == k->reads && k->told) || (reads && !kafka_consumer_joined(k->consumer)))
		return;
	k->reads = reads;
	k->told = true;
	feed_state(k->feed, reads ? NULL : &why);
}

static union feed_handle
handle_of(const struct kafka_record *r)
{
	return (union feed_handle){ .number = { (int64_t)r->turn << 32 | (uint32_t)r->partition, r->offset } };
}

struct gathered {
	struct event *events[BATCH];
	union feed_handle handles[BATCH];
	size_t n;
	struct event_group *group; /* with room for one more; NULL: there is none */
};

static void
give_gathered(struct kafka_conn *k, struct gathered *g)
{
	event_group_end(g->group);
	g->group = NULL;
	feed_give_all(k->feed, g->events, g->handles, g->n);
	g->n = 0;
}

static struct event *
make_event(struct kafka_reader *r, const struct kafka_record *record, struct gathered *g, struct err *e)
{
	bool small = record->key.n + record->value.n <= GROUPED_MAX && !record->headers_n;
	if (small && !g->group)
		g->group = event_group_new();
	r->group_of_events = small ? g->group : NULL;
	struct event *ev = r->event(r, record, e);
	r->group_of_events = NULL;
	if (g->group && event_group_is_full(g->group)) {
		event_group_end(g->group);
		g->group = NULL;
	}
	return ev;
}

/* The next message waits for its schema; those behind it with it. */
static void
wait_for_schema(struct kafka_conn *k, const struct err *e)
{
	k->told &= k->missing.code && !strcmp(k->missing.msg, e->msg);
	k->missing = *e;
	k->again_ms = clock_monotonic_ms() + backoff_next(&k->waits, NULL) / NS_PER_MS;
}

static bool
must_wait(const struct kafka_conn *k)
{
	return k->missing.code && clock_monotonic_ms() < k->again_ms;
}

/* In their order: what was gathered goes before what is refused. How many were given or refused; the next has to wait. */
static size_t
give(struct kafka_conn *k, const struct kafka_record *records, size_t n)
{
	struct gathered g;
	struct err e;
	g.n = 0;
	g.group = NULL;
	for (size_t i = 0; i < n; i++) {
		struct event *ev = make_event(k->reader, &records[i], &g, &e);
		g.handles[g.n] = handle_of(&records[i]);
		if (ev) {
			g.events[g.n++] = ev;
			continue;
		}
		union feed_handle next = g.handles[g.n];
		give_gathered(k, &g);
		if (avro_registry_failed(&e)) {
			wait_for_schema(k, &e);
			return i;
		}
		feed_refuse(k->feed, next, &e);
	}
	give_gathered(k, &g);
	if (n) {
		k->missing.code = ERR_NONE;
		backoff_reset(&k->waits);
	}
	return n;
}

int
kafka_feed_receive(void *conn, struct feed *f, struct err *e)
{
	struct kafka_conn *k = conn;
	const struct kafka_record *records;
	size_t n, given;
	do {
		if (kafka_consumer_take(k->consumer, must_wait(k) ? 0 : feed_wanted(f, BATCH), &records, &n, e) < 0)
			return -1;
		given = give(k, records, n);
		kafka_consumer_keep(k->consumer, n - given);
		tell_state(k);
	} while (given);
	if (!k->missing.code || k->missing.code == ERR_UNAVAILABLE)
		return 0;
	*e = k->missing; /* the secrets may be others by now: a new connection has them */
	return -1;
}

int
kafka_feed_wait(void *conn, short *events UNUSED, int *timeout_ms)
{
	struct kafka_conn *k = conn;
	*timeout_ms = kafka_consumer_wait_ms(k->consumer);
	int64_t rest = k->missing.code ? k->again_ms - clock_monotonic_ms() : *timeout_ms;
	if (rest < *timeout_ms)
		*timeout_ms = rest < 0 ? 0 : (int)rest;
	return kafka_consumer_fd(k->consumer);
}

int
kafka_feed_settle(void *conn, const union feed_handle *handles, size_t n, struct err *e UNUSED)
{
	struct kafka_conn *k = conn;
	struct kafka_place places[BATCH];
	if (k->reader->mark.p) {
		settled_to(k->feed, k->reader, handles[n - 1].number[1] + 1);
		return 0;
	}
	for (size_t from = 0, some; from < n; from += some) {
		some = n - from < BATCH ? n - from : BATCH;
		for (size_t i = 0; i < some; i++) {
			const int64_t *number = handles[from + i].number;
			places[i] = (struct kafka_place){ (int32_t)(uint32_t)number[0], (uint32_t)(number[0] >> 32), number[1] };
		}
		kafka_consumer_store(k->consumer, places, some);
	}
	return 0;
}

void
kafka_feed_close(void *conn)
{
	struct kafka_conn *k = conn;
	kafka_consumer_close(k->consumer);
	atomic_store(&k->reader->partitions, 0);
	avro_registry_free(k->reader->registry);
	k->reader->registry = NULL;
	free(k);
}

void
kafka_feed_describe(const struct source *s, struct val_map *m, struct arena *a)
{
	if (!source_data(s))
		return; /* it does not know yet where to go on */
	struct kafka_reader *r = feed_context(s);
	val_map_add(m, S("partitions"), val_int((int64_t)atomic_load(&r->partitions)));
	feed_describe(s, m, a);
}
