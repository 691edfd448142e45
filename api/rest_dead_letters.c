/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters: shown, tried again, dropped. What is meant is chosen by the query: id, sensor, trigger, reason (a part of it), since and
 * before (times), after and until (numbers of letters, to go on with), limit.
 */
#include "api/rest.h"
#include "sensors/sensor.h"
#include "triggers/dead.h"

enum { LETTERS_DEFAULT = 100, LETTERS_MAX = 1000 };

struct letters_read {
	struct http_req *req;
	struct dead_choice choice;
	bool one;
	struct val out;
};

static bool
read_choice(const struct api *api, struct http_req *r, struct dead_choice *c)
{
	*c = (struct dead_choice){ .id = http_req_arg(r, "id"), .ns = rest_ns(api, r, false), .sensor = http_req_arg(r, "sensor"),
		                   .trigger = http_req_arg(r, "trigger"), .reason = http_req_arg(r, "reason"),
		                   .after = rest_int(r, "after", 0), .until = rest_int(r, "until", 0) };
	return rest_time(r, "since", &c->since_ns) && rest_time(r, "before", &c->before_ns);
}

static int
read_letters(sqlite3 *db, void *arg, struct err *e)
{
	struct letters_read *l = arg;
	return dead_letters_read(db, &l->choice, l->one, http_req_arena(l->req), &l->out, e);
}

static void
letters_read(void *arg, const struct err *e)
{
	struct letters_read *l = arg;
	struct arena *a = http_req_arena(l->req);
	if (e) {
		rest_fail(l->req, e);
	} else if (!l->one) {
		struct val_map m = { 0 };
		val_map_add(&m, S("items"), l->out);
		struct val v = val_map_end(&m, a);
		rest_reply(l->req, &v);
	} else if (l->out.n) {
		rest_reply(l->req, val_at(&l->out, 0));
	} else {
		rest_failf(l->req, ERR_NOT_FOUND, "there is no dead letter %.*s", STR_ARG(l->choice.id));
	}
}

static void
read_and_answer(struct api *api, struct http_req *r, const struct dead_choice *c, bool one)
{
	struct letters_read *l = ARENA_NEW(http_req_arena(r), struct letters_read);
	*l = (struct letters_read){ .req = r, .choice = *c, .one = one };
	store_read(api->env.store, read_letters, l, letters_read);
}

void
list_dead_letters(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct dead_choice c;
	int64_t limit = rest_int(r, "limit", LETTERS_DEFAULT);
	if (!read_choice(api, r, &c))
		return;
	c.limit = limit < 1 || limit > LETTERS_MAX ? LETTERS_MAX : (size_t)limit;
	read_and_answer(api, r, &c, false);
}

void
get_dead_letter(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	const struct dead_choice c = { .id = http_req_var(r, "id"), .ns = rest_ns(api, r, false), .limit = 1 };
	read_and_answer(api, r, &c, true);
}

static void
done(void *arg, const struct dead_done *d, const struct err *e)
{
	struct http_req *r = arg;
	struct val_map m = { 0 };
	if (e) {
		rest_fail(r, e);
		return;
	}
	val_map_add(&m, S("count"), val_int((int64_t)d->n));
	val_map_add(&m, S("skipped"), val_int((int64_t)d->skipped));
	val_map_add(&m, S("last"), val_int(d->last));
	val_map_add(&m, S("newest"), val_int(d->newest));
	struct val v = val_map_end(&m, http_req_arena(r));
	rest_reply(r, &v);
}

void
retry_dead_letters(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct dead_choice c;
	if (read_choice(api, r, &c))
		dead_letters_retry(sensors_triggers(api->env.sensors), &c, done, r);
}

void
drop_dead_letters(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct dead_choice c;
	if (read_choice(api, r, &c))
		dead_letters_drop(sensors_triggers(api->env.sensors), &c, done, r);
}
