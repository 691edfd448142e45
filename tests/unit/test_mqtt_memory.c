/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session of MQTT remembers: the decisions one by one; and a broker, a disk and a network that is cut at any packet, played by the
 * hundred thousand steps, where all messages look alike and ids are given anew as soon as they may be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sources/mqtt_memory.h"

enum { IDS = 64, MOST = 400 };

/* ---- the decisions ------------------------------------------------------------------------------------------------------- */

static char acked[IDS * 4];

static void
note_ack(void *arg UNUSED, int qos, unsigned id)
{
	size_t n = strlen(acked);
	snprintf(acked + n, sizeof acked - n, "%s%d:%u", n ? " " : "", qos, id);
}

static const char *
acks(void)
{
	static char was[sizeof acked];
	memcpy(was, acked, sizeof was);
	acked[0] = 0;
	return was;
}

static struct mqtt_packet
publish(unsigned id, int qos, bool dup, const char *body)
{
	return (struct mqtt_packet){ .type = MQTT_PUBLISH, .id = id, .qos = qos, .dup = dup, .topic = S("t"), .payload = str_c(body) };
}

static enum mqtt_verdict
comes(struct mqtt_memory *m, unsigned id, int qos, bool dup, const char *body, struct mqtt_mark *mark)
{
	struct mqtt_packet p = publish(id, qos, dup, body);
	return mqtt_memory_came(m, &p, mark);
}

/* A new message comes and is on disk. */
static void
takes(struct mqtt_memory *m, unsigned id, int qos, const char *body)
{
	struct mqtt_mark mark;
	assert_int_equal(comes(m, id, qos, false, body, &mark), MQTT_NEW);
	assert_true(mqtt_memory_taken(m, &mark));
	mqtt_memory_settled(m, &mark, 0, note_ack, NULL);
}

static enum mqtt_verdict
again(struct mqtt_memory *m, unsigned id, int qos, const char *body)
{
	struct mqtt_mark mark;
	return comes(m, id, qos, true, body, &mark);
}

static struct mqtt_memory *
connected(void)
{
	struct mqtt_memory *m = mqtt_memory_new();
	acked[0] = 0;
	mqtt_memory_begin(m, S("s"));
	mqtt_memory_connected(m);
	return m;
}

static void
the_newest_is_acknowledged_when_there_is_a_newer_one(void **state UNUSED)
{
	struct mqtt_memory *m = connected();
	struct mqtt_mark a, b, dropped;
	assert_int_equal(comes(m, 1, 1, false, "a", &a), MQTT_NEW);
	assert_int_equal(comes(m, 2, 1, false, "b", &b), MQTT_NEW);
	assert_int_equal(comes(m, 3, 1, false, "c", &dropped), MQTT_NEW);
	assert_true(mqtt_memory_taken(m, &a) && mqtt_memory_taken(m, &b));
	mqtt_memory_settled(m, &a, 0, note_ack, NULL);
	assert_string_equal(acks(), "");
	mqtt_memory_settled(m, &b, 0, note_ack, NULL);
	assert_string_equal(acks(), "1:1");
	assert_int_equal(mqtt_memory_due(m, 0), 0);
	mqtt_memory_settled(m, &dropped, 0, note_ack, NULL); /* PUBACKs are in order */
	assert_string_equal(acks(), "");
	assert_int_equal(mqtt_memory_due(m, 0), b.number); /* two of three are held back: a broker may be at its limit */
	assert_int_equal(mqtt_memory_due(m, 0), 0);
	mqtt_memory_let_go(m, b.number, note_ack, NULL);
	assert_string_equal(acks(), "1:2 1:3");
	mqtt_memory_free(m);
}

