/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two queues of librdkafka wake one descriptor: `events` has errors, rebalances and statistics, and is emptied at each call; `messages` has
 * the messages of all partitions, which each partition's own queue is forwarded to, and is read only while somebody wants some. So a
 * rebalance is never behind messages that nobody has room for.
 */
#include "core/net/kafka_consumer.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/net/kafka_login.h"

enum {
	BATCH = 256,
	PROBE_MS = 1000,    /* of a cluster that is away: how long one call waits for it */
	ALIVE_MS = 60000,
	CLOSE_STEP_MS = 100,
	QUERY_MS = 5000,
	HEADERS_MAX = 1000, /* of a message; those behind are left out */
	QUEUE_LOW = 1024,   /* messages in the queue: fewer are not worth a look by the library */
};

struct part {
	int32_t partition;
	uint32_t turn;
	bool owned;
	int64_t place; /* to be stored; -1: nothing new */
};

struct kafka_consumer {
	const struct kafka_api *api;
	const char *topic;
	rd_kafka_t *rk;
	rd_kafka_queue_t *events, *messages;
	struct kafka_login login;
	bool group;                /* else one partition is read: */
	rd_kafka_topic_t *single;
	int32_t partition;
	int64_t begin;
	int alive_ms;
	bool oldest;               /* a group that is new begins with the first message there is */
	int fd;
	bool down;                 /* no broker can be reached */
	bool over;                 /* of no use: `why` */
	bool ailing;               /* it goes on, but something is the matter: `why` */
	bool joined;               /* the group has given it its partitions, once */
	bool unmade;               /* there was no such topic yet: all it will have is new */
	bool naps;                 /* the library sleeps beside a full queue, and is woken by its login: */
	char *user, *password;
	size_t queued;             /* messages: the most there were since it was woken */
	struct err why;
	int last_err;              /* of the connection */
	char last[300];
	VEC(struct part) parts;
	rd_kafka_message_t *taken[BATCH];
	size_t taken_n, kept; /* kept: the last of them, to be given again */
	struct kafka_record records[BATCH];
	struct arena *arena;       /* what the records point to, beside the messages */
};

/* ---- errors --------------------------------------------------------------------------------------------------------- */

static void
set_why(struct kafka_consumer *c, int err, const char *reason)
{
	err_set(&c->why, kafka_error_code(err), "kafka: %s", reason);
}

static void
on_error(rd_kafka_t *rk UNUSED, int err, const char *reason, void *opaque)
{
	struct kafka_consumer *c = opaque;
	if (err == RD_KAFKA_RESP_ERR__FATAL) {
		char why[300] = "";
		c->over = true;
		err = c->api->fatal_error(c->rk, why, sizeof why);
		set_why(c, err, why);
	} else if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		c->down = true;
		set_why(c, *c->last ? c->last_err : err, *c->last ? c->last : "no broker can be reached");
	} else {
		c->last_err = err;
		kafka_reason(reason, c->last, sizeof c->last);
		if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
			c->over = true; /* the secrets may be others by now */
			set_why(c, err, c->last);
		}
	}
}

/* Without a token there is no connection; with others of the secrets there may be. */
static void
on_refresh(rd_kafka_t *rk, const char *config UNUSED, void *opaque)
{
	struct kafka_consumer *c = opaque;
	struct err e;
	if (kafka_login_refresh(&c->login, rk, &e) == 0)
		return;
	c->over = true;
	err_set(&c->why, e.code, "kafka: %s", e.msg);
}

static void
on_log(const rd_kafka_t *rk UNUSED, int level UNUSED, const char *facility UNUSED, const char *text UNUSED)
{
	/* what matters comes through on_error, and ends in the state of the source */
}

/* Errors in place of a message: of a topic, a partition, the group. The library goes on trying. */
static void
take_error(struct kafka_consumer *c, const rd_kafka_message_t *m)
{
	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF || m->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
		return;
	char reason[300];
	kafka_reason(c->api->message_errstr(m), reason, sizeof reason);
	c->ailing = true;
	c->unmade |= m->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	err_set(&c->why, kafka_error_code(m->err), "kafka: topic %s: %s", c->topic, reason);
}

