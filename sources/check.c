/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/check.h"

#include "core/lang/regex.h"

void
source_need(str value, const struct val *in, struct decode *c, const char *field)
{
	if (!value.n)
		decode_error(c, in, field, "%s must be specified", field);
}

void
source_need_ref(const struct secret_ref *ref, const struct val *in, struct decode *c, const char *field)
{
	if (!ref)
		decode_error(c, in, field, "%s must be specified: {name: <secret>, key: <key>}", field);
}

void
source_need_list(size_t n, const struct val *in, struct decode *c, const char *field)
{
	if (!n)
		decode_error(c, in, field, "at least one of %s must be specified", field);
}

void
source_check_interval(str text, const struct val *in, struct decode *c, const char *field)
{
	struct err e;
	dur d;

	if (text.n && dur_parse(text, &d, &e) < 0)
		decode_error(c, in, field, "%s", e.msg);
}

void
source_check_basic(const struct basic_auth *auth, const struct val *in, struct decode *c)
{
	const struct val *src = val_get(in, S("auth"));

	if (auth && !auth->username)
		decode_error(c, src, NULL, "username missing");
	if (auth && !auth->password)
		decode_error(c, src, NULL, "password missing");
}

/* ---- files -------------------------------------------------------------------------------------------------- */

const struct schema watch_path_schema = { "WatchPathConfig", "Files to watch.", sizeof(struct watch_path),
	(const struct field[]){
	FIELD(struct watch_path, directory, "directory", 0, .doc = "Absolute path of the directory."),
	FIELD(struct watch_path, path, "path", 0, .doc = "File to watch, relative to directory."),
	FIELD(struct watch_path, path_regexp, "pathRegexp", 0,
		.doc = "Regular expression for the names of files to watch."),
	FIELD_SRC(struct watch_path, src),
	{ 0 } } };

void
source_check_watch(str directory, str path, str path_regexp, const struct val *in, struct decode *c)
{
	struct regex *regex;
	struct err e;

	if (!directory.n)
		decode_error(c, in, NULL, "directory is required");
	else if (directory.p[0] != '/')
		decode_error(c, in, "directory", "directory must be an absolute file path");
	if (!path.n && !path_regexp.n)
		decode_error(c, in, NULL, "either path or pathRegexp must be specified");
	if (path.n && path_regexp.n)
		decode_error(c, in, "pathRegexp", "path and pathRegexp cannot be specified together");
	if (path.n && path.p[0] == '/')
		decode_error(c, in, "path", "path must be a relative file path");
	if (path_regexp.n && regex_compile(path_regexp, &regex, &e) < 0)
		decode_error(c, in, "pathRegexp", "%s", e.msg);
	else if (path_regexp.n)
		regex_free(regex);
}

void
source_check_path(const struct watch_path *w, const struct val *in, struct decode *c)
{
	if (!w)
		decode_error(c, in, NULL, "watchPathConfig is missing: write watchPathConfig: {directory: /path/, "
			"path: name}");
	else
		source_check_watch(w->directory, w->path, w->path_regexp, w->src, c);
}

void
source_check_type(str type, const struct val *in, struct decode *c)
{
	static const char *const ops[] = { "CREATE", "WRITE", "REMOVE", "RENAME", "CHMOD" };
	str rest = type;

	if (!type.n)
		decode_error(c, in, NULL, "type is required");
	while (rest.n) {
		str op = str_cut(&rest, '|');
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(ops); i++)
			known |= str_eq(op, str_c(ops[i]));
		if (!known)
			decode_error(c, in, "type", "unknown type \"%.*s\": CREATE, WRITE, REMOVE, RENAME or CHMOD",
				STR_ARG(op));
	}
}
