/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image: what the name of an image means here: a row of the image table in the settings, an image that was imported
 * (image_store.h), or both: then the row's members count before the image's. Without either the host's commands serve.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/exec/exec.h"

/* What Argo's own configuration says of the images of its examples (docs/workflow-executors.md, `images`). */
static str argosay_cmd[] = { { "/argosay", 8 } };
static str whalesay_cmd[] = { { "/bin/bash", 9 } };
static const struct image defaults[] = {
	{ .name = { "argoproj/argosay:*", 18 }, .cmd = { argosay_cmd, 1 } },
	{ .name = { "docker/whalesay:*", 17 }, .cmd = { whalesay_cmd, 1 } },
};

const struct image *
image_find(const struct settings *st, str name)
{
	for (size_t i = 0; i < st->images.n; i++)
		if (image_name_matches(st->images.p[i].name, name))
			return &st->images.p[i];
	return NULL;
}

static const struct image *
find_default(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		if (image_name_matches(defaults[i].name, name))
			return &defaults[i];
	return NULL;
}

/* ---- what a name means ------------------------------------------------------------------------------------------ */

#define FOUND_MAX 4096 /* names that are remembered: then it begins anew */

static struct stat
index_now(const struct executor *x)
{
	struct stat st = { 0 };
	char path[TASK_PATH_MAX + 32];
	snprintf(path, sizeof path, "%s/index.json", x->images.path);
	if (stat(path, &st) < 0)
		return (struct stat){ 0 };
	return st;
}

/* The index is replaced as a whole, so that it is another file when it says something else. */
static int
look_at_index(struct executor *x, struct err *e)
{
	struct images *im = &x->images;
	struct stat now = index_now(x);
	bool same = im->arena && now.st_ino == im->seen.st_ino && now.st_size == im->seen.st_size &&
		    now.st_mtim.tv_sec == im->seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == im->seen.st_mtim.tv_nsec;
	if (same && im->found.n < FOUND_MAX)
		return 0;
	images_free(im);
	im->arena = arena_new();
	if (image_store_read(str_c(im->path), im->arena, &im->store, e) < 0) {
		images_free(im);
		return -1;
	}
	im->seen = now;
	return 0;
}

void
images_free(struct images *im)
{
	image_store_free(&im->store);
	map_free(&im->found);
	arena_free(im->arena);
	im->arena = NULL;
}

static struct kvs
join_env(struct arena *a, struct kvs first, struct kvs then)
{
	struct kvs out = { ARENA_ARRAY(a, struct kv, first.n + then.n), 0 };
	for (size_t i = 0; i < first.n; i++)
		out.p[out.n++] = first.p[i];
	for (size_t i = 0; i < then.n; i++)
		out.p[out.n++] = then.p[i];
	return out;
}

/* An imported image with what the settings say of it on top. An entrypoint of theirs does not get the image's arguments. */
static struct image
put_over(struct arena *a, const struct image *under, const struct image *over)
{
	struct image out = *under;
	if (over->entrypoint.n || over->cmd.n)
		out.cmd = over->cmd;
	if (over->entrypoint.n)
		out.entrypoint = over->entrypoint;
	out.env = join_env(a, under->env, over->env);
	if (over->workdir.n)
		out.workdir = over->workdir;
	if (over->user.n)
		out.user = over->user;
	out.path = over->path;
	return out;
}

static struct image_match
match_stored(struct arena *a, const char *path, const struct stored_image *stored, const struct image *row)
{
	return (struct image_match){ .row = row ? put_over(a, &stored->row, row) : stored->row,
		.digest = stored->digest,
		.hold = image_store_folder(a, str_c(path), stored->digest),
		.listed = true };
}

static struct image_match
match_row(const struct image *row)
{
	struct image_match out = { .digest = IMAGE_HOST, .listed = row != NULL };
	if (row)
		out.row = *row;
	if (row && row->root.n)
		out.digest = row->root;
	return out;
}

