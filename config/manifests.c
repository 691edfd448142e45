/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifests: from paths to decoded objects. A file that is named is read whatever it is called; of a directory the YAML
 * and JSON files are, in order of their names, the hidden ones left out (so the ..data of a mounted ConfigMap is not
 * read twice).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

#define FILE_MAX ((size_t)64 << 20)
#define FILES_MAX 100000
#define FOLDER_DEPTH_MAX 32

struct reading {
	const struct kind *const *kinds;
	size_t kinds_n;
	str default_ns;
	struct manifest_set *set;
	struct diags *diags;
	VEC(struct object *) broken; /* have errors of their own, but who refers to them is not to blame */
};

/* ---- documents ----------------------------------------------------------------------------------------------- */

static void
add_object(struct reading *r, const struct val *doc, str file)
{
	bool ok;
	struct object *o = object_read(r->kinds, r->kinds_n, doc, file, r->default_ns, &ok, r->diags);
	if (o && ok)
		*VEC_PUSH(&r->set->objects) = o;
	else if (o)
		*VEC_PUSH(&r->broken) = o;
}

/* `kind: List`, `kind: WorkflowList`...: an envelope around the objects in `items`. */
static bool
is_list(const struct val *doc)
{
	return str_ends(val_get_str(doc, "kind"), S("List")) && val_is(val_get(doc, S("items")), VAL_LIST);
}

static void
add_documents(struct reading *r, str file, str text)
{
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	struct val *docs;
	size_t n;
	diags_source(r->diags, file, text);
	int rc = yaml_read_all(tmp, file, text, NULL, &docs, &n, r->diags);
	(void)rc; /* what is wrong is in diags; the documents before it are checked all the same */
	for (size_t i = 0; i < n; i++) {
		if (!is_list(&docs[i])) {
			add_object(r, &docs[i], file);
			continue;
		}
		const struct val *items = val_get(&docs[i], S("items"));
		for (uint32_t k = 0; k < items->n; k++)
			add_object(r, &items->items[k], file);
	}
	r->set->files++;
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static void
complain(struct reading *r, str path, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void
complain(struct reading *r, str path, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	struct diag *x = diag_add(r->diags, DIAG_ERROR, NULL, S(""), "%s", text);
	x->file = arena_dup(r->diags->arena, path);
}

/* Reads all of it, into the arena of the findings: they show lines of it. */
static int
read_fd(struct reading *r, int fd, str path, str *out)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (;;) {
		ssize_t got = read(fd, buf_room(&b, 65536), 65536);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			complain(r, path, "cannot be read: %s", strerror(errno));
			return -1;
		}
		if (got == 0)
			break;
		b.n += (size_t)got;
		if (b.n > FILE_MAX) {
			complain(r, path, "larger than %zu MiB", FILE_MAX >> 20);
			return -1;
		}
	}
	*out = arena_dup(r->diags->arena, buf_str(&b));
	return 0;
}

static void
read_file(struct reading *r, const char *path)
{
	str text, name = arena_dup(r->diags->arena, str_c(path));
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		complain(r, name, "cannot be read: %s", strerror(errno));
	else if (r->set->files >= FILES_MAX)
		complain(r, name, "more than %d files", FILES_MAX);
	else if (read_fd(r, fd, name, &text) == 0)
		add_documents(r, name, text);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool
manifest_is_test(str name)
{
	return str_ends(name, S(".test.yaml")) || str_ends(name, S(".test.yml"));
}

static bool
is_manifest_name(str name)
{
	if (manifest_is_test(name))
		return false;
	return str_ends(name, S(".yaml")) || str_ends(name, S(".yml")) || str_ends(name, S(".json"));
}

static void
read_folder(struct reading *r, const char *path, unsigned depth)
{
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	VEC(const char *) paths = { 0 };
	DIR *dir = depth < FOLDER_DEPTH_MAX ? opendir(path) : NULL;
	if (!dir) {
		complain(r, str_c(path), depth < FOLDER_DEPTH_MAX ? "cannot be read: %s" : "nested too deep",
			strerror(errno));
		return;
	}
	const char *slash = str_ends(str_c(path), S("/")) ? "" : "/";
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.')
			*VEC_PUSH(&paths) = arena_fmt(tmp, "%s%s%s", path, slash, e->d_name).p;
	closedir(dir);
	if (paths.n)
		qsort(paths.p, paths.n, sizeof *paths.p, by_name);
	for (size_t i = 0; i < paths.n; i++) {
		struct stat st;
		if (stat(paths.p[i], &st))
			continue; /* gone, or a link to nowhere */
		if (S_ISDIR(st.st_mode))
			read_folder(r, paths.p[i], depth + 1);
		else if (S_ISREG(st.st_mode) && is_manifest_name(str_c(paths.p[i])))
			read_file(r, paths.p[i]);
	}
	VEC_FREE(&paths);
}

static void
read_path(struct reading *r, const char *path)
{
	struct stat st;
	str text, name = S("(standard input)");
	if (strcmp(path, "-") == 0) {
		if (read_fd(r, STDIN_FILENO, name, &text) == 0)
			add_documents(r, name, text);
	} else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		size_t before = r->set->files;
		read_folder(r, path, 0);
		if (r->set->files == before)
			diag_add(r->diags, DIAG_WARNING, NULL, S(""),
				"no manifests (*.yaml, *.yml, *.json) in it")->file = arena_dup(r->diags->arena,
				str_c(path));
	} else {
		read_file(r, path);
	}
}