static void
is_well(struct kafka_consumer *c)
{
	c->ailing = false;
	*c->last = 0;
}

bool
kafka_consumer_reads(const struct kafka_consumer *c, struct err *why)
{
	bool reads = !c->down && !c->ailing;
	if (!reads)
		*why = c->why;
	return reads;
}

/* ---- the group ------------------------------------------------------------------------------------------------------ */

static struct part *
part_of(struct kafka_consumer *c, int32_t partition)
{
	for (size_t i = 0; i < c->parts.n; i++)
		if (c->parts.p[i].partition == partition)
			return &c->parts.p[i];
	struct part *p = VEC_PUSH(&c->parts);
	*p = (struct part){ .partition = partition, .place = -1 };
	return p;
}

bool
kafka_consumer_joined(const struct kafka_consumer *c)
{
	return c->joined || c->single;
}

size_t
kafka_consumer_partitions(const struct kafka_consumer *c)
{
	size_t n = c->single != NULL;
	for (size_t i = 0; i < c->parts.n; i++)
		n += c->parts.p[i].owned;
	return n;
}

/* Its messages go to our queue, whatever else the library would do with them. */
static void
own(struct kafka_consumer *c, int32_t partition)
{
	struct part *p = part_of(c, partition);
	p->owned = true;
	p->turn++;
	p->place = -1;
	rd_kafka_queue_t *q = c->api->queue_get_partition(c->rk, c->topic, partition);
	if (q) {
		c->api->queue_forward(q, c->messages);
		c->api->queue_destroy(q);
	}
}

/*
 * A partition whose place the group does not know begins at its end, and that place is committed at once: what comes while nobody is there
 * is not skipped later. It begins with its first message if the topic was made while we waited for it. Without an answer the library's own
 * rule counts, which knows only of the end.
 */
static rd_kafka_topic_partition_list_t *
first_places(struct kafka_consumer *c, rd_kafka_topic_partition_list_t *parts)
{
	const struct kafka_api *k = c->api;
	rd_kafka_topic_partition_list_t *known = k->topic_partition_list_new(parts->cnt), *first = k->topic_partition_list_new(1);
	for (int i = 0; i < parts->cnt; i++)
		k->topic_partition_list_add(known, parts->elems[i].topic, parts->elems[i].partition);
	bool answered = k->committed(c->rk, known, QUERY_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
	for (int i = 0; answered && i < known->cnt; i++) {
		int64_t low, high;
		rd_kafka_topic_partition_t *p = &parts->elems[i];
		if (known->elems[i].err || known->elems[i].offset >= 0 ||
		    k->query_watermark_offsets(c->rk, p->topic, p->partition, &low, &high, QUERY_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		p->offset = c->unmade ? low : high;
		k->topic_partition_list_add(first, p->topic, p->partition)->offset = p->offset;
	}
	k->topic_partition_list_destroy(known);
	return first;
}

static void
give_parts(struct kafka_consumer *c, rd_kafka_topic_partition_list_t *parts, bool cooperative)
{
	const struct kafka_api *k = c->api;
	rd_kafka_topic_partition_list_t *first = c->oldest || !parts->cnt ? NULL : first_places(c, parts);
	for (int i = 0; i < parts->cnt; i++)
		own(c, parts->elems[i].partition);
	if (cooperative) {
		rd_kafka_error_t *e = k->incremental_assign(c->rk, parts);
		if (e)
			k->error_destroy(e); /* the member joins anew by itself */
	} else {
		k->assign(c->rk, parts);
	}
	if (first) {
		if (first->cnt)
			k->commit(c->rk, first, 1);
		k->topic_partition_list_destroy(first);
	}
	is_well(c);
	c->joined = true;
}

/* The library commits what was stored. What is on its way to the disk is another member's from here on: it gets it once more. */
static void
take_parts(struct kafka_consumer *c, rd_kafka_topic_partition_list_t *parts, bool cooperative)
{
	const struct kafka_api *k = c->api;
	for (size_t i = 0; i < c->parts.n; i++)
		for (int n = 0; n < parts->cnt; n++)
			if (c->parts.p[i].partition == parts->elems[n].partition)
				c->parts.p[i].owned = false;
	if (!cooperative) {
		k->assign(c->rk, NULL);
		return;
	}
	rd_kafka_error_t *e = k->incremental_unassign(c->rk, parts);
	if (e)
		k->error_destroy(e);
}

static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *parts, void *opaque)
{
	struct kafka_consumer *c = opaque;
	const char *protocol = c->api->rebalance_protocol(rk);
	bool cooperative = protocol && !strcmp(protocol, "COOPERATIVE");
	if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		give_parts(c, parts, cooperative);
	else
		take_parts(c, parts, cooperative);
}

void
kafka_consumer_store(struct kafka_consumer *c, const struct kafka_place *places, size_t n)
{
	const struct kafka_api *k = c->api;
	struct part *p = NULL;
	size_t new_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!p || p->partition != places[i].partition)
			p = part_of(c, places[i].partition);
		if (!p->owned || p->turn != places[i].turn)
			continue;
		new_n += p->place < 0;
		p->place = places[i].offset + 1;
	}
	if (!new_n)
		return;
	rd_kafka_topic_partition_list_t *list = k->topic_partition_list_new((int)new_n);
	for (size_t i = 0; i < c->parts.n; i++) {
		if (c->parts.p[i].place < 0)
			continue;
		k->topic_partition_list_add(list, c->topic, c->parts.p[i].partition)->offset = c->parts.p[i].place;
		c->parts.p[i].place = -1;
	}
	k->offsets_store(c->rk, list); /* refuses what was lost a moment ago: somebody else has it */
	k->topic_partition_list_destroy(list);
}

