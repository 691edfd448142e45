/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/image_make.h"
#include "cli/oci.h"
#include "cli/program.h"
#include "core/archive/archive.h"

#define LIST_MAX ((size_t)64 << 20) /* names in an archive */
#define RAW_MAX ((size_t)8 << 20)   /* a manifest of a registry */
#define RATIO_FROM (UINT64_C(4) << 30) /* bytes that may be unpacked whatever they were packed to */

/* The folder that an image is made in: `source` is its layout, `made` becomes the store's. */
struct bench {
	struct arena *arena;
	str folder;
	struct archive_limits limits; /* of the image */
	int fd; /* its lock; our programs inherit it, so that the folder is not swept while one of them still writes */
};

static int
bench_open(struct bench *b, const struct image_make *m, struct err *e)
{
	const struct settings *s = m->settings;
	*b = (struct bench){ .arena = m->arena, .fd = -1, .limits = {
		.bytes = (uint64_t)s->image_size << 20, .entries = (uint64_t)s->image_files, .ratio = (unsigned)s->image_ratio, .ratio_from = RATIO_FROM } };
	if (image_store_new(m->arena, m->store, &b->folder, &b->fd, e))
		return -1;
	(void)fcntl(b->fd, F_SETFD, 0);
	return mkdir(arena_fmt(b->arena, "%.*s/made", STR_ARG(b->folder)).p, 0700) < 0 ? err_errno(e, "make a folder") : 0;
}

static void
bench_close(struct bench *b)
{
	struct err ignored; /* what stays is swept next time */
	if (b->folder.p)
		(void)!image_store_remove_tree(b->folder, &ignored);
	close_fd(&b->fd);
}

static int
run_here(const struct bench *b, struct program *p, struct buf *out, size_t max, struct err *e)
{
	p->cwd = b->folder.p;
	p->file_max = b->limits.bytes; /* what was measured before is the first fence, this the second */
	return program_run(p, out, max, e);
}

static const char *
inside(const struct bench *b, const char *name)
{
	return arena_fmt(b->arena, "%.*s/%s", STR_ARG(b->folder), name).p;
}

/* ---- how much it is ---------------------------------------------------------------------------------------------- */

/* Which setting it is that stands in the way. */
static int
too_much(const struct bench *b, struct err *e)
{
	return e->code != ERR_LIMIT ? -1
				    : err_wrap(e, "an image may have %llu MiB and %llu files, and a layer %u times its size, by the settings imageSize, imageFiles, imageRatio",
					      (unsigned long long)b->limits.bytes >> 20, (unsigned long long)b->limits.entries, b->limits.ratio);
}

static int
measure(const struct bench *b, const char *path, struct archive_sum *sum, struct err *e)
{
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(e, "read %s", path);
	return archive_measure(fd, &b->limits, sum, e);
}

/* Nothing of an image is unpacked before all of it was seen: whoever unpacks it knows no limits. */
static int
measure_layers(const struct bench *b, const char *source, const struct oci_image *image, struct err *e)
{
	struct archive_sum sum = { 0 };
	for (size_t i = 0; i < image->layers.n; i++) {
		str digest = image->layers.p[i], hex = str_slice(digest, strlen("sha256:"), digest.n);
		if (measure(b, arena_fmt(b->arena, "%s/blobs/sha256/%.*s", source, STR_ARG(hex)).p, &sum, e) < 0) {
			(void)err_wrap(e, "layer %zu (%.*s)", i + 1, STR_ARG(digest));
			return too_much(b, e);
		}
	}
	return 0;
}

static int
measure_archive(const struct bench *b, const char *file, struct err *e)
{
	struct archive_sum sum = { 0 };
	return measure(b, file, &sum, e) < 0 ? too_much(b, e) : 0;
}

/* ---- skopeo ---------------------------------------------------------------------------------------------------- */

