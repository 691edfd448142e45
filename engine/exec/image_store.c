/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.h"
#include "engine/exec/image_store.h"

#define INDEX_MAX ((off_t)64 << 20)
#define PATH_ROOM 4096

str
image_store_path(struct arena *a, str state)
{
	return arena_fmt(a, "%.*s/images", STR_ARG(state));
}

str
image_store_folder(struct arena *a, str path, str digest)
{
	return arena_fmt(a, "%.*s/sha256-%.*s", STR_ARG(path), STR_ARG(str_slice(digest, strlen("sha256:"), digest.n)));
}

void
image_store_free(struct image_store *s)
{
	VEC_FREE(&s->images);
}

/* ---- the index ------------------------------------------------------------------------------------------------- */

struct strs
image_texts(struct arena *a, const struct val *list)
{
	struct strs out = { ARENA_ARRAY(a, str, val_is(list, VAL_LIST) ? list->n : 0), 0 };
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (val_is(&list->items[i], VAL_STR))
			out.p[out.n++] = arena_dup(a, val_text(&list->items[i]));
	return out;
}

static struct kvs
read_env(struct arena *a, const struct val *map)
{
	struct kvs out = { ARENA_ARRAY(a, struct kv, val_is(map, VAL_MAP) ? map->n : 0), 0 };
	for (uint32_t i = 0; val_is(map, VAL_MAP) && i < map->n; i++)
		if (val_is(&map->members[i].value, VAL_STR))
			out.p[out.n++] = (struct kv){ arena_dup(a, val_key(&map->members[i])),
				arena_dup(a, val_text(&map->members[i].value)) };
	return out;
}

static str
text_of(struct arena *a, const struct val *v, const char *key)
{
	return arena_dup(a, val_get_str(v, key));
}

static int
read_image(str path, struct arena *a, const struct val *v, struct stored_image *out, struct err *e)
{
	const struct val *config = val_get(v, S("config")), *bytes = val_get(v, S("bytes"));
	*out = (struct stored_image){ .name = text_of(a, v, "name"),
		.digest = text_of(a, v, "digest"),
		.index = text_of(a, v, "index"),
		.imported = text_of(a, v, "imported") };
	if (!image_digest_valid(out->digest))
		return err_set(e, ERR_INVALID, "%.*s/index.json: an image without a digest", STR_ARG(path));
	if (!bytes || !val_to_i64(bytes, &out->bytes))
		out->bytes = 0;
	out->row = (struct image){ .name = out->name,
		.root = arena_fmt(a, "%.*s/rootfs", STR_ARG(image_store_folder(a, path, out->digest))),
		.entrypoint = image_texts(a, val_get(config, S("entrypoint"))),
		.cmd = image_texts(a, val_get(config, S("cmd"))),
		.env = read_env(a, val_get(config, S("env"))),
		.workdir = text_of(a, config, "workdir"),
		.user = text_of(a, config, "user") };
	return 0;
}

static int
read_index(str path, struct arena *a, str *text, struct err *e)
{
	struct stat st;
	char file[PATH_ROOM];
	snprintf(file, sizeof file, "%.*s/index.json", STR_ARG(path));
	*text = STR_NONE;
	int fd CLEANUP(close_fd) = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, "read %s", file);
	if (fstat(fd, &st) < 0)
		return err_errno(e, "read %s", file);
	if (st.st_size > INDEX_MAX)
		return err_set(e, ERR_LIMIT, "%s: too large", file);
	char *p = arena_alloc(a, (size_t)st.st_size + 1, 1);
	if (read(fd, p, (size_t)st.st_size) != st.st_size) /* it is replaced, never changed */
		return err_errno(e, "read %s", file);
	*text = (str){ p, (size_t)st.st_size };
	return 0;
}

int
image_store_read(str path, struct arena *a, struct image_store *out, struct err *e)
{
	struct image_store s = { 0 };
	struct val v;
	str text;
	if (read_index(path, a, &text, e))
		return -1;
	if (text.p && json_read(a, text, &v, e))
		return err_wrap(e, "%.*s/index.json", STR_ARG(path));
	const struct val *list = text.p ? val_get(&v, S("images")) : NULL;
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (read_image(path, a, &list->items[i], VEC_PUSH(&s.images), e)) {
			image_store_free(&s);
			return -1;
		}
	*out = s;
	return 0;
}

