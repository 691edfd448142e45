/* SPDX-License-Identifier: Apache-2.0 */
/* diag: collecting findings, and showing them in order with the line they are about. */
#include "core/diag.h"

#include "core/utf8.h"

/* Findings kept at most; a hostile manifest could make one for each of its million nodes. The counts go on. */
#define FINDINGS_MAX 1000

void
diags_init(struct diags *d)
{
	*d = (struct diags){ .arena = arena_new() };
}

void
diags_free(struct diags *d)
{
	arena_free(d->arena);
	VEC_FREE(&d->v);
	VEC_FREE(&d->sources);
	*d = (struct diags){ 0 };
}

void
diags_source(struct diags *d, str file, str text)
{
	*VEC_PUSH(&d->sources) = (struct diag_source){ file, text };
}

struct diag *
diag_add(struct diags *d, enum diag_level level, const struct val *at, str path, const char *fmt, ...)
{
	if (d->quiet && level != DIAG_ERROR) {
		d->overflow = (struct diag){ 0 };
		return &d->overflow;
	}
	d->errors += level == DIAG_ERROR;
	d->later += level == DIAG_LATER;
	d->warnings += level == DIAG_WARNING;
	if (d->v.n == FINDINGS_MAX)
		*VEC_PUSH(&d->v) = (struct diag){ .level = DIAG_NOTE, .file = d->file,
			.text = S("too many findings: the rest is not shown") };
	if (d->v.n > FINDINGS_MAX) {
		d->overflow = (struct diag){ 0 };
		return &d->overflow;
	}
	struct diag *x = VEC_PUSH(&d->v);
	x->level = level;
	x->file = d->file;
	if (at) {
		x->line = at->line;
		x->col = at->col;
	}
	x->path = arena_dup(d->arena, path.p ? path : S(""));
	va_list ap;
	va_start(ap, fmt);
	x->text = arena_vfmt(d->arena, fmt, ap);
	va_end(ap);
	return x;
}

void
diag_hint(struct diags *d, struct diag *x, const char *fmt, ...)
{
	if (x == &d->overflow)
		return;
	va_list ap;
	va_start(ap, fmt);
	x->hint = arena_vfmt(d->arena, fmt, ap);
	va_end(ap);
}

const char *
diag_nearest(str word, const char *const *candidates, size_t n)
{
	unsigned allowed = (unsigned)(word.n / 3 > 2 ? (word.n / 3 < 7 ? word.n / 3 : 7) : 2), best = allowed + 1;
	const char *found = NULL;
	for (size_t i = 0; i < n; i++) {
		unsigned distance = candidates[i] ? str_distance(word, str_c(candidates[i])) : best;
		/* half of a short word is another word, not a slip */
		if (distance < best && distance * 2 < (word.n > 1 ? word.n : 2)) {
			best = distance;
			found = candidates[i];
		}
	}
	return found;
}

/* ---- show --------------------------------------------------------------------------------------------------- */

static int
by_place(const void *a, const void *b)
{
	const struct diag *x = *(const struct diag *const *)a, *y = *(const struct diag *const *)b;
	int order = str_cmp(x->file, y->file);
	if (order)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	return (x > y) - (x < y); /* as they were found */
}

/* On the heap; the caller frees. */
static const struct diag **
sorted(const struct diags *d)
{
	const struct diag **list = mem_alloc((d->v.n + 1) * sizeof *list);
	for (size_t i = 0; i < d->v.n; i++)
		list[i] = &d->v.p[i];
	qsort(list, d->v.n, sizeof *list, by_place);
	return list;
}

static const struct {
	const char *name, *color;
} levels[] = {
	[DIAG_NOTE] = { "note", "\033[36m" },
	[DIAG_WARNING] = { "warning", "\033[33m" },
	[DIAG_LATER] = { "warning", "\033[33m" },
	[DIAG_ERROR] = { "error", "\033[31m" },
};

/*
 * Text that others wrote must not move the cursor of a terminal: neither by control characters nor by what is no UTF-8.
 */
static void
print_clean(FILE *f, str s)
{
	for (size_t i = 0; i < s.n;) {
		unsigned len = utf8_len(s.p + i, s.n - i), got;
		uint32_t c = utf8_get(s.p + i, s.n - i, &got);
		if (!len)
			fputc('?', f);
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			fputc(' ', f);
		else
			fwrite(s.p + i, 1, len, f);
		i += got;
	}
}

static str
source_line(const struct diags *d, str file, uint32_t line)
{
	for (size_t i = 0; i < d->sources.n; i++) {
		if (!str_eq(d->sources.p[i].file, file))
			continue;
		str rest = d->sources.p[i].text, found = STR_NONE;
		while (line-- && rest.n)
			found = str_cut(&rest, '\n');
		return line == UINT32_MAX && found.p ? found : STR_NONE;
	}
	return STR_NONE;
}

