/* SPDX-License-Identifier: Apache-2.0 */
/* topics: which subscriptions want an event, by its source and name. An event that few of many subscriptions want costs by the few. */
#ifndef TIDEGATE_BUS_TOPICS_H
#define TIDEGATE_BUS_TOPICS_H

#include "bus/bus.h"
#include "core/map.h"

struct topic {
	str key;                            /* "source\0subject"; its bytes are the topic's */
	VEC(struct subscription *) members; /* in the order in which they came */
};
/* Zero-initialise. */
struct topics {
	struct map by_key;
	struct buf scratch;
};

/* The topic, or NULL if nobody ever wanted it. Stays until topics_free. */
struct topic *topics_find(struct topics *t, str source, str subject);
/* Once a subscription and topic, however often it is said. */
void topics_add(struct topics *t, const struct bus_topic *topic, struct subscription *sub);
void topics_remove(struct topics *t, const struct bus_topic *topic, const struct subscription *sub);
void topics_free(struct topics *t);

#endif
