/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/test_report.h"

#include "cli/output.h"
#include "core/utf8.h"

void
report_case(struct test_report *r, const char *file, size_t line, str name, str differs)
{
	bool text = !strcmp(r->form, "text");
	r->n++;
	r->hold += !differs.n;
	if (text && differs.n)
		printf("%.*s", STR_ARG(differs));
	else if (text && r->verbose)
		printf("%s:%zu: %.*s: holds\n", file, line, STR_ARG(name));
	if (text)
		return;
	if (!r->arena)
		r->arena = arena_new();
	*VEC_PUSH(&r->cases) = (struct report_case){ arena_dup(r->arena, str_c(file)), arena_dup(r->arena, name), arena_dup(r->arena, differs), line };
}

/* ---- JSON -------------------------------------------------------------------------------------------------------------- */

static struct val
lines_of(struct arena *a, str text)
{
	struct val_list lines = { 0 };
	while (text.n)
		val_list_add(&lines, val_str(str_cut(&text, '\n')));
	return val_list_end(&lines, a);
}

static struct val
case_shown(struct arena *a, const struct report_case *c)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("file"), val_str(c->file));
	val_map_add(&m, S("line"), val_int((int64_t)c->line));
	val_map_add(&m, S("name"), val_str(c->name));
	val_map_add(&m, S("holds"), val_bool(!c->differs.n));
	if (c->differs.n)
		val_map_add(&m, S("differs"), lines_of(a, c->differs));
	return val_map_end(&m, a);
}

static void
print_json(const struct test_report *r, struct arena *a, FILE *f)
{
	struct val_list cases = { 0 };
	struct val_map m = { 0 };
	for (size_t i = 0; i < r->cases.n; i++)
		val_list_add(&cases, case_shown(a, &r->cases.p[i]));
	val_map_add(&m, S("cases"), val_int((int64_t)r->n));
	val_map_add(&m, S("hold"), val_int((int64_t)r->hold));
	val_map_add(&m, S("results"), val_list_end(&cases, a));
	struct val v = val_map_end(&m, a);
	print_value(f, &v, "json");
}

/* ---- JUnit ------------------------------------------------------------------------------------------------------------- */

/* What XML 1.0 has no way to write becomes a question mark. */
static void
add_xml(struct buf *b, str text)
{
	static const char *const named[256] = { ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\n'] = "&#10;", ['\t'] = "&#9;", ['\r'] = "&#13;" };
	for (size_t i = 0, n; i < text.n; i += n) {
		const char *p = text.p + i;
		n = utf8_len(p, text.n - i);
		bool none = n == 0 || (n == 1 && (unsigned char)*p < ' ') || (n == 3 && (!memcmp(p, "\xef\xbf\xbe", 3) || !memcmp(p, "\xef\xbf\xbf", 3)));
		n = n ? n : 1;
		if (named[(unsigned char)*p])
			buf_add(b, str_c(named[(unsigned char)*p]));
		else
			buf_add(b, none ? S("?") : (str){ p, n });
	}
}

static void
add_attribute(struct buf *b, const char *name, str value)
{
	buf_addf(b, " %s=\"", name);
	add_xml(b, value);
	buf_addc(b, '"');
}

static void
add_case(struct buf *b, const struct report_case *c)
{
	str rest = c->differs, first = str_cut(&rest, '\n');
	buf_add(b, S("    <testcase"));
	add_attribute(b, "classname", c->file);
	add_attribute(b, "name", c->name);
	add_attribute(b, "file", c->file);
	buf_addf(b, " line=\"%zu\"", c->line);
	if (!c->differs.n) {
		buf_add(b, S("/>\n"));
		return;
	}
	buf_add(b, S(">\n      <failure"));
	add_attribute(b, "message", first);
	buf_addc(b, '>');
	add_xml(b, c->differs);
	buf_add(b, S("</failure>\n    </testcase>\n"));
}

/* A suite for the cases from `from` on that are of one file. Returns where the next one begins. */
static size_t
add_suite(struct buf *b, const struct test_report *r, size_t from)
{
	size_t end = from, fail = 0;
	str file = r->cases.p[from].file;
	for (; end < r->cases.n && str_eq(r->cases.p[end].file, file); end++)
		fail += r->cases.p[end].differs.n > 0;
	buf_add(b, S("  <testsuite"));
	add_attribute(b, "name", file);
	buf_addf(b, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\">\n", end - from, fail);
	for (size_t i = from; i < end; i++)
		add_case(b, &r->cases.p[i]);
	buf_add(b, S("  </testsuite>\n"));
	return end;
}

static void
print_junit(const struct test_report *r, FILE *f)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tidegate test\" tests=\"%zu\" failures=\"%zu\" errors=\"0\">\n", r->n,
	         r->n - r->hold);
	for (size_t i = 0; i < r->cases.n;)
		i = add_suite(&b, r, i);
	buf_add(&b, S("</testsuites>\n"));
	fprintf(f, "%.*s", STR_ARG(buf_str(&b)));
}

/* ---- the end -------------------------------------------------------------------------------------------------------------- */

void
report_end(struct test_report *r, FILE *f)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (!strcmp(r->form, "json"))
		print_json(r, a, f);
	else if (!strcmp(r->form, "junit"))
		print_junit(r, f);
	else
		fprintf(f, "%zu of %zu hold\n", r->hold, r->n);
	VEC_FREE(&r->cases);
	arena_free(r->arena);
	r->arena = NULL;
}
