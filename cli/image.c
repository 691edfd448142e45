/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate image: root file systems for steps. Works on the state directory, with or without a daemon; one that runs sees a
 * new image with the next step.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/image_make.h"
#include "cli/output.h"

enum { DIGITS_SHOWN = 12 };

struct image_opts {
	struct cli_common common;
	const char *config, *name, *ref, *tls_verify, *auth_file, *output;
};
struct image_call {
	const struct image_opts *o;
	struct daemon d; /* its settings and its state directory; nothing of it is opened */
	str store;
	char **args;
	int n;
};

static const char *const booleans[] = { "true", "false", NULL };
static const char *const outputs[] = { "json", "name", "wide", NULL };

/* ---- shown ------------------------------------------------------------------------------------------------------ */

static str
short_digest(str digest)
{
	return str_slice(digest, strlen("sha256:"), strlen("sha256:") + DIGITS_SHOWN);
}

/* As docker and others write it, without library images' registry. */
static str
short_name(str name)
{
	static const char *const defaults[] = { "docker.io/library/", "docker.io/" };
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		if (str_starts(name, str_c(defaults[i])))
			return str_slice(name, strlen(defaults[i]), name.n);
	return name.n ? name : S("<none>");
}

static str
size_text(struct arena *a, int64_t bytes)
{
	return bytes >= 1 << 20 ? arena_fmt(a, "%.1f MiB", (double)bytes / (1 << 20)) : arena_fmt(a, "%.1f KiB", (double)bytes / 1024);
}

static struct val
image_val(struct arena *a, const struct stored_image *i)
{
	struct val_map m = { 0 }, env = { 0 };
	for (size_t k = 0; k < i->row.env.n; k++)
		val_map_add(&env, i->row.env.p[k].key, val_str(i->row.env.p[k].value));
	val_map_add_str(&m, S("name"), i->name);
	val_map_add(&m, S("digest"), val_str(i->digest));
	val_map_add_str(&m, S("index"), i->index);
	val_map_add_str(&m, S("imported"), i->imported);
	val_map_add(&m, S("bytes"), val_int(i->bytes));
	val_map_add(&m, S("root"), val_str(i->row.root));
	if (i->row.entrypoint.n)
		val_map_add(&m, S("entrypoint"), image_texts_val(a, i->row.entrypoint));
	if (i->row.cmd.n)
		val_map_add(&m, S("cmd"), image_texts_val(a, i->row.cmd));
	struct val variables = val_map_end(&env, a);
	if (variables.n)
		val_map_add(&m, S("env"), variables);
	val_map_add_str(&m, S("workdir"), i->row.workdir);
	val_map_add_str(&m, S("user"), i->row.user);
	return val_map_end(&m, a);
}

static void
print_table(struct arena *a, const struct image_store *s, bool wide)
{
	struct table t = { .columns = 4, .colors = out_colors(stdout) };
	int64_t now = (int64_t)time(NULL) * NS_PER_SEC, then;
	struct err ignored;
	const str head[] = { S("NAME"), S("DIGEST"), S("SIZE"), S("IMPORTED") };
	table_row(&t, head);
	for (size_t i = 0; i < s->images.n; i++) {
		const struct stored_image *x = &s->images.p[i];
		if (time_parse_rfc3339(x->imported, &then, &ignored))
			then = now;
		const str row[] = { wide && x->name.n ? x->name : short_name(x->name), wide ? x->digest : short_digest(x->digest),
			size_text(a, x->bytes), arena_fmt(a, "%.*s ago", STR_ARG(age_text(a, now - then))) };
		table_row(&t, row);
	}
	table_print(&t, stdout);
}

static int
list_images(struct image_call *c, struct err *e)
{
	struct arena *a = c->d.arena;
	struct image_store s = { 0 };
	struct val_list list = { 0 };
	if (image_store_read(c->store, a, &s, e))
		return -1;
	for (size_t i = 0; i < s.images.n; i++)
		val_list_add(&list, image_val(a, &s.images.p[i]));
	struct val v = val_list_end(&list, a);
	if (c->o->output && !strcmp(c->o->output, "json")) {
		struct buf b CLEANUP(free_buf) = { 0 };
		json_write_opts(&b, &v, JSON_INDENT);
		printf("%s\n", b.p);
	} else if (c->o->output && !strcmp(c->o->output, "name")) {
		for (size_t i = 0; i < s.images.n; i++)
			printf("%.*s\n", STR_ARG(s.images.p[i].name.n ? s.images.p[i].name : s.images.p[i].digest));
	} else {
		print_table(a, &s, c->o->output != NULL);
	}
	image_store_free(&s);
	return 0;
}

