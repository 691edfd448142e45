/* SPDX-License-Identifier: Apache-2.0 */
/* check: what the checks of many kinds of trigger have in common (spec events 5.4). */
#ifndef TIDEGATE_TRIGGERS_CHECK_H
#define TIDEGATE_TRIGGERS_CHECK_H

#include "config/config.h"

/* The member `field` of `in` must be given and not empty. */
void trigger_need(str value, const struct val *in, struct decode *c, const char *field);
void trigger_need_ref(const struct secret_ref *ref, const struct val *in, struct decode *c, const char *field);
/* `payload` must have an entry. */
void trigger_need_payload(size_t n, const struct val *in, struct decode *c);

#endif
