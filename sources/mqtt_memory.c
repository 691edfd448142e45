/* SPDX-License-Identifier: Apache-2.0 */
/* The decisions of mqtt_memory.h. Keys of rows: two bytes are a packet id; NOTE and SESSION are one. */
#include "sources/mqtt_memory.h"

#include <stdatomic.h>

enum { PAGE = 256 }; /* so many ids have their slots together, and there are as many pages */

static const char released_byte = 3; /* in place of the QoS */
static const char note_key = 'n', session_key = 's';

/* What is known of a packet id: the last message that had it. */
struct slot {
	int64_t number;        /* 0: none */
	uint64_t contents;
	_Atomic int64_t taken; /* the number of the last that became an event */
	uint32_t connection;   /* over which it came */
	int qos;
	bool released;         /* of QoS 2 */
};

/* An acknowledgement that is held back: PUBACK or PUBREC. */
struct held {
	int64_t number;
	unsigned id;
	int qos;
};

struct mqtt_memory {
	struct slot *pages[PAGE]; /* by the upper half of the id; made when one of them comes, and there until the end */
	str name;              /* of the session; owned */
	int64_t last;          /* number that was given */
	_Atomic int64_t since; /* numbers up to this one are of sessions that are over */
	uint32_t connection;
	int64_t pin;           /* the newest, whose PUBACK or PUBREC has not left; 0: there is none */
	bool passed;           /* the pin has come again, or cannot come any more */
	VEC(struct held) held; /* the newest that is on disk, and those behind it that were dropped; in order */
	bool letting_go;
	int64_t settled_ms;    /* when something was settled last */
	size_t open, most;     /* messages of this connection that the broker has no last word on; and how many these were at once */
};