/* ---- messages ------------------------------------------------------------------------------------------------------- */

static void
free_taken(struct kafka_consumer *c)
{
	size_t gone = c->taken_n - c->kept;
	for (size_t i = 0; i < gone; i++)
		c->api->message_destroy(c->taken[i]);
	memmove(c->taken, c->taken + gone, c->kept * sizeof *c->taken);
	memmove(c->records, c->records + gone, c->kept * sizeof *c->records);
	c->taken_n = c->kept;
	if (!c->kept)
		arena_reset(c->arena);
}

void
kafka_consumer_keep(struct kafka_consumer *c, size_t n)
{
	c->kept += n;
}

static size_t
read_headers(struct kafka_consumer *c, const rd_kafka_message_t *m, const struct http_header **out)
{
	rd_kafka_headers_t *from;
	const char *name;
	const void *value;
	size_t size, n = 0;
	*out = NULL;
	if (c->api->message_headers(m, &from) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	while (n < HEADERS_MAX && c->api->header_get_all(from, n, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR)
		n++;
	struct http_header *to = ARENA_ARRAY(c->arena, struct http_header, n);
	for (size_t i = 0; i < n; i++) {
		(void)c->api->header_get_all(from, i, &name, &value, &size); /* it is there: it was counted */
		to[i] = (struct http_header){ str_c(name), { value, value ? size : 0 } };
	}
	*out = to;
	return n;
}

static void
read_record(struct kafka_consumer *c, const rd_kafka_message_t *m, struct kafka_record *out)
{
	rd_kafka_timestamp_type_t type;
	int64_t at = c->api->message_timestamp(m, &type);
	*out = (struct kafka_record){
		.partition = m->partition,
		.turn = !c->group ? 0 : part_of(c, m->partition)->turn,
		.offset = m->offset,
		.timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : at,
		.key = { m->key, m->key ? m->key_len : 0 },
		.value = { m->payload, m->payload ? m->len : 0 },
	};
	out->headers_n = read_headers(c, m, &out->headers);
}

/* Takes the message over. */
static void
take_one(struct kafka_consumer *c, rd_kafka_message_t *m, size_t *n)
{
	if (m->err) {
		take_error(c, m);
		c->api->message_destroy(m);
		return;
	}
	if (c->ailing)
		is_well(c);
	c->taken[c->taken_n++] = m;
	read_record(c, m, &c->records[(*n)++]);
}

/* Messages go to our own queue; one that comes here nevertheless is taken like the others. */
static void
serve_events(struct kafka_consumer *c, size_t *n)
{
	if (!c->group) {
		c->api->poll(c->rk, 0);
		return;
	}
	for (rd_kafka_message_t *m; *n < BATCH && (m = c->api->consumer_poll(c->rk, 0));)
		take_one(c, m, n);
}

/* Waits for a broker to come back: librdkafka tries to connect, and wakes who asks. */
static void
probe(struct kafka_consumer *c, int wait_ms)
{
	const struct rd_kafka_metadata *md;
	if (c->api->metadata(c->rk, 0, NULL, &md, wait_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	c->api->metadata_destroy(md);
	c->down = false;
	is_well(c);
}

/*
 * A library older than 2.2, whose queue was full, looks at it again after a second, however soon it is empty
 * (https://github.com/confluentinc/librdkafka/issues/2879). Getting its login once more wakes it: so each time half of what was there is gone.
 */
static void
keep_awake(struct kafka_consumer *c)
{
	size_t n = c->naps ? c->api->queue_length(c->messages) : 0;
	if (n > c->queued)
		c->queued = n;
	if (c->queued < QUEUE_LOW || n > c->queued / 2)
		return;
	c->queued = n;
	rd_kafka_error_t *e = c->api->sasl_set_credentials(c->rk, c->user, c->password);
	if (e)
		c->api->error_destroy(e);
}

int
kafka_consumer_take(struct kafka_consumer *c, size_t most, const struct kafka_record **out, size_t *n, struct err *e)
{
	uint64_t woken;
	rd_kafka_message_t *got[BATCH];
	free_taken(c);
	*n = c->kept;
	*out = c->records;
	(void)!read(c->fd, &woken, sizeof woken); /* it is non-blocking; nothing there is fine */
	serve_events(c, n);
	if (c->down && !c->over)
		probe(c, PROBE_MS);
	ssize_t got_n = 1;
	while (!c->over && most && !*n && got_n > 0) {
		got_n = c->api->consume_batch_queue(c->messages, 0, got, most < BATCH ? most : BATCH);
		for (ssize_t i = 0; i < got_n; i++)
			take_one(c, got[i], n);
	}
	c->kept = *n > most ? *n - most : 0;
	*n -= c->kept;
	keep_awake(c);
	if (!c->over)
		return 0;
	*e = c->why;
	return -1;
}

int
kafka_consumer_fd(const struct kafka_consumer *c)
{
	return c->fd;
}

int
kafka_consumer_wait_ms(const struct kafka_consumer *c)
{
	return c->down ? 0 : c->alive_ms;
}

int64_t
kafka_consumer_begin(const struct kafka_consumer *c)
{
	return c->begin;
}

/* ---- the connection ------------------------------------------------------------------------------------------------- */

static bool
is_ours(str name)
{
	return str_starts(name, S("registry.")) || str_starts(name, S("login.")) || str_eq(name, S("topic")) || str_eq(name, S("partition")) || str_eq(name, S("offset")) || str_eq(name, S("sasl.mechanism"));
}

static int
configure(struct kafka_consumer *c, rd_kafka_conf_t *conf, const struct peer_target *t, struct err *e)
{
	static const struct {
		const char *name, *value;
	} settings[] = {
		{ "enable.auto.offset.store", "false" },
		{ "auto.commit.interval.ms", "1000" },
		{ "session.timeout.ms", "10000" }, /* as Sarama: who was killed is missed so soon */
		{ "heartbeat.interval.ms", "3000" },
		{ "allow.auto.create.topics", "true" },
		{ "queued.max.messages.kbytes", "16384" },
		{ "reconnect.backoff.ms", "100" },
		{ "reconnect.backoff.max.ms", "5000" },
		{ "fetch.error.backoff.ms", "200" },
	};
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (kafka_conf_target(c->api, conf, a, t, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (kafka_conf_set(c->api, conf, a, settings[i].name, str_c(settings[i].value), e) < 0)
			return -1;
	char why[300];
	c->naps = c->api->conf_set(conf, "fetch.queue.backoff.ms", "20", why, sizeof why) != RD_KAFKA_CONF_OK;
	for (size_t i = 0; i < t->options_n; i++)
		if (!is_ours(t->options[i].name) && kafka_conf_set(c->api, conf, a, str_z(a, t->options[i].name), t->options[i].value, e) < 0)
			return -1;
	return kafka_conf_set(c->api, conf, a, "enable.auto.commit", peer_option(t, "partition").p ? S("false") : S("true"), e);
}

static rd_kafka_t *
new_client(struct kafka_consumer *c, const struct peer_target *t, struct err *e)
{
	char why[300];
	rd_kafka_conf_t *conf = c->api->conf_new();
	c->api->conf_set_opaque(conf, c);
	c->api->conf_set_error_cb(conf, on_error);
	c->api->conf_set_log_cb(conf, on_log);
	c->api->conf_set_rebalance_cb(conf, on_rebalance);
	if (kafka_login_wanted(t))
		c->api->conf_set_oauthbearer_token_refresh_cb(conf, on_refresh);
	rd_kafka_t *rk = configure(c, conf, t, e) < 0 ? NULL : c->api->new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
	if (!rk) {
		if (!e->code)
			err_set(e, ERR_INVALID, "kafka: %s", why);
		c->api->conf_destroy(conf);
	}
	return rk;
}

/* Whether any broker can be reached, and takes who we are. */
static int
reach(struct kafka_consumer *c, struct err *e)
{
	size_t none = 0; /* nothing is subscribed to yet */
	for (int waited = 0; waited < PEER_WAIT_MS && !c->over; waited += PROBE_MS) {
		c->down = true;
		serve_events(c, &none);
		if (!c->over)
			probe(c, PROBE_MS);
		if (!c->down)
			return 0;
		serve_events(c, &none);
		if (*c->last && waited >= 2 * PROBE_MS)
			break;
	}
	if (c->over)
		*e = c->why;
	else
		err_set(e, kafka_error_code(c->last_err), "kafka: %s", *c->last ? c->last : "no broker answers");
	return -1;
}

/* Where brokers make topics for who asks for them, this one asks. */
static void
ask_for_topic(struct kafka_consumer *c)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_topic_t *topic = c->api->topic_new(c->rk, c->topic, NULL);
	if (topic && c->api->metadata(c->rk, 0, topic, &md, QUERY_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
		c->api->metadata_destroy(md);
	if (topic)
		c->api->topic_destroy(topic);
}

static int
failed(const struct kafka_consumer *c, rd_kafka_resp_err_t err, struct err *e)
{
	return err_set(e, kafka_error_code(err), "kafka: topic %s: %s", c->topic, c->api->err2str(err));
}

static int
join_group(struct kafka_consumer *c, struct err *e)
{
	ask_for_topic(c);
	rd_kafka_topic_partition_list_t *topics = c->api->topic_partition_list_new(1);
	c->api->topic_partition_list_add(topics, c->topic, RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t err = c->api->subscribe(c->rk, topics);
	c->api->topic_partition_list_destroy(topics);
	return err ? failed(c, err, e) : 0;
}

/*
 * A place that the partition has not any more (what stood there was deleted, or the topic was made anew) goes on with the first there is:
 * auto.offset.reset.
 */
static int
read_partition(struct kafka_consumer *c, const struct peer_target *t, struct err *e)
{
	int64_t low = 0;
	if (kafka_partition_parse(peer_option(t, "partition"), &c->partition, e) < 0)
		return -1;
	rd_kafka_resp_err_t err = c->api->query_watermark_offsets(c->rk, c->topic, c->partition, &low, &c->begin, QUERY_MS);
	if (err)
		return failed(c, err, e);
	(void)str_to_i64(peer_option(t, "offset"), &c->begin); /* else it is the end */
	rd_kafka_topic_t *single = c->api->topic_new(c->rk, c->topic, NULL);
	if (!single || c->api->consume_start_queue(single, c->partition, c->begin, c->messages) < 0) {
		if (single)
			c->api->topic_destroy(single);
		return err_set(e, ERR_UNAVAILABLE, "kafka: topic %s: partition %d cannot be read", c->topic, c->partition);
	}
	c->single = single;
	return 0;
}

/* Whoever closes has waited for what was under way: the group may go on from here. */
static void
leave_group(struct kafka_consumer *c)
{
	if (c->down || c->over)
		return; /* the group misses it after its session timeout */
	rd_kafka_error_t *e = c->api->consumer_close_queue(c->rk, c->events);
	if (e) {
		c->api->error_destroy(e);
		return;
	}
	for (int waited = 0; waited < PEER_WAIT_MS && !c->api->consumer_closed(c->rk); waited += CLOSE_STEP_MS) {
		rd_kafka_message_t *m = c->api->consumer_poll(c->rk, CLOSE_STEP_MS);
		if (m)
			c->api->message_destroy(m);
	}
}

void
kafka_consumer_close(struct kafka_consumer *c)
{
	c->kept = 0;
	free_taken(c);
	if (c->single) {
		c->api->consume_stop(c->single, c->partition);
		c->api->topic_destroy(c->single);
	} else if (c->group && c->events) {
		leave_group(c);
	}
	if (c->messages)
		c->api->queue_destroy(c->messages);
	if (c->events)
		c->api->queue_destroy(c->events);
	if (c->rk)
		c->api->destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	VEC_FREE(&c->parts);
	kafka_login_end(&c->login);
	arena_free(c->arena);
	close_fd(&c->fd);
	free(c->user);
	free(c->password);
	free(c);
}

static void
make_queues(struct kafka_consumer *c)
{
	static const uint64_t one = 1;
	if (c->group)
		c->api->poll_set_consumer(c->rk);
	c->events = c->group ? c->api->queue_get_consumer(c->rk) : c->api->queue_get_main(c->rk);
	c->messages = c->api->queue_new(c->rk);
	c->api->queue_io_event_enable(c->events, c->fd, &one, sizeof one);
	c->api->queue_io_event_enable(c->messages, c->fd, &one, sizeof one);
}

/* A third of what the group is patient for. */
static int
alive_ms(str max_poll_interval)
{
	int64_t ms;
	return str_to_i64(max_poll_interval, &ms) && ms / 3 < ALIVE_MS ? (int)(ms / 3) : ALIVE_MS;
}

struct kafka_consumer *
kafka_consumer_open(const struct peer_target *t, struct err *e)
{
	const struct kafka_api *api = kafka_load(e);
	if (!api)
		return NULL;
	struct kafka_consumer *c = MEM_NEW(struct kafka_consumer);
	*c = (struct kafka_consumer){ .api = api, .arena = arena_new(), .begin = -1,
	                              .user = mem_text(t->user), .password = mem_text(t->password),
	                              .group = !peer_option(t, "partition").p, .oldest = str_eq(peer_option(t, "auto.offset.reset"), S("earliest")) };
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->topic = peer_option(t, "topic").p;
	kafka_login_begin(&c->login, api, t);
	c->alive_ms = alive_ms(peer_option(t, "max.poll.interval.ms"));
	if (c->fd < 0)
		err_errno(e, "kafka: eventfd");
	else
		c->rk = new_client(c, t, e);
	if (c->rk)
		make_queues(c);
	if (c->rk && reach(c, e) == 0 && (c->group ? join_group(c, e) : read_partition(c, t, e)) == 0)
		return c;
	kafka_consumer_close(c);
	return NULL;
}

int
kafka_partition_parse(str text, int32_t *out, struct err *e)
{
	int64_t n;
	if (!str_to_i64(text, &n) || n < 0 || n > INT32_MAX)
		return err_set(e, ERR_INVALID, "partition \"%.*s\": must be a number from 0 on", STR_ARG(text));
	*out = (int32_t)n;
	return 0;
}
