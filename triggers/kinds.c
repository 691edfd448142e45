/* SPDX-License-Identifier: Apache-2.0 */
/* kinds: the table of all kinds of trigger. */
#include "triggers/trigger.h"

#define TRIGGER(kind) extern const struct trigger_ops trigger_##kind;
#include "triggers/triggers.def"
#undef TRIGGER

const struct trigger_ops *const trigger_kinds[] = {
#define TRIGGER(kind) &trigger_##kind,
#include "triggers/triggers.def"
#undef TRIGGER
};
const size_t trigger_kinds_n = ARRAY_LEN(trigger_kinds);

const struct trigger_ops *
trigger_kind(str key)
{
	for (size_t i = 0; i < trigger_kinds_n; i++)
		if (str_eq(key, str_c(trigger_kinds[i]->kind)))
			return trigger_kinds[i];
	return NULL;
}