static int
resolve(struct images *im, const struct settings *st, str name, str pinned, struct image_match *out, struct err *e)
{
	const struct image *row = image_find(st, name);
	const struct stored_image *stored = NULL;
	if (image_digest_valid(pinned))
		stored = image_store_find(&im->store, pinned, false);
	else if (!pinned.n && !(row && row->root.n))
		stored = image_store_find(&im->store, name, false);
	if (image_digest_valid(pinned) && !stored)
		return err_set(e, ERR_NOT_FOUND,
			"image %.*s: this workflow uses %.*s, which was removed; import or pull it again", STR_ARG(name),
			STR_ARG(pinned));
	*out = stored ? match_stored(im->arena, im->path, stored, row) : match_row(row ? row : find_default(name));
	if (pinned.n && !stored && !str_eq(pinned, out->digest))
		return err_set(e, ERR_NOT_FOUND, "image %.*s: this workflow uses %.*s, but the settings say %.*s by now", STR_ARG(name),
			STR_ARG(pinned), STR_ARG(out->digest));
	return 0;
}

const struct image_match *
image_resolve(struct executor *x, str name, str pinned, struct err *e)
{
	struct images *im = &x->images;
	struct buf key CLEANUP(free_buf) = { 0 };
	if (look_at_index(x, e) < 0)
		return NULL;
	buf_addf(&key, "%.*s %.*s", STR_ARG(pinned), STR_ARG(name));
	struct image_match *m = map_get(&im->found, buf_str(&key));
	if (m)
		return m;
	m = ARENA_NEW(im->arena, struct image_match);
	if (resolve(im, x->settings, arena_dup(im->arena, name), pinned, m, e) < 0)
		return NULL;
	map_put(&im->found, arena_dup(im->arena, buf_str(&key)), m);
	return m;
}

bool
executor_image(struct executor *x, str name, str pinned, str *digest, bool *listed)
{
	struct err ignored; /* the step says it when it is started */
	const struct image_match *m = image_resolve(x, name, pinned, &ignored);
	if (!m || (!m->listed && x->settings->images_mode == IMAGES_REQUIRE))
		return false;
	*digest = m->digest;
	*listed = m->listed;
	return true;
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

static void
append(struct strs *argv, struct strs more)
{
	for (size_t i = 0; i < more.n; i++)
		argv->p[argv->n++] = more.p[i];
}

/*
 * A program that an image has at a fixed place ("/argosay"), where the host has none: the stand-in of that name from
 * the row's `path` is meant.
 */
static str
stand_in(struct arena *a, const struct image *image, str program)
{
	if (!image || image->root.n || !str_starts(program, S("/")) || access(str_z(a, program), F_OK) == 0)
		return program;
	size_t base = program.n;
	while (base && program.p[base - 1] != '/')
		base--;
	for (size_t i = 0; i < image->path.n; i++) {
		str there = arena_fmt(
			a, "%.*s/%.*s", STR_ARG(image->path.p[i]), STR_ARG(str_slice(program, base, program.n)));
		if (access(there.p, X_OK) == 0)
			return there;
	}
	return program;
}

int
image_command(struct arena *a, const struct settings *st, const struct container *c, const struct image *image,
	struct strs *argv, struct err *e)
{
	if (!image && st->images_mode == IMAGES_REQUIRE)
		return err_set(e, ERR_NOT_FOUND,
			"image %.*s: not in the image table, and `imagesMode: require` allows no other; "
			"`tidegate image pull` or `import` it, or add a row for it to `images` in the settings",
			STR_ARG(c->image));
	struct strs entrypoint = { NULL, 0 }, cmd = { NULL, 0 };
	if (image) {
		entrypoint = image->entrypoint;
		cmd = image->cmd;
	}
	argv->n = 0;
	argv->p = ARENA_ARRAY(a, str, c->command.n + c->args.n + entrypoint.n + cmd.n + 1);
	if (c->command.n) {
		append(argv, c->command);
		append(argv, c->args);
	} else {
		append(argv, entrypoint);
		append(argv, c->has_args ? c->args : cmd);
	}
	if (argv->n) {
		argv->p[0] = stand_in(a, image, argv->p[0]);
		return 0;
	}
	return err_set(e, ERR_NOT_FOUND,
		"no entrypoint known for image %.*s: give the container a `command`, `tidegate image pull` the "
		"image, or add a row for it to `images` in the settings",
		STR_ARG(c->image));
}

/* A file of the image, or of the host without a root: nothing in an image leads out of it, or makes us wait. */
static FILE *
open_file(const struct image *image, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_NO_MAGICLINKS };
	char root[TASK_PATH_MAX] = "/";
	struct stat st;
	if (image->root.n) {
		snprintf(root, sizeof root, "%.*s", STR_ARG(image->root));
		how.resolve |= RESOLVE_IN_ROOT;
	}
	int dir CLEANUP(close_fd) = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
	FILE *f = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
	if (!f && fd >= 0)
		close(fd);
	return f;
}