static void
a_pin_is_let_go_when_nothing_comes(void **state UNUSED)
{
	struct mqtt_memory *m = connected();
	struct mqtt_mark a, b;
	(void)comes(m, 1, 1, false, "a", &a);
	(void)comes(m, 2, 1, false, "b", &b);
	assert_true(mqtt_memory_taken(m, &a) && mqtt_memory_taken(m, &b));
	mqtt_memory_settled(m, &a, 100, note_ack, NULL);
	mqtt_memory_settled(m, &b, 200, note_ack, NULL);
	assert_int_equal(mqtt_memory_wait(m, 300), MQTT_MEMORY_IDLE_MS - 100);
	assert_int_equal(mqtt_memory_due(m, 200 + MQTT_MEMORY_IDLE_MS), b.number);
	assert_int_equal(mqtt_memory_wait(m, 1 << 30), -1);
	mqtt_memory_let_go(m, b.number, note_ack, NULL);
	assert_string_equal(acks(), "1:1 1:2");
	mqtt_memory_free(m);
}

static void
until_the_pin_comes_all_that_is_known_is_the_same(void **state UNUSED)
{
	struct mqtt_memory *m = connected();
	takes(m, 1, 1, "x");
	takes(m, 2, 1, "x");
	takes(m, 3, 1, "x");
	mqtt_memory_connected(m);
	assert_int_equal(again(m, 2, 1, "x"), MQTT_KNOWN);
	assert_int_equal(again(m, 2, 1, "x"), MQTT_REPEATED);
	assert_int_equal(again(m, 3, 1, "x"), MQTT_KNOWN);
	assert_int_equal(again(m, 1, 1, "x"), MQTT_NEW); /* behind the pin: its id is another's now, and it looks the same */
	mqtt_memory_free(m);
}

static void
what_has_other_contents_or_no_dup_is_new(void **state UNUSED)
{
	struct mqtt_memory *m = connected();
	struct mqtt_mark mark;
	takes(m, 1, 1, "x");
	takes(m, 2, 1, "x");
	takes(m, 3, 2, "x");
	takes(m, 4, 2, "x");
	mqtt_memory_connected(m);
	assert_int_equal(again(m, 3, 2, "y"), MQTT_NEW);
	assert_int_equal(comes(m, 4, 2, false, "x", &mark), MQTT_NEW);
	assert_int_equal(again(m, 1, 1, "y"), MQTT_NEW);
	assert_int_equal(comes(m, 9, 1, false, "z", &mark), MQTT_NEW); /* the broker does not send again any more */
	assert_int_equal(again(m, 2, 1, "x"), MQTT_NEW);
	mqtt_memory_free(m);
}

static void
user_properties_are_contents_and_others_are_not(void **state UNUSED)
{
	struct mqtt_memory *m = connected();
	struct mqtt_mark mark;
	struct mqtt_packet p = publish(1, 2, false, "x");
	p.properties = (str){ "\x26\0\1a\0\1b\2\0\0\0\7", 12 }; /* a: b, and seven seconds to live */
	assert_int_equal(mqtt_memory_came(m, &p, &mark), MQTT_NEW);
	mqtt_memory_connected(m);
	p.dup = true;
	p.properties = (str){ "\x26\0\1a\0\1b\2\0\0\0\6", 12 };
	assert_int_equal(mqtt_memory_came(m, &p, &mark), MQTT_KNOWN);
	mqtt_memory_connected(m);
	p.properties = (str){ "\x26\0\1a\0\1c\2\0\0\0\6", 12 };
	assert_int_equal(mqtt_memory_came(m, &p, &mark), MQTT_NEW);
	mqtt_memory_free(m);
}

