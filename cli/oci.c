/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/oci.h"
#include "core/crypto.h"
#include "engine/exec/image_store.h"

#define DOCUMENT_MAX ((off_t)8 << 20) /* of an index, a manifest, a configuration */
#define NESTED_MAX 4                  /* indexes in indexes */
#define DOCKER_LIST S("application/vnd.docker.distribution.manifest.list.v2+json")
#define OCI_INDEX S("application/vnd.oci.image.index.v1+json")

const char *
oci_architecture(void)
{
	static const struct {
		const char *kernel, *name;
	} names[] = { { "x86_64", "amd64" }, { "aarch64", "arm64" }, { "armv7l", "arm" }, { "armv6l", "arm" }, { "i686", "386" },
		{ "ppc64le", "ppc64le" }, { "s390x", "s390x" }, { "riscv64", "riscv64" }, { "loongarch64", "loong64" } };
	struct utsname u;
	if (uname(&u) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(u.machine, names[i].kernel))
			return names[i].name;
	return NULL;
}

str
oci_digest(struct arena *a, str bytes)
{
	unsigned char hash[CRYPTO_HASH_MAX];
	size_t n = crypto_hash("sha256", bytes, hash);
	return arena_fmt(a, "sha256:%.*s", STR_ARG(str_hex(a, hash, n)));
}

/* ---- choosing -------------------------------------------------------------------------------------------------- */

static str
annotation(const struct val *descriptor, const char *name)
{
	return val_get_str(val_get(descriptor, S("annotations")), name);
}

/* Its name as a whole where the writer knew it (containerd, docker save), else what is usually only a tag. */
static str
name_of(const struct val *descriptor)
{
	str whole = annotation(descriptor, "io.containerd.image.name");
	return whole.n ? whole : annotation(descriptor, "org.opencontainers.image.ref.name");
}

static bool
is_called(struct arena *a, const struct val *descriptor, str ref)
{
	str whole = annotation(descriptor, "io.containerd.image.name"), tag = annotation(descriptor, "org.opencontainers.image.ref.name");
	return !ref.n || str_eq(tag, ref) || (whole.n && str_eq(image_name_whole(a, whole), image_name_whole(a, ref)));
}

static bool
runs_here(const struct val *descriptor, const char *architecture)
{
	const struct val *platform = val_get(descriptor, S("platform"));
	str os = val_get_str(platform, "os"), arch = val_get_str(platform, "architecture");
	return !platform || ((!os.n || str_eq(os, S("linux"))) && str_eq(arch, str_c(architecture)));
}

static bool
is_image(const struct val *descriptor)
{
	/* What build tools say about an image lies beside it, for a platform that does not exist. */
	return image_digest_valid(val_get_str(descriptor, "digest")) && !str_eq(val_get_str(val_get(descriptor, S("platform")), "os"), S("unknown"));
}

static bool
is_index(const struct val *v)
{
	str type = val_get_str(v, "mediaType");
	return str_eq(type, OCI_INDEX) || str_eq(type, DOCKER_LIST);
}

/* Of those that would do: more than one name means that somebody has to say which. */
static int
refuse_choice(const struct val *list, const char *architecture, str ref, bool several, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (uint32_t i = 0; i < list->n && b.n < 200; i++) {
		const struct val *d = &list->items[i], *platform = val_get(d, S("platform"));
		if (!is_image(d))
			continue;
		str name = name_of(d), arch = val_get_str(platform, "architecture"), os = val_get_str(platform, "os");
		if (several || !platform)
			buf_addf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(name.n ? name : S("(without a name)")));
		else
			buf_addf(&b, "%s%.*s/%.*s", b.n ? ", " : "", STR_ARG(os), STR_ARG(arch));
	}
	if (several)
		return err_set(e, ERR_INVALID, "there are several images: say which with --ref (%s)", b.p);
	return err_set(e, ERR_NOT_FOUND, "no image%s%.*s for linux/%s: there is %s", ref.n ? " " : "", STR_ARG(ref), architecture,
		b.n ? b.p : "none at all");
}

int
oci_choose(struct arena *a, const struct val *index, str ref, const char *architecture, struct oci_choice *out, struct err *e)
{
	const struct val *list = val_get(index, S("manifests")), *chosen = NULL;
	if (!val_is(list, VAL_LIST))
		return err_set(e, ERR_INVALID, "the index of the image has no list of manifests");
	for (uint32_t i = 0; i < list->n; i++) {
		const struct val *d = &list->items[i];
		if (!is_image(d) || !is_called(a, d, ref) || !runs_here(d, architecture))
			continue;
		if (chosen && !str_eq(name_of(chosen), name_of(d)))
			return refuse_choice(list, architecture, ref, true, e);
		if (!chosen)
			chosen = d; /* of several variants the first: they are in order of preference */
	}
	if (!chosen)
		return refuse_choice(list, architecture, ref, false, e);
	str name = name_of(chosen);
	*out = (struct oci_choice){ .digest = arena_dup(a, val_get_str(chosen, "digest")), .is_index = is_index(chosen),
		.name = str_find_char(name, '/', 0) != SIZE_MAX || str_find_char(name, ':', 0) != SIZE_MAX ? arena_dup(a, name) : STR_NONE };
	return 0;
}

