/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/files.h"

static int
read_all(FILE *f, const char *path, struct buf *out, struct err *e)
{
	for (size_t n = 1; n && out->n <= FILE_MAX_BYTES; out->n += n)
		n = fread(buf_room(out, 65536), 1, 65536, f);
	if (ferror(f))
		return err_set(e, ERR_IO, "%s: cannot be read", path);
	return out->n > FILE_MAX_BYTES ? err_set(e, ERR_LIMIT, "%s: more than %d MiB", path, FILE_MAX_BYTES >> 20) : 0;
}

int
file_read(const char *path, struct arena *a, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!f)
		return err_errno(e, "%s", path);
	int rc = read_all(f, path, &b, e);
	if (f != stdin)
		fclose(f);
	*out = arena_dup(a, buf_str(&b));
	return rc;
}
