/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format: printf for what is formatted all the time. libc's vsnprintf builds a stream first and then looks at everything that a
 * format may say; it was a fifth of the instructions between an event and the start of its step. Here are the conversions that
 * this program uses: %s %.*s %.9s %c %%, and %d %i %u %x %X with l, ll or z and with zeros in front (%02x). A format with
 * anything else goes to libc as a whole.
 */
#include "core/base.h"

struct out {
	char *p;
	size_t room; /* for the text without its NUL */
	size_t n;    /* of the text; beyond `room` it is only counted */
};

struct conversion {
	size_t width; /* 0: as many as there are */
	size_t precision;
	enum { SIZE_INT, SIZE_LONG, SIZE_LONG_LONG, SIZE_SIZE } size;
	char type;
};

static void
put(struct out *o, const char *s, size_t n)
{
	if (o->n < o->room)
		memcpy(o->p + o->n, s, n < o->room - o->n ? n : o->room - o->n);
	o->n += n;
}

static size_t
number(const char **at)
{
	size_t n = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		n = n * 10 + (size_t)(**at - '0');
	return n;
}

/* What follows a %, up to its type. False: not one of ours. */
static bool
read_conversion(const char **at, va_list *ap, struct conversion *c)
{
	*c = (struct conversion){ .precision = SIZE_MAX };
	if (**at == '0') {
		(*at)++;
		int given = **at == '*' ? va_arg(*ap, int) : 0;
		if (given < 0)
			return false;
		*at += **at == '*';
		c->width = given ? (size_t)given : number(at);
	}
	if (**at == '.') {
		(*at)++;
		int given = **at == '*' ? va_arg(*ap, int) : -1;
		c->precision = **at == '*' ? (size_t)(given < 0 ? INT64_MAX : given) : number(at);
		*at += **at == '*';
	}
	for (; **at == 'l'; (*at)++)
		c->size = c->size == SIZE_LONG ? SIZE_LONG_LONG : SIZE_LONG;
	if (**at == 'z' && c->size == SIZE_INT) {
		(*at)++;
		c->size = SIZE_SIZE;
	}
	c->type = **at;
	*at += **at != 0;
	return true;
}

static void
put_number(struct out *o, const struct conversion *c, bool negative, uint64_t v)
{
	const char *hex = c->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char digits[24], *end = digits + sizeof digits, *p = end;
	if (c->type == 'x' || c->type == 'X') {
		do
			*--p = hex[v & 15];
		while (v >>= 4);
	} else {
		do
			*--p = (char)('0' + v % 10);
		while (v /= 10);
	}
	if (negative)
		put(o, "-", 1);
	for (size_t n = (size_t)(end - p) + negative; n < c->width; n++)
		put(o, "0", 1);
	put(o, p, (size_t)(end - p));
}

static void
put_signed(struct out *o, const struct conversion *c, va_list *ap)
{
	int64_t v = c->size == SIZE_INT ? va_arg(*ap, int) : c->size == SIZE_SIZE ? va_arg(*ap, ssize_t)
	          : c->size == SIZE_LONG ? va_arg(*ap, long) : va_arg(*ap, long long);
	put_number(o, c, v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

static void
put_unsigned(struct out *o, const struct conversion *c, va_list *ap)
{
	put_number(o, c, false, c->size == SIZE_INT ? va_arg(*ap, unsigned) : c->size == SIZE_SIZE ? va_arg(*ap, size_t)
	           : c->size == SIZE_LONG ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned long long));
}

static void
put_text(struct out *o, const struct conversion *c, va_list *ap)
{
	const char *s = va_arg(*ap, const char *);
	if (!s)
		s = "(null)";
	put(o, s, c->precision == SIZE_MAX ? strlen(s) : strnlen(s, c->precision)); /* it may not be terminated */
}

/* The conversion whose % is before *at. False: libc must do it. */
static bool
convert(struct out *o, const char **at, va_list *ap)
{
	struct conversion c;
	if (!read_conversion(at, ap, &c))
		return false;
	bool plain = !c.width && c.size == SIZE_INT, has_precision = c.precision != SIZE_MAX;
	switch (c.type) {
	case 's':
		if (!plain)
			return false;
		put_text(o, &c, ap);
		return true;
	case 'c':
		if (!plain || has_precision)
			return false;
		put(o, &(char){ (char)va_arg(*ap, int) }, 1);
		return true;
	case '%':
		put(o, "%", 1);
		return plain && !has_precision;
	case 'd':
	case 'i':
		if (has_precision)
			return false;
		put_signed(o, &c, ap);
		return true;
	case 'u':
	case 'x':
	case 'X':
		if (has_precision)
			return false;
		put_unsigned(o, &c, ap);
		return true;
	default:
		return false;
	}
}

int
text_vformat(char *to, size_t room, const char *fmt, va_list ap)
{
	struct out o = { to, room ? room - 1 : 0, 0 };
	bool ours = true;
	va_list mine;
	va_copy(mine, ap);
	for (const char *at = fmt; ours && *at;) {
		const char *percent = strchrnul(at, '%');
		put(&o, at, (size_t)(percent - at));
		at = percent + (*percent != 0);
		if (*percent)
			ours = convert(&o, &at, &mine);
	}
	va_end(mine);
	if (!ours)
		return vsnprintf(to, room, fmt, ap);
	if (room)
		to[o.n < o.room ? o.n : o.room] = 0;
	return (int)o.n;
}

int
text_format(char *to, size_t room, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = text_vformat(to, room, fmt, ap);
	va_end(ap);
	return n;
}
