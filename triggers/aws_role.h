/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws_role: keys of a role of AWS, for triggers that have a roleARN. They are asked for with keys of one's own, kept in memory until a few
 * minutes before they end, and asked for once, however many firings want them meanwhile.
 */
#ifndef TIDEGATE_TRIGGERS_AWS_ROLE_H
#define TIDEGATE_TRIGGERS_AWS_ROLE_H

#include "core/net/sts.h"
#include "triggers/firing.h"

struct aws_role;

/*
 * Calls done(f, keys, NULL), now or later, or done(f, NULL, e) with the error for firing_done. `keys` are valid during the call. *place
 * remembers between calls; NULL at first.
 */
void aws_role_keys(struct aws_role **place, struct firing *f, const struct sts_role *role, const struct sigv4_keys *own,
                   void (*done)(struct firing *f, const struct sigv4_keys *keys, const struct err *e));
void aws_role_free(struct aws_role *r);

#endif