/* Between folders of ours there is nothing to be trusted or not. */
static int
convert(const struct bench *b, const char *from, const char *to, const char *option, struct err *e)
{
	struct program p = { { "skopeo", "--insecure-policy", "copy", "-q" }, 4, NULL };
	program_add(&p, option);
	program_add(&p, from);
	program_add(&p, to);
	return run_here(b, &p, NULL, 0, e);
}

/* ---- an archive ------------------------------------------------------------------------------------------------- */

static bool
lists(str names, str name)
{
	while (names.n) {
		str line = str_cut(&names, '\n');
		if (str_starts(line, S("./")))
			line = str_slice(line, 2, line.n);
		if (str_eq(line, name))
			return true;
	}
	return false;
}

/* What the archive of `docker save` calls its image. */
static int
docker_name(const struct bench *b, const char *file, const char *ref, str *name, struct err *e)
{
	struct buf text CLEANUP(free_buf) = { 0 };
	struct program p = { { "tar", "-xOf", file, "manifest.json" }, 4, NULL };
	struct val v;
	if (run_here(b, &p, &text, RAW_MAX, e) || json_read(b->arena, arena_dup(b->arena, buf_str(&text)), &v, e))
		return err_wrap(e, "manifest.json of the archive");
	if (val_is(&v, VAL_LIST) && v.n > 1 && !ref)
		return err_set(e, ERR_INVALID, "there are %u images in the archive: say which with --ref", v.n);
	const struct val *tags = val_get(val_at(&v, 0), S("RepoTags"));
	if (ref)
		*name = str_c(ref);
	else if (val_is(val_at(tags, 0), VAL_STR))
		*name = val_text(val_at(tags, 0));
	return 0;
}

static int
unpack_docker(const struct bench *b, const char *file, const char *ref, str *name, struct err *e)
{
	/* skopeo's names of files end at a colon. */
	if (symlink(file, inside(b, "archive")) < 0)
		return err_errno(e, "make a link");
	if (docker_name(b, file, ref, name, e))
		return -1;
	const char *from = ref ? arena_fmt(b->arena, "docker-archive:archive:%s", ref).p : "docker-archive:archive";
	return convert(b, from, "oci:source:image", NULL, e);
}

static int
unpack_archive(const struct bench *b, const char *file, const char *ref, str *name, struct err *e)
{
	struct buf names CLEANUP(free_buf) = { 0 };
	struct program list = { { "tar", "-tf", file }, 3, NULL };
	struct program extract = { { "tar", "-xf", file, "-C", "source", "--no-same-owner", "--no-same-permissions" }, 7, NULL };
	if (run_here(b, &list, &names, LIST_MAX, e))
		return err_wrap(e, "%s is not an archive", file);
	if (measure_archive(b, file, e))
		return err_wrap(e, "%s", file);
	if (lists(buf_str(&names), S("index.json"))) {
		if (mkdir(inside(b, "source"), 0700) < 0)
			return err_errno(e, "make a folder");
		return run_here(b, &extract, NULL, 0, e);
	}
	if (lists(buf_str(&names), S("manifest.json")))
		return unpack_docker(b, file, ref, name, e);
	return err_set(e, ERR_INVALID, "%s: neither an archive of an OCI image nor of `docker save`: it has no index.json and no manifest.json", file);
}

/* ---- a layout to a root file system ------------------------------------------------------------------------------ */

/* A layout with nothing but the image that was chosen: the blobs are those of `source`. */
static int
make_view(const struct bench *b, const char *source, const struct oci_image *image, struct err *e)
{
	FILE *f;
	if (mkdir(inside(b, "view"), 0700) < 0 || symlink(arena_fmt(b->arena, "%s/blobs", source).p, inside(b, "view/blobs")) < 0)
		return err_errno(e, "make a folder");
	if (!(f = fopen(inside(b, "view/oci-layout"), "we")) || fputs("{\"imageLayoutVersion\":\"1.0.0\"}", f) < 0 || fclose(f) != 0)
		return err_errno(e, "write a layout");
	struct stat st;
	const char *blob = arena_fmt(b->arena, "%s/blobs/sha256/%.*s", source, STR_ARG(str_slice(image->digest, 7, image->digest.n))).p;
	if (stat(blob, &st) < 0)
		return err_errno(e, "look at %s", blob);
	f = fopen(inside(b, "view/index.json"), "we");
	if (!f || fprintf(f, "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
			     "\"digest\":\"%.*s\",\"size\":%lld,\"annotations\":{\"org.opencontainers.image.ref.name\":\"image\"}}]}",
			  STR_ARG(image->digest), (long long)st.st_size) < 0 || fclose(f) != 0)
		return err_errno(e, "write a layout");
	return 0;
}