static int
no_such_image(const char *name, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "there is no image %s; `tidegate image list` shows those there are", name);
}

static int
show_image(struct image_call *c, struct err *e)
{
	struct image_store s = { 0 };
	struct buf b CLEANUP(free_buf) = { 0 };
	if (image_store_read(c->store, c->d.arena, &s, e))
		return -1;
	const struct stored_image *x = image_store_find(&s, str_c(c->args[0]), true);
	if (x) {
		struct val v = image_val(c->d.arena, x);
		if (c->o->output && !strcmp(c->o->output, "json"))
			json_write_opts(&b, &v, JSON_INDENT);
		else
			yaml_write_buf(&b, &v);
		printf("%.*s%s", STR_ARG(buf_str(&b)), b.n && b.p[b.n - 1] == '\n' ? "" : "\n");
	}
	image_store_free(&s);
	return x ? 0 : no_such_image(c->args[0], e);
}

/* ---- removed ---------------------------------------------------------------------------------------------------- */

static size_t
count_digest(const struct image_store *s, str digest)
{
	size_t n = 0;
	for (size_t i = 0; i < s->images.n; i++)
		n += str_eq(s->images.p[i].digest, digest);
	return n;
}

/* The entry `i`, and the folder if nothing else has that digest: first the folder, which running steps can hold. */
static int
drop_entry(const struct image_call *c, struct image_store *s, size_t i, struct err *e)
{
	if (count_digest(s, s->images.p[i].digest) == 1 && image_store_drop(c->store, s->images.p[i].digest, e))
		return -1;
	memmove(&s->images.p[i], &s->images.p[i + 1], (s->images.n - i - 1) * sizeof *s->images.p);
	s->images.n--;
	return image_store_write(c->store, s, e);
}

static int
remove_one(const struct image_call *c, struct image_store *s, const char *name, struct err *e)
{
	const struct stored_image *x = image_store_find(s, str_c(name), true);
	if (!x)
		return no_such_image(name, e);
	str whole = x->name, digest = x->digest;
	bool by_name = whole.n && str_eq(image_name_whole(c->d.arena, str_c(name)), whole);
	for (size_t i = s->images.n; i > 0; i--)
		if (str_eq(s->images.p[i - 1].digest, digest) && (!by_name || str_eq(s->images.p[i - 1].name, whole)) &&
			drop_entry(c, s, i - 1, e))
			return err_wrap(e, "%s", name);
	printf("%.*s removed\n", STR_ARG(by_name ? short_name(whole) : digest));
	return 0;
}

static int
with_store(struct image_call *c, int (*fn)(struct image_call *c, struct image_store *s, struct err *e), struct err *e)
{
	struct image_store s = { 0 };
	int lock CLEANUP(close_fd) = image_store_lock(c->store, e);
	if (lock < 0 || image_store_read(c->store, c->d.arena, &s, e))
		return -1;
	image_store_sweep(c->store, &s);
	int rc = fn(c, &s, e);
	image_store_free(&s);
	return rc;
}

static int
remove_all(struct image_call *c, struct image_store *s, struct err *e)
{
	int rc = 0;
	for (int i = 0; i < c->n && rc == 0; i++)
		rc = remove_one(c, s, c->args[i], e);
	return rc;
}

static int
prune_all(struct image_call *c, struct image_store *s, struct err *e)
{
	for (size_t i = s->images.n; i > 0; i--) {
		str digest = s->images.p[i - 1].digest;
		if (s->images.p[i - 1].name.n)
			continue;
		if (drop_entry(c, s, i - 1, e) == 0)
			printf("%.*s removed\n", STR_ARG(digest));
		else if (e->code != ERR_EXISTS) /* one in use stays */
			return -1;
	}
	return 0;
}

static int
remove_images(struct image_call *c, struct err *e)
{
	return with_store(c, remove_all, e);
}

static int
prune_images(struct image_call *c, struct err *e)
{
	return with_store(c, prune_all, e);
}

/* ---- made ------------------------------------------------------------------------------------------------------- */

static int
sweep_only(struct image_call *c UNUSED, struct image_store *s UNUSED, struct err *e UNUSED)
{
	return 0;
}