static struct slot *
slot_of(struct mqtt_memory *m, unsigned id)
{
	struct slot **page = &m->pages[id >> 8 & 0xFF];
	if (!*page)
		*page = mem_alloc(PAGE * sizeof **page);
	return &(*page)[id & 0xFF];
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static void
put_number(char *to, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		to[i] = (char)(n >> (56 - 8 * i));
}

static uint64_t
get_number(const char *from)
{
	uint64_t n = 0;
	for (int i = 0; i < 8; i++)
		n = n << 8 | (unsigned char)from[i];
	return n;
}

static str
id_key(struct mqtt_row *r, unsigned id)
{
	r->key[0] = (char)(id >> 8);
	r->key[1] = (char)id;
	return (str){ r->key, 2 };
}

struct source_row
mqtt_row_taken(struct mqtt_row *r, const struct mqtt_mark *mark)
{
	put_number(r->bytes, (uint64_t)mark->number);
	put_number(r->bytes + 8, mark->contents);
	r->bytes[16] = (char)mark->qos;
	return (struct source_row){ id_key(r, mark->id), { r->bytes, 17 } };
}

struct source_row
mqtt_row_released(struct mqtt_row *r, const struct mqtt_mark *mark)
{
	struct source_row row = mqtt_row_taken(r, mark);
	r->bytes[16] = released_byte;
	return row;
}

struct source_row
mqtt_row_let_go(struct mqtt_row *r, int64_t number)
{
	put_number(r->bytes, (uint64_t)number);
	return (struct source_row){ { &note_key, 1 }, { r->bytes, 8 } };
}

struct source_row
mqtt_row_session(str name)
{
	return (struct source_row){ { &session_key, 1 }, name };
}

static void
load_id(struct mqtt_memory *m, str key, str value)
{
	struct slot *s = slot_of(m, (unsigned)((unsigned char)key.p[0] << 8 | (unsigned char)key.p[1]));
	s->number = (int64_t)get_number(value.p);
	s->contents = get_number(value.p + 8);
	s->released = value.p[16] == released_byte;
	s->qos = s->released ? 2 : value.p[16];
	atomic_store_explicit(&s->taken, s->number, memory_order_relaxed);
	if (s->number > m->last)
		m->last = s->number;
	if (!s->released && s->number > m->pin)
		m->pin = s->number;
}

void
mqtt_memory_load(struct mqtt_memory *m, const struct source_row *rows, size_t n)
{
	int64_t note = 0;
	for (size_t i = 0; i < n; i++) {
		str key = rows[i].key, value = rows[i].value;
		if (key.n == 2 && value.n == 17)
			load_id(m, key, value);
		else if (key.n == 1 && key.p[0] == note_key && value.n == 8)
			note = (int64_t)get_number(value.p);
		else if (key.n == 1 && key.p[0] == session_key) {
			str_disown(m->name);
			m->name = str_own(value);
		}
	}
	if (note > m->last)
		m->last = note;
	if (m->pin <= note)
		m->pin = 0;
}

/* ---- sessions -------------------------------------------------------------------------------------------------------- */

struct mqtt_memory *
mqtt_memory_new(void)
{
	return MEM_NEW(struct mqtt_memory);
}

void
mqtt_memory_free(void *p)
{
	struct mqtt_memory *m = p;
	if (!m)
		return;
	VEC_FREE(&m->held);
	str_disown(m->name);
	for (size_t i = 0; i < PAGE; i++)
		free(m->pages[i]);
	free(m);
}

bool
mqtt_memory_is_of(const struct mqtt_memory *m, str name)
{
	return m->name.p && str_eq(m->name, name);
}

void
mqtt_memory_begin(struct mqtt_memory *m, str name)
{
	for (size_t i = 0; i < PAGE * PAGE; i++)
		if (m->pages[i / PAGE])
			m->pages[i / PAGE][i % PAGE].number = 0;
	m->pin = 0;
	atomic_store_explicit(&m->since, m->last, memory_order_relaxed);
	str own = str_own(name);
	str_disown(m->name);
	m->name = own;
}

void
mqtt_memory_connected(struct mqtt_memory *m)
{
	m->connection++;
	m->passed = !m->pin;
	m->held.n = 0;
	m->letting_go = false;
	m->open = m->most = 0;
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

/* Of what a publisher has said; other properties may change on the way. */
static uint64_t
hash_of(const struct mqtt_packet *p)
{
	static const uint64_t prime = 0x100000001b3;
	struct mqtt_property property;
	uint64_t hash = (str_fnv64a(p->topic) * prime) ^ str_fnv64a(p->payload);
	for (str rest = p->properties; mqtt_property(&rest, &property);)
		if (property.id == MQTT_USER_PROPERTY)
			hash = (((hash * prime) ^ str_fnv64a(property.name)) * prime) ^ str_fnv64a(property.text);
	return hash;
}

/* The same contents under the same id, over another connection: whether it can be nothing but the same message. */
static bool
is_known(struct mqtt_memory *m, const struct slot *s)
{
	bool known = !m->passed || (s->qos == 2 && !s->released);
	if (s->number == m->pin)
		m->passed = true;
	return known;
}

static void
remember(struct mqtt_memory *m, struct slot *s, const struct mqtt_mark *mark, bool dup)
{
	/* The broker does not send again any more; or has given the pin's id away, so it has forgotten what it owes. */
	if (!dup || (m->pin && s->number == m->pin))
		m->passed = true;
	if (m->passed)
		m->pin = mark->number;
	s->number = mark->number;
	s->contents = mark->contents;
	s->qos = mark->qos;
}

/* As `mark`, and sent again. */
static enum mqtt_verdict
judge(struct mqtt_memory *m, const struct slot *s)
{
	if (s->connection == m->connection) /* only a broker that forgets PUBREL sends what is released */
		return s->released ? MQTT_KNOWN : MQTT_REPEATED;
	return is_known(m, s) ? MQTT_KNOWN : MQTT_NEW;
}

enum mqtt_verdict
mqtt_memory_came(struct mqtt_memory *m, const struct mqtt_packet *p, struct mqtt_mark *mark)
{
	struct slot *s = slot_of(m, p->id);
	enum mqtt_verdict v = MQTT_NEW;
	*mark = (struct mqtt_mark){ .id = p->id, .qos = p->qos, .contents = hash_of(p) };
	if (p->dup && s->number && s->qos == p->qos && s->contents == mark->contents)
		v = judge(m, s);
	if (v == MQTT_REPEATED)
		return v;
	mark->number = v == MQTT_KNOWN ? s->number : ++m->last;
	if (v == MQTT_NEW)
		remember(m, s, mark, p->dup);
	s->released = false;
	s->connection = m->connection;
	if (++m->open > m->most)
		m->most = m->open;
	return v;
}

bool
mqtt_memory_taken(struct mqtt_memory *m, const struct mqtt_mark *mark)
{
	atomic_store_explicit(&slot_of(m, mark->id)->taken, mark->number, memory_order_relaxed);
	return mark->number > atomic_load_explicit(&m->since, memory_order_relaxed);
}

bool
mqtt_memory_released(struct mqtt_memory *m, unsigned id, struct mqtt_mark *mark)
{
	struct slot *s = slot_of(m, id);
	*mark = (struct mqtt_mark){ s->number, id, 2, s->contents };
	if (!s->number || s->qos != 2)
		return false;
	s->released = true;
	return atomic_load_explicit(&s->taken, memory_order_relaxed) == s->number; /* else it has no row */
}

void
mqtt_memory_completed(struct mqtt_memory *m)
{
	if (m->open)
		m->open--;
}

/* ---- acknowledgements ------------------------------------------------------------------------------------------------ */

/* PUBACK or PUBREC of the first `n` that are held. */
static void
let_out(struct mqtt_memory *m, size_t n, mqtt_ack_fn *ack, void *arg)
{
	for (size_t i = 0; i < n; i++) {
		const struct held *h = &m->held.p[i];
		ack(arg, h->qos, h->id);
		if (h->qos == 1)
			mqtt_memory_completed(m);
		if (h->number == m->pin)
			m->pin = 0;
	}
	m->held.n -= n;
	if (m->held.n)
		memmove(m->held.p, m->held.p + n, m->held.n * sizeof *m->held.p);
}

void
mqtt_memory_settled(struct mqtt_memory *m, const struct mqtt_mark *mark, int64_t now_ms, mqtt_ack_fn *ack, void *arg)
{
	bool on_disk = atomic_load_explicit(&slot_of(m, mark->id)->taken, memory_order_relaxed) == mark->number;
	bool first = !m->held.n;
	*VEC_PUSH(&m->held) = (struct held){ mark->number, mark->id, mark->qos };
	m->settled_ms = now_ms;
	if (on_disk)
		let_out(m, m->held.n - 1, ack, arg);
	else if (first) /* nothing on disk is held back for it */
		let_out(m, 1, ack, arg);
}

int64_t
mqtt_memory_due(struct mqtt_memory *m, int64_t now_ms)
{
	if (mqtt_memory_wait(m, now_ms) != 0)
		return 0;
	if (2 * m->held.n <= m->most)
		m->most = 0; /* the broker may have less room than it had */
	m->letting_go = true;
	return m->held.p[0].number;
}

int
mqtt_memory_wait(const struct mqtt_memory *m, int64_t now_ms)
{
	if (!m->held.n || m->letting_go)
		return -1;
	int64_t left = m->settled_ms + MQTT_MEMORY_IDLE_MS - now_ms;
	return 2 * m->held.n > m->most || left <= 0 ? 0 : (int)left;
}

void
mqtt_memory_let_go(struct mqtt_memory *m, int64_t number, mqtt_ack_fn *ack, void *arg)
{
	m->letting_go = false;
	if (m->held.n && m->held.p[0].number <= number)
		let_out(m, m->held.n, ack, arg);
}
