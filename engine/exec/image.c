/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image: what the name of an image means here: a row of the image table in the settings. There is no registry. A row
 * may name an unpacked root file system; without one the host's commands serve.
 */
#include <fnmatch.h>
#include <unistd.h>

#include "engine/exec/exec.h"

/* What Argo's own configuration says of the images of its examples (docs/workflow-executors.md, `images`). */
static str argosay_cmd[] = { { "/argosay", 8 } };
static str whalesay_cmd[] = { { "/bin/bash", 9 } };
static const struct image defaults[] = {
	{ .name = { "argoproj/argosay:*", 18 }, .cmd = { argosay_cmd, 1 } },
	{ .name = { "docker/whalesay:*", 17 }, .cmd = { whalesay_cmd, 1 } },
};

/* A pattern without a tag stands for every tag, and an image without a tag has the tag "latest". */
static bool
matches(str pattern, str name)
{
	char p[512], n[512];
	if (pattern.n + 3 > sizeof p || name.n + 8 > sizeof n)
		return false;
	const char *slash = name.n ? memrchr(name.p, '/', name.n) : NULL;
	str last = slash ? str_slice(name, (size_t)(slash - name.p), name.n) : name; /* a registry may have a port */
	bool tagged = str_find_char(last, ':', 0) != SIZE_MAX || str_find_char(last, '@', 0) != SIZE_MAX;
	snprintf(n, sizeof n, "%.*s%s", STR_ARG(name), tagged ? "" : ":latest");
	snprintf(p, sizeof p, "%.*s", STR_ARG(pattern));
	if (fnmatch(p, n, 0) == 0)
		return true;
	snprintf(p, sizeof p, "%.*s:*", STR_ARG(pattern));
	return fnmatch(p, n, 0) == 0;
}

const struct image *
image_find(const struct settings *st, str name)
{
	for (size_t i = 0; i < st->images.n; i++)
		if (matches(st->images.p[i].name, name))
			return &st->images.p[i];
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		if (matches(defaults[i].name, name))
			return &defaults[i];
	return NULL;
}

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
	enum { IMAGES_HOST, IMAGES_REQUIRE };
	if (!image && st->images_mode == IMAGES_REQUIRE)
		return err_set(e, ERR_NOT_FOUND,
			"image %.*s: not in the image table, and `imagesMode: require` allows no other; "
			"add a row for it to `images` in the settings",
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
		"no entrypoint known for image %.*s: give the container a `command`, or add a row for "
		"the image to `images` in the settings",
		STR_ARG(c->image));
}

/* The line of `name` in a passwd file: name:x:uid:gid:... */
static bool
find_user(const char *path, str name, int64_t *uid, int64_t *gid)
{
	FILE *f = fopen(path, "re");
	char line[1024];
	bool found = false;
	while (f && !found && fgets(line, sizeof line, f)) {
		str rest = str_trim(str_c(line));
		found = str_eq(str_cut(&rest, ':'), name);
		(void)str_cut(&rest, ':'); /* the password's place */
		found = found && str_to_i64(str_cut(&rest, ':'), uid) && str_to_i64(str_cut(&rest, ':'), gid);
	}
	if (f)
		fclose(f);
	return found;
}

int
image_user(const struct image *image, uint32_t *uid, uint32_t *gid, struct err *e)
{
	str group = image->user, user = str_cut(&group, ':');
	int64_t u = -1, g = -1;
	char passwd[TASK_PATH_MAX];
	snprintf(passwd, sizeof passwd, "%.*s/etc/passwd", STR_ARG(image->root));
	if (str_to_i64(user, &u))
		g = u;
	else if (!find_user(passwd, user, &u, &g))
		return err_set(e, ERR_NOT_FOUND, "user \"%.*s\" of image %.*s: not in %s; write a number",
			STR_ARG(user), STR_ARG(image->name), passwd);
	if (group.n && !str_to_i64(group, &g))
		return err_set(e, ERR_INVALID, "user \"%.*s\" of image %.*s: the group must be a number",
			STR_ARG(image->user), STR_ARG(image->name));
	if (u < 0 || u >= UINT32_MAX || g < 0 || g >= UINT32_MAX)
		return err_set(e, ERR_INVALID, "user \"%.*s\" of image %.*s: out of range", STR_ARG(image->user),
			STR_ARG(image->name));
	*uid = (uint32_t)u;
	*gid = (uint32_t)g;
	return 0;
}
