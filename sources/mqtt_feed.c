/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/mqtt_feed.h"

#include "core/clock.h"
#include "core/crypto.h"
#include "core/net/mqtt.h"
#include "core/net/stream.h"
#include "sources/message.h"
#include "sources/mqtt_memory.h"

enum { BATCH = 256 }; /* messages until something else has its turn: acknowledgements, and a sign of life */

struct mqtt_session {
	struct mqtt *mqtt;
	struct feed *feed;
	struct mqtt_memory *memory; /* NULL: the session ends with the connection */
	struct mqtt_form form;
};

/* ---- handles: what the feed knows messages, and what is saved among them, by ------------------------------------------ */

enum what { MESSAGE_0, MESSAGE_1, MESSAGE_2, RELEASE, LET_GO }; /* the first three are the QoS */

static union feed_handle
handle_of(enum what what, const struct mqtt_mark *mark)
{
	return (union feed_handle){ .number = { mark->number << 19 | (int64_t)what << 16 | (int64_t)mark->id, (int64_t)mark->contents } };
}

static enum what
mark_of(union feed_handle h, struct mqtt_mark *mark)
{
	enum what what = (enum what)(h.number[0] >> 16 & 7);
	*mark = (struct mqtt_mark){ h.number[0] >> 19, (unsigned)h.number[0] & 0xFFFF, (int)what, (uint64_t)h.number[1] };
	return what;
}

/* ---- rows: on the loop --------------------------------------------------------------------------------------------------- */

bool
mqtt_feed_take(struct source *s, struct event *ev UNUSED, void *token)
{
	struct mqtt_memory *m = feed_context(s);
	struct mqtt_mark mark;
	struct mqtt_row bytes;
	if (!m)
		return true;
	if (source_is_stopping(s))
		return false; /* who comes after this source may have read the rows */
	enum what what = mark_of(feed_handle_of(token), &mark);
	if (what == MESSAGE_0 || !mqtt_memory_taken(m, &mark))
		return true;
	struct source_row row = mqtt_row_taken(&bytes, &mark);
	source_write_rows(s, false, &row, 1);
	return true;
}

static void
save_known(struct source *s, union feed_handle h UNUSED)
{
	source_count_duplicate(s);
}

static void
save_release(struct source *s, union feed_handle h)
{
	struct mqtt_row bytes;
	struct mqtt_mark mark;
	(void)mark_of(h, &mark);
	struct source_row row = mqtt_row_released(&bytes, &mark);
	source_write_rows(s, false, &row, 1);
}

/* The word before it is to be on disk. */
static void
save_nothing(struct source *s UNUSED, union feed_handle h UNUSED)
{
}

static void
save_let_go(struct source *s, union feed_handle h)
{
	struct mqtt_row bytes;
	struct mqtt_mark mark;
	(void)mark_of(h, &mark);
	struct source_row row = mqtt_row_let_go(&bytes, mark.number);
	source_write_rows(s, false, &row, 1);
}

static void
save_session(struct source *s, union feed_handle h)
{
	const str *name = h.pointer;
	struct source_row row = mqtt_row_session(*name);
	source_write_rows(s, true, &row, 1);
}

/* ---- connections ----------------------------------------------------------------------------------------------------- */

void
mqtt_feed_check_url(str url, const struct val *in, struct decode *c, const char *field)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct stream_to to;
	struct peer_url parts;
	struct err e;
	if (url.n && mqtt_address(url, a, &to, &parts, &e) < 0)
		decode_error(c, in, field, "%s", e.msg);
}

int
mqtt_feed_target(struct source *s, str url, const struct basic_auth *auth, const struct tls_config *tls, struct arena *a, struct peer_target *t,
                 struct err *e)
{
	struct stream_to to;
	struct peer_url parts;
	if (mqtt_address(url, a, &to, &parts, e) < 0 || (to.ws_path.p && crypto_load(e) < 0))
		return -1;
	t->address = url;
	t->user = parts.user;
	t->password = parts.password;
	return feed_login(s, auth, a, t, e) < 0 ? -1 : feed_tls(s, tls, a, t, e);
}