/* Whether files can be given to any user: else they all become ours, and the step's namespace makes them root's. */
static bool
owns_all_users(void)
{
	unsigned inside_, outside, count = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");
	bool read = f && fscanf(f, "%u %u %u", &inside_, &outside, &count) == 3;
	if (f)
		fclose(f);
	return geteuid() == 0 && read && count >= 65536;
}

static int
unpack(const struct bench *b, const char *source, const struct oci_image *image, struct err *e)
{
	const char *layout = "view:image";
	if (measure_layers(b, source, image, e) || make_view(b, source, image, e))
		return -1;
	if (image->zstd) { /* umoci knows no zstd, skopeo does */
		if (convert(b, "oci:view:image", "dir:plain", "--dest-decompress", e) || convert(b, "dir:plain", "oci:again:image", NULL, e))
			return -1;
		layout = "again:image";
	}
	struct program p = { { "umoci", "raw", "unpack" }, 3, NULL };
	program_add(&p, owns_all_users() ? NULL : "--rootless");
	program_add(&p, "--image");
	program_add(&p, layout);
	program_add(&p, "made/rootfs");
	return run_here(b, &p, NULL, 0, e);
}

/* ---- into the store ---------------------------------------------------------------------------------------------- */

/* The name is the new image's; the old one keeps its digest for workflows that use it. */
static int
put_in_index(const struct image_make *m, struct image_store *s, const struct stored_image *new_, struct err *e)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->images.n; i++) {
		struct stored_image *x = &s->images.p[i];
		bool same_name = new_->name.n && str_eq(x->name, new_->name), same = str_eq(x->digest, new_->digest);
		if (same && (same_name || !x->name.n))
			continue; /* said anew, or named now */
		if (same_name)
			x->name = STR_NONE;
		s->images.p[kept++] = *x;
	}
	s->images.n = kept;
	if (kept >= IMAGES_MAX)
		return err_set(e, ERR_LIMIT, "there are %d images: remove some (`tidegate image prune`)", IMAGES_MAX);
	*VEC_PUSH(&s->images) = *new_;
	return image_store_write(m->store, s, e);
}

static int
settle(const struct image_make *m, const struct bench *b, const struct oci_image *image, struct stored_image *out, struct err *e)
{
	struct image_store s = { 0 };
	int lock CLEANUP(close_fd) = image_store_lock(m->store, e);
	if (lock < 0 || image_store_read(m->store, m->arena, &s, e))
		return -1;
	*out = (struct stored_image){ .name = image->name, .digest = image->digest, .index = image->index, .bytes = image->bytes,
		.imported = time_rfc3339(m->arena, (int64_t)time(NULL) * NS_PER_SEC), .row = image->row };
	out->row.root = arena_fmt(m->arena, "%.*s/rootfs", STR_ARG(image_store_folder(m->arena, m->store, out->digest)));
	int rc = image_store_settle(m->store, str_c(inside(b, "made")), out->digest, e);
	if (rc == 0)
		rc = put_in_index(m, &s, out, e);
	image_store_free(&s);
	return rc;
}

static int
name_image(const struct image_make *m, struct oci_image *image, struct err *e)
{
	if (m->name)
		image->name = str_c(m->name);
	if (!image->name.n)
		return err_set(e, ERR_INVALID, "%s does not say what the image is called: give it a name with --name", m->source);
	if (image_name_check(image->name, e))
		return -1;
	image->name = image_name_whole(m->arena, image->name);
	return 0;
}

