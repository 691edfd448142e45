/* SPDX-License-Identifier: Apache-2.0 */
/* local_driver: the repository on this machine as a driver. Its place is {"path": FOLDER, "key": KEY}. */
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/files.h"
#include "engine/artifact/driver.h"
#include "engine/artifact/local.h"

struct local {
	struct local_repo repo;
	const struct artifact_site *site;
	struct local_limits limits;
	bool removed;
};

static int
open_local(const struct val *place, const struct artifact_site *site, void **state, struct err *e)
{
	struct local *l = ARENA_NEW(site->arena, struct local);
	*l = (struct local){ .site = site, .limits = { site->bytes, site->objects, site->watch } };
	*state = l;
	return crypto_load(e) < 0 ? -1 : local_open(&l->repo, str_z(site->arena, val_get_str(place, "path")), e);
}

static void
close_local(void *state)
{
	struct local *l = state;
	if (l->removed)
		(void)local_sweep(&l->repo); /* what no other object is made of */
	local_close(&l->repo);
}

static int
object(void *state, str key, int *fd, struct err *e)
{
	struct local *l = state;
	return local_read(&l->repo, str_z(l->site->arena, key), fd, e);
}

static int
get(void *state, str key, int fd, struct err *e)
{
	struct local *l = state;
	int from = -1;
	struct stat st;
	uint64_t n;
	if (object(state, key, &from, e) < 0)
		return -1;
	if (fstat(from, &st) == 0)
		watch_total(l->site->watch, (uint64_t)st.st_size);
	int rc = files_copy_watched(from, fd, l->limits.bytes ? l->limits.bytes : UINT64_MAX / 2, l->site->watch, &n, e);
	close(from);
	return rc;
}

static int
put(void *state, str key, int fd, struct err *e)
{
	struct local *l = state;
	return local_take(&l->repo, str_z(l->site->arena, key), fd, &l->limits, NULL, e);
}

static int
put_tree(void *state, str key, int dir, struct err *e)
{
	struct local *l = state;
	return local_take_tree(&l->repo, str_z(l->site->arena, key), dir, &l->limits, NULL, e);
}

static int
list(void *state, str prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e)
{
	struct local *l = state;
	return local_list(&l->repo, str_z(l->site->arena, prefix), each, arg, e);
}

static int
remove_object(void *state, str key, struct err *e)
{
	struct local *l = state;
	l->removed = true;
	return local_remove(&l->repo, str_z(l->site->arena, key), e);
}

const struct artifact_driver artifact_local = { .name = "local", .key = "key", .open = open_local, .close = close_local, .get = get, .put = put,
	.list = list, .remove = remove_object, .object = object, .put_tree = put_tree };