/* The numbers in the line of `name`: "name:x:uid:gid:..." of passwd, "name:x:gid:..." of group. */
static bool
find_ids(const struct image *image, const char *path, str name, int64_t *first, int64_t *second)
{
	FILE *f = open_file(image, path);
	char line[1024];
	bool found = false;
	while (f && !found && fgets(line, sizeof line, f)) {
		str rest = str_trim(str_c(line));
		found = str_eq(str_cut(&rest, ':'), name);
		(void)str_cut(&rest, ':'); /* the password's place */
		found = found && str_to_i64(str_cut(&rest, ':'), first);
		found = found && (!second || str_to_i64(str_cut(&rest, ':'), second));
	}
	if (f)
		fclose(f);
	return found;
}

str
image_home(struct arena *a, const struct image *image)
{
	str group = image->user, user = str_cut(&group, ':'), home = STR_NONE;
	char line[1024];
	FILE *f = user.n && image->root.n ? open_file(image, "/etc/passwd") : NULL;
	while (f && !home.p && fgets(line, sizeof line, f)) {
		str rest = str_trim(str_c(line)), name = str_cut(&rest, ':');
		(void)str_cut(&rest, ':'); /* the password's place */
		bool is = str_eq(str_cut(&rest, ':'), user) || str_eq(name, user);
		(void)str_cut(&rest, ':'); /* the group */
		(void)str_cut(&rest, ':'); /* the real name */
		if (is)
			home = arena_dup(a, str_cut(&rest, ':'));
	}
	if (f)
		fclose(f);
	return home;
}

int
image_user(const struct image *image, uint32_t *uid, uint32_t *gid, struct err *e)
{
	str group = image->user, user = str_cut(&group, ':');
	int64_t u = -1, g = -1;
	if (str_to_i64(user, &u))
		g = u;
	else if (!find_ids(image, "/etc/passwd", user, &u, &g))
		return err_set(e, ERR_NOT_FOUND, "user \"%.*s\" of image %.*s: not in %.*s/etc/passwd; write a number",
			STR_ARG(user), STR_ARG(image->name), STR_ARG(image->root));
	if (group.n && !str_to_i64(group, &g) && !find_ids(image, "/etc/group", group, &g, NULL))
		return err_set(e, ERR_INVALID, "user \"%.*s\" of image %.*s: the group is not in %.*s/etc/group; write a number",
			STR_ARG(image->user), STR_ARG(image->name), STR_ARG(image->root));
	if (u < 0 || u >= UINT32_MAX || g < 0 || g >= UINT32_MAX)
		return err_set(e, ERR_INVALID, "user \"%.*s\" of image %.*s: out of range", STR_ARG(image->user),
			STR_ARG(image->name));
	*uid = (uint32_t)u;
	*gid = (uint32_t)g;
	return 0;
}
