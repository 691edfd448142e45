/* SPDX-License-Identifier: Apache-2.0 */
/* artifact_put: a file from outside becomes an object, by tidegate-artifact, which gets it open. */
#include <unistd.h>

#include "engine/exec/exec.h"

struct putting {
	struct executor *x;
	struct arena *arena;
	struct moving moving;
	void (*done)(void *arg, const struct err *e);
	void *arg;
	struct err problem; /* why it cannot begin */
};

static void
ended(void *arg, const struct child_end *end, const struct err *failure)
{
	struct putting *p = arg;
	struct err e;
	moving_end(p->x, &p->moving);
	const struct val *one = transfer_one(p->arena, end, failure, &e);
	p->done(p->arg, one ? NULL : &e);
}

static void
not_begun(void *arg)
{
	struct putting *p = arg;
	p->done(p->arg, &p->problem);
}

void
executor_put_object(struct executor *x, const struct object_put *w, struct arena *a, void (*done)(void *arg, const struct err *e), void *arg)
{
	static unsigned serial; /* of this process */
	struct putting *p = ARENA_NEW(a, struct putting);
	struct val_map item = { 0 };
	struct val place;
	*p = (struct putting){ .x = x, .arena = a, .moving = { .out = true }, .done = done, .arg = arg };
	if (artifact_place_resolve(x, w->ns, w->place, a, &place, &p->problem) < 0 || moving_begin(x, &p->moving, &p->problem) < 0) {
		close(w->fd);
		loop_defer(x->loop, not_begun, p);
		return;
	}
	val_map_add(&item, S("name"), val_str(w->name));
	val_map_add(&item, S("place"), place);
	val_map_add_str(&item, S("boundary"), w->boundary);
	val_map_add_str(&item, S("field"), w->field);
	const struct outside_job job = { "put", arena_fmt(a, "%s/" GIVEN "/put-%u", x->tasks_path, ++serial).p, val_map_end(&item, a), w->fd, &p->moving };
	transfer_outside(x, &job, a, ended, p);
	close(w->fd);
}

str
executor_files_folder(const struct executor *x, struct arena *a)
{
	return arena_fmt(a, "%s/" GIVEN, x->tasks_path);
}
