/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * runner: plays scenarios against the pure core of the engine, with a simulated executor and virtual time.
 *
 *     runner [--crash-at-every-commit] [--print] FILE.yaml...
 *     runner --batch [--crash-at-every-commit] <LINES >LINES
 *
 * A file's first document is the scenario, the others are the objects: one Workflow, and what it refers to.
 *
 *     steps:                       # what a step's command comes to; the first rule that fits
 *     - node: "@[0].A"             # a node's name (@: the workflow's), its display name, or "*"
 *       exit: 1                    # and: phase: Error, message, seconds (1), delay (0: before it starts), result,
 *       reports: {2: 1/4}          #   seconds after its start: progress
 *       cpu: 1500                  #   thousandths of seconds of a core, memory: of 100Mi
 *       echo: true                 # result and parameters are what the command was given
 *       ms: 1500                   # instead of seconds
 *       among: [{...}, {...}]      # one of these, by the node's name
 *       times: 2                   #   parameters: {p: x}, progress: 1/2; times: so often for each node
 *       containers: {a: 3, b: ""}  # of a container set: exit codes, 0 by default; "": never started
 *       ready: 5                   # of a daemon, which runs for ever unless `seconds` is given
 *     verbs:                       # what people do, seconds after the start
 *     - {at: 3, do: stop}          # suspend resume stop terminate retry set, resubmit-memoized; selector, message, phase, outputs,
 *                                  #   parameters, restartSuccessful; refused: part of the reason
 *     locks:                       # others that want a lock, seconds after the start
 *     - {lock: default/Mutex/a, holder: default/other, from: 0, until: 3, priority: 0, created: -1}
 *     limits:                      # keys of ConfigMaps that change
 *     - {at: 2, key: name/key, value: "3"}
 *     expect:
 *       phase: Failed
 *       message: child '@[0].A' failed      # ids are written as the names of their nodes
 *       nodes:                     # every node there is; what is left out of one is not compared, but for its message
 *       - {name: "@", type: Steps, phase: Failed, display: ..., ip: ..., boundary: ..., template: ..., scope: ...,
 *          children: [...], outbound: [...], inputs: {}, outputs: {}, progress: 1/2, memo: {...}, used: cpu/memory}
 *       outputs: {p: x}            # of the workflow
 *       conditions: {T: message}   # that are True
 *       metrics: [line, ...]       # of the exposition, less its comments; not looked at where the process dies
 *       order: [A, B]              # display names of the steps in the order in which they started
 *       starts: {A: 2}             # how often a step was started, by display name
 *       synchronization: {}        # status.synchronization, as it is
 *       most: 2                    # the most steps that ran side by side
 *       seconds: 7                 # from start to end
 *       refused: text              # the workflow cannot be made: part of the reason
 *
 * With --crash-at-every-commit each file is played three times, and each time the process dies at every commit: before it, after
 * it but before any of its effects, and after them (sim.h). The run is read back from the rows; the end must be the same.
 *
 * --batch reads scenarios from standard input, a line each, JSON: the documents as a list. It answers with a line each: the
 * status, and when each step began and ended; with --crash-at-every-commit also every end that is another one (batch.c).
 */
/* clang-format on */
#include "tests/scenario/batch.h"

#include <errno.h>

/* ---- comparing ------------------------------------------------------------------------------------------------------
 */

/* Ids as names, the workflow's name as @. */
static str
plain(struct sim *x, str s)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	str wf = run_name(x->run);
	for (size_t i = 0; i < s.n;) {
		if (!str_starts(str_slice(s, i, s.n), wf)) {
			buf_addc(&b, s.p[i++]);
			continue;
		}
		size_t end = i + wf.n;
		if (end < s.n && s.p[end] == '-')
			for (end++; end < s.n && s.p[end] >= '0' && s.p[end] <= '9'; end++)
				;
		struct node *n = end > i + wf.n + 1 ? run_node(x->run, str_slice(s, i, end)) : NULL;
		if (n) {
			struct val v = node_status(n, x->arena);
			buf_add(&b, plain(x, val_get_str(&v, "name")));
			i = end;
		} else {
			buf_addc(&b, '@');
			i += wf.n;
		}
	}
	return arena_dup(x->arena, buf_str(&b));
}

static void
differ(struct sim *x, str where, const char *what, str want, str is)
{
	if (str_eq(want, is) || (!want.n && !is.n))
		return;
	buf_addf(&x->why, "  %.*s: %s: expected %.*s, is %.*s\n", STR_ARG(where), what, STR_ARG(want), STR_ARG(is));
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(((const str *)a)->p, ((const str *)b)->p);
}

