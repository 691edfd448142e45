/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: writes the events to the daemon's log. One line for each event of the firing, after it is on disk. With intervalSeconds one
 * line at most in that time; the next one says how many events it left out, and each of those firings says so in its result.
 */
#include "core/log.h"
#include "triggers/firing.h"

struct log_config {
	int64_t interval;
	int level;
};

static const char *const levels[] = { "info", "debug", "warn", "error", NULL };
static const enum log_level level_of[] = { LOG_INFO, LOG_DEBUG, LOG_WARN, LOG_ERROR };

static const struct schema log_trigger_schema = { "LogTrigger", "Writes the event to the daemon's log.",
	sizeof(struct log_config), (const struct field[]){
	FIELD(struct log_config, interval, "intervalSeconds", 0, .min = 0, .max = INT32_MAX,
		.doc = "Write at most one line in this time; 0: no limit."),
	FIELD_ENUM(struct log_config, level, "level", 0, levels, .doc = "Level of the lines; info if it is not given. Ours, not Argo's."),
	{ 0 } } };

/* Of a trigger with an interval. */
struct written {
	int64_t last_ns;
	uint64_t left_out;
};

static void
write_line(struct firing *f, size_t i, const struct event *ev, uint64_t left_out)
{
	const struct log_config *c = firing_config(f);
	struct arena *a = firing_arena(f);
	struct val context = event_context(ev, a);
	const char *n = left_out ? arena_fmt(a, "%llu", (unsigned long long)left_out).p : NULL;
	if (!log_enabled(level_of[c->level]))
		return;
	log_line(level_of[c->level], ev->data.n ? str_z(a, ev->data) : "", "namespace", str_z(a, firing_ns(f)), "sensor", str_z(a, firing_sensor(f)),
	         "trigger", str_z(a, firing_trigger(f)), "dependencyName", str_z(a, firing_dependency(f, i)), "eventContext",
	         json_write(a, &context).p, n ? "leftOut" : NULL, n, NULL);
}

/* Whether the interval lets a line through now. */
static bool
may_write(struct written *w, int64_t interval, int64_t now)
{
	if (interval && w->last_ns && now >= w->last_ns && now < w->last_ns + interval * NS_PER_SEC)
		return false;
	w->last_ns = now;
	return true;
}

static struct written *
written_of(struct firing *f)
{
	void **memory = firing_memory(f);
	if (!*memory)
		*memory = MEM_NEW(struct written);
	return *memory;
}

static void
fire(struct firing *f)
{
	const struct log_config *c = firing_config(f);
	struct written *w = written_of(f);
	struct event **events;
	uint64_t left_out = 0;
	size_t n = firing_events(f, &events);
	for (size_t i = 0; i < n; i++) {
		if (!may_write(w, c->interval, loop_now(firing_env(f)->loop))) {
			left_out++;
			continue;
		}
		write_line(f, i, events[i], w->left_out);
		w->left_out = 0;
	}
	w->left_out += left_out;
	struct val v = val_int((int64_t)left_out);
	firing_done(f, NULL, left_out ? val_set(firing_arena(f), NULL, S("leftOut"), &v) : NULL);
}

const struct trigger_ops trigger_log = { .kind = "log", .doc = "Writes the event to the daemon's log.", .schema = &log_trigger_schema, .fire = fire,
	.forget = free };
