/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/resource.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int
parse(str text, const char *what, struct arena *a, const struct val **out, struct err *e)
{
	struct diags d;
	struct val *docs;
	size_t n = 0;
	if (text.n > RESOURCE_MAX)
		return err_set(e, ERR_LIMIT, "%s: larger than %d bytes", what, RESOURCE_MAX);
	diags_init(&d);
	int rc = yaml_read_all(a, str_c(what), text, NULL, &docs, &n, &d);
	if (rc < 0 && d.v.n)
		err_set(e, ERR_INVALID, "%s:%u:%u: %.*s", what, d.v.p[0].line, d.v.p[0].col, STR_ARG(d.v.p[0].text));
	diags_free(&d);
	if (rc < 0)
		return -1;
	if (!n || docs[0].kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "%s: an object is expected", what);
	*out = &docs[0];
	return 0;
}

/*
 * Read on the loop: the trigger's effect must be in this turn, the file is small and local, and a manifest names it. A
 * special file would block, so only regular ones are opened.
 */
static int
read_file(str path, struct arena *a, str *out, struct err *e)
{
	const char *z = str_z(a, path);
	int fd CLEANUP(close_fd) = open(z, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "%s", z);
	if (!S_ISREG(st.st_mode) || st.st_size > RESOURCE_MAX)
		return err_set(e, ERR_INVALID, "%s: a regular file of at most %d bytes is expected", z, RESOURCE_MAX);
	char *p = arena_alloc(a, (size_t)st.st_size + 1, 1);
	size_t n = 0;
	ssize_t got;
	while (n < (size_t)st.st_size && (got = read(fd, p + n, (size_t)st.st_size - n)) > 0)
		n += (size_t)got;
	*out = (str){ p, n };
	return 0;
}

int
resource_read(const struct val *source, const struct objects *objects, str ns, struct arena *a, const struct val **out, struct err *e)
{
	struct manifest_source m;
	struct diags d;
	str text;
	diags_init(&d);
	int rc = schema_decode(&manifest_source_schema, a, source, S("source"), &m, &d);
	if (rc < 0)
		err_set(e, ERR_INVALID, "source: %.*s", d.v.n ? (int)d.v.p[0].text.n : 0, d.v.n ? d.v.p[0].text.p : "");
	diags_free(&d);
	if (rc < 0)
		return -1;
	if (m.s3 || m.url || m.git)
		return err_set(e, ERR_UNSUPPORTED, "source %s is not served yet", m.s3 ? "s3" : m.url ? "url" : "git");
	if (m.inline_text.p)
		return parse(m.inline_text, "source.inline", a, out, e);
	if (m.file.n)
		return read_file(m.file, a, &text, e) < 0 ? -1 : parse(text, str_z(a, m.file), a, out, e);
	if (m.config_map)
		return config_map_key(objects, ns, m.config_map->name, m.config_map->key, &text, e) < 0 ? -1
		                                                                                       : parse(text, "source.configmap", a, out, e);
	if (!val_is(m.resource, VAL_MAP))
		return err_set(e, ERR_INVALID, "source: one of resource, inline, configmap and file is expected");
	*out = m.resource;
	return 0;
}
