/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hdfs driver: files of HDFS over WebHDFS. Fields are those of Argo's HDFSArtifact, but that addresses are those of WebHDFS. A file is made under a
 * name of its own and then renamed: whole, or not at all. Its name is made of path and contents, so that who was killed and is asked again
 * makes the same one over, and nothing of it stays.
 */
#include <unistd.h>

#include "core/crypto.h"
#include "engine/artifact/cloud.h"
#include "engine/artifact/hdfs.h"

#define UNDER_WAY ".tidegate-" /* names of files that are being made */

/* A path of the cluster, as it was looked at. */
struct seen {
	bool is_there, is_directory;
	bool plain; /* neither encrypted nor erasure coded: the checksum is that of the bytes */
	uint64_t id, bytes;
};

/* ---- the place ----------------------------------------------------------------------------------------------------- */

/* Both want the data sealed on its way, which over HTTP is TLS. */
static bool
wants_tls(str protection)
{
	return str_eq(protection, S("integrity")) || str_eq(protection, S("privacy"));
}

static int
read_place(struct hdfs *h, const struct val *place, struct arena *a, struct err *e)
{
	const struct val *list = val_get(place, S("addresses"));
	str path = val_get_str(place, "path");
	h->user = val_get_str(place, "hdfsUser");
	h->force = val_is_true(val_get(place, S("force")));
	h->tls_only = wants_tls(val_get_str(place, "dataTransferProtection"));
	h->addresses.p = ARENA_ARRAY(a, str, val_is(list, VAL_LIST) ? list->n : 0);
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		h->addresses.p[h->addresses.n++] = val_text(&list->items[i]);
	if (!h->addresses.n)
		return err_set(e, ERR_INVALID, "hdfs: it has no addresses");
	if (!str_starts(path, S("/")))
		return err_set(e, ERR_INVALID, "hdfs: the path %.*s does not begin with a slash; in a repository pathFormat says how paths begin", STR_ARG(path));
	return 0;
}

/* Whoever signs in is who the cluster knows him as: hdfsUser does not count, as in Argo. */
static int
sign_in(struct hdfs *h, const struct val *place, struct arena *a, struct err *e)
{
	struct kerberos_keys keys = { .config = val_get_str(place, "krbConfig"), .ccache = val_get_str(place, "krbCCache"),
		.keytab = val_get_str(place, "krbKeytab") };
	str user = val_get_str(place, "krbUsername"), realm = val_get_str(place, "krbRealm");
	if (!keys.ccache.n && !keys.keytab.n)
		return 0;
	keys.principal = arena_fmt(a, "%.*s@%.*s", STR_ARG(user), STR_ARG(realm));
	if (keys.keytab.n) /* of the two, as in Argo */
		keys.ccache = STR_NONE;
	h->user = STR_NONE;
	return kerberos_login(&keys, &h->login, e) < 0 ? err_wrap(e, "hdfs") : 0;
}

static int
open_hdfs(const struct val *place, const struct artifact_site *site, void **state, struct err *e)
{
	struct hdfs *h = ARENA_NEW(site->arena, struct hdfs);
	*h = (struct hdfs){ .site = site };
	if (read_place(h, place, site->arena, e) < 0 || crypto_load(e) < 0 || sign_in(h, place, site->arena, e) < 0)
		return -1;
	h->http = http_session_new();
	*state = h;
	return 0;
}

static void
close_hdfs(void *state)
{
	struct hdfs *h = state;
	http_session_free(h->http);
	kerberos_free(h->login);
}

/* ---- looking ------------------------------------------------------------------------------------------------------- */

