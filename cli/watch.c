/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <sys/stat.h>

#include "cli/watch.h"
#include "core/log.h"
#include "core/map.h"

enum { DEBOUNCE_MS = 200, DIRECTORIES_MAX = 1000, DEPTH_MAX = 16 };

struct watched {
	uv_fs_event_t handle;
	struct file_watch *owner;
	char *path;
};

struct file_watch {
	struct loop *loop;
	struct arena *arena;
	const char **paths;
	size_t n;
	struct map dirs; /* path -> struct watched */
	struct timer timer;
	void (*changed)(void *arg);
	void *arg;
};

static void
settled(void *arg)
{
	struct file_watch *w = arg;
	w->changed(w->arg);
}

static void
noticed(uv_fs_event_t *h, const char *file UNUSED, int events UNUSED, int status UNUSED)
{
	struct watched *d = h->data;
	timer_start(d->owner->loop, &d->owner->timer, loop_now(d->owner->loop) + DEBOUNCE_MS * NS_PER_MS, settled, d->owner);
}

static void
closed(uv_handle_t *h)
{
	struct watched *d = h->data;
	free(d->path);
	free(d);
}

static void
watch_directory(struct file_watch *w, const char *path)
{
	if (map_get(&w->dirs, str_c(path)) || w->dirs.n >= DIRECTORIES_MAX)
		return;
	struct watched *d = MEM_NEW(struct watched);
	d->owner = w;
	d->path = strdup(path);
	d->handle.data = d;
	uv_fs_event_init(loop_uv(w->loop), &d->handle);
	int rc = uv_fs_event_start(&d->handle, noticed, path, 0);
	if (rc) {
		log_warn("directory cannot be watched: changes there need SIGHUP", "path", path, "error", uv_strerror(rc), NULL);
		uv_close((uv_handle_t *)&d->handle, closed);
		return;
	}
	(void)map_put(&w->dirs, str_c(d->path), d);
}

static void
walk(struct file_watch *w, const char *path, int depth)
{
	watch_directory(w, path);
	DIR *dir = depth < DEPTH_MAX ? opendir(path) : NULL;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		struct stat st;
		struct arena *a CLEANUP(free_arena) = arena_new();
		str below = arena_fmt(a, "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.' && lstat(below.p, &st) == 0 && S_ISDIR(st.st_mode))
			walk(w, below.p, depth + 1);
	}
	if (dir)
		closedir(dir);
}

void
file_watch_refresh(struct file_watch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct stat st;
		struct arena *a CLEANUP(free_arena) = arena_new();
		str path = str_c(w->paths[i]);
		if (stat(path.p, &st) == 0 && S_ISDIR(st.st_mode)) {
			walk(w, path.p, 0);
			continue;
		}
		size_t cut = path.n;
		while (cut && path.p[cut - 1] != '/')
			cut--;
		watch_directory(w, cut ? str_z(a, str_slice(path, 0, cut)) : ".");
	}
}

struct file_watch *
file_watch_new(struct loop *l, const char *const *paths, size_t n, void (*changed)(void *arg), void *arg)
{
	struct file_watch *w = MEM_NEW(struct file_watch);
	*w = (struct file_watch){ .loop = l, .arena = arena_new(), .n = n, .changed = changed, .arg = arg };
	w->paths = ARENA_ARRAY(w->arena, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		w->paths[i] = str_z(w->arena, str_c(paths[i]));
	file_watch_refresh(w);
	return w;
}

void
file_watch_free(struct file_watch *w)
{
	if (!w)
		return;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&w->dirs, &i));) {
		struct watched *d = slot->value;
		uv_close((uv_handle_t *)&d->handle, closed);
	}
	map_free(&w->dirs);
	timer_stop(&w->timer);
	arena_free(w->arena);
	free(w);
}