struct val
image_texts_val(struct arena *a, struct strs s)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < s.n; i++)
		val_list_add(&list, val_str(s.p[i]));
	return val_list_end(&list, a);
}

static struct val
image_val(struct arena *a, const struct stored_image *i)
{
	struct val_map m = { 0 }, config = { 0 }, env = { 0 };
	for (size_t k = 0; k < i->row.env.n; k++)
		val_map_add(&env, i->row.env.p[k].key, val_str(i->row.env.p[k].value));
	val_map_add(&config, S("entrypoint"), image_texts_val(a, i->row.entrypoint));
	val_map_add(&config, S("cmd"), image_texts_val(a, i->row.cmd));
	val_map_add(&config, S("env"), val_map_end(&env, a));
	val_map_add_str(&config, S("workdir"), i->row.workdir);
	val_map_add_str(&config, S("user"), i->row.user);
	val_map_add_str(&m, S("name"), i->name);
	val_map_add_str(&m, S("digest"), i->digest);
	val_map_add_str(&m, S("index"), i->index);
	val_map_add_str(&m, S("imported"), i->imported);
	val_map_add(&m, S("bytes"), val_int(i->bytes));
	val_map_add(&m, S("config"), val_map_end(&config, a));
	return val_map_end(&m, a);
}

static int
write_whole(const char *path, str text, struct err *e)
{
	int fd CLEANUP(close_fd) = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd < 0 || files_write(fd, text) < 0 || fsync(fd) < 0 ? err_errno(e, "write %s", path) : 0;
}

int
image_store_write(str path, const struct image_store *s, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct buf text CLEANUP(free_buf) = { 0 };
	struct val_list list = { 0 };
	struct val_map m = { 0 };
	for (size_t i = 0; i < s->images.n; i++)
		val_list_add(&list, image_val(a, &s->images.p[i]));
	val_map_add(&m, S("images"), val_list_end(&list, a));
	struct val v = val_map_end(&m, a);
	json_write_opts(&text, &v, JSON_INDENT);
	buf_addc(&text, '\n');
	const char *now = arena_fmt(a, "%.*s/index.json", STR_ARG(path)).p,
		   *next = arena_fmt(a, "%.*s/.index.json", STR_ARG(path)).p;
	if (write_whole(next, buf_str(&text), e))
		return -1;
	return rename(next, now) < 0 ? err_errno(e, "write %s", now) : 0;
}

/* ---- finding --------------------------------------------------------------------------------------------------- */

static bool
is_digest(const struct stored_image *i, str digest)
{
	return str_eq(i->digest, digest) || (i->index.n && str_eq(i->index, digest));
}

/* Digits of a digest, as `image list` shows them. */
static const struct stored_image *
find_prefix(const struct image_store *s, str name)
{
	const struct stored_image *found = NULL;
	if (str_starts(name, S("sha256:")))
		name = str_slice(name, strlen("sha256:"), name.n);
	if (name.n < 6)
		return NULL;
	for (size_t i = 0; i < s->images.n; i++) {
		str digest = s->images.p[i].digest;
		if (!str_starts(str_slice(digest, strlen("sha256:"), digest.n), name))
			continue;
		if (found && !str_eq(found->digest, digest))
			return NULL; /* more than one */
		found = &s->images.p[i];
	}
	return found;
}

const struct stored_image *
image_store_find(const struct image_store *s, str name, bool prefix)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct image_name parts = image_name_split(name);
	str whole = image_name_whole(a, name), repository = image_name_split(whole).repository;
	for (size_t i = 0; i < s->images.n; i++) {
		const struct stored_image *x = &s->images.p[i];
		if (image_digest_valid(name) ? is_digest(x, name) : x->name.n && str_eq(x->name, whole))
			return x;
		if (parts.digest.n && is_digest(x, parts.digest) &&
			(!x->name.n || str_eq(image_name_split(x->name).repository, repository)))
			return x;
	}
	return prefix ? find_prefix(s, name) : NULL;
}

