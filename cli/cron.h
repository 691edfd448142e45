/* SPDX-License-Identifier: Apache-2.0 */
/* cron: what the commands about CronWorkflows share. */
#ifndef TIDEGATE_CLI_CRON_H
#define TIDEGATE_CLI_CRON_H

#include "cli/client.h"

/* "PREFIX/cron-workflows/<ns>/<name><suffix>" in the client's arena. */
str cron_path(struct client *c, const char *prefix, str name, const char *suffix);
/* {timezone, slots} of one: those after `from` up to `to` (RFC 3339; absent: from now on, without end), at most
 * `limit`. */
int cron_slots(struct client *c, str name, str from, str to, int64_t limit, struct val *out, struct err *e) MUST_CHECK;
/* What `cron get` prints: NULL, "wide", "name", "json", "yaml". */
extern const char *const cron_outputs[];
/* One CronWorkflow so; not the first: apart from the one before. */
void cron_print(const char *output, struct arena *a, const struct val *cron, bool first);

#endif
