/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lang/gofmt.h"

#include <math.h>
#include <strings.h>

#define DOUBLE_TEXT_MAX 800 /* more digits than this change no bit of a double */

static bool
parse_special(str s, double *out)
{
	bool neg = s.n && s.p[0] == '-';
	str rest = s.n && (s.p[0] == '-' || s.p[0] == '+') ? str_slice(s, 1, s.n) : s;
	if (str_eq_nocase(rest, S("inf")) || str_eq_nocase(rest, S("infinity")))
		*out = neg ? -HUGE_VAL : HUGE_VAL;
	else if (str_eq_nocase(s, S("nan")))
		*out = nan("");
	else
		return false;
	return true;
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit in the mantissa */
static bool
looks_decimal(str s)
{
	size_t i = 0, digits = 0;
	if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
		i++;
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		digits++;
	if (i < s.n && s.p[i] == '.')
		for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
			digits++;
	if (!digits)
		return false;
	if (i < s.n && (s.p[i] | 0x20) == 'e') {
		i++;
		if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
			i++;
		size_t start = i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			i++;
		if (i == start)
			return false;
	}
	return i == s.n;
}

bool
go_parse_float(str s, double *out)
{
	*out = 0;
	if (!s.n || s.n > DOUBLE_TEXT_MAX)
		return false;
	if (!looks_decimal(s))
		return parse_special(s, out);
	char z[DOUBLE_TEXT_MAX + 1];
	memcpy(z, s.p, s.n);
	z[s.n] = 0;
	*out = strtod(z, NULL);
	return isfinite(*out);
}

bool
go_parse_bool(str s, bool *out)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (str_eq(s, str_c(yes[i])) || str_eq(s, str_c(no[i]))) {
			*out = str_eq(s, str_c(yes[i]));
			return true;
		}
	}
	return false;
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
		return (c | 0x20) - 'a' + 10;
	return 99;
}

bool
go_parse_int(str s, int base, int64_t *out)
{
	*out = 0;
	size_t i = 0;
	bool neg = s.n && s.p[0] == '-', underscores = base == 0;
	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		i++;
	if (base == 0) {
		base = 10;
		if (i + 1 < s.n && s.p[i] == '0') {
			char x = (char)(s.p[i + 1] | 0x20);
			base = x == 'x' ? 16 : x == 'o' ? 8 : x == 'b' ? 2 : 8;
			i += x == 'x' || x == 'o' || x == 'b' ? 2 : 1;
		}
	}
	if (i >= s.n)
		return false;
	uint64_t v = 0, limit = (uint64_t)INT64_MAX + neg;
	for (; i < s.n; i++) {
		if (underscores && s.p[i] == '_')
			continue;
		int d = digit_value(s.p[i]);
		if (d >= base)
			return false;
		if (v > (limit - (uint64_t)d) / (uint64_t)base) {
			*out = neg ? INT64_MIN : INT64_MAX;
			return false;
		}
		v = v * (uint64_t)base + (uint64_t)d;
	}
	*out = neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

/* The digits of |f| (without a point, no trailing zeros) and the place of the decimal point behind digit `point`. */
struct decimal {
	char digits[24];
	int n, point;
};

static struct decimal
shortest(double f)
{
	struct decimal d = { .n = 0 };
	char text[40];
	for (int precision = 0; precision < 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision, fabs(f));
		if (strtod(text, NULL) == fabs(f) || precision == 16)
			break;
	}
	char *e = strchr(text, 'e');
	for (char *c = text; c < e; c++)
		if (*c != '.')
			d.digits[d.n++] = *c;
	while (d.n > 1 && d.digits[d.n - 1] == '0')
		d.n--;
	d.point = f == 0 ? 1 : (int)strtol(e + 1, NULL, 10) + 1;
	return d;
}

static void
add_exponential(struct buf *b, const struct decimal *d, char e)
{
	buf_addc(b, d->digits[0]);
	if (d->n > 1) {
		buf_addc(b, '.');
		buf_add(b, (str){ d->digits + 1, (size_t)d->n - 1 });
	}
	int x = d->point - 1;
	buf_addf(b, "%c%c%02d", e, x < 0 ? '-' : '+', x < 0 ? -x : x);
}