static str
joined(struct sim *x, const struct val *list, bool ids)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t n = val_is(list, VAL_LIST) ? list->n : 0;
	str *names = ARENA_ARRAY(x->arena, str, n);
	for (size_t i = 0; i < n; i++)
		names[i] =
			ids ? plain(x, val_text(&list->items[i])) : arena_dup(x->arena, sim_text(x, &list->items[i]));
	qsort(names, n, sizeof *names, by_text);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%.*s", i ? ", " : "", STR_ARG(names[i]));
	return arena_dup(x->arena, buf_str(&b));
}

static void
compare_values(struct sim *x, str name, const char *what, const struct val *want, const struct val *is)
{
	const struct val *list = val_get(is, S("parameters"));
	for (uint32_t i = 0; val_is(want, VAL_MAP) && i < want->n; i++) {
		str key = val_key(&want->members[i]), got = STR_NONE;
		for (uint32_t k = 0; val_is(list, VAL_LIST) && k < list->n; k++)
			if (str_eq(val_get_str(&list->items[k], "name"), key))
				got = val_get_str(&list->items[k], "value");
		if (!got.p)
			got = val_get_str(is, str_z(x->arena, key));
		differ(x, name, arena_fmt(x->arena, "%s.%.*s", what, STR_ARG(key)).p,
			sim_text(x, &want->members[i].value), plain(x, got.p ? got : S("(absent)")));
	}
}

static void
compare_used(struct sim *x, str name, const struct val *want, const struct val *is)
{
	const struct val *used = val_get(is, S("resourcesDuration"));
	if (val_get(want, S("used")))
		differ(x, name, "resourcesDuration", sim_field(x, want, "used"),
			used ? arena_fmt(x->arena, "%.*s/%.*s", STR_ARG(sim_field(x, used, "cpu")),
				       STR_ARG(sim_field(x, used, "memory")))
			     : STR_NONE);
}

static void
compare_memo(struct sim *x, str name, const struct val *want, const struct val *is)
{
	struct val none = { .kind = VAL_NULL };
	differ(x, name, "memoizationStatus", json_write(x->arena, val_resolve_all(x->arena, want)),
		json_write(x->arena, is ? is : &none));
}

static void
compare_node(struct sim *x, const struct val *want, const struct val *is)
{
	str name = sim_field(x, want, "name");
	differ(x, name, "type", sim_field(x, want, "type"), val_get_str(is, "type"));
	differ(x, name, "phase", sim_field(x, want, "phase"), val_get_str(is, "phase"));
	differ(x, name, "message", sim_field(x, want, "message"), plain(x, val_get_str(is, "message")));
	if (val_get(want, S("display")))
		differ(x, name, "displayName", sim_field(x, want, "display"), plain(x, val_get_str(is, "displayName")));
	if (val_get(want, S("boundary")))
		differ(x, name, "boundary", sim_field(x, want, "boundary"), plain(x, val_get_str(is, "boundaryID")));
	if (val_get(want, S("template")))
		differ(x, name, "templateName", sim_field(x, want, "template"), val_get_str(is, "templateName"));
	if (val_get(want, S("scope")))
		differ(x, name, "templateScope", sim_field(x, want, "scope"),
			plain(x, val_get_str(is, "templateScope")));
	if (val_get(want, S("memo")))
		compare_memo(x, name, val_get(want, S("memo")), val_get(is, S("memoizationStatus")));
	if (val_get(want, S("ip")))
		differ(x, name, "podIP", sim_field(x, want, "ip"), val_get_str(is, "podIP"));
	if (val_get(is, S("finishedAt")) && val_get(is, S("daemoned")))
		differ(x, name, "daemoned", S(""), S("true"));
	if (val_get(want, S("progress")))
		differ(x, name, "progress", sim_field(x, want, "progress"), val_get_str(is, "progress"));
	compare_used(x, name, want, is);
	if (val_get(want, S("children")))
		differ(x, name, "children", joined(x, val_get(want, S("children")), false),
			joined(x, val_get(is, S("children")), true));
	if (val_get(want, S("outbound")))
		differ(x, name, "outboundNodes", joined(x, val_get(want, S("outbound")), false),
			joined(x, val_get(is, S("outboundNodes")), true));
	compare_values(x, name, "inputs", val_get(want, S("inputs")), val_get(is, S("inputs")));
	compare_values(x, name, "outputs", val_get(want, S("outputs")), val_get(is, S("outputs")));
	if (!str_eq(val_get_str(is, "startedAt"), STR_NONE) && val_get_str(is, "finishedAt").p &&
		str_cmp(val_get_str(is, "startedAt"), val_get_str(is, "finishedAt")) > 0)
		buf_addf(&x->why, "  %.*s: ends before it starts\n", STR_ARG(name));
}

