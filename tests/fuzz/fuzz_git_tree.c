/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What git says of a tree and of its submodules: the first byte says in how large pieces it comes, up to the first form feed it is a tree, up to the
 * second the paths of .gitmodules, then their URLs. However it is cut, the same comes of it, and no more than the limits allow.
 */
#include "engine/artifact/git.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	int rc;
	uint64_t files, bytes, names;
	size_t links, modules;
	bool config;
};

static void
check_modules(const struct git_tree *t, str config, str urls)
{
	for (size_t i = 0; i < t->modules.n; i++) {
		str name = git_module_name(config, t->modules.p[i].path), url = name.p ? git_module_url(urls, name) : STR_NONE;
		assert(t->modules.p[i].path.n < 4096);
		(void)git_url_is_good(url.p ? url : S(""), false);
	}
}

static struct result
read_tree(str tree, size_t piece, str config, str urls)
{
	struct arena *a = arena_new();
	struct artifact_site site = { .arena = a, .scratch = -1, .bytes = 1 << 20, .objects = 64 };
	struct git g = { .site = &site, .name = S("repository"), .root = -1 };
	struct git_tree t = { 0 };
	struct git_tree_reader r = { .git = &g, .tree = &t, .prefix = S("sub/") };
	struct result out = { 0 };
	struct err e = { 0 };
	for (size_t at = 0; out.rc == 0 && at < tree.n; at += piece)
		out.rc = git_tree_take(&r, str_slice(tree, at, at + piece < tree.n ? at + piece : tree.n), &e);
	assert(out.rc == 0 ? g.files <= site.objects && g.bytes <= site.bytes : e.code && e.msg[0]);
	for (size_t i = 0; out.rc == 0 && i < g.links.n; i++)
		assert(str_starts(g.links.p[i], S("sub/")));
	if (out.rc == 0)
		check_modules(&t, config, urls);
	out = (struct result){ out.rc, g.files, g.bytes, g.names, g.links.n, t.modules.n, t.has_config };
	buf_free(&r.rest);
	VEC_FREE(&g.links);
	VEC_FREE(&t.modules);
	arena_free(a);
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	str rest = { (const char *)data + 1, size - 1 }, tree = str_cut(&rest, '\f'), config = str_cut(&rest, '\f');
	struct result whole = read_tree(tree, tree.n + 1, config, rest), parts = read_tree(tree, data[0] ? data[0] : 1, config, rest);
	assert(whole.rc == parts.rc && whole.files == parts.files && whole.bytes == parts.bytes && whole.names == parts.names);
	assert(whole.links == parts.links && whole.modules == parts.modules && whole.config == parts.config);
	return 0;
}