/* ---- folders --------------------------------------------------------------------------------------------------- */

int
image_store_lock(str path, struct err *e)
{
	char file[PATH_ROOM];
	snprintf(file, sizeof file, "%.*s", STR_ARG(path));
	if (mkdir(file, 0700) < 0 && errno != EEXIST)
		return err_errno(e, "make %s", file);
	snprintf(file, sizeof file, "%.*s/lock", STR_ARG(path));
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	while (fd >= 0 && flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			close_fd(&fd);
			fd = -1;
		}
	return fd < 0 ? err_errno(e, "lock %s", file) : fd;
}

/* Some folders of an image not even their owner may write, if it was unpacked by somebody who is not root. */
int
image_store_remove_tree(str folder, struct err *e)
{
	char path[PATH_ROOM];
	snprintf(path, sizeof path, "%.*s", STR_ARG(folder));
	return files_remove_all(path, e);
}

/* Its lock, exclusive; -1 with errno EWOULDBLOCK if somebody holds it. */
static int
hold_alone(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int code = errno;
		close(fd);
		errno = code;
		return -1;
	}
	return fd;
}

int
image_store_drop(str path, str digest, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str folder = image_store_folder(a, path, digest);
	str gone = arena_fmt(a, "%.*s/.gone-%.*s", STR_ARG(path), STR_ARG(str_slice(digest, strlen("sha256:"), digest.n)));
	int fd CLEANUP(close_fd) = hold_alone(folder.p);
	if (fd < 0 && errno == EWOULDBLOCK)
		return err_set(e, ERR_EXISTS, "steps that run use the image %.*s: it can be removed when they have ended",
			STR_ARG(digest));
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, "open %s", folder.p);
	/* First out of sight: a removal that is cut short leaves nothing that looks like an image. */
	if (rename(folder.p, gone.p) < 0)
		return err_errno(e, "remove %s", folder.p);
	return image_store_remove_tree(gone, e);
}

static bool
is_known(const struct image_store *s, const char *folder)
{
	for (size_t i = 0; i < s->images.n; i++)
		if (!strcmp(s->images.p[i].digest.p + strlen("sha256:"), folder + strlen("sha256-")))
			return true;
	return false;
}

size_t
image_store_sweep(str path, const struct image_store *s)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err ignored;
	size_t n = 0;
	DIR *d = opendir(str_z(a, path));
	for (struct dirent *entry; d && (entry = readdir(d));) {
		str name = str_c(entry->d_name), folder = arena_fmt(a, "%.*s/%s", STR_ARG(path), entry->d_name);
		bool left = str_starts(name, S(".new-")) || str_starts(name, S(".gone-"));
		if (!left && (!str_starts(name, S("sha256-")) || is_known(s, entry->d_name)))
			continue;
		int fd CLEANUP(close_fd) = hold_alone(folder.p);
		if (fd >= 0 && image_store_remove_tree(folder, &ignored) == 0)
			n++;
	}
	if (d)
		closedir(d);
	return n;
}

int
image_store_new(struct arena *a, str path, str *folder, int *fd, struct err *e)
{
	char *made = arena_alloc(a, path.n + 32, 1);
	snprintf(made, path.n + 32, "%.*s/.new-XXXXXX", STR_ARG(path));
	if (!mkdtemp(made))
		return err_errno(e, "make a folder in %.*s", STR_ARG(path));
	*folder = str_c(made);
	*fd = hold_alone(made);
	return *fd < 0 ? err_errno(e, "lock %s", made) : 0;
}

int
image_store_settle(str path, str made, str digest, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str folder = image_store_folder(a, path, digest);
	int fd CLEANUP(close_fd) = open(str_z(a, made), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* All of it on the disk before it has its name. */
	if (fd < 0 || syncfs(fd) < 0)
		return err_errno(e, "write %.*s", STR_ARG(made));
	if (rename(str_z(a, made), folder.p) == 0 || errno == EEXIST || errno == ENOTEMPTY)
		return 0;
	return err_errno(e, "make %s", folder.p);
}