/* ---- import ------------------------------------------------------------------------------------------------------ */

static int
import_into(const struct image_make *m, const struct bench *b, struct stored_image *out, struct err *e)
{
	struct oci_image image;
	struct stat st;
	char path[PATH_MAX];
	str name = STR_NONE;
	if (!realpath(m->source, path) || stat(path, &st) < 0)
		return err_errno(e, "%s", m->source);
	const char *layout = path, *ref = m->ref;
	if (!S_ISDIR(st.st_mode)) {
		if (unpack_archive(b, path, m->ref, &name, e))
			return -1;
		layout = inside(b, "source");
		ref = name.p || access(inside(b, "archive"), F_OK) == 0 ? NULL : m->ref; /* skopeo has chosen already */
	}
	if (oci_read_layout(m->arena, layout, ref ? str_c(ref) : STR_NONE, &image, e))
		return err_wrap(e, "%s", m->source);
	if (name.n)
		image.name = arena_dup(m->arena, name);
	if (name_image(m, &image, e) || unpack(b, layout, &image, e))
		return -1;
	return settle(m, b, &image, out, e);
}

int
image_import(const struct image_make *m, struct stored_image *out, struct err *e)
{
	struct bench b = { .fd = -1 };
	int rc = bench_open(&b, m, e);
	if (rc == 0)
		rc = import_into(m, &b, out, e);
	bench_close(&b);
	return rc;
}

/* ---- pull -------------------------------------------------------------------------------------------------------- */

struct registry {
	bool verify;
	const char *auth_file;
};

static struct registry
registry_of(const struct image_make *m, str whole)
{
	struct registry out = { true, m->auth_file };
	str rest = whole;
	const char *host = str_z(m->arena, str_cut(&rest, '/'));
	for (size_t i = 0; i < m->settings->registries.n; i++) {
		const struct registry_setting *r = &m->settings->registries.p[i];
		if (fnmatch(str_z(m->arena, r->name), host, 0) != 0)
			continue;
		out.verify = r->tls_verify;
		if (!out.auth_file && r->auth_file.n)
			out.auth_file = str_z(m->arena, r->auth_file);
		break;
	}
	if (m->tls_verify)
		out.verify = !strcmp(m->tls_verify, "true");
	return out;
}

/* skopeo wants a policy of signatures. The administrator's holds; without one nothing is signed. */
static const char *
policy_option(struct arena *a)
{
	const char *home = getenv("HOME");
	bool there = access("/etc/containers/policy.json", F_OK) == 0 ||
		     (home && access(arena_fmt(a, "%s/.config/containers/policy.json", home).p, F_OK) == 0);
	return there ? NULL : "--insecure-policy";
}

static void
call_registry(struct program *p, const struct image_make *m, const struct registry *r, const char *verb, bool copy)
{
	struct arena *a = m->arena;
	program_add(p, "skopeo");
	program_add(p, policy_option(a));
	program_add(p, verb);
	program_add(p, arena_fmt(a, "--%stls-verify=%s", copy ? "src-" : "", r->verify ? "true" : "false").p);
	if (r->auth_file)
		program_add(p, arena_fmt(a, "--%sauthfile=%s", copy ? "src-" : "", r->auth_file).p);
}

static int
inspect(const struct image_make *m, const struct bench *b, const struct registry *r, str name, str *text, struct val *out, struct err *e)
{
	struct buf raw CLEANUP(free_buf) = { 0 };
	struct program p = { 0 };
	call_registry(&p, m, r, "inspect", false);
	program_add(&p, "--raw");
	program_add(&p, arena_fmt(m->arena, "docker://%.*s", STR_ARG(name)).p);
	if (run_here(b, &p, &raw, RAW_MAX, e))
		return -1;
	*text = arena_dup(m->arena, buf_str(&raw));
	return json_read(m->arena, *text, out, e) ? err_wrap(e, "the manifest of %.*s", STR_ARG(name)) : 0;
}