/* ---- across the set ------------------------------------------------------------------------------------------ */

static const struct val *
name_of(const struct object *o)
{
	return val_path(o->manifest, "metadata.name");
}

/* Two of one name: the second would replace the first in silence. */
static void
check_twice(const struct manifest_set *m, struct objects *all, struct diags *d)
{
	for (size_t i = 0; i < m->objects.n; i++) {
		struct object *o = m->objects.p[i];
		const struct object *first = o->name.n ? objects_find(all, o->kind, o->ns, o->name) : NULL;
		if (!first || !first->file.p) {
			(void)objects_put(all, o);
			continue;
		}
		d->file = o->file;
		struct diag *x = diag_add(d, DIAG_ERROR, name_of(o), S("metadata.name"), "a second %s \"%.*s\"",
			o->kind->name, STR_ARG(o->name));
		x->file = arena_dup(d->arena, o->file);
		x->other_file = arena_dup(d->arena, first->file);
		x->other_line = name_of(first)->line;
		x->other_col = name_of(first)->col;
		diag_hint(d, x, "rename or remove one of them");
	}
}

static void
resolve_names(struct reading *r, const struct objects *in_force)
{
	struct objects *all = objects_new(r->kinds, r->kinds_n);
	str outer_file = r->diags->file;
	size_t i = 0;
	/* what came from files before goes when these files are applied */
	for (struct object *o; (o = objects_next(in_force, NULL, &i));)
		if (!o->file.p)
			(void)objects_put(all, o);
	check_twice(r->set, all, r->diags);
	for (i = 0; i < r->broken.n; i++)
		if (!objects_find(all, r->broken.p[i]->kind, r->broken.p[i]->ns, r->broken.p[i]->name))
			(void)objects_put(all, r->broken.p[i]);
	for (i = 0; i < r->set->objects.n; i++) {
		const struct object *o = r->set->objects.p[i];
		r->diags->file = arena_dup(r->diags->arena, o->file);
		if (o->kind->resolve)
			o->kind->resolve(o, all, r->diags);
	}
	r->diags->file = outer_file;
	objects_free(all);
}

int
manifests_read(const struct kind *const *kinds, size_t n, const char *const *paths, size_t paths_n, str default_ns,
               const struct objects *resolve_in, struct manifest_set *out, struct diags *d)
{
	size_t errors = d->errors;
	*out = (struct manifest_set){ 0 };
	struct reading r = { .kinds = kinds, .kinds_n = n, .default_ns = default_ns, .set = out, .diags = d };
	for (size_t i = 0; i < paths_n; i++)
		read_path(&r, paths[i]);
	if (resolve_in)
		resolve_names(&r, resolve_in);
	for (size_t i = 0; i < r.broken.n; i++)
		object_unref(r.broken.p[i]);
	VEC_FREE(&r.broken);
	return d->errors == errors ? 0 : -1;
}

void
manifest_set_free(struct manifest_set *m)
{
	for (size_t i = 0; i < m->objects.n; i++)
		object_unref(m->objects.p[i]);
	VEC_FREE(&m->objects);
	*m = (struct manifest_set){ 0 };
}
