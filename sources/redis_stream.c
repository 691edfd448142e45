/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redisStream: entries of Redis streams, read as one consumer of a group (spec events 1.C6). An entry is acknowledged (XACK) when its event
 * is on disk, and until then Redis has it among those pending for this consumer, whose name is the daemon's own and outlives it. So what a
 * daemon left comes first when it is back; what another consumer left for more than a minute is taken over (XAUTOCLAIM). An entry's stream
 * and id make a repetition the same event. core/net/redis_group.h speaks with the server.
 */
#include "core/map.h"
#include "core/net/redis_group.h"
#include "sources/check.h"
#include "sources/feed.h"
#include "sources/message.h"
#include "sources/redis_target.h"
#include "sources/webhook_context.h"

struct redis_stream_source {
	str consumer_group;
	int64_t db;
	struct source_filter *filter;
	str host_address;
	int64_t max_msg_count_per_read;
	struct kvs metadata;
	struct secret_ref *password;
	struct strs streams;
	struct tls_config *tls;
	str username;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct redis_stream_source *s = obj;

	source_need(s->host_address, in, c, "hostAddress");
	source_need_list(s->streams.n, in, c, "streams");
	if (s->streams.n > REDIS_STREAMS_MAX)
		decode_error(c, in, "streams", "%d streams are the most that one source reads", REDIS_STREAMS_MAX);
}

static const struct schema redis_stream_source_schema = { "RedisStreamEventSource", "Entries of Redis streams.",
	sizeof(struct redis_stream_source), (const struct field[]){
	FIELD(struct redis_stream_source, consumer_group, "consumerGroup", 0, .dflt = "argo-events-cg",
		.doc = "Group to read as."),
	FIELD(struct redis_stream_source, db, "db", 0, .min = 0, .max = INT32_MAX, .doc = "Number of the database."),
	FIELD_PTR(struct redis_stream_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct redis_stream_source, host_address, "hostAddress", 0, .doc = "Host and port of the server; rediss://host:port with TLS."),
	FIELD(struct redis_stream_source, max_msg_count_per_read, "maxMsgCountPerRead", 0, .dflt = "10", .min = 0,
		.max = 100000, .doc = "Most entries to read at once."),
	FIELD(struct redis_stream_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct redis_stream_source, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	FIELD(struct redis_stream_source, streams, "streams", 0, .doc = "Streams to read."),
	FIELD_PTR(struct redis_stream_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct redis_stream_source, username, "username", 0, .doc = "User name."),
	FIELD_SRC(struct redis_stream_source, src),
	{ 0 } }, check };

/* ---- the message ----------------------------------------------------------------------------------------------------- */

/* The fields of an entry; of several with one name the last, as in Argo's map. */
static struct kvs
read_fields(struct arena *a, const redisReply *list)
{
	struct kvs fields = { ARENA_ARRAY(a, struct kv, list->elements / 2 + 1), 0 };
	struct map by_name = { 0 };
	for (size_t i = 0; i + 1 < list->elements; i += 2) {
		str name = redis_text(list->element[i]), value = redis_text(list->element[i + 1]);
		struct kv *known = map_get(&by_name, name);
		if (!known) {
			known = &fields.p[fields.n++];
			(void)map_put(&by_name, name, known);
		}
		*known = (struct kv){ name, value };
	}
	map_free(&by_name);
	return fields;
}

static void
begin_message(struct message *m, const struct redis_stream_source *config, str stream, str id, const struct kvs *values)
{
	message_begin(m);
	message_str(m, "stream", stream);
	message_str(m, "message_id", id);
	message_map(m, "values", values);
	message_metadata(m, &config->metadata);
}

/* A body is an object whose members are the fields of an entry. */
static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct redis_stream_source *config = source_config(s);
	struct message m;
	struct val v;
	struct kvs values = { 0 };
	if (json_read(a, body, &v, e) < 0)
		return -1;
	if (v.kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "the fields of an entry are needed: {\"name\":\"value\"}");
	values.p = ARENA_ARRAY(a, struct kv, v.n + 1);
	for (uint32_t i = 0; i < v.n; i++) {
		const struct val *value = &v.members[i].value;
		if (value->kind != VAL_STR)
			return err_set(e, ERR_INVALID, "%.*s: fields of an entry are strings", STR_ARG(val_text(&v.members[i].key)));
		values.p[values.n++] = (struct kv){ val_text(&v.members[i].key), val_text(value) };
	}
	begin_message(&m, config, config->streams.p[0], S("0-0"), &values);
	*out = message_text(&m, a);
	return 0;
}

/* ---- the connection -------------------------------------------------------------------------------------------------- */

/* An entry that was given and is not settled: what its handle points to. */
struct entry {
	struct link link; /* in consumer.given */
	size_t stream;    /* index of its name */
	str id;           /* behind the struct */
};

struct consumer {
	struct feed *feed;
	struct redis_member member;
	struct redis_group *group;
	struct link given;
};

static bool
is_given(const struct consumer *c, size_t stream, str id)
{
	LIST_EACH(&c->given, struct entry, link, entry)
		if (entry->stream == stream && str_eq(entry->id, id))
			return true;
	return false;
}

static struct entry *
new_entry(struct consumer *c, size_t stream, str id)
{
	struct entry *entry = mem_alloc(sizeof *entry + id.n);
	memcpy(entry + 1, id.p, id.n);
	*entry = (struct entry){ .stream = stream, .id = { (const char *)(entry + 1), id.n } };
	list_add_tail(&c->given, &entry->link);
	return entry;
}

static void
free_entry(struct entry *entry)
{
	list_del(&entry->link);
	free(entry);
}