/* A session that is not the one of before begins on disk, and then at the broker: until it is subscribed, nothing comes of it. */
static int
resume(struct mqtt_session *c, const struct peer_target *t, const struct mqtt_hello *h, bool goes_on, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct stream_to to;
	struct peer_url parts;
	if (mqtt_address(t->address, a, &to, &parts, e) < 0)
		return -1;
	str name = arena_fmt(a, "%.*s:%d\n%.*s", STR_ARG(to.host), to.port, STR_ARG(h->client_id));
	if (!goes_on || !mqtt_memory_is_of(c->memory, name)) {
		mqtt_memory_begin(c->memory, name);
		if (feed_save_now(c->feed, save_session, (union feed_handle){ .pointer = &name }, e) < 0)
			return -1;
	}
	mqtt_memory_connected(c->memory);
	return 0;
}

void *
mqtt_feed_open(struct feed *f, const struct peer_target *t, const struct mqtt_hello *h, str topic, int qos, struct mqtt_form form, struct err *e)
{
	bool goes_on;
	struct mqtt *m = mqtt_open(t, h, &goes_on, e);
	if (!m)
		return NULL;
	struct mqtt_session *c = MEM_NEW(struct mqtt_session);
	*c = (struct mqtt_session){ m, f, feed_context(feed_source(f)), form };
	if ((!c->memory || resume(c, t, h, goes_on, e) == 0) && mqtt_subscribe(m, topic, qos, e) == 0)
		return c;
	mqtt_feed_close(c);
	return NULL;
}

/* ---- messages ------------------------------------------------------------------------------------------------------ */

static void
add_user_properties(struct message *m, str properties)
{
	struct mqtt_property p;
	VEC(struct message_pair) pairs = { 0 };
	while (mqtt_property(&properties, &p))
		if (p.id == MQTT_USER_PROPERTY)
			*VEC_PUSH(&pairs) = (struct message_pair){ p.name, p.text, pairs.n };
	message_lists(m, "userProperties", pairs.p, pairs.n);
	VEC_FREE(&pairs);
}

static struct event *
make_event(const struct mqtt_packet *p, const struct mqtt_form *form, struct err *e)
{
	struct message m;
	message_begin(&m);
	message_str(&m, "topic", p->topic);
	if (form->message_id)
		message_int(&m, "messageId", p->id);
	if (message_body(&m, "body", p->payload, form->json_body, e) < 0) {
		message_drop(&m);
		return NULL;
	}
	if (form->user_properties)
		add_user_properties(&m, p->properties);
	message_metadata(&m, form->metadata);
	return message_end(&m);
}

static void
take(struct mqtt_session *c, struct feed *f, const struct mqtt_packet *p, bool too_large)
{
	struct err e;
	struct mqtt_mark mark = { .id = p->id, .qos = p->qos };
	enum mqtt_verdict v = p->qos && c->memory ? mqtt_memory_came(c->memory, p, &mark) : MQTT_NEW;
	union feed_handle h = handle_of((enum what)p->qos, &mark);
	struct event *ev = NULL;
	if (v == MQTT_KNOWN)
		feed_save(f, save_known, h);
	if (v != MQTT_NEW)
		return;
	if (too_large)
		err_set(&e, ERR_LIMIT, "a message of %.*s has more than %d bytes", STR_ARG(str_slice(p->topic, 0, 100)), MQTT_PACKET_MAX);
	else
		ev = make_event(p, &c->form, &e);
	if (ev)
		feed_give(f, ev, h);
	else
		feed_refuse(f, h, &e);
}

static bool
is_error(const struct mqtt_session *c, const struct mqtt_packet *p)
{
	return c->form.error_topic && str_starts(p->topic, str_c(c->form.error_topic));
}

