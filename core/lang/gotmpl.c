/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lang/gotmpl.h"

int
gotmpl_parse(struct arena *a UNUSED, str text UNUSED, struct gotmpl **out UNUSED, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "templates are not served yet");
}

int
gotmpl_run(const struct gotmpl *t UNUSED, const struct val *input UNUSED, int64_t now_ns UNUSED, struct arena *a UNUSED, str *out UNUSED, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "templates are not served yet");
}

int
gotmpl_render(struct arena *a UNUSED, str text UNUSED, const struct val *input UNUSED, int64_t now_ns UNUSED, str *out UNUSED, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "templates are not served yet");
}
