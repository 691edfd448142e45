/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/http_date.h"

#include "core/lang/gotime.h"

#define LAYOUT S("Mon, 02 Jan 2006 15:04:05 GMT")

str
http_date(struct arena *a, int64_t ns)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	go_time_format(&b, ns, LAYOUT, 0, S("GMT"));
	return arena_dup(a, buf_str(&b));
}

bool
http_date_read(str text, int64_t *ns)
{
	struct go_time t;
	if (!text.n || !go_time_parse(LAYOUT, text, &t))
		return false;
	*ns = civil_days(t.year, t.month, t.day) * 86400 * NS_PER_SEC + ((t.hour * 60 + t.minute) * 60 + t.second) * NS_PER_SEC;
	return true;
}