static int
make_image(struct image_call *c, int (*make)(const struct image_make *m, struct stored_image *out, struct err *e), struct err *e)
{
	struct stored_image made;
	const struct image_make m = { .arena = c->d.arena, .settings = &c->d.settings, .store = c->store, .source = c->args[0],
		.name = c->o->name, .ref = c->o->ref, .tls_verify = c->o->tls_verify, .auth_file = c->o->auth_file };
	if (with_store(c, sweep_only, e) || make(&m, &made, e))
		return -1;
	printf("%.*s  %.*s\n", STR_ARG(short_name(made.name)), STR_ARG(made.digest));
	return 0;
}

static int
import_image(struct image_call *c, struct err *e)
{
	return make_image(c, image_import, e);
}

static int
pull_image(struct image_call *c, struct err *e)
{
	return make_image(c, image_pull, e);
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	int least, most; /* words behind it; most -1: any number */
	int (*run)(struct image_call *c, struct err *e);
} forms[] = { { "import", 1, 1, import_image }, { "pull", 1, 1, pull_image }, { "list", 0, 0, list_images },
	{ "show", 1, 1, show_image }, { "remove", 1, -1, remove_images }, { "prune", 0, 0, prune_images } };

static int
make_folders(struct image_call *c, struct err *e)
{
	str state = c->d.state;
	for (size_t i = 1; i <= state.n; i++) {
		if (i < state.n && state.p[i] != '/')
			continue;
		const char *dir = str_z(c->d.arena, str_slice(state, 0, i));
		if (mkdir(dir, i == state.n ? 0700 : 0755) < 0 && errno != EEXIST)
			return err_errno(e, "make %s", dir);
	}
	return 0;
}

static int
run(const void *opts, char **args, int n)
{
	const struct image_opts *o = opts;
	struct image_call c = { .o = o, .args = args + 1, .n = n - 1 };
	struct err e = { 0 };
	size_t k = 0;
	while (k < ARRAY_LEN(forms) && strcmp(forms[k].name, args[0]) != 0)
		k++;
	if (k == ARRAY_LEN(forms))
		return cli_usage(&command_image, "no such form \"image %s\"; there are import, pull, list, show, remove, prune", args[0]);
	if (c.n < forms[k].least || (forms[k].most >= 0 && c.n > forms[k].most))
		return cli_usage(&command_image, "image %s: %s", args[0], c.n < forms[k].least ? "a word is missing" : "too many words");
	if (daemon_settings(&c.d, o->config, o->common.state, NULL, &e))
		return cli_fail(&e);
	c.store = image_store_path(c.d.arena, c.d.state);
	bool reads = forms[k].run == list_images || forms[k].run == show_image;
	int rc = !reads && make_folders(&c, &e) ? -1 : forms[k].run(&c, &e);
	arena_free(c.d.arena);
	return rc ? cli_fail(&e) : EXIT_DONE;
}

const struct command command_image = {
	.name = "image",
	.args = "import FILE|DIR, pull REF, list, show REF, remove REF..., prune",
	.summary = "Images for steps: import, pull, list, remove.",
	.examples = "  tidegate image pull alpine:3                          from a registry, through skopeo and umoci\n"
	            "  tidegate image import build.tar --name team/build:1   an archive of OCI or of `docker save`, or an OCI layout\n"
	            "  tidegate image list\n"
	            "  tidegate image remove alpine:3\n",
	.doc = "A step whose container names the image then runs in its root file system, with its entrypoint, environment, working\n"
	       "directory and user. REF is a name (\"alpine\" is docker.io/library/alpine:latest), a digest, or the digits of one.\n"
	       "An image that running steps use cannot be removed; `prune` removes those whose name another image has taken over.",
	.options = (const struct cli_option[]){
		OPTION(struct image_opts, name, "name", 0, "REF", "What the image is to be called."),
		OPTION(struct image_opts, ref, "ref", 0, "TAG", "Which image, if the source has several."),
		OPTION(struct image_opts, tls_verify, "tls-verify", 0, "BOOL", "Whether the registry must have TLS and a trusted certificate.",
			.choices = booleans),
		OPTION(struct image_opts, auth_file, "authfile", 0, "FILE", "Credentials for the registry, as `skopeo login` writes them."),
		OPTION(struct image_opts, output, "output", 'o', "FORMAT", "json, name or wide.", .choices = outputs),
		OPTION(struct image_opts, config, "config", 0, "FILE", "Settings."),
		{ 0 },
	},
	.size = sizeof(struct image_opts),
	.args_min = 1,
	.args_max = -1,
	.run = run,
};
