/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stored: the least that a backtest can do: SQLite reads the stored events of a state directory in their order, and one data filter is
 * evaluated on each. Nothing else of an event is looked at, nothing is fired.
 *
 *     stored DATABASE PATH VALUE
 */
#include <sqlite3.h>
#include <time.h>

#include "sensors/filter.h"

struct counts {
	size_t events, passed;
};

static void
take(const struct filter_set *set, sqlite3_stmt *row, struct arena *tmp, struct trace *trace, struct counts *c)
{
	struct event *ev = event_bare();
	ev->data = arena_dup(ev->arena, (str){ sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0) });
	struct filtered f = { .ev = ev, .tmp = tmp, .trace = trace };
	trace_clear(trace);
	c->events++;
	c->passed += filter_set_eval(set, &f) == FILTER_PASS;
	arena_reset(tmp);
	event_unref(ev);
}

static int
read_all(const char *path, const struct filter_set *set, struct counts *c)
{
	static struct trace trace;
	struct arena *tmp = arena_new();
	sqlite3 *db;
	sqlite3_stmt *row;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "SELECT data FROM bus_event ORDER BY key", -1, &row, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW)
		if ((rc = sqlite3_step(row)) == SQLITE_ROW)
			take(set, row, tmp, &trace, c);
	if (rc != SQLITE_DONE)
		fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
	else
		sqlite3_finalize(row);
	sqlite3_close(db);
	arena_free(tmp);
	return rc == SQLITE_DONE ? 0 : -1;
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	struct arena *a = arena_new();
	str value = str_c(argv[3]);
	struct data_filter data = { .path = str_c(argv[2]), .type = S("string"), .value = { &value, 1 } };
	struct filters filters = { .data = { &data, 1 } };
	struct dependency dep = { .name = S("push"), .filters = &filters };
	struct checks checks = { .arena = a };
	struct filter_set set;
	struct counts c = { 0 };
	struct err e;
	if (filter_set_compile(&dep, &checks, &set, &e) < 0)
		return 1;
	int rc = read_all(argv[1], &set, &c);
	printf("%zu events, %zu pass\n", c.events, c.passed);
	filter_set_free(&set);
	VEC_FREE(&checks.list);
	arena_free(a);
	return rc ? 1 : 0;
}
