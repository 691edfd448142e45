/* SPDX-License-Identifier: Apache-2.0 */
/* listeners: event sources and sensors as tables, for `status` and `get`. */
#ifndef TIDEGATE_CLI_LISTENERS_H
#define TIDEGATE_CLI_LISTENERS_H

#include "cli/client.h"
#include "cli/command.h"

/* Lists as /tidegate/v1/status has them; an empty one prints nothing. */
void print_sources(const struct val *list, struct arena *a);
void print_sensors(const struct val *list, struct arena *a);
/* A member that is a number; absent is 0. */
str number_text(struct arena *a, const struct val *v);
/* Whether `get` is asked for event sources or sensors: args[0] is "eventsources", "sensor", "es", ... */
bool is_listeners(const char *word);
/* `get eventsources [NAME...]`: args[0] is such a word. `output`: NULL, "name", "json", "yaml", or another, which is the table. */
int get_listeners(struct client *c, const char *output, char **args, int n);

#endif