static const struct val *
wanted(struct sim *x, const struct val *list, str name)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (str_eq(sim_field(x, &list->items[i], "name"), name))
			return &list->items[i];
	return NULL;
}

static void
compare_nodes(struct sim *x, const struct val *want, const struct val *nodes)
{
	size_t n = val_is(nodes, VAL_MAP) ? nodes->n : 0;
	for (size_t i = 0; i < n; i++) {
		str name = plain(x, val_get_str(&nodes->members[i].value, "name"));
		const struct val *w = wanted(x, want, name);
		if (w)
			compare_node(x, w, &nodes->members[i].value);
		else
			buf_addf(&x->why, "  %.*s: is there, %.*s %.*s: %.*s\n", STR_ARG(name),
				STR_ARG(val_get_str(&nodes->members[i].value, "type")),
				STR_ARG(val_get_str(&nodes->members[i].value, "phase")),
				STR_ARG(val_get_str(&nodes->members[i].value, "message")));
	}
	for (uint32_t i = 0; val_is(want, VAL_LIST) && i < want->n; i++) {
		str name = sim_field(x, &want->items[i], "name");
		bool there = false;
		for (size_t k = 0; k < n; k++)
			there |= str_eq(plain(x, val_get_str(&nodes->members[k].value, "name")), name);
		if (!there)
			buf_addf(&x->why, "  %.*s: is missing\n", STR_ARG(name));
	}
}

static void
compare_conditions(struct sim *x, const struct val *want, const struct val *list)
{
	for (uint32_t i = 0; val_is(want, VAL_MAP) && i < want->n; i++) {
		str type = val_key(&want->members[i]), got = S("(not True)");
		for (uint32_t k = 0; val_is(list, VAL_LIST) && k < list->n; k++)
			if (str_eq(val_get_str(&list->items[k], "type"), type) &&
				str_eq(val_get_str(&list->items[k], "status"), S("True")))
				got = plain(x, val_get_str(&list->items[k], "message"));
		differ(x, S("workflow"), str_z(x->arena, type), sim_text(x, &want->members[i].value), got);
	}
}

static void
compare_metrics(struct sim *x, const struct val *want)
{
	struct buf all CLEANUP(free_buf) = { 0 }, lines CLEANUP(free_buf) = { 0 }, wanted_lines CLEANUP(free_buf) = { 0 };
	if (!val_is(want, VAL_LIST) || x->crash != CRASH_NONE)
		return;
	custom_metrics_write(x->metrics, x->now, &all);
	for (str rest = buf_str(&all); rest.n;) {
		str line = str_cut(&rest, '\n');
		if (line.n && line.p[0] != '#')
			buf_addf(&lines, "%.*s; ", STR_ARG(plain(x, line)));
	}
	for (uint32_t i = 0; i < want->n; i++)
		buf_addf(&wanted_lines, "%.*s; ", STR_ARG(sim_text(x, &want->items[i])));
	differ(x, S("workflow"), "metrics", buf_str(&wanted_lines), buf_str(&lines));
}

/* In which order steps started, by the last part of their nodes' names. */
static void
compare_order(struct sim *x, const struct val *want)
{
	struct buf b CLEANUP(free_buf) = { 0 }, w CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; val_is(want, VAL_LIST) && i < x->notes.n; i++) {
		str name = x->notes.p[i].name;
		for (size_t at = str_find_char(name, '.', 0); at != SIZE_MAX; at = str_find_char(name, '.', 0))
			name = str_slice(name, at + 1, name.n);
		if (!strcmp(x->notes.p[i].what, "start"))
			buf_addf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(name));
	}
	for (uint32_t i = 0; val_is(want, VAL_LIST) && i < want->n; i++)
		buf_addf(&w, "%s%.*s", w.n ? ", " : "", STR_ARG(sim_text(x, &want->items[i])));
	differ(x, S("workflow"), "order of starts", buf_str(&w), buf_str(&b));
}

static void
compare_synchronization(struct sim *x, const struct val *want, const struct val *is)
{
	struct val none = { .kind = VAL_MAP };
	if (!want)
		return;
	str got = json_write(x->arena, is ? is : &none);
	const struct val *w = val_resolve_all(x->arena, want);
	differ(x, S("workflow"), "synchronization", json_write(x->arena, w), plain(x, got));
}