/* What the manifest says of its layers: whoever fetches them sees to it that they are no larger. */
static int
check_sizes(const struct bench *b, const struct val *manifest, struct err *e)
{
	const struct val *layers = val_get(manifest, S("layers"));
	uint64_t sum = 0;
	for (uint32_t i = 0; val_is(layers, VAL_LIST) && i < layers->n; i++) {
		int64_t size = 0;
		const struct val *v = val_get(&layers->items[i], S("size"));
		if (!v || !val_to_i64(v, &size) || size < 0)
			return err_set(e, ERR_INVALID, "layer %u has no size", i + 1);
		if ((uint64_t)size > b->limits.bytes - sum) {
			err_set(e, ERR_LIMIT, "its layers have more than %llu bytes as they are packed", (unsigned long long)b->limits.bytes);
			return too_much(b, e);
		}
		sum += (uint64_t)size;
	}
	return 0;
}

/*
 * The digest that the registry has for this machine's image: it is fetched by that, so that what is recorded is what was
 * fetched, whatever the tag means a moment later.
 */
static int
ask_registry(const struct image_make *m, const struct bench *b, const struct registry *r, str whole, struct oci_choice *out, str *index,
	struct err *e)
{
	struct val v;
	str text;
	const char *here = oci_architecture();
	if (inspect(m, b, r, whole, &text, &v, e))
		return -1;
	*out = (struct oci_choice){ .digest = oci_digest(m->arena, text) };
	if (!val_is(val_get(&v, S("manifests")), VAL_LIST))
		return check_sizes(b, &v, e);
	*index = out->digest;
	if (!here)
		return err_set(e, ERR_UNSUPPORTED, "images for this kind of machine are not known");
	if (oci_choose(m->arena, &v, STR_NONE, here, out, e))
		return -1;
	str one = arena_fmt(m->arena, "%.*s@%.*s", STR_ARG(image_name_split(whole).repository), STR_ARG(out->digest));
	return inspect(m, b, r, one, &text, &v, e) ? -1 : check_sizes(b, &v, e);
}

static int
pull_into(const struct image_make *m, const struct bench *b, struct stored_image *out, struct err *e)
{
	struct oci_choice choice;
	struct oci_image image;
	struct program p = { 0 };
	str index = STR_NONE;
	if (image_name_check(str_c(m->source), e))
		return -1;
	str whole = image_name_whole(m->arena, str_c(m->source)), repository = image_name_split(whole).repository;
	const struct registry r = registry_of(m, whole);
	if (ask_registry(m, b, &r, whole, &choice, &index, e))
		return err_wrap(e, "pull %.*s", STR_ARG(whole));
	call_registry(&p, m, &r, "copy", true);
	program_add(&p, "-q");
	program_add(&p, arena_fmt(m->arena, "docker://%.*s@%.*s", STR_ARG(repository), STR_ARG(choice.digest)).p);
	program_add(&p, "oci:source:image");
	if (run_here(b, &p, NULL, 0, e))
		return err_wrap(e, "pull %.*s", STR_ARG(whole));
	if (oci_read_layout(m->arena, inside(b, "source"), STR_NONE, &image, e) || unpack(b, inside(b, "source"), &image, e))
		return -1;
	image.name = whole;
	image.digest = choice.digest; /* in the layout it may be another: manifests of Docker's become OCI's on the way */
	image.index = index;
	if (m->name && name_image(m, &image, e))
		return -1;
	return settle(m, b, &image, out, e);
}

int
image_pull(const struct image_make *m, struct stored_image *out, struct err *e)
{
	struct bench b = { .fd = -1 };
	int rc = bench_open(&b, m, e);
	if (rc == 0)
		rc = pull_into(m, &b, out, e);
	bench_close(&b);
	return rc;
}
