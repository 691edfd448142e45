/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a commit would become, before it does: a few kilobytes of objects can stand for more files than any disk has. Links are held to the
 * rule of archives (core/archive): one that leads out of what was fetched is refused.
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "core/files.h"
#include "engine/artifact/git.h"

/* A path that is kept. */
static int
keep(struct git *g, str prefix, str path, str *out, struct err *e)
{
	g->names += prefix.n + path.n;
	if (g->names > GIT_NAMES_MAX)
		return err_set(e, ERR_LIMIT, "the paths of its links and submodules have more than %u bytes together", GIT_NAMES_MAX);
	*out = arena_fmt(g->site->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(path));
	return 0;
}

static int
count_one(struct git *g, int64_t bytes, struct err *e)
{
	g->files++;
	g->bytes += bytes > 0 ? (uint64_t)bytes : 0;
	if (g->site->objects && g->files > g->site->objects)
		return err_set(e, ERR_LIMIT, "%.*s has more than %llu files", STR_ARG(g->name), (unsigned long long)g->site->objects);
	if (g->site->bytes && g->bytes > g->site->bytes)
		return err_set(e, ERR_LIMIT, "the files of %.*s have more than %llu bytes", STR_ARG(g->name), (unsigned long long)g->site->bytes);
	return 0;
}

/* "MODE TYPE OBJECT SIZE<tab>PATH"; the size stands right, behind spaces, and is - for what is no file. */
static int
take_entry(struct git_tree_reader *c, str line, struct err *e)
{
	str head = str_cut(&line, '\t'), mode = str_cut(&head, ' ');
	(void)str_cut(&head, ' ');
	str object = str_cut(&head, ' ');
	int64_t bytes = 0;
	(void)str_to_i64(str_trim(head), &bytes);
	if (line.n >= PATH_MAX)
		return err_set(e, ERR_INVALID, "%.*s has a path of more than 4095 bytes", STR_ARG(c->git->name));
	if (count_one(c->git, bytes, e) < 0)
		return -1;
	if (str_eq(line, S(".gitmodules")) && str_starts(mode, S("100")))
		c->tree->has_config = true;
	if (str_eq(mode, S("120000")))
		return keep(c->git, c->prefix, line, VEC_PUSH(&c->git->links), e);
	if (!str_eq(mode, S("160000")))
		return 0;
	struct git_module *m = VEC_PUSH(&c->tree->modules);
	m->commit = arena_dup(c->git->site->arena, object);
	return keep(c->git, S(""), line, &m->path, e);
}

int
git_tree_take(void *arg, str bytes, struct err *e)
{
	struct git_tree_reader *c = arg;
	int rc = 0;
	while (bytes.n && rc == 0) {
		size_t end = str_find_char(bytes, 0, 0);
		bool whole = end < bytes.n;
		buf_add(&c->rest, str_slice(bytes, 0, end));
		bytes = str_slice(bytes, whole ? end + 1 : bytes.n, bytes.n);
		if (c->rest.n > 2 * PATH_MAX)
			return err_set(e, ERR_INVALID, "%.*s has a path of more than 4095 bytes", STR_ARG(c->git->name));
		if (!whole)
			return 0;
		rc = take_entry(c, buf_str(&c->rest), e);
		c->rest.n = 0;
	}
	return rc;
}

int
git_tree_count(struct git *g, int dir, str prefix, str commit, struct git_tree *t, struct err *e)
{
	struct git_tree_reader c = { .git = g, .tree = t, .prefix = prefix };
	const struct git_taker taker = { git_tree_take, &c };
	const char *const argv[] = { "git", "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", str_z(g->site->arena, commit), NULL };
	int rc = git_run(g, dir, argv, &taker, e);
	buf_free(&c.rest);
	return rc;
}

static int
check_link(struct git *g, str path, struct err *e)
{
	char target[PATH_MAX];
	const char *name = str_z(g->site->arena, path), *slash = strrchr(name, '/');
	const char *above = slash ? str_z(g->site->arena, str_slice(path, 0, (size_t)(slash - name))) : ".";
	int dir CLEANUP(close_fd) = open_beneath(g->root, above, O_RDONLY | O_DIRECTORY, 0);
	ssize_t n = dir < 0 ? -1 : readlinkat(dir, slash ? slash + 1 : name, target, sizeof target);
	if (n < 0)
		return err_errno(e, "%.*s: read the link %s", STR_ARG(g->name), name);
	bool stays = (size_t)n < sizeof target && link_stays(path, (str){ target, (size_t)n });
	int at CLEANUP(close_fd) = stays ? look_beneath(g->root, name) : -1;
	if (!stays || (at < 0 && errno == EXDEV))
		return err_set(e, ERR_INVALID, "%.*s: %s is a link to something outside of the repository", STR_ARG(g->name), name);
	return 0;
}

int
git_tree_links(struct git *g, struct err *e)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < g->links.n; i++)
		rc = check_link(g, g->links.p[i], e);
	return rc;
}

/* ---- submodules ---------------------------------------------------------------------------------------------------- */

/* The next name and value of such a text, of the variables with that end; false: there are no more. */
static bool
next_value(str *rest, str end, str *name, str *value)
{
	while (rest->n) {
		*value = str_cut(rest, 0);
		*name = str_cut(value, '\n');
		if (!str_starts(*name, S("submodule.")) || !str_ends(*name, end) || name->n <= 10 + end.n)
			continue;
		*name = str_slice(*name, 10, name->n - end.n);
		return true;
	}
	return false;
}

str
git_module_name(str config, str path)
{
	str name, value, rest = config;
	while (next_value(&rest, S(".path"), &name, &value))
		if (str_eq(value, path))
			return name;
	return STR_NONE;
}

str
git_module_url(str urls, str wanted)
{
	str name, value, rest = urls;
	while (next_value(&rest, S(".url"), &name, &value))
		if (str_eq(name, wanted))
			return value;
	return STR_NONE;
}
