/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate-artifact: moves artifacts between steps and where they lie, in a process of its own: it reads what strangers packed, and it may be
 * killed at any time and asked again. What it is asked is in helper.h.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/artifact/helper/helper.h"

#define JOB_MAX (64u << 20)
#define TRIES 6u /* of an item whose place cannot be reached: after 1, 2, 4, 8 and 16 seconds */

/* All are found before any goes. */
static int
remove_beneath(struct place *p, struct err *e)
{
	struct keys keys = { 0 };
	int rc = p->driver->list ? place_keys(p, SIZE_MAX, &keys, e) : 0;
	for (size_t i = 0; rc == 0 && i < keys.n; i++)
		rc = p->driver->remove(p->state, keys.p[i], e);
	VEC_FREE(&keys);
	return rc;
}

static int
remove_item(struct job *j, const struct val *item, struct err *e)
{
	struct place p;
	int rc = place_open(j, item, &p, e);
	if (rc == 0 && !p.driver->remove)
		rc = err_set(e, ERR_UNSUPPORTED, "nothing can be removed from %s", p.driver->name);
	if (rc == 0)
		rc = p.driver->remove(p.state, p.key, e) < 0 ? -1 : remove_beneath(&p, e);
	place_close(&p);
	return rc;
}

static int
once(struct job *j, str what, size_t i, const struct val *item, struct val_map *answer, struct err *e)
{
	*answer = (struct val_map){ 0 };
	if (str_eq(what, S("fetch")))
		return fetch_item(j, item, i, e);
	if (str_eq(what, S("give")))
		return give_item(j, item, answer, e);
	if (str_eq(what, S("put")))
		return put_item(j, item, e);
	if (str_eq(what, S("list")))
		return list_item(j, item, answer, e);
	if (str_eq(what, S("data")))
		return data_item(j, item, answer, e);
	if (str_eq(what, S("abandon"))) {
		abandon_item(j, item);
		return 0;
	}
	return str_eq(what, S("save")) ? save_item(j, item, e) : remove_item(j, item, e);
}

static int
patiently(struct job *j, str what, size_t i, const struct val *item, struct val_map *answer, struct err *e)
{
	int rc;
	meter_begin(j->meter, (uint32_t)i);
	for (unsigned k = 0;; k++) {
		j->total_known = false;
		rc = once(j, what, i, item, answer, e);
		if (rc == 0 || k + 1 == TRIES || (e->code != ERR_UNAVAILABLE && e->code != ERR_TIMEOUT))
			break;
		meter_again(j->meter, true, e->msg);
		nanosleep(&(struct timespec){ .tv_sec = 1 << k }, NULL);
	}
	if (rc < 0 && str_eq(what, S("save")))
		abandon_item(j, item);
	return rc;
}

static void
write_answer(struct job *j, const struct val *v)
{
	str text = json_write(j->arena, v);
	for (ssize_t n; text.n; text = str_slice(text, (size_t)n, text.n))
		if ((n = write(STDOUT_FILENO, text.p, text.n)) < 0)
			_exit(1);
}

static void
do_items(struct job *j)
{
	const struct val *items = val_get(j->src, S("items"));
	str what = val_get_str(j->src, "do");
	struct val_list all = { 0 };
	struct err e;
	for (uint32_t i = 0; val_is(items, VAL_LIST) && i < items->n; i++) {
		struct val_map m = { 0 };
		if (patiently(j, what, i, &items->items[i], &m, &e) < 0) {
			val_map_add(&m, S("problem"), val_str(arena_dup(j->arena, str_c(e.msg))));
			val_map_add(&m, S("missing"), val_bool(e.code == ERR_NOT_FOUND));
			val_map_add(&m, S("code"), val_int(e.code));
		}
		val_list_add(&all, val_map_end(&m, j->arena));
	}
	meter_begin(j->meter, all.v.n);
	struct val v = val_list_end(&all, j->arena);
	write_answer(j, &v);
}

static int
read_input(struct arena *a, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (ssize_t n; (n = read(STDIN_FILENO, buf_room(&b, 65536), 65536)) != 0; b.n += (size_t)n)
		if (n < 0 || b.n > JOB_MAX)
			return n < 0 ? err_errno(e, "read the job") : err_set(e, ERR_LIMIT, "the job is too large");
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

static uint64_t
limit_of(const struct val *v, const char *name)
{
	int64_t n = 0;
	return val_to_i64(val_get(v, str_c(name)), &n) && n > 0 ? (uint64_t)n : INT64_MAX;
}

static unsigned
ratio_of(const struct val *v)
{
	int64_t n = 0;
	return val_to_i64(val_get(v, S("ratio")), &n) && n > 0 && n <= INT32_MAX ? (unsigned)n : 0;
}

/* The scratch folder, empty but for downloads that go on: it may be of one that was killed. */
static int
open_scratch(struct job *j, struct err *e)
{
	if (str_eq(val_get_str(j->src, "do"), S("fetch")))
		begun_keep(j);
	else
		files_remove(j->scratch_path);
	if ((mkdir(j->scratch_path, 0700) < 0 && errno != EEXIST) || (j->scratch = open(j->scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_errno(e, "make %s", j->scratch_path);
	return 0;
}

/* No file is larger than an artifact may be, whoever writes it; writing more is an error, not our end. */
static void
bound_files(uint64_t bytes)
{
	struct rlimit l = { bytes, bytes };
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &l);
}

/* We end with the daemon, whose next one does all of it again. */
static int
follow_parent(const struct val *job, struct err *e)
{
	int64_t parent;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return val_to_i64(val_get(job, S("parent")), &parent) && parent != getppid() ? err_set(e, ERR_UNAVAILABLE, "the daemon is gone") : 0;
}

static int
open_job(struct job *j, struct err *e)
{
	str text;
	struct val *v = ARENA_NEW(j->arena, struct val);
	if (read_input(j->arena, &text, e) < 0 || json_read(j->arena, text, v, e) < 0)
		return -1;
	j->src = v;
	if (follow_parent(v, e) < 0)
		return -1;
	j->into = str_z(j->arena, val_get_str(v, "into"));
	j->scratch_path = str_z(j->arena, val_get_str(v, "scratch"));
	if (val_get(v, S("laid")))
		j->laid = str_z(j->arena, val_get_str(v, "laid"));
	j->bytes = limit_of(v, "bytes");
	j->files = limit_of(v, "files");
	j->ratio = ratio_of(v);
	int64_t uid, gid;
	j->owned = val_to_i64(val_get(v, S("uid")), &uid) && val_to_i64(val_get(v, S("gid")), &gid);
	if (j->owned) {
		j->uid = (uint32_t)uid;
		j->gid = (uint32_t)gid;
	}
	j->meter = meter_open(METER_FILE);
	bound_files(j->bytes);
	if (val_get(v, S("into")))
		files_remove(j->into); /* of one that was killed */
	return open_scratch(j, e);
}

int
main(int argc, char **argv UNUSED)
{
	struct job j = { .arena = arena_new(), .scratch = -1 };
	struct err e;
	int rc = 0;
	if (argc != 1) {
		fputs("tidegate-artifact: moves artifacts for tidegate, which starts it; it is of no use by hand\n", stderr);
		return 2;
	}
	umask(022);
	if (open_job(&j, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		rc = 1;
	} else {
		do_items(&j);
	}
	if (j.scratch >= 0) {
		close(j.scratch);
		files_remove(j.scratch_path);
	}
	meter_free(j.meter);
	arena_free(j.arena);
	return rc;
}