void
diag_into_text(struct diags *d, struct diag *x, uint32_t line)
{
	if (x == &d->overflow || !x->line || !x->col || line > UINT32_MAX / 2 - x->line)
		return;
	str head = source_line(d, x->file, x->line), there = source_line(d, x->file, x->line + line);
	if (x->col > head.n || head.p[x->col - 1] != '|' || !there.p)
		return;
	uint32_t indent = 0;
	while (indent < there.n && there.p[indent] == ' ')
		indent++;
	x->line += line;
	x->col = indent + 1;
}

static bool
continues_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The source line and a caret; of a very long line what is around the column. Columns count characters. */
static void
print_caret(const struct diags *d, const struct diag *x, FILE *f, unsigned opts)
{
	enum { BEFORE = 60, WIDTH = 100 };
	str line = source_line(d, x->file, x->line);
	if (!line.p || !x->col)
		return;
	while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
		line.n--;
	size_t at = 0, from = 0, to = 0;
	for (uint32_t col = 1; col < x->col && at < line.n; col++)
		for (at++; at < line.n && continues_character(line.p[at]);)
			at++;
	if (at > BEFORE && line.n > WIDTH)
		for (from = at - BEFORE; from < at && continues_character(line.p[from]);)
			from++;
	for (to = from + WIDTH < line.n ? from + WIDTH : line.n; to < line.n && continues_character(line.p[to]);)
		to++;
	fprintf(f, "%6u | %s", x->line, from ? "..." : "");
	print_clean(f, str_slice(line, from, to));
	fprintf(f, "%s\n       | %s", to < line.n ? "..." : "", from ? "   " : "");
	for (size_t i = from; i < at; i++)
		if (!continues_character(line.p[i]))
			fputc(' ', f);
	fprintf(f, "%s^%s\n", opts & DIAG_COLOR ? levels[x->level].color : "", opts & DIAG_COLOR ? "\033[0m" : "");
}

static void
print_one(const struct diags *d, const struct diag *x, FILE *f, unsigned opts)
{
	bool color = opts & DIAG_COLOR;
	print_clean(f, x->file);
	if (x->file.n)
		fputc(':', f);
	if (x->line)
		fprintf(f, "%u:", x->line);
	if (x->line && x->col)
		fprintf(f, "%u:", x->col);
	fprintf(f, "%s%s%s%s: ", x->file.n || x->line ? " " : "", color ? levels[x->level].color : "",
		levels[x->level].name,
		color ? "\033[0m" : "");
	print_clean(f, x->path);
	fputs(x->path.n ? ": " : "", f);
	print_clean(f, x->text);
	if (x->hint.n) {
		fputs("; ", f);
		print_clean(f, x->hint);
	}
	fputc('\n', f);
	if (opts & DIAG_CARET)
		print_caret(d, x, f, opts);
	if (x->other_line) {
		str other = x->other_file.p ? x->other_file : x->file;
		print_clean(f, other);
		fprintf(f, ":%u:%u: note: the other place\n", x->other_line, x->other_col);
		struct diag second = { .level = DIAG_NOTE, .file = other, .line = x->other_line, .col = x->other_col };
		if (opts & DIAG_CARET)
			print_caret(d, &second, f, opts);
	}
}

void
diags_print(struct diags *d, FILE *f, unsigned opts)
{
	const struct diag **list = sorted(d);
	for (size_t i = 0; i < d->v.n; i++)
		print_one(d, list[i], f, opts);
	free(list);
}

struct val
diags_json(struct diags *d, struct arena *a)
{
	static const char *const names[] = { "note", "warning", "later", "error" };
	const struct diag **list = sorted(d);
	struct val_list out = { 0 };
	for (size_t i = 0; i < d->v.n; i++) {
		const struct diag *x = list[i];
		struct val_map m = { 0 };
		val_map_add(&m, S("level"), val_cstr(names[x->level]));
		val_map_add_str(&m, S("file"), x->file);
		if (x->line)
			val_map_add(&m, S("line"), val_int(x->line));
		if (x->line && x->col)
			val_map_add(&m, S("column"), val_int(x->col));
		val_map_add_str(&m, S("path"), x->path);
		val_map_add_str(&m, S("text"), x->text);
		val_map_add_str(&m, S("hint"), x->hint);
		if (x->other_line) {
			val_map_add_str(&m, S("otherFile"), x->other_file.p ? x->other_file : x->file);
			val_map_add(&m, S("otherLine"), val_int(x->other_line));
			val_map_add(&m, S("otherColumn"), val_int(x->other_col));
		}
		val_list_add(&out, val_map_end(&m, a));
	}
	free(list);
	return val_list_end(&out, a);
}