/* The sender gives the id up with PUBCOMP: its row is to say so before. */
static void
release(struct mqtt_session *c, struct feed *f, unsigned id)
{
	if (!c->memory) {
		mqtt_complete(c->mqtt, id);
		return;
	}
	struct mqtt_mark mark;
	bool has_row = mqtt_memory_released(c->memory, id, &mark);
	feed_save(f, has_row ? save_release : save_nothing, handle_of(RELEASE, &mark));
}

static void
let_go_if_due(struct mqtt_session *c)
{
	int64_t number = c->memory ? mqtt_memory_due(c->memory, clock_monotonic_ms()) : 0;
	if (number)
		feed_save(c->feed, save_let_go, handle_of(LET_GO, &(struct mqtt_mark){ .number = number }));
}

int
mqtt_feed_receive(void *conn, struct feed *f, struct err *e)
{
	struct mqtt_session *c = conn;
	struct mqtt_packet p;
	bool wants, too_large;
	int rc = 0, n = 0;
	while ((wants = feed_wants(f)) && n < BATCH && (rc = mqtt_next(c->mqtt, &p, &too_large, e)) == 1) {
		n++;
		if (p.type == MQTT_PUBREL) {
			release(c, f, p.id);
			continue;
		}
		if (is_error(c, &p))
			return err_set(e, ERR_DENIED, "the broker says: %.*s", STR_ARG(str_slice(p.payload, 0, 300)));
		take(c, f, &p, too_large);
	}
	let_go_if_due(c);
	if (n == BATCH)
		feed_wake(f); /* the rest may be in memory already, where no descriptor tells of it */
	return rc < 0 ? -1 : mqtt_flush(c->mqtt, wants, e);
}

int
mqtt_feed_wait(void *conn, short *events, int *timeout_ms)
{
	const struct mqtt_session *c = conn;
	int fd = mqtt_wait(c->mqtt, events, timeout_ms), ms = c->memory ? mqtt_memory_wait(c->memory, clock_monotonic_ms()) : -1;
	if (ms >= 0 && (*timeout_ms < 0 || ms < *timeout_ms))
		*timeout_ms = ms;
	return fd;
}

static void
acknowledge(void *arg, int qos, unsigned id)
{
	struct mqtt_session *c = arg;
	mqtt_ack(c->mqtt, qos, id);
}

static void
settle_one(struct mqtt_session *c, union feed_handle h)
{
	struct mqtt_mark mark;
	switch (mark_of(h, &mark)) {
	case MESSAGE_0:
		break;
	case MESSAGE_1:
	case MESSAGE_2:
		if (c->memory)
			mqtt_memory_settled(c->memory, &mark, clock_monotonic_ms(), acknowledge, c);
		else
			acknowledge(c, mark.qos, mark.id);
		break;
	case RELEASE:
		mqtt_memory_completed(c->memory);
		mqtt_complete(c->mqtt, mark.id);
		break;
	case LET_GO:
		mqtt_memory_let_go(c->memory, mark.number, acknowledge, c);
		break;
	}
}

int
mqtt_feed_settle(void *conn, const union feed_handle *handles, size_t n, struct err *e)
{
	struct mqtt_session *c = conn;
	for (size_t i = 0; i < n; i++)
		settle_one(c, handles[i]);
	let_go_if_due(c);
	return mqtt_flush(c->mqtt, false, e);
}

void
mqtt_feed_close(void *conn)
{
	struct mqtt_session *c = conn;
	mqtt_close(c->mqtt);
	free(c);
}

int
mqtt_feed_wrap(str topic, str body, struct mqtt_form form, struct arena *a, str *out, struct err *e)
{
	struct event *ev = make_event(&(struct mqtt_packet){ .topic = topic, .payload = body }, &form, e);
	if (!ev)
		return -1;
	*out = arena_dup(a, ev->data);
	event_unref(ev);
	return 0;
}