static void
an_id_of_qos_2_is_known_until_it_is_released(void **state UNUSED)
{
	struct mqtt_memory *m = connected();
	struct mqtt_mark mark;
	takes(m, 1, 2, "x");
	takes(m, 2, 1, "y");
	assert_string_equal(acks(), "2:1");
	mqtt_memory_connected(m);
	assert_int_equal(again(m, 2, 1, "y"), MQTT_KNOWN);
	assert_int_equal(again(m, 1, 2, "x"), MQTT_KNOWN); /* also behind the pin */
	assert_true(mqtt_memory_released(m, 1, &mark));
	assert_true(mark.number == 1 && mark.id == 1 && mark.qos == 2);
	assert_false(mqtt_memory_released(m, 2, &mark)); /* nonsense */
	assert_false(mqtt_memory_released(m, 3, &mark));
	mqtt_memory_connected(m);
	assert_int_equal(again(m, 2, 1, "y"), MQTT_KNOWN);
	assert_int_equal(again(m, 1, 2, "x"), MQTT_NEW);
	mqtt_memory_free(m);
}

static void
a_publish_behind_its_pubrel_is_known_until_the_pin_comes(void **state UNUSED)
{
	struct mqtt_memory *m = connected();
	struct mqtt_mark mark;
	takes(m, 1, 2, "x");
	takes(m, 2, 2, "x");
	takes(m, 3, 2, "x");
	assert_string_equal(acks(), "2:1 2:2");
	assert_true(mqtt_memory_released(m, 1, &mark) && mqtt_memory_released(m, 2, &mark));
	mqtt_memory_connected(m);
	assert_int_equal(again(m, 1, 2, "x"), MQTT_KNOWN);
	assert_int_equal(again(m, 1, 2, "x"), MQTT_REPEATED);
	assert_true(mqtt_memory_released(m, 1, &mark));
	assert_int_equal(again(m, 1, 2, "x"), MQTT_KNOWN); /* it shall not wait for ever */
	assert_int_equal(again(m, 3, 2, "x"), MQTT_KNOWN);
	assert_int_equal(again(m, 2, 2, "x"), MQTT_NEW);
	mqtt_memory_free(m);
}

static void
rows_bring_it_back(void **state UNUSED)
{
	struct mqtt_row rows[3];
	struct mqtt_mark one = { 7, 258, 1, 0 }, two = { 8, 3, 2, 0 };
	struct mqtt_packet p = publish(258, 1, true, "x");
	struct mqtt_memory *m = connected();
	struct mqtt_mark mark;
	(void)mqtt_memory_came(m, &p, &mark);
	mqtt_memory_free(m);
	one.contents = two.contents = mark.contents;
	struct source_row disk[] = { mqtt_row_session(S("h:1\nc")), mqtt_row_taken(&rows[0], &one), mqtt_row_taken(&rows[1], &two),
	                             mqtt_row_let_go(&rows[2], 6), { S("other"), S("?") }, { S("ab"), S("short") } };
	m = mqtt_memory_new();
	mqtt_memory_load(m, disk, ARRAY_LEN(disk));
	assert_true(mqtt_memory_is_of(m, S("h:1\nc")));
	assert_false(mqtt_memory_is_of(m, S("h:1\nd")));
	mqtt_memory_connected(m);
	assert_int_equal(again(m, 258, 1, "x"), MQTT_KNOWN);
	assert_int_equal(comes(m, 3, 2, true, "x", &mark), MQTT_KNOWN);
	assert_int_equal(mark.number, 8);
	assert_int_equal(comes(m, 4, 2, true, "x", &mark), MQTT_NEW);
	assert_int_equal(mark.number, 9);
	mqtt_memory_free(m);

	disk[2] = mqtt_row_released(&rows[1], &two);
	m = mqtt_memory_new();
	mqtt_memory_load(m, disk, ARRAY_LEN(disk));
	mqtt_memory_connected(m);
	assert_int_equal(again(m, 3, 2, "x"), MQTT_KNOWN);
	assert_int_equal(again(m, 258, 1, "x"), MQTT_KNOWN);
	assert_int_equal(again(m, 3, 2, "x"), MQTT_REPEATED);
	mqtt_memory_free(m);

	disk[3] = mqtt_row_let_go(&rows[2], 8); /* no pin: it may be another */
	m = mqtt_memory_new();
	mqtt_memory_load(m, disk, ARRAY_LEN(disk));
	mqtt_memory_connected(m);
	assert_int_equal(again(m, 258, 1, "x"), MQTT_NEW);
	mqtt_memory_free(m);
}

