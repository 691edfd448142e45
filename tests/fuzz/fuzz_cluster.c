/* SPDX-License-Identifier: Apache-2.0 */
/* What a cluster says, a line of a watch at a time and whole, and kubeconfigs: an object with a name and a version, somebody to be asked, or a reason. */
#include "core/lines.h"
#include "core/net/cluster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
take(void *arg, str line)
{
	struct arena *a = arena_new();
	struct cluster_object o;
	struct err e = { 0 };
	if (line.p && cluster_read_line(line, a, &o, &e) == 0)
		assert(o.change == CLUSTER_ERROR || o.version.n);
	else if (line.p)
		assert(e.code && e.msg[0]);
	++*(size_t *)arg;
	arena_free(a);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size };
	struct arena *a = arena_new();
	struct cluster c;
	struct http_call call;
	struct err e = { 0 };
	size_t whole = 0, pieces = 0, piece = size ? data[0] % 7 + 1 : 1;
	struct lines one = { .max = 1 << 16 }, two = { .max = 1 << 16 };
	lines_take(&one, in, take, &whole);
	for (size_t i = 0; i < size; i += piece)
		lines_take(&two, str_slice(in, i, i + piece), take, &pieces);
	assert(whole == pieces);
	lines_reset(&one);
	lines_reset(&two);
	/* no files of this machine are to be read */
	bool names_files = str_find(in, S("ile"), 0) != SIZE_MAX || str_find(in, S("client-"), 0) != SIZE_MAX || str_find(in, S("authority"), 0) != SIZE_MAX;
	if (!names_files && cluster_read_kubeconfig(in, S("/nowhere"), S(""), a, &c, &e) == 0) {
		cluster_get(&c, S("/x"), a, &call);
		assert(str_starts(call.url, S("http")) && (str_starts(call.url, S("https://")) || !c.token.n));
	}
	arena_free(a);
	return 0;
}
