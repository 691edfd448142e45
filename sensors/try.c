/* SPDX-License-Identifier: Apache-2.0 */
/* Trying out: events come without a bus, and what is decided is told instead of written. */
#include "sensors/impl.h"

static void
tell(void *arg, enum rows_how how, int64_t id, const struct decision *d)
{
	struct sensors *ss = arg;
	const struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&ss->by_name, &i));) {
		const struct sensor *s = slot->value;
		if (s->id == id)
			ss->told(ss->told_arg, s->prog->object->ns, s->prog->object->name, how, d);
	}
}

void
sensors_try_out(struct sensors *ss, sensors_told *told, void *arg, bool brief)
{
	ss->told = told;
	ss->brief = brief;
	ss->told_arg = arg;
	rows_tell(ss->rows, tell, ss);
}

size_t
sensors_take(struct sensors *ss, struct event *ev)
{
	struct map_slot *slot;
	size_t n = 0;
	for (size_t i = 0; (slot = map_next(&ss->by_name, &i));) {
		struct sensor *s = slot->value;
		if (!str_eq(s->prog->object->ns, ev->ns) || !program_find(s->prog, ev->source, ev->subject))
			continue;
		decide_received(s, ev);
		n++;
	}
	return n;
}