static void
compare(struct sim *x)
{
	const struct val *expect = val_get(x->scenario, S("expect")), *starts = val_get(expect, S("starts"));
	struct val w = run_workflow(x->run, x->arena);
	const struct val *status = val_get(&w, S("status"));
	differ(x, S("workflow"), "phase", sim_field(x, expect, "phase"), val_get_str(status, "phase"));
	differ(x, S("workflow"), "message", sim_field(x, expect, "message"), plain(x, val_get_str(status, "message")));
	if (val_get(expect, S("nodes")))
		compare_nodes(x, val_get(expect, S("nodes")), val_get(status, S("nodes")));
	compare_values(x, S("workflow"), "outputs", val_get(expect, S("outputs")), val_get(status, S("outputs")));
	compare_conditions(x, val_get(expect, S("conditions")), val_get(status, S("conditions")));
	compare_metrics(x, val_get(expect, S("metrics")));
	compare_used(x, S("workflow"), expect, status);
	if (val_get(expect, S("progress")))
		differ(x, S("workflow"), "progress", sim_field(x, expect, "progress"), val_get_str(status, "progress"));
	for (uint32_t i = 0; val_is(starts, VAL_MAP) && i < starts->n; i++)
		differ(x, val_key(&starts->members[i]), "starts", sim_text(x, &starts->members[i].value),
			arena_fmt(x->arena, "%zu", sim_count(x, &x->starts, val_key(&starts->members[i]), 0)));
	compare_order(x, val_get(expect, S("order")));
	compare_synchronization(x, val_get(expect, S("synchronization")), val_get(status, S("synchronization")));
	if (val_get(expect, S("most")))
		differ(x, S("workflow"), "most side by side", sim_field(x, expect, "most"),
			arena_fmt(x->arena, "%zu", x->most));
	int64_t began = 0, ended = 0;
	struct err e;
	if (val_get(expect, S("seconds")) && !time_parse_rfc3339(val_get_str(status, "startedAt"), &began, &e) &&
		!time_parse_rfc3339(val_get_str(status, "finishedAt"), &ended, &e))
		differ(x, S("workflow"), "seconds", sim_field(x, expect, "seconds"),
			arena_fmt(x->arena, "%lld", (long long)((ended - began) / NS_PER_SEC)));
}

/* ---- a file ---------------------------------------------------------------------------------------------------------
 */

static str
read_file(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t n;
	while ((n = fread(buf_room(&b, 65536), 1, 65536, f)))
		b.n += n;
	fclose(f);
	return arena_dup(a, buf_str(&b));
}

static void
print_workflow(struct sim *x)
{
	struct val w = run_workflow(x->run, x->arena);
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_opts(&b, &w, JSON_INDENT);
	printf("%.*s\n", STR_ARG(buf_str(&b)));
}

static bool
play_file(const char *path, const struct val *const *docs, size_t n, enum crash crash, bool print)
{
	struct sim x;
	sim_init(&x, docs, n, crash);
	if (sim_play(&x)) {
		compare(&x);
		if (print)
			print_workflow(&x);
	}
	bool ok = !x.why.n;
	if (!ok)
		printf("FAILED %s (crash: %s)\n%.*s", path, crash_names[crash], STR_ARG(buf_str(&x.why)));
	sim_free(&x);
	return ok;
}

static bool
run_file(const char *path, bool with_crashes, bool print)
{
	struct arena *a = arena_new();
	struct diags d;
	struct val *docs;
	size_t n;
	diags_init(&d);
	if (yaml_read_all(a, str_c(path), read_file(a, path), NULL, &docs, &n, &d) || n < 2) {
		diags_print(&d, stderr, 0);
		exit(2);
	}
	const struct val **list = ARENA_ARRAY(a, const struct val *, n);
	for (size_t i = 0; i < n; i++)
		list[i] = &docs[i];
	bool ok = true;
	for (int c = with_crashes ? 1 : 0; c < (with_crashes ? CRASHES : 1); c++)
		ok &= play_file(path, list, n, (enum crash)c, print);
	diags_free(&d);
	arena_free(a);
	return ok;
}

int
main(int argc, char **argv)
{
	bool with_crashes = false, print = false, batch = false;
	size_t passed = 0, failed = 0;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--crash-at-every-commit"))
			with_crashes = true;
		else if (!strcmp(argv[i], "--print"))
			print = true;
		else if (!strcmp(argv[i], "--batch"))
			batch = true;
		else if (run_file(argv[i], with_crashes, print))
			passed++;
		else
			failed++;
	}
	if (batch)
		return batch_play(with_crashes);
	printf("scenarios%s: %zu passed, %zu failed\n", with_crashes ? " with crashes at every commit" : "", passed,
		failed);
	return failed || !passed;
}
