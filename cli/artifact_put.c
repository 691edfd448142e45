/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate artifact put, rm and ls --repository: files and folders of this machine into the artifact repository of the daemon, and what lies there. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/artifact.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "core/archive/archive.h"
#include "core/files.h"

struct put_opts {
	struct cli_common common;
	const char *key, *name, *archive, *ref, *output;
};

static const char *const archives[] = { "none", "tar", "zip", NULL };
static const char *const outputs[] = { "key", "json", "yaml", NULL };

/* What is to be sent: open, and what it is called. */
struct sent {
	int fd;
	uint64_t bytes;
	str name;
};

/* ---- what is sent ------------------------------------------------------------------------------------------------------ */

/* A file that goes with us. */
static int
scratch(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	dir = dir && *dir ? dir : "/tmp";
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? err_errno(e, "make a file in %s", dir) : fd;
}

static int
measure(struct sent *s, const char *path, struct err *e)
{
	struct stat st;
	if (fstat(s->fd, &st) < 0 || lseek(s->fd, 0, SEEK_SET) < 0)
		return err_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%s is neither a file nor a folder", path);
	s->bytes = (uint64_t)st.st_size;
	return 0;
}

static int
take_input(struct sent *s, struct err *e)
{
	uint64_t n;
	s->fd = scratch(e);
	return s->fd < 0 || files_copy(STDIN_FILENO, s->fd, UINT64_MAX / 2, &n, e) < 0 ? -1 : measure(s, "the standard input", e);
}

/* As its step would have left it. */
static int
pack(struct client *c, struct sent *s, const char *path, bool zip, struct err *e)
{
	char *whole = realpath(path, NULL);
	if (!whole)
		return err_errno(e, "%s", path);
	str text = arena_dup(c->arena, str_c(whole));
	free(whole);
	char *slash = strrchr(text.p, '/');
	const struct archive_limits none = { 0 };
	s->name = arena_dup(c->arena, str_c(slash + 1));
	if (!s->name.n)
		return err_set(e, ERR_INVALID, "%s: name a folder of it", path);
	*slash = 0;
	int dir CLEANUP(close_fd) = open(*text.p ? text.p : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, "%s", path);
	if ((s->fd = scratch(e)) < 0 || archive_pack(dir, s->name.p, zip ? ARCHIVE_AS_ZIP : ARCHIVE_AS_TAR, -1, s->fd, &none, NULL, e) < 0)
		return -1;
	s->name = arena_fmt(c->arena, "%.*s.%s", STR_ARG(s->name), zip ? "zip" : "tgz");
	return measure(s, path, e);
}

static int
take(struct client *c, struct sent *s, const struct put_opts *o, const char *path, struct err *e)
{
	struct stat st;
	if (strcmp(path, "-") == 0)
		return take_input(s, e);
	if (stat(path, &st) < 0)
		return err_errno(e, "%s", path);
	bool folder = S_ISDIR(st.st_mode);
	if (folder && o->archive && strcmp(o->archive, "none") == 0)
		return err_set(e, ERR_INVALID, "%s is a folder, which is sent packed: --archive tar or zip", path);
	if (folder || (o->archive && strcmp(o->archive, "none") != 0))
		return pack(c, s, path, o->archive && strcmp(o->archive, "zip") == 0, e);
	const char *slash = strrchr(path, '/');
	s->name = str_c(slash ? slash + 1 : path);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	return s->fd < 0 ? err_errno(e, "%s", path) : measure(s, path, e);
}

/* ---- put --------------------------------------------------------------------------------------------------------------- */

str
repository_path(struct client *c, const char *key, const char *ref, const char *more, str value)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S("/tidegate/v1/artifacts/"));
	url_escape(&b, c->ns);
	if (key) {
		buf_addc(&b, '/');
		url_escape(&b, str_c(key));
	}
	url_query(&b, "repository", str_c(ref));
	url_query(&b, more, value);
	return arena_dup(c->arena, buf_str(&b));
}

static void
close_sent(struct sent *s)
{
	close_fd(&s->fd);
}

