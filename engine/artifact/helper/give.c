/* SPDX-License-Identifier: Apache-2.0 */
/* give: artifacts for who looks at them from outside: the object as it is, a folder as one file, or the names in a folder. */
#include <sys/stat.h>
#include <unistd.h>

#include "engine/artifact/helper/helper.h"

#define NAMES_MAX 10000u

static const char *
given_path(const struct job *j, const char *name)
{
	return arena_fmt(j->arena, "%s/%s", j->into, name).p;
}

/* A folder, packed in place of itself. */
static int
pack_folder(struct job *j, struct err *e)
{
	const struct archive_limits none = { 0 };
	const char *packed = given_path(j, "packed");
	int dir CLEANUP(close_fd) = open(j->into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int to CLEANUP(close_fd) = open(packed, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (dir < 0 || to < 0)
		return err_errno(e, "pack %s", j->into);
	if (archive_pack(dir, "0", ARCHIVE_AS_TAR, -1, to, &none, NULL, e) < 0)
		return -1;
	files_remove(given_path(j, "0"));
	return rename(packed, given_path(j, "0")) < 0 ? err_errno(e, "pack %s", j->into) : 0;
}

int
give_item(struct job *j, const struct val *item, struct val_map *answer, struct err *e)
{
	struct stat st;
	if (fetch_item(j, item, 0, e) < 0)
		return -1;
	if (lstat(given_path(j, "0"), &st) < 0)
		return err_errno(e, "look at what came");
	val_map_add(answer, S("packed"), val_bool(S_ISDIR(st.st_mode)));
	return S_ISDIR(st.st_mode) ? pack_folder(j, e) : 0;
}

/* ---- names --------------------------------------------------------------------------------------------------------- */

struct names {
	struct arena *arena;
	struct val_list list;
	size_t prefix;
	bool more;
};

static bool
note_name(void *arg, str key, uint64_t bytes)
{
	struct names *n = arg;
	struct val_map m = { 0 };
	if (key.n <= n->prefix)
		return true;
	n->more = n->list.v.n >= NAMES_MAX;
	if (n->more)
		return false;
	val_map_add(&m, S("name"), val_str(arena_dup(n->arena, str_slice(key, n->prefix, key.n))));
	val_map_add(&m, S("bytes"), val_int((int64_t)bytes));
	val_list_add(&n->list, val_map_end(&m, n->arena));
	return true;
}

/* Those of one folder together: a listing may come in any order. */
static int
by_name(const void *a, const void *b)
{
	return str_cmp(val_get_str(a, "name"), val_get_str(b, "name"));
}

int
list_item(struct job *j, const struct val *item, struct val_map *answer, struct err *e)
{
	struct place p;
	struct names n = { .arena = j->arena };
	str wanted = val_get_str(item, "prefix");
	int rc = wanted.p ? place_open_all(j, item, &p, e) : place_open(j, item, &p, e);
	str base = wanted.p || str_ends(p.key, S("/")) ? p.key : arena_fmt(j->arena, "%.*s/", STR_ARG(p.key));
	n.prefix = base.n;
	if (rc == 0 && p.driver->list)
		rc = p.driver->list(p.state, arena_fmt(j->arena, "%.*s%.*s", STR_ARG(base), STR_ARG(wanted)), note_name, &n, e);
	else if (rc == 0 && wanted.p)
		rc = err_set(e, ERR_UNSUPPORTED, "what lies in %s cannot be listed", p.driver->name);
	place_close(&p);
	if (n.list.v.n)
		qsort(n.list.v.p, n.list.v.n, sizeof *n.list.v.p, by_name);
	val_map_add(answer, S("names"), val_list_end(&n.list, j->arena));
	val_map_add(answer, S("more"), val_bool(n.more));
	return rc;
}