static struct event *
new_event(const struct consumer *c, str stream, str id, const redisReply *fields)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct kvs values = read_fields(a, fields);
	struct message m;
	begin_message(&m, feed_config(c->feed), stream, id, &values);
	struct event *ev = message_end(&m);
	ev->dedup = arena_fmt(ev->arena, "%.*s:%.*s", STR_ARG(stream), STR_ARG(id));
	return ev;
}

/* What is taken over may be ours, if the disk takes its time. */
static void
on_entry(void *arg, size_t stream, str id, const redisReply *fields, bool again)
{
	struct consumer *c = arg;
	str name = c->member.streams[stream];
	if (again && is_given(c, stream, id))
		return;
	union feed_handle handle = { .pointer = new_entry(c, stream, id) };
	if (fields) {
		feed_give(c->feed, new_event(c, name, id, fields), handle);
		return;
	}
	struct err e;
	err_set(&e, ERR_NOT_FOUND, "redisStream: %.*s %.*s: the entry was deleted before it was read", STR_ARG(name), STR_ARG(id));
	feed_refuse(c->feed, handle, &e);
}

static bool
wants(void *arg)
{
	const struct consumer *c = arg;
	return feed_wants(c->feed);
}

static void
close_consumer(void *conn)
{
	struct consumer *c = conn;
	redis_group_leave(c->group);
	free(c);
}

static void *
open_consumer(struct feed *f, const struct peer_target *t, struct err *e)
{
	const struct redis_stream_source *config = feed_config(f);
	int64_t most = config->max_msg_count_per_read;
	struct consumer *c = MEM_NEW(struct consumer);
	list_init(&c->given);
	c->feed = f;
	c->member = (struct redis_member){ config->consumer_group, peer_option(t, "consumer"), config->streams.p, config->streams.n,
		                           most > 0 && most < FEED_WINDOW ? most : FEED_WINDOW, wants, on_entry, c };
	c->group = redis_group_join(t, &c->member, e);
	if (c->group)
		return c;
	close_consumer(c);
	return NULL;
}

static int
receive(void *conn, struct feed *f, struct err *e)
{
	struct consumer *c = conn;
	int rc = redis_group_read(c->group, e);
	if (rc > 0)
		feed_wake(f);
	return rc < 0 ? -1 : 0;
}

static int
wait_for(void *conn, short *events UNUSED, int *timeout_ms)
{
	const struct consumer *c = conn;
	*timeout_ms = REDIS_BLOCK_MS;
	return redis_group_fd(c->group);
}

/* Those of one stream. */
static void
acknowledge(struct consumer *c, size_t stream, const union feed_handle *handles, size_t n)
{
	str ids[REDIS_ACKS_MAX];
	size_t its = 0;
	for (size_t i = 0; i < n; i++) {
		const struct entry *entry = handles[i].pointer;
		if (entry->stream == stream)
			ids[its++] = entry->id;
	}
	if (its)
		redis_group_ack(c->group, stream, ids, its);
}

static int
settle(void *conn, const union feed_handle *handles, size_t n, struct err *e)
{
	struct consumer *c = conn;
	for (size_t done = 0; done < n; done += REDIS_ACKS_MAX)
		for (size_t i = 0; i < c->member.streams_n; i++)
			acknowledge(c, i, handles + done, n - done < REDIS_ACKS_MAX ? n - done : REDIS_ACKS_MAX);
	for (size_t i = 0; i < n; i++)
		free_entry(handles[i].pointer);
	return redis_group_settle(c->group, e);
}

static void
forget(void *conn UNUSED, union feed_handle handle)
{
	free_entry(handle.pointer);
}

static int
target(struct source *s, struct arena *a, struct peer_target *t, struct err *e)
{
	const struct redis_stream_source *config = source_config(s);
	const struct redis_login login = { config->host_address, config->username, config->db, config->password, config->tls };
	redis_target_option(a, t, S("consumer"), arena_fmt(a, "tidegate-%016llx", (unsigned long long)feed_number(s)));
	return redis_target(s, &login, a, t, e);
}

static const struct feed_ops ops = { .name = "redisStream", .target = target, .open = open_consumer, .receive = receive, .wait = wait_for,
	.settle = settle, .forget = forget, .close = close_consumer };

/* ---- the source ------------------------------------------------------------------------------------------------------ */

/* The mark is a number that nobody else has: by it this daemon's consumer is known, today and after a restart. */
static void
begin(struct source *s, int64_t mark)
{
	struct err e = { 0 };
	if (!mark) {
		mark = (int64_t)((uint64_t)arc4random() << 30 | arc4random() >> 2) + 1;
		source_write_mark(s, mark);
	}
	if (feed_start_with(s, &ops, NULL, 0, mark, &e) < 0)
		source_state(s, false, &e);
}

static int
start(struct source *s, struct err *e UNUSED)
{
	source_connecting(s);
	source_read_mark(s, begin);
	return 0;
}

static void
stop(struct source *s)
{
	if (source_data(s))
		feed_stop(s);
	else
		source_stopped(s); /* the mark has not been read */
}

static void
describe(const struct source *s, struct val_map *m, struct arena *a)
{
	if (!source_data(s))
		return;
	val_map_add(m, S("consumer"), val_str(arena_fmt(a, "tidegate-%016llx", (unsigned long long)feed_number(s))));
	feed_describe(s, m, a);
}

const struct source_ops source_redisStream = { .kind = "redisStream", .doc = "Entries of Redis streams.", .schema = &redis_stream_source_schema,
	.start = start, .ack = feed_ack, .pause = feed_pause, .stop = stop, .wrap = wrap, .describe = describe };