/* ---- a layout -------------------------------------------------------------------------------------------------- */

static int
read_document(struct arena *a, const char *path, str *text, struct err *e)
{
	struct stat st;
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "read %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size > DOCUMENT_MAX)
		return err_set(e, ERR_INVALID, "%s: not a document of an image", path);
	char *p = arena_alloc(a, (size_t)st.st_size + 1, 1);
	if (read(fd, p, (size_t)st.st_size) != st.st_size)
		return err_errno(e, "read %s", path);
	*text = (str){ p, (size_t)st.st_size };
	return 0;
}

static int
read_json(struct arena *a, const char *path, str text, struct val *out, struct err *e)
{
	return json_read(a, text, out, e) ? err_wrap(e, "%s", path) : 0;
}

static int
read_blob(struct arena *a, const char *dir, str digest, struct val *out, struct err *e)
{
	str text;
	if (!image_digest_valid(digest))
		return err_set(e, ERR_INVALID, "\"%.*s\" is not a sha256 digest", STR_ARG(str_slice(digest, 0, 100)));
	const char *path = arena_fmt(a, "%s/blobs/sha256/%.*s", dir, STR_ARG(str_slice(digest, strlen("sha256:"), digest.n))).p;
	if (read_document(a, path, &text, e))
		return -1;
	if (!str_eq(oci_digest(a, text), digest))
		return err_set(e, ERR_INVALID, "%s: damaged, it does not have the digest that is its name", path);
	return read_json(a, path, text, out, e);
}

static void
read_config(struct arena *a, const struct val *v, struct image *row)
{
	const struct val *config = val_get(v, S("config"));
	struct strs env = image_texts(a, val_get(config, S("Env")));
	row->entrypoint = image_texts(a, val_get(config, S("Entrypoint")));
	row->cmd = image_texts(a, val_get(config, S("Cmd")));
	row->workdir = arena_dup(a, val_get_str(config, "WorkingDir"));
	row->user = arena_dup(a, val_get_str(config, "User"));
	row->env.p = ARENA_ARRAY(a, struct kv, env.n);
	for (size_t i = 0; i < env.n; i++) {
		str value = env.p[i], key = str_cut(&value, '=');
		if (key.n)
			row->env.p[row->env.n++] = (struct kv){ key, value };
	}
}

static int
read_manifest(struct arena *a, const char *dir, const struct val *manifest, struct oci_image *out, struct err *e)
{
	const struct val *layers = val_get(manifest, S("layers"));
	struct val config;
	if (read_blob(a, dir, val_get_str(val_get(manifest, S("config")), "digest"), &config, e))
		return -1;
	str arch = val_get_str(&config, "architecture");
	const char *here = oci_architecture();
	if (arch.n && here && !str_eq(arch, str_c(here)))
		return err_set(e, ERR_INVALID, "the image is for %.*s, and this machine is %s", STR_ARG(arch), here);
	out->layers.p = ARENA_ARRAY(a, str, val_is(layers, VAL_LIST) ? layers->n : 0);
	for (uint32_t i = 0; val_is(layers, VAL_LIST) && i < layers->n; i++) {
		int64_t size;
		str digest = val_get_str(&layers->items[i], "digest");
		if (!image_digest_valid(digest))
			return err_set(e, ERR_INVALID, "layer %u: \"%.*s\" is not a sha256 digest", i + 1, STR_ARG(str_slice(digest, 0, 100)));
		out->layers.p[out->layers.n++] = arena_dup(a, digest);
		const struct val *v = val_get(&layers->items[i], S("size"));
		out->zstd |= str_ends(val_get_str(&layers->items[i], "mediaType"), S("+zstd"));
		if (v && val_to_i64(v, &size) && size > 0 && size < INT64_MAX / 4096)
			out->bytes += size;
	}
	read_config(a, &config, &out->row);
	return 0;
}

int
oci_read_layout(struct arena *a, const char *dir, str ref, struct oci_image *out, struct err *e)
{
	const char *path = arena_fmt(a, "%s/index.json", dir).p, *here = oci_architecture();
	struct oci_image image = { 0 };
	struct oci_choice choice;
	struct val v;
	str text;
	if (!here)
		return err_set(e, ERR_UNSUPPORTED, "images for this kind of machine are not known");
	if (read_document(a, path, &text, e) || read_json(a, path, text, &v, e) || oci_choose(a, &v, ref, here, &choice, e))
		return -1;
	image.name = choice.name;
	for (int depth = 0; choice.is_index; depth++) {
		if (depth == NESTED_MAX)
			return err_set(e, ERR_LIMIT, "%s: indexes within indexes, more than %d deep", path, NESTED_MAX);
		image.index = choice.digest;
		if (read_blob(a, dir, choice.digest, &v, e) || oci_choose(a, &v, STR_NONE, here, &choice, e))
			return -1;
	}
	image.digest = choice.digest;
	if (read_blob(a, dir, choice.digest, &v, e) || read_manifest(a, dir, &v, &image, e))
		return -1;
	*out = image;
	return 0;
}
