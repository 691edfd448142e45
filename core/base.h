/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base: what every file may use. Strings by value, arenas, errors, growable buffers and vectors, an intrusive list.
 *
 * Memory: a unit of work (an event, a request, a manifest snapshot, a run) owns one arena; what belongs to it is allocated
 * there and goes with it. Running out of memory ends the process: nothing acknowledged is lost by that, and recovery code
 * that nobody can test is worse. Therefore everything a user can grow has a limit where it enters.
 *
 * Errors: a fallible function returns 0 or -1 (a pointer or NULL) and takes a `struct err *` last. The struct lives on
 * the caller's stack with its message inside: nothing to allocate, nothing to free.
 */
#ifndef TIDEGATE_CORE_BASE_H
#define TIDEGATE_CORE_BASE_H

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define UNUSED __attribute__((unused))

/* ---- strings ------------------------------------------------------------------------------------------------ */

/*
 * A view of bytes. A str made by an arena function is also NUL-terminated; a slice of another is not. `p == NULL` means
 * "absent", which is not the same as empty.
 */
typedef struct {
	const char *p;
	size_t n;
} str;

#define S(literal) ((str){ "" literal, sizeof(literal) - 1 })
#define STR_NONE ((str){ NULL, 0 })
/* printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

/* A view of a NUL-terminated C string; NULL gives STR_NONE. */
static inline str str_c(const char *z) { return z ? (str){ z, strlen(z) } : STR_NONE; }
static inline bool str_eq(str a, str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
/* The same but for the case of ASCII letters. */
bool str_eq_nocase(str a, str b);
/* Byte order, shorter first: <0, 0, >0. */
int str_cmp(str a, str b);
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
/* Without leading and trailing white space (space, tab, CR, LF). */
str str_trim(str s);
/* Offset of the first `needle` at or after `from`; SIZE_MAX if there is none. An empty needle is found at `from`. */
size_t str_find(str s, str needle, size_t from);
size_t str_find_char(str s, char c, size_t from);
/* From `from` (clamped) to `to` (clamped). */
str str_slice(str s, size_t from, size_t to);
/* Cuts `*rest` at the first `sep`: returns what is before it, leaves what is behind it; all of it if there is none. */
str str_cut(str *rest, char sep);
/* A whole decimal integer with an optional sign; false (and *out untouched) if `s` is anything else or overflows. */
bool str_to_i64(str s, int64_t *out);
/* A whole decimal floating point number as strtod reads it in the C locale; no inf, nan or hexadecimal. */
bool str_to_double(str s, double *out);
/* FNV-1a, 32 bits: the hash Argo makes node ids with (util/util.go, workflow/common). */
uint32_t str_fnv32a(str s);
/* The same with 64 bits: to see whether a text changed, where nobody gains from a collision. */
uint64_t str_fnv64a(str s);
/* Damerau-Levenshtein distance, capped at 8; for "did you mean". */
unsigned str_distance(str a, str b);

/* vsnprintf and snprintf, several times as fast for the conversions that this program uses (format.c). */
int text_vformat(char *to, size_t room, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
int text_format(char *to, size_t room, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- errors ------------------------------------------------------------------------------------------------- */

/* Each code maps to an HTTP status, a gRPC code, an exit code and "worth retrying" in one table (base.c). */
enum err_code {
	ERR_NONE,
	ERR_INVALID,         /* the caller sent something wrong                  400  3  exit 2 */
	ERR_UNAUTHENTICATED, /* no or unknown credentials                        401 16  exit 6 */
	ERR_DENIED,          /* known, but not allowed                           403  7  exit 6 */
	ERR_NOT_FOUND,       /*                                                  404  5  exit 4 */
	ERR_EXISTS,          /* the name is taken, or the state conflicts        409  6  exit 5 */
	ERR_LIMIT,           /* a stated maximum was exceeded                    413  8  exit 2 */
	ERR_UNSUPPORTED,     /* understood, but not served (yet)                 501 12  exit 2 */
	ERR_UNAVAILABLE,     /* may go through later: overload, peer down        503 14  exit 7 */
	ERR_TIMEOUT,         /*                                                  504  4  exit 8 */
	ERR_IO,              /* disk or kernel refused                           500 13  exit 74 */
	ERR_INTERNAL,        /* our own mistake, seen and contained              500 13  exit 1 */
};

struct err {
	enum err_code code;
	char msg[500];
};

/* Sets code and message (lower case, no full stop: what was being done, to what, what would be right). Returns -1. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As err_set with ": <strerror(errno)>" appended; the code follows errno (ENOENT: NOT_FOUND, EEXIST: EXISTS, else IO). */
int err_errno(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Puts "context: " before the message. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
int err_http_status(enum err_code code);
int err_grpc_code(enum err_code code);
int err_exit_code(enum err_code code);
bool err_is_transient(enum err_code code);
const char *err_code_name(enum err_code code);

/* ---- arenas ------------------------------------------------------------------------------------------------- */

struct arena;

/* A new, empty arena; the first block is allocated with it. Never NULL. Not thread-safe; may move between threads. */
struct arena *arena_new(void);
/* Frees everything allocated from it. NULL is fine. */
void arena_free(struct arena *a);
/* Frees all but the first block and starts over: for scratch arenas. */
void arena_reset(struct arena *a);
/* Zeroed memory; `align` is a power of two. Never NULL; n == 0 gives a unique pointer. */
void *arena_alloc(struct arena *a, size_t n, size_t align);
/* Bytes handed out so far, for accounting and limits. */
size_t arena_size(const struct arena *a);
/* A NUL-terminated copy. STR_NONE stays STR_NONE. */
str arena_dup(struct arena *a, str s);
str arena_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
str arena_vfmt(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* A NUL-terminated C string with the bytes of `s` (a copy only if it isn't terminated is not tried: always a copy). */
const char *str_z(struct arena *a, str s);
/* Bytes as lower-case hexadecimal digits. */
str str_hex(struct arena *a, const void *bytes, size_t n);

#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T), _Alignof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_array((a), (n), sizeof(T), _Alignof(T)))
void *arena_array(struct arena *a, size_t n, size_t size, size_t align);

/* ---- heap --------------------------------------------------------------------------------------------------- */

/* malloc family that ends the process when memory is short; sizes are checked for overflow. */
void *mem_alloc(size_t n); /* zeroed */
void *mem_realloc(void *p, size_t n, size_t size);
#define MEM_NEW(T) ((T *)mem_alloc(sizeof(T)))
/* A NUL-terminated copy for the caller to free. */
char *mem_text(str s);
/* The same as a str, which its owner gives back with str_disown. */
str str_own(str s);
/* Frees a text of str_own, or one that was made in a buffer (buf_str of a buffer that is not freed). STR_NONE is fine. */
void str_disown(str s);

/* ---- growable buffer ---------------------------------------------------------------------------------------- */

/* Bytes on the heap, always NUL-terminated once something was added. Zero-initialise; buf_free when done. */
struct buf {
	char *p;
	size_t n, cap;
};

void buf_add(struct buf *b, str s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Room for `n` more bytes at the returned place; the caller adds to b->n what it wrote. */
char *buf_room(struct buf *b, size_t n);
static inline str buf_str(const struct buf *b) { return (str){ b->p ? b->p : "", b->n }; }
void buf_free(struct buf *b); /* leaves an empty buffer */

/* ---- vector ------------------------------------------------------------------------------------------------- */

/* VEC(struct thing) things = {0}; *VEC_PUSH(&things) = x; ... VEC_FREE(&things). Elements move when it grows. */
#define VEC(T) struct { T *p; size_t n, cap; }
#define VEC_PUSH(v) (((v)->n == (v)->cap ? vec_grow((void **)&(v)->p, &(v)->cap, sizeof *(v)->p) : (void)0), \
		memset(&(v)->p[(v)->n], 0, sizeof *(v)->p), &(v)->p[(v)->n++])
#define VEC_FREE(v) (free((v)->p), (v)->p = NULL, (v)->n = (v)->cap = 0)
void vec_grow(void **p, size_t *cap, size_t size);

/* ---- intrusive list ----------------------------------------------------------------------------------------- */

/* A circular doubly linked list; the head is a link itself. */
struct link {
	struct link *next, *prev;
};
static inline void list_init(struct link *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct link *head) { return head->next == head || !head->next; }
static inline void list_add_tail(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}
/* Safe on a link that is in no list (zeroed). */
static inline void list_del(struct link *l)
{
	if (!l->next)
		return;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = NULL;
}
#define LIST_FIRST(head, T, member) CONTAINER_OF((head)->next, T, member)
/* The body may remove `it`. */
#define LIST_EACH(head, T, member, it) \
	for (T *it = LIST_FIRST(head, T, member), *it##_next = LIST_FIRST(&it->member, T, member); &it->member != (head); \
	     it = it##_next, it##_next = LIST_FIRST(&it->member, T, member))

/* ---- time --------------------------------------------------------------------------------------------------- */

/* A length of time in nanoseconds. Points in time are int64_t nanoseconds since 1970-01-01T00:00:00Z. */
typedef struct {
	int64_t ns;
} dur;
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SEC INT64_C(1000000000)

/* Go's time.ParseDuration ("1h2m3.5s", "300ms", "-1.5h"); units ns us ms s m h. ERR_INVALID otherwise. */
int dur_parse(str s, dur *out, struct err *e) MUST_CHECK;
/* As Go's Duration.String(): "1h2m3.5s", "0s". */
str dur_fmt(struct arena *a, dur d);
/* RFC 3339 in UTC with second precision, "2026-07-15T10:00:00Z". */
str time_rfc3339(struct arena *a, int64_t ns);
/* RFC 3339 with up to nine digits, trailing zeros cut, as Go's RFC3339Nano. */
str time_rfc3339_nano(struct arena *a, int64_t ns);
/* Reads either, with Z or a numeric offset. */
int time_parse_rfc3339(str s, int64_t *out, struct err *e) MUST_CHECK;

/* ---- cleanup helpers ---------------------------------------------------------------------------------------- */

void close_fd(int *fd); /* closes if >= 0: int fd CLEANUP(close_fd) = -1; */
static inline void free_arena(struct arena **a) { arena_free(*a); }
static inline void free_buf(struct buf *b) { buf_free(b); }

/* ---- banned ------------------------------------------------------------------------------------------------- */

/* Calling one of these does not compile (with gcc): each has overflowed, blocked or raced somewhere. */
#ifndef __clang__
#define BANNED(use) __attribute__((deprecated("banned here: use " use)))
char *strcpy(char *to, const char *from) BANNED("arena_dup or buf_add");
char *strcat(char *to, const char *from) BANNED("buf_add");
char *strtok(char *s, const char *sep) BANNED("str_cut");
int atoi(const char *s) BANNED("str_to_i64");
long atol(const char *s) BANNED("str_to_i64");
int sprintf(char *to, const char *fmt, ...) BANNED("arena_fmt or buf_addf");
struct tm;
struct tm *gmtime(const long *t) BANNED("gmtime_r");
struct tm *localtime(const long *t) BANNED("core/cron.h");
#endif

#endif