static void
add_plain(struct buf *b, const struct decimal *d)
{
	if (d->point <= 0)
		buf_addc(b, '0');
	for (int i = 0; i < d->point; i++)
		buf_addc(b, i < d->n ? d->digits[i] : '0');
	if (d->n > d->point) {
		buf_addc(b, '.');
		for (int i = d->point; i < d->n; i++)
			buf_addc(b, i < 0 ? '0' : d->digits[i]);
	}
}

void
go_format_float(struct buf *b, double f, char format, int precision)
{
	if (isnan(f) || isinf(f)) {
		buf_add(b, isnan(f) ? S("NaN") : f < 0 ? S("-Inf") : S("+Inf"));
		return;
	}
	if (precision >= 0) { /* C and Go agree here */
		if (precision > 300)
			precision = 300;
		switch (format) {
		case 'e': buf_addf(b, "%.*e", precision, f); return;
		case 'E': buf_addf(b, "%.*E", precision, f); return;
		case 'f': buf_addf(b, "%.*f", precision, f); return;
		case 'G': buf_addf(b, "%.*G", precision, f); return;
		default: buf_addf(b, "%.*g", precision, f); return;
		}
	}
	struct decimal d = shortest(f);
	if (signbit(f))
		buf_addc(b, '-');
	char e = format == 'E' || format == 'G' ? 'E' : 'e';
	bool general = format == 'g' || format == 'G';
	/* strconv/ftoa.go: an exponent below -4, or of at least 6 where no precision was asked for */
	if (general && (d.point - 1 < -4 || d.point - 1 >= 6))
		add_exponential(b, &d, e);
	else if (general || format == 'f')
		add_plain(b, &d);
	else
		add_exponential(b, &d, e);
}

uint32_t
go_rune(str s, size_t i, size_t *width)
{
	const unsigned char *p = (const unsigned char *)s.p + i;
	size_t left = s.n - i;
	*width = 1;
	if (p[0] < 0x80)
		return p[0];
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
	if (!n || p[0] > 0xf4 || n > left)
		return 0xfffd;
	uint32_t r = p[0] & (0xffu >> (n + 1));
	for (size_t k = 1; k < n; k++) {
		if ((p[k] & 0xc0) != 0x80)
			return 0xfffd;
		r = r << 6 | (p[k] & 0x3f);
	}
	if (r < least[n] || r > 0x10ffff || (r >= 0xd800 && r < 0xe000))
		return 0xfffd;
	*width = n;
	return r;
}

void
go_add_rune(struct buf *b, uint32_t r)
{
	if (r > 0x10ffff || (r >= 0xd800 && r < 0xe000))
		r = 0xfffd;
	if (r < 0x80) {
		buf_addc(b, (char)r);
	} else if (r < 0x800) {
		buf_addc(b, (char)(0xc0 | r >> 6));
		buf_addc(b, (char)(0x80 | (r & 0x3f)));
	} else if (r < 0x10000) {
		buf_addc(b, (char)(0xe0 | r >> 12));
		buf_addc(b, (char)(0x80 | (r >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (r & 0x3f)));
	} else {
		buf_addc(b, (char)(0xf0 | r >> 18));
		buf_addc(b, (char)(0x80 | (r >> 12 & 0x3f)));
		buf_addc(b, (char)(0x80 | (r >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (r & 0x3f)));
	}
}

size_t
go_rune_count(str s)
{
	size_t count = 0, width;
	for (size_t i = 0; i < s.n; i += width, count++)
		(void)go_rune(s, i, &width);
	return count;
}

void
go_quote(struct buf *b, str s)
{
	static const char named[] = "\aa\bb\ff\nn\rr\tt\vv\"\"\\\\";
	buf_addc(b, '"');
	for (size_t i = 0, width; i < s.n; i += width) {
		uint32_t r = go_rune(s, i, &width);
		const char *pair = NULL;
		for (const char *p = named; *p; p += 2)
			if ((uint32_t)(unsigned char)*p == r)
				pair = p;
		if (pair)
			buf_addf(b, "\\%c", pair[1]);
		else if (r == 0xfffd && width == 1)
			buf_addf(b, "\\x%02x", (unsigned char)s.p[i]);
		else if (r < ' ' || r == 0x7f)
			buf_addf(b, "\\x%02x", r);
		else if ((r >= 0x80 && r < 0xa0) || r == 0xad || r == 0x2028 || r == 0x2029 || r == 0xfeff)
			buf_addf(b, "\\u%04x", r);
		else
			buf_add(b, str_slice(s, i, i + width));
	}
	buf_addc(b, '"');
}
