/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/check.h"

void
trigger_need(str value, const struct val *in, struct decode *c, const char *field)
{
	if (!value.n)
		decode_error(c, in, field, "%s must be specified", field);
}

void
trigger_need_ref(const struct secret_ref *ref, const struct val *in, struct decode *c, const char *field)
{
	if (!ref || !ref->name.n || !ref->key.n)
		decode_error(c, in, field, "%s must be specified: {name: <secret>, key: <key>}", field);
}

void
trigger_need_payload(size_t n, const struct val *in, struct decode *c)
{
	if (!n)
		decode_error(c, in, "payload", "payload parameters are not specified");
}
