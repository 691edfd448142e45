/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: see batch.h. A line in is `[scenario, object, ...]`; a line out is
 *
 *     {"status": {...}, "notes": [["start", 0, "wf[0].A", "its arguments"], ["end", 1, "wf[0].A"], ...], "why": "...",
 *      "crashes": {"before": {"status": ..., "notes": ..., "why": ...}}}
 *
 * where a crash after which all is the same is left out. Times are milliseconds from the start.
 */
#include "tests/scenario/batch.h"

static void
add_text(struct buf *b, str s)
{
	struct val v = val_str(s);
	json_write_opts(b, &v, 0);
}

static void
add_notes(struct buf *b, const struct sim *x)
{
	for (size_t i = 0; i < x->notes.n; i++) {
		const struct sim_note *n = &x->notes.p[i];
		buf_addf(b, "%s[\"%s\", %lld, ", i ? ", " : "", n->what, (long long)((n->at - x->began) / NS_PER_MS));
		add_text(b, n->name);
		if (n->args.p) {
			buf_addf(b, ", ");
			add_text(b, n->args);
		}
		buf_addc(b, ']');
	}
}

/* The end of one run, as members of an object. */
static void
play_one(struct buf *b, const struct val *const *docs, size_t n, enum crash crash)
{
	struct sim x;
	sim_init(&x, docs, n, crash);
	x.validated = true;
	if (sim_play(&x)) {
		struct val w = run_workflow(x.run, x.arena);
		buf_addf(b, "\"status\": ");
		json_write_opts(b, val_get(&w, S("status")), 0);
		buf_addf(b, ", \"most\": %zu, \"notes\": [", x.most);
		add_notes(b, &x);
		buf_addf(b, "], ");
	}
	buf_addf(b, "\"why\": ");
	add_text(b, buf_str(&x.why));
	sim_free(&x);
}

static void
play_with_crashes(struct buf *b, const struct val *const *docs, size_t n, str straight)
{
	const char *comma = "";
	buf_addf(b, ", \"crashes\": {");
	for (int c = CRASH_NONE + 1; c < CRASHES; c++) {
		struct buf one CLEANUP(free_buf) = { 0 };
		play_one(&one, docs, n, (enum crash)c);
		if (str_eq(buf_str(&one), straight))
			continue;
		buf_addf(b, "%s\"%s\": {", comma, crash_names[c]);
		buf_add(b, buf_str(&one));
		buf_addc(b, '}');
		comma = ", ";
	}
	buf_addc(b, '}');
}

static int
play_line(struct arena *a, str line, bool with_crashes)
{
	struct err e;
	struct val v;
	if (json_read(a, line, &v, &e) || v.kind != VAL_LIST || v.n < 2) {
		fprintf(stderr, "not a list of documents: %.200s\n", line.p);
		return 2;
	}
	const struct val **docs = ARENA_ARRAY(a, const struct val *, v.n);
	for (uint32_t i = 0; i < v.n; i++)
		docs[i] = &v.items[i];
	struct buf out CLEANUP(free_buf) = { 0 }, one CLEANUP(free_buf) = { 0 };
	play_one(&one, docs, v.n, CRASH_NONE);
	buf_addc(&out, '{');
	buf_add(&out, buf_str(&one));
	if (with_crashes)
		play_with_crashes(&out, docs, v.n, buf_str(&one));
	buf_addc(&out, '}');
	printf("%.*s\n", STR_ARG(buf_str(&out)));
	fflush(stdout);
	return 0;
}

int
batch_play(bool with_crashes)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int rc = 0;
	while (!rc && (n = getline(&line, &cap, stdin)) > 0) {
		struct arena *a = arena_new();
		rc = play_line(a, (str){ line, (size_t)n }, with_crashes);
		arena_free(a);
	}
	free(line);
	return rc;
}
