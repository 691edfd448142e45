/* SPDX-License-Identifier: Apache-2.0 */
/* cron_times: times as `cron backfill` is given them and gives them on: by a layout of Go's, as argo's --format has it. */
#ifndef TIDEGATE_CLI_CRON_TIMES_H
#define TIDEGATE_CLI_CRON_TIMES_H

#include "core/base.h"

/* The time that `text` means, ns: by `layout` (may be NULL) or argo's default one, RFC 3339, a day (its beginning in
 * UTC), or a duration before `now`. */
int cron_time_read(const char *text, const char *layout, int64_t now, int64_t *out, struct arena *a,
	struct err *e) MUST_CHECK;
/* A slot by `layout`, in the zone of `local`, which is the slot as Go's Time.String() writes it; NULL: as it is. In `a`. */
str cron_time_text(str local, const char *layout, struct arena *a);

#endif
