/* SPDX-License-Identifier: Apache-2.0 */
/* What was meant by the name of a zone that the system's database does not know: the nearest of those that it lists in tzdata.zi. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/diag.h"
#include "core/tz.h"

#define LIST_MAX (1 << 20) /* bytes; it has some 110,000 */

/* "Z NAME ..." is a zone, "L ZONE NAME" another name of one. */
static str
name_in(str line)
{
	str kind = str_cut(&line, ' '), first = str_cut(&line, ' ');
	return str_eq(kind, S("Z")) ? first : str_eq(kind, S("L")) ? line : STR_NONE;
}

/* Worth being compared: what a slip makes of a name begins as it does, and is about as long. */
static bool
is_like(str a, str b)
{
	return a.n && b.n && (a.p[0] | 0x20) == (b.p[0] | 0x20) && a.n <= b.n + 3 && b.n <= a.n + 3;
}

const char *
tz_nearest(struct arena *a, str name, const char *folder)
{
	const char *path = arena_fmt(a, "%s/tzdata.zi", folder).p;
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > LIST_MAX || !memchr(name.p, '/', name.n))
		return NULL; /* of a word as PST the nearest has nothing to do with it */
	struct buf b CLEANUP(free_buf) = { 0 };
	ssize_t got = read(fd, buf_room(&b, (size_t)st.st_size + 1), (size_t)st.st_size);
	VEC(const char *) names = { 0 };
	for (str rest = got > 0 ? (str){ b.p, (size_t)got } : STR_NONE; rest.n;) {
		str known = name_in(str_cut(&rest, '\n'));
		if (is_like(known, name))
			*VEC_PUSH(&names) = str_z(a, known);
	}
	const char *near = diag_nearest(name, names.p, names.n);
	VEC_FREE(&names);
	return near;
}