static void
a_new_session_knows_nothing(void **state UNUSED)
{
	struct mqtt_memory *m = connected();
	struct mqtt_mark late;
	takes(m, 1, 1, "x");
	takes(m, 2, 2, "x");
	(void)comes(m, 3, 2, false, "x", &late);
	mqtt_memory_begin(m, S("s"));
	assert_false(mqtt_memory_taken(m, &late)); /* its row would speak of the new session */
	mqtt_memory_connected(m);
	assert_int_equal(again(m, 1, 1, "x"), MQTT_NEW);
	assert_int_equal(again(m, 2, 2, "x"), MQTT_NEW);
	mqtt_memory_free(m);
}

/* ---- the world ------------------------------------------------------------------------------------------------------- */

/* A message of the broker's; `sent` until its last word. */
enum stage { WAITS, PUBLISHED, RECEIVED, OVER };
struct message {
	int qos;
	bool dropped; /* by our filter */
	unsigned id;
	enum stage stage;
	int events;
};

struct packet {
	enum mqtt_type type;
	unsigned id;
	bool dup;
	int message;
};

struct pipe {
	struct packet p[4 * MOST];
	int from, to;
};

/* On its way through our feed. */
struct job {
	enum { MESSAGE, KNOWN, RELEASE, LET_GO } what;
	struct mqtt_mark mark;
	int message;
	bool has_row, written, done, forgotten;
};

struct disk {
	struct { bool there; char bytes[17]; } ids[IDS];
	bool noted;
	char note[8];
	int events[MOST];
};

static struct world {
	uint32_t seed;
	struct message m[MOST];
	int n, first_open, window;
	bool cyclic, forgets; /* forgets: that it has sent PUBREL, when a connection breaks */
	unsigned ids, last_id;
	struct pipe down, up;
	struct mqtt_memory *memory;
	VEC(struct job) jobs;
	struct disk disk, cache; /* the cache is what a commit makes the disk */
	int64_t now;
	int excused;             /* messages that may be two events */
} w;

static unsigned
chance(unsigned n)
{
	w.seed = w.seed * 1664525 + 1013904223;
	return (w.seed >> 8) % n;
}

static void
send_packet(struct pipe *p, enum mqtt_type type, unsigned id, bool dup, int message)
{
	if (p->from == p->to)
		p->from = p->to = 0;
	assert_true(p->to < (int)ARRAY_LEN(p->p));
	p->p[p->to++] = (struct packet){ type, id, dup, message };
}

/* ---- the broker ------------------------------------------------------------------------------------------------------ */

static bool
is_open(const struct message *m)
{
	return m->stage == PUBLISHED || m->stage == RECEIVED;
}

static bool
is_free(unsigned id)
{
	for (int i = w.first_open; i < w.n; i++)
		if (is_open(&w.m[i]) && w.m[i].id == id)
			return false;
	return true;
}

static unsigned
free_id(void)
{
	unsigned id = w.cyclic ? w.last_id % w.ids + 1 : 1;
	while (!is_free(id))
		id = id % w.ids + 1;
	return w.last_id = id;
}

static int
open_messages(void)
{
	int n = 0;
	for (int i = w.first_open; i < w.n; i++)
		n += is_open(&w.m[i]);
	return n;
}

static void
broker_sends(void)
{
	while (w.first_open < w.n && w.m[w.first_open].stage == OVER)
		w.first_open++;
	for (int i = w.first_open; i < w.n && open_messages() < w.window; i++) {
		if (w.m[i].stage != WAITS)
			continue;
		w.m[i].id = free_id();
		w.m[i].stage = PUBLISHED;
		send_packet(&w.down, MQTT_PUBLISH, w.m[i].id, false, i);
	}
}

