/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of the argo command, as a trigger's args have them. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "triggers/argo_args.h"

/* Words with a space between; what came of them as one line, or "!", the place and the error. */
static const char *
read_args(struct arena *a, const char *operation, const char *words)
{
	struct strs list = { ARENA_ARRAY(a, str, 20), 0 };
	struct argo_args x;
	struct err e = { 0 };
	size_t at = 0;
	for (str rest = arena_dup(a, str_c(words)); rest.n;)
		list.p[list.n++] = str_cut(&rest, ' ');
	int op = argo_operation(str_c(operation));
	assert_true(op >= 0);
	if (argo_args_read((enum argo_operation)op, &list, a, &x, &at, &e) < 0)
		return arena_fmt(a, "!%zu %s", at, e.msg).p;
	struct buf b CLEANUP(free_buf) = { 0 };
	const struct {
		char name;
		const struct kvs *pairs;
	} pairs[] = { { 'p', &x.parameters }, { 'l', &x.labels }, { 'a', &x.annotations }, { 'o', &x.output_parameters } };
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		for (size_t k = 0; k < pairs[i].pairs->n; k++)
			buf_addf(&b, "%c:%.*s=%.*s ", pairs[i].name, STR_ARG(pairs[i].pairs->p[k].key), STR_ARG(pairs[i].pairs->p[k].value));
	const struct {
		const char *name;
		str text;
	} texts[] = { { "ns", x.ns }, { "name", x.name }, { "prefix", x.generate_name }, { "entry", x.entrypoint }, { "sa", x.service_account },
		      { "nodes", x.node_field_selector }, { "message", x.message } };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].text.p)
			buf_addf(&b, "%s:%.*s ", texts[i].name, STR_ARG(texts[i].text));
	if (x.has_priority)
		buf_addf(&b, "priority:%lld ", (long long)x.priority);
	buf_addf(&b, "%s%s%s%s", x.dry_run ? "dry " : "", x.memoized ? "memoized " : "", x.restart_successful ? "restart " : "", x.exact ? "exact " : "");
	return arena_dup(a, str_trim(buf_str(&b))).p;
}

static const struct {
	const char *operation, *words, *wanted;
} rows[] = {
	{ "submit", "", "" },
	{ "", "-p a=b", "p:a=b" },
	{ "submit", "-p a=b --parameter c=d=e -pf=g -p=h=i --parameter=j=", "p:a=b p:c=d=e p:f=g p:h=i p:j=" },
	{ "submit", "-p a=1 -p a=2", "p:a=2" },
	{ "submit", "-l a=b,c=d --labels e=f --annotations=x=y", "l:a=b l:c=d l:e=f a:x=y" },
	{ "submit", "--name n --generate-name g- --entrypoint e --serviceaccount s -n other", "ns:other name:n prefix:g- entry:e sa:s" },
	{ "submit", "--priority -5", "priority:-5" },
	{ "submit", "--dry-run", "dry" },
	{ "submit", "--dry-run=false --server-dry-run=T", "dry" },
	{ "submit", "-o json --loglevel=debug -v --strict=false --no-color", "" },
	{ "submit", "-vo json", "" },
	{ "submit", "--node-field-selector phase=abc --status Running -p a=b", "p:a=b" },
	{ "submit-from", "--node-field-selector=phase=abc", "" },
	{ "suspend", "--node-field-selector phase=abc", "!0 --node-field-selector: argo suspend has no such flag" },
	{ "submit-from", "-p a=b", "p:a=b" },
	{ "resubmit", "--memoized -p a=b --priority 3", "p:a=b priority:3 memoized" },
	{ "resubmit", "--exact", "exact" },
	{ "retry", "--restart-successful --node-field-selector displayName=x", "nodes:displayName=x restart" },
	{ "resume", "--node-field-selector=name=a,phase=b --output-parameter o=1", "o:o=1 nodes:name=a,phase=b" },
	{ "stop", "--message because --node-field-selector id=1", "nodes:id=1 message:because" },
	{ "suspend", "-n x", "ns:x" },
	{ "submit", "-p", "!0 -p: a value is missing" },
	{ "submit", "-p a", "!0 --parameter a: write it as name=value" },
	{ "submit", "-p =a", "!0 --parameter =a: write it as name=value" },
	{ "submit", "--priority high", "!0 --priority high: must be a whole number of 32 bits" },
	{ "submit", "--priority 3000000000", "!0 --priority 3000000000: must be a whole number of 32 bits" },
	{ "submit", "--dry-run=yes", "!0 --dry-run=yes: must be true or false" },
	{ "submit", "--dry-run no", "!1 no: only flags are allowed: a trigger works on what its source names" },
	{ "submit", "--memoized", "!0 --memoized: argo submit has no such flag" },
	{ "submit", "-p a=b --frobnicate", "!2 --frobnicate: argo submit has no such flag" },
	{ "stop", "-x", "!0 -x: argo stop has no such flag" },
	{ "stop", "other", "!0 other: only flags are allowed: a trigger works on what its source names" },
	{ "stop", "--", "!0 --: only flags are allowed: a trigger works on what its source names" },
	{ "stop", "-l a=b", "!0 -l is not served: a trigger works on the one workflow that the source names" },
	{ "submit", "--wait", "!0 --wait is not served: the trigger's policy.k8s waits for labels, such as workflows.argoproj.io/phase: Succeeded" },
	{ "submit", "-vw", "!0 -vw is not served: the trigger's policy.k8s waits for labels, such as workflows.argoproj.io/phase: Succeeded" },
	{ "submit", "--parameter-file=x.yaml", "!0 --parameter-file is not served: give the parameters by -p, or by the trigger's parameters" },
	{ "submit", "--token t", "!0 --token is not served: there is one engine: that of this daemon" },
};

static void
each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		const char *got = read_args(a, rows[i].operation, rows[i].words);
		if (strcmp(got, rows[i].wanted))
			fail_msg("%s %s: %s, not %s", rows[i].operation, rows[i].words, got, rows[i].wanted);
	}
}

static void
there_are_eight_operations(void **state)
{
	(void)state;
	assert_int_equal(argo_operation(S("submitt")), -1);
	assert_int_equal(argo_operation(S("terminate")), ARGO_TERMINATE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_row), cmocka_unit_test(there_are_eight_operations) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
