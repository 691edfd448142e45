/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_name: names of images as people write them. "alpine" is docker.io/library/alpine:latest; a name may end with a
 * tag, or with a digest, which then decides. The rules are those of the distribution project (reference/normalize.go).
 */
#include <ctype.h>
#include <fnmatch.h>

#include "engine/exec/image_store.h"

static size_t
find_last(str s, char c)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == c)
			return i - 1;
	return SIZE_MAX;
}

struct image_name
image_name_split(str name)
{
	struct image_name out = { .repository = str_cut(&name, '@') };
	out.digest = name.n ? name : STR_NONE;
	size_t slash = find_last(out.repository, '/'), colon = find_last(out.repository, ':');
	if (colon != SIZE_MAX && (slash == SIZE_MAX || colon > slash)) { /* else it is a registry's port */
		out.tag = str_slice(out.repository, colon + 1, out.repository.n);
		out.repository = str_slice(out.repository, 0, colon);
	}
	return out;
}

/* The first part is a registry if it looks like a host. */
static bool
has_registry(str repository)
{
	str rest = repository, first = str_cut(&rest, '/');
	return rest.n && (str_find_char(first, '.', 0) != SIZE_MAX || str_find_char(first, ':', 0) != SIZE_MAX ||
				 str_eq(first, S("localhost")));
}

static str
whole_repository(struct arena *a, str repository)
{
	if (str_starts(repository, S("index.docker.io/")))
		repository = arena_fmt(a, "docker.io/%.*s",
			STR_ARG(str_slice(repository, strlen("index.docker.io/"), repository.n)));
	if (!has_registry(repository))
		repository = arena_fmt(a, "docker.io/%.*s", STR_ARG(repository));
	if (str_starts(repository, S("docker.io/")) &&
		str_find_char(repository, '/', strlen("docker.io/")) == SIZE_MAX)
		return arena_fmt(a, "docker.io/library/%.*s",
			STR_ARG(str_slice(repository, strlen("docker.io/"), repository.n)));
	return repository;
}

str
image_name_whole(struct arena *a, str name)
{
	struct image_name x = image_name_split(name);
	str repository = whole_repository(a, x.repository);
	if (x.digest.n)
		return arena_fmt(a, "%.*s@%.*s", STR_ARG(repository), STR_ARG(x.digest));
	return arena_fmt(a, "%.*s:%.*s", STR_ARG(repository), STR_ARG(x.tag.n ? x.tag : S("latest")));
}

static bool
only(str s, const char *more)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && (!s.p[i] || !strchr(more, s.p[i])))
			return false;
	return s.n > 0;
}

/* Parts between slashes; only a registry has a port, and only one. */
static bool
good_repository(str repository)
{
	bool first = has_registry(repository);
	if (str_ends(repository, S("/")))
		return false;
	for (; repository.n; first = false) {
		str host = str_cut(&repository, '/'), port = host;
		if (first)
			host = str_cut(&port, ':');
		else
			port = STR_NONE;
		if (!only(host, "._-") || (port.n && !only(port, "")))
			return false;
	}
	return true;
}

int
image_name_check(str name, struct err *e)
{
	struct image_name x = image_name_split(name);
	bool bad = !x.repository.n || name.n > IMAGE_NAME_MAX || !good_repository(x.repository) || (x.tag.p && !only(x.tag, "_.-"));
	if (x.digest.n && !image_digest_valid(x.digest))
		return err_set(e, ERR_INVALID, "image %.*s: a digest is sha256: and 64 hexadecimal digits", STR_ARG(name));
	return bad ? err_set(e, ERR_INVALID, "\"%.*s\" is not the name of an image; write it like alpine:3 or "
					     "registry.example.com/team/tool:1.2",
			     STR_ARG(str_slice(name, 0, 200)))
		   : 0;
}

bool
image_digest_valid(str digest)
{
	if (digest.n != strlen("sha256:") + 64 || !str_starts(digest, S("sha256:")))
		return false;
	for (size_t i = strlen("sha256:"); i < digest.n; i++)
		if (!memchr("0123456789abcdef", digest.p[i], 16))
			return false;
	return true;
}

/* A pattern without a tag stands for every tag and digest. */
static bool
fits(struct arena *a, str pattern, str name)
{
	const char *n = str_z(a, name);
	return fnmatch(str_z(a, pattern), n, 0) == 0 || fnmatch(arena_fmt(a, "%.*s:*", STR_ARG(pattern)).p, n, 0) == 0 ||
	       fnmatch(arena_fmt(a, "%.*s@*", STR_ARG(pattern)).p, n, 0) == 0;
}

/* The name as it was written, with the tag that it means if it has none. */
static str
with_tag(struct arena *a, str name)
{
	struct image_name x = image_name_split(name);
	return x.tag.n || x.digest.n ? name : arena_fmt(a, "%.*s:latest", STR_ARG(name));
}

bool
image_name_matches(str pattern, str name)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct image_name p = image_name_split(pattern);
	str whole = image_name_whole(a, name);
	if (name.n > IMAGE_NAME_MAX || pattern.n > IMAGE_NAME_MAX)
		return false;
	if (fits(a, pattern, with_tag(a, name)) || fits(a, pattern, whole))
		return true;
	str repository = whole_repository(a, p.repository); /* python:3* is docker.io/library/python:3* */
	return fits(a,
		arena_fmt(a, "%.*s%.*s", STR_ARG(repository), STR_ARG(str_slice(pattern, p.repository.n, pattern.n))),
		whole);
}