static void
broker_hears(void)
{
	if (w.up.from == w.up.to)
		return;
	struct packet p = w.up.p[w.up.from++];
	for (int i = w.first_open; i < w.n; i++) {
		struct message *m = &w.m[i];
		if (!is_open(m) || m->id != p.id)
			continue;
		if (p.type == MQTT_PUBREC && m->qos == 2) {
			m->stage = RECEIVED;
			send_packet(&w.down, MQTT_PUBREL, p.id, false, i);
		} else if (p.type == (m->qos == 2 ? MQTT_PUBCOMP : MQTT_PUBACK)) {
			assert_true(m->qos == 1 || m->stage == RECEIVED);
			assert_true(m->dropped || w.disk.events[i] > 0); /* acknowledged, so it is on disk: nothing is lost */
			m->stage = OVER;
		} else {
			fail_msg("packet %d for message %d of QoS %d", (int)p.type, i, m->qos);
		}
		break;
	}
}

/* All that is open, in the order in which it was sent at first. */
static void
broker_sends_again(void)
{
	for (int i = w.first_open; i < w.n; i++) {
		if (w.m[i].stage == RECEIVED && w.forgets && chance(3) == 0)
			w.m[i].stage = PUBLISHED;
		if (w.m[i].stage == PUBLISHED)
			send_packet(&w.down, MQTT_PUBLISH, w.m[i].id, true, i);
		else if (w.m[i].stage == RECEIVED)
			send_packet(&w.down, MQTT_PUBREL, w.m[i].id, false, i);
	}
}

/* ---- us ------------------------------------------------------------------------------------------------------------------ */

static void
we_hear(void)
{
	if (w.down.from == w.down.to)
		return;
	struct packet p = w.down.p[w.down.from++];
	struct job j = { .what = RELEASE, .mark = { .id = p.id }, .message = p.message };
	if (p.type == MQTT_PUBREL) {
		j.has_row = mqtt_memory_released(w.memory, p.id, &j.mark);
		*VEC_PUSH(&w.jobs) = j;
		return;
	}
	enum mqtt_verdict v = comes(w.memory, p.id, w.m[p.message].qos, p.dup, "x", &j.mark);
	j.what = v == MQTT_KNOWN ? KNOWN : MESSAGE;
	if (v != MQTT_REPEATED)
		*VEC_PUSH(&w.jobs) = j;
}

static void
write_row(struct source_row r)
{
	if (r.key.n == 1) {
		w.cache.noted = true;
		memcpy(w.cache.note, r.value.p, 8);
		return;
	}
	assert_true(r.key.n == 2 && r.key.p[0] == 0 && r.key.p[1] < IDS);
	w.cache.ids[(int)r.key.p[1]].there = r.value.p;
	if (r.value.p)
		memcpy(w.cache.ids[(int)r.key.p[1]].bytes, r.value.p, 17);
}

static void
we_write(struct job *j)
{
	struct mqtt_row bytes;
	j->written = true;
	if (j->what == RELEASE && j->has_row)
		write_row(mqtt_row_released(&bytes, &j->mark));
	else if (j->what == LET_GO)
		write_row(mqtt_row_let_go(&bytes, j->mark.number));
	else if (j->what == MESSAGE && !w.m[j->message].dropped) {
		w.cache.events[j->message]++;
		assert_true(mqtt_memory_taken(w.memory, &j->mark));
		write_row(mqtt_row_taken(&bytes, &j->mark));
	}
}

static void
we_take_in(void)
{
	unsigned most = chance(4) + 1;
	for (size_t i = 0; i < w.jobs.n && most; i++)
		if (!w.jobs.p[i].written) {
			we_write(&w.jobs.p[i]);
			most--;
		}
}

static void
we_commit(void)
{
	w.disk = w.cache;
	for (size_t i = 0; i < w.jobs.n; i++)
		w.jobs.p[i].done |= w.jobs.p[i].written;
}

