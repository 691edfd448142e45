/* SPDX-License-Identifier: Apache-2.0 */
/* log: writes the events to the daemon's log. One line for each event of the firing, after it is on disk. */
#include "core/log.h"
#include "core/map.h"
#include "triggers/firing.h"

struct log_config {
	int64_t interval;
};

static const struct schema log_trigger_schema = { "LogTrigger", "Writes the event to the daemon's log.",
	sizeof(struct log_config), (const struct field[]){
	FIELD(struct log_config, interval, "intervalSeconds", LATER, .min = 0, .max = INT32_MAX, .doc = "Write at most one line in this time."),
	{ 0 } } };

static void
fire(struct firing *f)
{
	struct arena *a = firing_arena(f);
	struct event **events;
	size_t n = firing_events(f, &events);
	for (size_t i = 0; i < n; i++) {
		struct val context = event_context(events[i], a);
		log_info(events[i]->data.n ? str_z(a, events[i]->data) : "", "namespace", str_z(a, firing_ns(f)), "sensor", str_z(a, firing_sensor(f)),
		         "trigger", str_z(a, firing_trigger(f)), "dependencyName", str_z(a, firing_dependency(f, i)), "eventContext",
		         json_write(a, &context).p, NULL);
	}
	firing_done(f, NULL, NULL);
}

const struct trigger_ops trigger_log = { .kind = "log", .doc = "Writes the event to the daemon's log.", .schema = &log_trigger_schema, .fire = fire };