static int
run_put(const void *opts, char **args, int n UNUSED)
{
	const struct put_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct sent s CLEANUP(close_sent) = { .fd = -1 };
	struct progress p;
	struct err e = { 0 };
	struct val answer;
	client_init(&c, &o->common);
	if (take(&c, &s, o, args[0], &e) < 0)
		return cli_fail(&e);
	str name = o->name ? str_c(o->name) : s.name, path = repository_path(&c, o->key, o->ref, "name", o->key ? STR_NONE : name);
	progress_begin(&p, name.n ? name : str_c(args[0]), s.bytes, "being saved");
	int rc = client_upload(&c, o->key ? "PUT" : "POST", path, s.fd, s.bytes, &p.watch, &answer, &e);
	progress_end(&p);
	if (rc)
		return cli_fail(&e);
	if (o->output && strcmp(o->output, "key") != 0)
		print_value(stdout, &answer, o->output);
	else
		printf("%.*s\n", STR_ARG(val_get_str(&answer, "key")));
	return EXIT_DONE;
}

/* ---- rm, ls --repository ----------------------------------------------------------------------------------------------- */

static int
run_rm(const void *opts, char **args, int n)
{
	const struct put_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	client_init(&c, &o->common);
	for (int i = 0; i < n; i++)
		if (client_call(&c, "DELETE", repository_path(&c, args[i], o->ref, "", STR_NONE), NULL, NULL, &e))
			return cli_fail(&e);
	return EXIT_DONE;
}

int
print_repository(struct client *c, const char *ref, const char *prefix, const char *output, bool no_headers)
{
	static const str heads[] = { { "BYTES", 5 }, { "KEY", 3 } };
	struct table table = { .columns = ARRAY_LEN(heads), .colors = out_colors(stdout) };
	struct err e = { 0 };
	struct val answer;
	if (client_call(c, "GET", repository_path(c, NULL, ref, "prefix", str_c(prefix)), NULL, &answer, &e))
		return cli_fail(&e);
	const struct val *items = val_get(&answer, S("items"));
	bool names = output && strcmp(output, "name") == 0;
	if (output && !names)
		print_value(stdout, items, output);
	else if (!names && !no_headers)
		table_row(&table, heads);
	for (uint32_t i = 0; (!output || names) && val_is(items, VAL_LIST) && i < items->n; i++) {
		str key = val_get_str(&items->items[i], "key");
		const str cells[] = { json_write(c->arena, val_get(&items->items[i], S("bytes"))), key };
		if (names)
			printf("%.*s\n", STR_ARG(key));
		else
			table_row(&table, cells);
	}
	table_print(&table, stdout);
	if (val_is_true(val_get(&answer, S("more"))))
		fprintf(stderr, "tidegate: these are the first %u; name a longer beginning of the keys\n", items->n);
	return EXIT_DONE;
}

/* ---- the tables -------------------------------------------------------------------------------------------------------- */

#define T struct put_opts
#define REF OPTION(T, ref, "ref", 0, "[MAP/]KEY", "Of this repository, as artifactRepositoryRef names one; else that of workflows without.")
static const struct cli_option put_options[] = { OPTION(T, key, "key", 0, "KEY", "Where it is to lie, in place of what lies there; else a new key is made."),
	OPTION(T, name, "name", 0, "NAME", "What a new key ends with; else the file's name."),
	OPTION(T, archive, "archive", 0, "HOW", "tar or zip: packed; none: as it is, as a file without this option.", .choices = archives), REF,
	OPTION(T, output, "output", 'o', "FORMAT", "key, json or yaml.", .choices = outputs), { 0 } };
static const struct cli_option rm_options[] = { REF, { 0 } };

const struct command form_artifact_put = { .name = "artifact put",
	.args = "FILE|DIR|-",
	.summary = "Put a file or a folder into the artifact repository, and print its key.",
	.examples = "  tidegate artifact put data.csv\n"
	            "  tidegate submit --from workflowtemplate/train -a data=$(tidegate artifact put data.csv)\n"
	            "  tidegate artifact put models/ --key shared/models.tgz\n",
	.doc = "A folder is packed (.tgz), as a step that leaves one does. Who takes an artifact unpacks what is a tar with gzip, unless its `archive` says `none`.",
	.options = put_options,
	.size = sizeof(T),
	.args_min = 1,
	.args_max = 1,
	.run = run_put };
const struct command form_artifact_rm = { .name = "artifact rm",
	.args = "KEY...",
	.summary = "Remove objects from the artifact repository, and what lies beneath their keys.",
	.examples = "  tidegate artifact rm shared/models.tgz\n",
	.options = rm_options,
	.size = sizeof(T),
	.args_min = 1,
	.args_max = -1,
	.run = run_rm };