static void
we_acknowledge(void *arg UNUSED, int qos, unsigned id)
{
	send_packet(&w.up, qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, id, false, -1);
}

static void
settle(const struct job *j)
{
	if (j->what == RELEASE) {
		mqtt_memory_completed(w.memory);
		send_packet(&w.up, MQTT_PUBCOMP, j->mark.id, false, -1);
	} else if (j->what == LET_GO) {
		mqtt_memory_let_go(w.memory, j->mark.number, we_acknowledge, NULL);
	} else {
		mqtt_memory_settled(w.memory, &j->mark, w.now, we_acknowledge, NULL);
	}
}

static void
we_settle(void)
{
	size_t n = 0;
	for (; n < w.jobs.n && w.jobs.p[n].done; n++)
		if (!w.jobs.p[n].forgotten)
			settle(&w.jobs.p[n]);
	w.jobs.n -= n;
	if (w.jobs.n)
		memmove(w.jobs.p, w.jobs.p + n, w.jobs.n * sizeof *w.jobs.p);
	int64_t number = mqtt_memory_due(w.memory, w.now);
	if (number)
		*VEC_PUSH(&w.jobs) = (struct job){ .what = LET_GO, .mark = { .number = number }, .message = -1 };
}

/* ---- accidents ----------------------------------------------------------------------------------------------------------- */

/* Whether a PUBACK of the newest message on disk may have left: then what the broker has not heard of may come as new. */
static bool
has_no_pin(void)
{
	int64_t newest = 0, note = 0;
	for (int i = 0; i < IDS; i++) {
		int64_t number = 0;
		for (int k = 0; k < 8; k++)
			number = number << 8 | (unsigned char)w.disk.ids[i].bytes[k];
		if (w.disk.ids[i].there && w.disk.ids[i].bytes[16] < 3 && number > newest)
			newest = number;
	}
	for (int k = 0; k < 8; k++)
		note = note << 8 | (unsigned char)w.disk.note[k];
	return w.disk.noted && newest <= note;
}

static void
excuse(void)
{
	for (int i = w.first_open; i < w.n; i++)
		w.excused += (w.m[i].qos == 1 || w.forgets) && is_open(&w.m[i]) && w.disk.events[i];
}

static void
cut(struct pipe *p)
{
	int n = p->to - p->from;
	p->to = p->from + (int)chance((unsigned)n + 1); /* the rest never arrives */
}

static void
reconnect(void)
{
	w.down.from = w.down.to = 0;
	if (has_no_pin())
		excuse();
	mqtt_memory_connected(w.memory);
	broker_sends_again();
}

static void
the_connection_breaks(void)
{
	cut(&w.up);
	while (w.up.from < w.up.to)
		broker_hears();
	for (size_t i = 0; i < w.jobs.n; i++)
		w.jobs.p[i].forgotten = true;
	reconnect();
}

static void
we_are_killed(void)
{
	struct source_row rows[IDS + 1];
	char keys[IDS][2];
	size_t n = 0;
	cut(&w.up);
	while (w.up.from < w.up.to)
		broker_hears();
	w.jobs.n = 0;
	w.cache = w.disk;
	for (int i = 0; i < IDS; i++) {
		keys[i][0] = 0;
		keys[i][1] = (char)i;
		if (w.disk.ids[i].there)
			rows[n++] = (struct source_row){ { keys[i], 2 }, { w.disk.ids[i].bytes, 17 } };
	}
	if (w.disk.noted)
		rows[n++] = (struct source_row){ S("n"), { w.disk.note, 8 } };
	mqtt_memory_free(w.memory);
	w.memory = mqtt_memory_new();
	mqtt_memory_load(w.memory, rows, n);
	reconnect();
}

/* ---- a life -------------------------------------------------------------------------------------------------------------- */