/* What is not there is no error. */
static int
look(struct hdfs *h, str path, struct seen *out, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct webhdfs_op op = { "GET", "GETFILESTATUS", path, { { STR_NONE, STR_NONE } }, 0 };
	struct val v;
	*out = (struct seen){ 0 };
	if (hdfs_ask_json(h, &op, a, &v, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	const struct val *status = val_get(&v, S("FileStatus"));
	if (!status)
		return err_set(e, ERR_INVALID, "hdfs: the answer to GETFILESTATUS of %.*s has no FileStatus", STR_ARG(path));
	*out = (struct seen){ .is_there = true, .is_directory = webhdfs_is_directory(status), .id = (uint64_t)webhdfs_number(status, "fileId"),
		.bytes = (uint64_t)webhdfs_number(status, "length"),
		.plain = !val_is_true(val_get(status, S("encBit"))) && !val_is_true(val_get(status, S("ecBit"))) };
	return 0;
}

/* A server that has no checksum to tell (HttpFS of some, Knox) is asked in vain, which is no error. */
static int
compare(struct hdfs *h, str path, int fd, uint64_t start, uint64_t bytes, bool uniform, enum hdfs_same *out, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct webhdfs_op op = { "GET", "GETFILECHECKSUM", path, { { STR_NONE, STR_NONE } }, 0 };
	struct val v;
	*out = HDFS_UNKNOWN;
	if (hdfs_ask_json(h, &op, a, &v, e) < 0)
		return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT ? -1 : 0;
	*out = hdfs_sum_compare(val_get(&v, S("FileChecksum")), fd, start, bytes, uniform, a);
	return 0;
}

/* Whether the cluster has all the bytes under that path. */
static int
check_file(struct hdfs *h, str path, const struct seen *seen, int fd, uint64_t start, uint64_t bytes, bool uniform, enum hdfs_same *out, struct err *e)
{
	*out = seen->bytes == bytes ? HDFS_SAME : HDFS_DIFFERS;
	if (*out == HDFS_DIFFERS || !bytes)
		return 0;
	*out = HDFS_UNKNOWN;
	return seen->plain ? compare(h, path, fd, start, bytes, uniform, out, e) : 0;
}

/* ---- getting ------------------------------------------------------------------------------------------------------- */

static int
get(void *state, str path, int fd, struct err *e)
{
	struct hdfs *h = state;
	struct seen seen;
	enum hdfs_same same = HDFS_SAME;
	uint64_t bytes = 0;
	int64_t start = cloud_file_start(fd);
	if (look(h, path, &seen, e) < 0)
		return -1;
	if (!seen.is_there || seen.is_directory)
		return err_set(e, ERR_NOT_FOUND, "hdfs at %.*s: %.*s %s", STR_ARG(h->addresses.p[h->active]), STR_ARG(path),
		               seen.is_there ? "is a directory" : "is not there");
	if (seen.bytes && hdfs_open(h, path, fd, &bytes, e) < 0)
		return -1;
	if (bytes != seen.bytes)
		return err_set(e, ERR_UNAVAILABLE, "hdfs: %llu bytes of %.*s came, which had %llu before", (unsigned long long)bytes, STR_ARG(path),
		               (unsigned long long)seen.bytes);
	if (start >= 0 && check_file(h, path, &seen, fd, (uint64_t)start, bytes, false, &same, e) < 0)
		return -1;
	return same != HDFS_DIFFERS ? 0 : err_set(e, ERR_UNAVAILABLE, "hdfs: %.*s has another checksum than what came of it", STR_ARG(path));
}

/* ---- putting ------------------------------------------------------------------------------------------------------- */

struct save {
	struct hdfs *h;
	str path, made; /* the name under which it is made */
	int fd;
	uint64_t bytes;
	struct arena *arena;
};

static int
name_it(struct save *s, struct err *e)
{
	unsigned char md5[CRYPTO_HASH_MAX];
	uint32_t crc;
	size_t slash = s->path.n;
	if (cloud_crc32c(s->fd, 0, s->bytes, &crc, e) < 0)
		return -1;
	while (slash && s->path.p[slash - 1] != '/')
		slash--;
	str key = arena_fmt(s->arena, "%08x %llu %.*s", crc, (unsigned long long)s->bytes, STR_ARG(s->path));
	size_t n = crypto_hash("md5", key, md5);
	s->made = arena_fmt(s->arena, "%.*s" UNDER_WAY "%.*s", STR_ARG(str_slice(s->path, 0, slash)), STR_ARG(str_hex(s->arena, md5, n)));
	return 0;
}

/* 1: there is something of that name; only a server that does not know the option says it so. */
static int
rename_to(struct save *s, struct err *e)
{
	const struct webhdfs_op op = { "PUT", "RENAME", s->made,
		{ { S("destination"), s->path }, { S("renameoptions"), s->h->force ? S("OVERWRITE") : S("NONE") } }, 2 };
	struct http_answer ans;
	struct val v;
	struct err ours;
	if (hdfs_ask(s->h, &op, s->arena, &ans, e) < 0)
		return -1;
	/* nothing from name nodes; HttpFS does not know the option, and says whether it has done it */
	if (!ans.body.n || json_read(s->arena, ans.body, &v, &ours) < 0 || val_is_true(val_get(&v, S("boolean"))))
		return 0;
	(void)err_set(e, ERR_INVALID, "hdfs: %.*s is there already", STR_ARG(s->path));
	return 1;
}

static int
delete_path(struct hdfs *h, str path, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct webhdfs_op op = { "DELETE", "DELETE", path, { { S("recursive"), S("true") } }, 1 };
	struct http_answer ans;
	int rc = hdfs_ask(h, &op, a, &ans, e);
	return rc < 0 && e->code == ERR_NOT_FOUND ? 0 : rc;
}

/* What was made lies under its path: the answer to an earlier try was lost. */
static bool
is_moved(struct save *s, const struct seen *made)
{
	struct seen seen;
	struct err ours;
	return made->id && look(s->h, s->path, &seen, &ours) == 0 && seen.is_there && seen.id == made->id;
}

static int
move(struct save *s, const struct seen *made, struct err *e)
{
	int rc = rename_to(s, e);
	if (rc == 0 || is_moved(s, made))
		return 0;
	if (rc < 0 || !s->h->force)
		return -1;
	return delete_path(s->h, s->path, e) < 0 || rename_to(s, e) ? -1 : 0;
}

static int
make(struct save *s, struct err *e)
{
	struct seen made;
	enum hdfs_same same;
	if (hdfs_create(s->h, s->made, s->fd, s->bytes, e) < 0 || look(s->h, s->made, &made, e) < 0 ||
		check_file(s->h, s->made, &made, s->fd, 0, s->bytes, true, &same, e) < 0)
		return -1;
	if (same == HDFS_DIFFERS)
		return err_set(e, ERR_UNAVAILABLE, "hdfs: what came of %.*s there is not what was sent", STR_ARG(s->path));
	return move(s, &made, e);
}

/* Without force what is there stays, and is an error, as in Argo; but for the same bytes: who was killed has saved them, perhaps. */
static int
stands_in_the_way(struct save *s, const struct seen *seen, struct err *e)
{
	enum hdfs_same same;
	if (seen->is_directory)
		return err_set(e, ERR_INVALID, "hdfs: %.*s is a directory", STR_ARG(s->path));
	if (s->h->force)
		return 0;
	if (check_file(s->h, s->path, seen, s->fd, 0, s->bytes, true, &same, e) < 0)
		return -1;
	return same == HDFS_SAME ? 1 : err_set(e, ERR_INVALID, "hdfs: %.*s is there already: `force: true` replaces it", STR_ARG(s->path));
}

static int
put(void *state, str path, int fd, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct save s = { .h = state, .path = path, .fd = fd, .arena = a };
	struct seen seen;
	struct err ours;
	int rc;
	if (cloud_file_size(fd, &s.bytes, e) < 0 || look(s.h, path, &seen, e) < 0)
		return -1;
	if (seen.is_there && (rc = stands_in_the_way(&s, &seen, e)) != 0)
		return rc < 0 ? -1 : 0;
	if (name_it(&s, e) < 0)
		return -1;
	rc = make(&s, e);
	if (rc < 0 && e->code != ERR_UNAVAILABLE && e->code != ERR_TIMEOUT)
		(void)delete_path(s.h, s.made, &ours); /* else it is tried again, over this one */
	return rc;
}

/* ---- listing ------------------------------------------------------------------------------------------------------- */

struct walk {
	struct hdfs *h;
	struct arena *arena;
	VEC(str) directories; /* to list; each with a slash at its end */
	size_t directories_n; /* that there ever were */
	str prefix;
	bool (*each)(void *arg, str key, uint64_t bytes);
	void *arg;
	bool enough;
};

/* A part of a directory, behind the name `after`; 1: it is gone. */
static int
list_part(struct walk *w, str directory, str after, struct arena *a, struct val *out, struct err *e)
{
	bool whole = w->h->whole;
	str path = directory.n > 1 ? str_slice(directory, 0, directory.n - 1) : directory;
	const struct webhdfs_op op = { "GET", whole ? "LISTSTATUS" : "LISTSTATUS_BATCH", path, { { S("startAfter"), after } }, after.p != NULL };
	if (hdfs_ask_json(w->h, &op, a, out, e) == 0)
		return 0;
	if (e->code == ERR_NOT_FOUND)
		return 1;
	if (e->code != ERR_INVALID || whole)
		return -1;
	w->h->whole = true; /* a server older than 2.8 does not know the operation */
	return list_part(w, directory, after, a, out, e);
}

/* One may lie beneath the prefix, or on the way to it. */
static int
take_directory(struct walk *w, str path, struct err *e)
{
	if (!str_starts(path, w->prefix) && !str_starts(w->prefix, path))
		return 0;
	if (w->directories_n++ > w->h->site->objects)
		return err_set(e, ERR_LIMIT, "hdfs: %.*s has more than %llu directories", STR_ARG(w->prefix), (unsigned long long)w->h->site->objects);
	*VEC_PUSH(&w->directories) = path;
	return 0;
}

/* 1: it was one. A file that is listed itself has no name. */
static int
take_status(struct walk *w, str directory, const struct val *status, struct err *e)
{
	str name = webhdfs_text(status, "pathSuffix");
	bool is_directory = webhdfs_is_directory(status);
	if (!name.n || w->enough || (!is_directory && str_starts(name, S(UNDER_WAY))))
		return 0;
	if (str_find_char(name, '/', 0) != SIZE_MAX)
		return err_set(e, ERR_INVALID, "hdfs: %.*s lists a name with a slash", STR_ARG(directory));
	str path = arena_fmt(w->arena, "%.*s%.*s%s", STR_ARG(directory), STR_ARG(name), is_directory ? "/" : "");
	if (is_directory)
		return take_directory(w, path, e) < 0 ? -1 : 1;
	if (str_starts(path, w->prefix))
		w->enough = !w->each(w->arg, path, (uint64_t)webhdfs_number(status, "length"));
	return 1;
}

static int
list_directory(struct walk *w, str directory, struct err *e)
{
	size_t found = 0;
	str after = STR_NONE;
	do {
		struct arena *a CLEANUP(free_arena) = arena_new();
		struct val page;
		int rc = list_part(w, directory, after, a, &page, e);
		if (rc)
			return rc < 0 ? -1 : 0;
		const struct val *statuses = webhdfs_listing(&page, &after);
		if (!statuses)
			return err_set(e, ERR_INVALID, "hdfs: the answer for %.*s is no listing of WebHDFS", STR_ARG(directory));
		for (uint32_t i = 0; i < statuses->n; i++) {
			if ((rc = take_status(w, directory, &statuses->items[i], e)) < 0)
				return -1;
			found += (size_t)rc;
		}
		after = after.p ? arena_dup(w->arena, after) : STR_NONE;
	} while (after.p && !w->enough);
	if (!found && directory.n > w->prefix.n)
		w->enough = w->enough || !w->each(w->arg, directory, 0); /* empty: it is a folder all the same */
	return 0;
}

static int
list(void *state, str prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e)
{
	struct walk w = { .h = state, .arena = arena_new(), .prefix = prefix, .each = each, .arg = arg };
	size_t slash = prefix.n;
	int rc = 0;
	while (slash && prefix.p[slash - 1] != '/')
		slash--;
	*VEC_PUSH(&w.directories) = str_slice(prefix, 0, slash);
	while (rc == 0 && !w.enough && w.directories.n)
		rc = list_directory(&w, w.directories.p[--w.directories.n], e);
	VEC_FREE(&w.directories);
	arena_free(w.arena);
	return rc;
}

/* A folder goes with all that is in it. */
static int
remove_path(void *state, str path, struct err *e)
{
	return delete_path(state, path, e);
}

const struct artifact_driver artifact_hdfs = { .name = "hdfs", .key = "path", .open = open_hdfs, .close = close_hdfs, .get = get, .put = put, .list = list,
	.remove = remove_path };
