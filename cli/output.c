/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "core/clock.h"

/* ---- terminals ---------------------------------------------------------------------------------------------- */

bool
out_is_terminal(FILE *f)
{
	const char *term = getenv("TERM");
	return isatty(fileno(f)) && term && strcmp(term, "dumb") != 0;
}

bool
out_colors(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE");
	if (no && *no)
		return false;
	return out_is_terminal(f) || (force && *force && strcmp(force, "0") != 0);
}

static struct winsize
window(FILE *f)
{
	struct winsize w = { 0 };
	if (!isatty(fileno(f)) || ioctl(fileno(f), TIOCGWINSZ, &w) != 0)
		return (struct winsize){ 0 };
	return w;
}

unsigned
out_columns(FILE *f)
{
	return window(f).ws_col;
}

unsigned
out_lines(FILE *f)
{
	return window(f).ws_row;
}

/* ---- words and signs ---------------------------------------------------------------------------------------- */

static const struct {
	const char *word, *color, *sign, *plain;
} looks[] = {
	{ "Succeeded", "32", "✔", "+" },
	{ "Running", "36", "●", "*" },
	{ "Pending", "33", "◷", "." },
	{ "Skipped", "2", "○", "-" },
	{ "Omitted", "2", "○", "-" },
	{ "Failed", "31", "✖", "x" },
	{ "Error", "31", "⚠", "!" },
	{ "passed", "32", "✔", "+" },
	{ "missed", "31", "✖", "x" },
	{ "not looked at", "2", "·", " " },
	{ "fired", "32", "✔", "+" },
	{ "waiting", "33", "◷", "." },
	{ "filtered", "2", "○", "-" },
	{ "unused", "33", "○", "-" },
	{ "superseded", "2", "○", "-" },
	{ "expired", "2", "○", "-" },
	{ "reset", "2", "○", "-" },
	{ "evicted", "31", "✖", "x" },
	{ "failed", "31", "✖", "x" },
	{ "dead-letter", "31", "✖", "x" },
	{ "error", "31", "⚠", "!" },
};

const char *
phase_color(str phase)
{
	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (str_eq(phase, str_c(looks[i].word)))
			return looks[i].color;
	return "";
}

const char *
phase_sign(str phase, str type, bool utf8)
{
	if (str_eq(type, S("Suspend")) && str_eq(phase, S("Running")))
		return utf8 ? "ǁ" : "|";
	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (str_eq(phase, str_c(looks[i].word)))
			return utf8 ? looks[i].sign : looks[i].plain;
	return utf8 ? "◷" : ".";
}

/* ---- tables ------------------------------------------------------------------------------------------------- */

size_t
text_width(str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

void
table_row(struct table *t, const str *cells)
{
	for (size_t i = 0; i < t->columns; i++)
		*VEC_PUSH(&t->cells) = cells[i];
}

static void
table_cell(const struct table *t, FILE *f, str cell, size_t width, bool last)
{
	/* "Running (Suspended)" is coloured as its first word. */
	str word = cell;
	word = str_cut(&word, ' ');
	const char *color = t->colors ? phase_color(word) : "";
	if (*color)
		fprintf(f, "\033[%sm%.*s\033[0m", color, STR_ARG(cell));
	else
		fprintf(f, "%.*s", STR_ARG(cell));
	if (!last)
		fprintf(f, "%*s", (int)(width - text_width(cell) + 2), "");
}

void
table_print(struct table *t, FILE *f)
{
	size_t *width = mem_alloc((t->columns + 1) * sizeof *width);
	for (size_t i = 0; i < t->cells.n; i++) {
		size_t w = text_width(t->cells.p[i]);
		if (w > width[i % t->columns])
			width[i % t->columns] = w;
	}
	for (size_t row = 0; row < t->cells.n; row += t->columns) {
		size_t end = t->columns; /* empty cells at the end are not padded */
		while (end > 1 && t->cells.p[row + end - 1].n == 0)
			end--;
		for (size_t i = 0; i < end; i++)
			table_cell(t, f, t->cells.p[row + i], width[i], i == end - 1);
		fputc('\n', f);
	}
	free(width);
	VEC_FREE(&t->cells);
}

/* ---- times -------------------------------------------------------------------------------------------------- */

static const struct {
	int64_t seconds;
	char letter;
} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };

str
age_text(struct arena *a, int64_t ns)
{
	int64_t s = ns > 0 ? ns / NS_PER_SEC : 0;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (s >= units[i].seconds)
			return arena_fmt(a, "%lld%c", (long long)(s / units[i].seconds), units[i].letter);
	return S("0s");
}

str
duration_text(struct arena *a, int64_t ns)
{
	int64_t s = ns > 0 ? ns / NS_PER_SEC : 0;
	if (ns < 10 * NS_PER_SEC)
		return arena_fmt(a, "%.1fs", ns > 0 ? (double)ns / 1e9 : 0);
	for (size_t i = 0; i + 1 < ARRAY_LEN(units); i++)
		if (s >= units[i].seconds)
			return arena_fmt(a, "%lld%c %lld%c", (long long)(s / units[i].seconds), units[i].letter,
			                 (long long)(s % units[i].seconds / units[i + 1].seconds), units[i + 1].letter);
	return arena_fmt(a, "%llds", (long long)s);
}

int64_t
time_member(const struct val *map, const char *key)
{
	struct err e;
	int64_t ns = 0;
	str text = val_get_str(map, key);
	return text.n && time_parse_rfc3339(text, &ns, &e) == 0 ? ns : 0;
}

void
print_value(FILE *f, const struct val *v, const char *how)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	if (strcmp(how, "yaml") == 0) {
		yaml_write_buf(&b, v);
	} else {
		json_write_opts(&b, v, JSON_INDENT);
		buf_addc(&b, '\n');
	}
	fwrite(b.p, 1, b.n, f);
}

int
time_before(const char *text, int64_t now, int64_t *out, struct err *e)
{
	dur d;
	struct err ignored;
	if (dur_parse(str_c(text), &d, &ignored) == 0)
		*out = now - d.ns;
	else if (time_parse_rfc3339(str_c(text), out, e) < 0)
		return err_set(e, ERR_INVALID, "%s: write a duration before now as 24h, or a time as 2026-01-31T12:00:00Z", text);
	return 0;
}