static void
publish_some(bool mixed, bool filtered)
{
	for (unsigned k = chance(5); k > 0 && w.n < MOST; k--)
		w.m[w.n++] = (struct message){ .qos = mixed ? 1 + (int)chance(2) : 1, .dropped = filtered && chance(3) == 0 };
}

static void
step(unsigned accidents)
{
	switch (chance(12)) {
	case 0: case 1: broker_sends(); break;
	case 2: case 3: broker_hears(); break;
	case 4: case 5: we_hear(); break;
	case 6: we_take_in(); break;
	case 7: we_commit(); break;
	case 8: case 9: we_settle(); break;
	case 10: w.now += chance(20) == 0 ? MQTT_MEMORY_IDLE_MS : 1; break;
	case 11:
		if (!accidents || chance(accidents))
			break;
		if (chance(2))
			we_are_killed();
		else
			the_connection_breaks();
		break;
	}
}

static int
doubled(int qos)
{
	int n = 0;
	for (int i = 0; i < w.n; i++)
		if (w.m[i].qos == qos && w.disk.events[i] > 1)
			n += w.disk.events[i] - 1;
	return n;
}

/* Once nothing breaks any more, all that was published is over, and is an event. */
static void
ends(void)
{
	for (int i = 0; w.first_open < w.n; i++) {
		assert_true(i < 1000000); /* or the broker waits for us, and we for the broker */
		step(0);
		broker_sends();
	}
	we_commit();
	for (int i = 0; i < w.n; i++)
		assert_true(w.m[i].dropped ? !w.disk.events[i] : w.disk.events[i] > 0);
	if (!w.forgets)
		assert_int_equal(doubled(2), 0);
	assert_true(doubled(1) + doubled(2) <= w.excused);
}

static int lives, excuses, twice;

static void
life(uint32_t seed, int window, bool cyclic, bool mixed, bool filtered, bool forgets)
{
	struct world none = { .seed = seed, .window = window, .cyclic = cyclic, .forgets = forgets, .ids = (unsigned)window + 2 };
	w = none;
	acked[0] = 0;
	w.memory = mqtt_memory_new();
	mqtt_memory_begin(w.memory, S("s"));
	mqtt_memory_connected(w.memory);
	for (int i = 0; i < 1500; i++) {
		if (chance(8) == 0)
			publish_some(mixed, filtered);
		step(4);
	}
	ends();
	lives++;
	excuses += w.excused;
	twice += doubled(1);
	mqtt_memory_free(w.memory);
	VEC_FREE(&w.jobs);
}

static void
nothing_is_lost_and_nothing_is_two_whatever_breaks(void **state UNUSED)
{
	static const int windows[] = { 1, 2, 3, 20 };
	for (uint32_t i = 0; i < 400; i++)
		life(i * 7919 + 1, windows[i % 4], i / 4 & 1, i / 8 & 1, i / 16 & 1, i / 32 & 1);
	print_message("%d lives: %d PUBACKs on their way at an accident, %d messages twice for it\n", lives, excuses, twice);
	assert_true(twice > 0 && twice < lives); /* the one case is seen, and is rare */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_is_acknowledged_when_there_is_a_newer_one),
		cmocka_unit_test(a_pin_is_let_go_when_nothing_comes),
		cmocka_unit_test(until_the_pin_comes_all_that_is_known_is_the_same),
		cmocka_unit_test(what_has_other_contents_or_no_dup_is_new),
		cmocka_unit_test(user_properties_are_contents_and_others_are_not),
		cmocka_unit_test(an_id_of_qos_2_is_known_until_it_is_released),
		cmocka_unit_test(a_publish_behind_its_pubrel_is_known_until_the_pin_comes),
		cmocka_unit_test(rows_bring_it_back),
		cmocka_unit_test(a_new_session_knows_nothing),
		cmocka_unit_test(nothing_is_lost_and_nothing_is_two_whatever_breaks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
