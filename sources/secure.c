/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/secure.h"

#include "core/base64.h"
#include "core/crypto.h"

#define FIVE_MINUTES (300 * NS_PER_SEC)

/* ---- the table ------------------------------------------------------------------------------------------------ */

/* GitHub before 2020, and what follows its lead. */
static const struct signature github_old = { "X-Hub-Signature", .form = SIGNATURE_HEX, .content = "{body}", .id = "X-GitHub-Delivery",
	.status = 400, .missing = "missing signature", .wrong = "payload signature check failed" };
static const struct signature forgejo = { "X-Forgejo-Signature", .form = SIGNATURE_HEX, .hash = "sha256", .content = "{body}",
	.id = "X-Forgejo-Delivery", .status = 401, .missing = "missing signature", .wrong = "signature check failed" };
/* The names of Standard Webhooks before they were a standard. */
static const struct signature svix = { "svix-signature", .form = SIGNATURE_BASE64, .hash = "sha256", .prefix = "v1,", .separator = ' ',
	.timestamp = "svix-timestamp", .content = "{id}.{timestamp}.{body}", .id = "svix-id", .key_base64 = true, .tolerance_ns = FIVE_MINUTES,
	.status = 401, .missing = "missing headers", .wrong = "signature check failed", .stale = "timestamp is too old or too new" };

const struct signature signatures[SIGNED_BY_N] = {
	/* docs.github.com, "Validating webhook deliveries"; texts of go-github's ValidateSignature, which a sender gets to read */
	[SIGNED_GITHUB] = { "X-Hub-Signature-256", .otherwise = &github_old, .form = SIGNATURE_HEX, .content = "{body}",
		.id = "X-GitHub-Delivery", .status = 400, .missing = "missing signature", .wrong = "payload signature check failed" },
	/* docs.gitlab.com, "Webhooks"; X-Gitlab-Event-UUID is no id: hooks that hooks set off share it */
	[SIGNED_GITLAB] = { "X-Gitlab-Token", .form = SIGNATURE_TOKEN, .id = "Idempotency-Key", .status = 400, .missing = "token mismatch",
		.wrong = "token mismatch" },
	/* docs.gitea.com, "Webhooks" */
	[SIGNED_GITEA] = { "X-Gitea-Signature", .otherwise = &forgejo, .form = SIGNATURE_HEX, .hash = "sha256", .content = "{body}",
		.id = "X-Gitea-Delivery", .status = 401, .missing = "missing signature", .wrong = "signature check failed" },
	/* support.atlassian.com, "Manage webhooks" */
	[SIGNED_BITBUCKET] = { "X-Hub-Signature", .form = SIGNATURE_HEX, .hash = "sha256", .prefix = "sha256=", .content = "{body}",
		.id = "X-Request-UUID", .status = 401, .missing = "missing signature", .wrong = "signature check failed" },
	/* confluence.atlassian.com, "Manage webhooks" of Bitbucket Data Center */
	[SIGNED_BITBUCKET_SERVER] = { "X-Hub-Signature", .form = SIGNATURE_HEX, .hash = "sha256", .prefix = "sha256=", .content = "{body}",
		.id = "X-Request-Id", .status = 400,
		.missing = "failed to validate bitbucketserver webhook request: missing signature header",
		.wrong = "failed to validate bitbucketserver webhook request: hmac verification failed" },
	/* docs.slack.dev, "Verifying requests from Slack"; texts of Argo and slack-go, without the signature that it computed */
	[SIGNED_SLACK] = { "X-Slack-Signature", .form = SIGNATURE_HEX, .hash = "sha256", .prefix = "v0=",
		.timestamp = "X-Slack-Request-Timestamp", .content = "v0:{timestamp}:{body}", .tolerance_ns = FIVE_MINUTES, .status = 401,
		.missing = "cannot create secrets verifier, missing headers", .wrong = "signature validation failed",
		.stale = "cannot create secrets verifier, timestamp is too old" },
	/* docs.stripe.com, "Verify webhook signatures manually" */
	[SIGNED_STRIPE] = { "Stripe-Signature", .form = SIGNATURE_HEX, .hash = "sha256", .prefix = "v1=", .separator = ',',
		.stamp_prefix = "t=", .content = "{timestamp}.{body}", .tolerance_ns = FIVE_MINUTES, .status = 400,
		.missing = "missing signature", .wrong = "signature check failed", .stale = "timestamp is too old or too new" },
	/* standardwebhooks.com, the specification */
	[SIGNED_STANDARD] = { "webhook-signature", .otherwise = &svix, .form = SIGNATURE_BASE64, .hash = "sha256", .prefix = "v1,",
		.separator = ' ', .timestamp = "webhook-timestamp", .content = "{id}.{timestamp}.{body}", .id = "webhook-id", .key_base64 = true,
		.tolerance_ns = FIVE_MINUTES, .status = 401, .missing = "missing headers", .wrong = "signature check failed",
		.stale = "timestamp is too old or too new" },
};

/* ---- digits --------------------------------------------------------------------------------------------------- */

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* At most 64 bytes: no hash is longer. False: no hexadecimal digits in pairs. */
static bool
read_hex(str s, unsigned char out[CRYPTO_HASH_MAX], size_t *n)
{
	if (s.n % 2)
		return false;
	for (size_t i = 0; i < s.n; i += 2) {
		int high = hex_digit(s.p[i]), low = hex_digit(s.p[i + 1]);
		if (high < 0 || low < 0)
			return false;
		if (i / 2 < CRYPTO_HASH_MAX)
			out[i / 2] = (unsigned char)(high << 4 | low);
	}
	*n = s.n / 2;
	return true;
}

static str
write_hex(struct arena *a, str bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *out = arena_alloc(a, bytes.n * 2 + 1, 1);
	for (size_t i = 0; i < bytes.n; i++) {
		out[2 * i] = digits[(unsigned char)bytes.p[i] >> 4];
		out[2 * i + 1] = digits[bytes.p[i] & 15];
	}
	return (str){ out, bytes.n * 2 };
}

/* ---- time ----------------------------------------------------------------------------------------------------- */

bool
signature_time(str text, int64_t *out_ns)
{
	const int64_t milliseconds_from = INT64_C(100000000000); /* as seconds, that is in the year 5138 */
	struct err e;
	int64_t n;
	if (!str_to_i64(text, &n))
		return time_parse_rfc3339(text, out_ns, &e) == 0;
	int64_t unit = n < milliseconds_from ? NS_PER_SEC : NS_PER_MS;
	if (n < 0 || n > INT64_MAX / unit)
		return false;
	*out_ns = n * unit;
	return true;
}

/* The item of a list that begins with `prefix`, without it; absent: there is none. */
static str
item_of(str list, char separator, const char *prefix)
{
	for (str rest = list; rest.n;) {
		str item = str_trim(str_cut(&rest, separator));
		if (str_starts(item, str_c(prefix)))
			return str_slice(item, strlen(prefix), item.n);
	}
	return STR_NONE;
}

static bool
is_fresh(const struct signature *sig, str timestamp, int64_t now_ns)
{
	int64_t at, away;
	if (!sig->tolerance_ns)
		return true;
	if (!signature_time(timestamp, &at) || __builtin_sub_overflow(at, now_ns, &away))
		return false;
	return away >= -sig->tolerance_ns && away <= sig->tolerance_ns;
}

/* ---- what is signed ------------------------------------------------------------------------------------------- */

static bool
says(const struct signature *sig, const char *part)
{
	return sig->content && strstr(sig->content, part);
}

static void
add_content(struct buf *b, const char *content, str timestamp, str id, str body)
{
	const struct {
		const char *name;
		str value;
	} parts[] = { { "{timestamp}", timestamp }, { "{id}", id }, { "{body}", body } };
	while (*content) {
		size_t i = 0;
		while (i < ARRAY_LEN(parts) && strncmp(content, parts[i].name, strlen(parts[i].name)) != 0)
			i++;
		if (i < ARRAY_LEN(parts)) {
			buf_add(b, parts[i].value);
			content += strlen(parts[i].name);
		} else {
			buf_addc(b, *content++);
		}
	}
}

static int
compute(const struct signature *sig, const char *hash, str key, str timestamp, const struct signed_message *m, struct arena *a, str *mac,
        struct err *e)
{
	unsigned char *out = arena_alloc(a, CRYPTO_HASH_MAX, 1);
	struct buf content CLEANUP(free_buf) = { 0 };
	bool as_it_is = strcmp(sig->content, "{body}") == 0;
	if (!as_it_is)
		add_content(&content, sig->content, timestamp, m->id, m->body);
	mac->p = (const char *)out;
	return crypto_hmac(hash, key, as_it_is ? m->body : buf_str(&content), out, &mac->n, e);
}

/* ---- the check ------------------------------------------------------------------------------------------------ */

/* "sha256" of "sha256=<digits>", which is left in *digits. NULL, and an error, if it is not that (texts of go-github). */
static const char *
named_hash(str *digits, struct err *e)
{
	static const char *const hashes[] = { "sha1", "sha256", "sha512" };
	str all = *digits, name = str_cut(digits, '=');
	if (name.n == all.n) {
		err_set(e, ERR_DENIED, "error parsing signature \"%.*s\"", STR_ARG(str_slice(all, 0, 200)));
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		if (str_eq(name, str_c(hashes[i])))
			return hashes[i];
	err_set(e, ERR_DENIED, "unknown hash type prefix: \"%.*s\"", STR_ARG(str_slice(name, 0, 64)));
	return NULL;
}

/* One signature as it was sent, without its prefix. Base64 is compared as text: its last digit has bits that mean nothing. */
static bool
is_equal(const struct signature *sig, str given, str mac, struct arena *a)
{
	unsigned char bytes[CRYPTO_HASH_MAX];
	size_t n;
	if (sig->form == SIGNATURE_BASE64)
		return crypto_equal(given, base64_encode(a, mac));
	return read_hex(given, bytes, &n) && n == mac.n && crypto_equal((str){ (const char *)bytes, n }, mac);
}

static bool
any_is_equal(const struct signature *sig, str given, str mac, struct arena *a)
{
	const char *prefix = sig->prefix ? sig->prefix : "";
	for (str rest = given; rest.n;) {
		str item = sig->separator ? str_trim(str_cut(&rest, sig->separator)) : rest;
		if (str_starts(item, str_c(prefix)) && is_equal(sig, str_slice(item, strlen(prefix), item.n), mac, a))
			return true;
		if (!sig->separator)
			break;
	}
	return false;
}

static int
read_key(const struct signature *sig, str secret, struct arena *a, str *out, struct err *e)
{
	static const char mark[] = "whsec_";
	*out = secret;
	if (!sig->key_base64)
		return 0;
	str text = str_starts(secret, S("whsec_")) ? str_slice(secret, sizeof mark - 1, secret.n) : secret;
	if (base64_decode(a, text, out, e) < 0 || !out->n)
		return err_set(e, ERR_INVALID, "the secret must be base64, with or without %s before it", mark);
	return 0;
}

static int
check_mac(const struct signature *sig, str secret, str timestamp, const struct signed_message *m, struct arena *a, str *id, struct err *e)
{
	str given = m->signature, key, mac;
	const char *hash = sig->hash ? sig->hash : named_hash(&given, e);
	if (!hash || read_key(sig, secret, a, &key, e) < 0 || compute(sig, hash, key, timestamp, m, a, &mac, e) < 0)
		return -1;
	unsigned char ignored[CRYPTO_HASH_MAX];
	size_t n;
	if (!sig->hash && !read_hex(given, ignored, &n))
		return err_set(e, ERR_DENIED, "error decoding signature \"%.*s\": must be hexadecimal digits",
		               STR_ARG(str_slice(m->signature, 0, 200)));
	if (!any_is_equal(sig, given, mac, a))
		return err_set(e, ERR_DENIED, "%s", sig->wrong);
	if (!m->id.n && says(sig, "{timestamp}"))
		*id = write_hex(a, mac);
	return 0;
}

static bool
is_token(const struct signature *sig, str given, str secret)
{
	str prefix = sig->prefix ? str_c(sig->prefix) : S("");
	return str_starts(given, prefix) && crypto_equal(str_slice(given, prefix.n, given.n), secret);
}

int
signature_check(const struct signature *sig, str secret, const struct signed_message *m, int64_t now_ns, struct arena *a, str *id, struct err *e)
{
	str timestamp = sig->stamp_prefix ? item_of(m->signature, sig->separator, sig->stamp_prefix) : m->timestamp;
	*id = m->id.n ? arena_dup(a, m->id) : STR_NONE;
	if (!m->signature.n || (says(sig, "{timestamp}") && !timestamp.n) || (says(sig, "{id}") && !m->id.n))
		return err_set(e, ERR_DENIED, "%s", sig->missing);
	if (!is_fresh(sig, timestamp, now_ns))
		return err_set(e, ERR_DENIED, "%s", sig->stale);
	if (sig->form == SIGNATURE_TOKEN)
		return is_token(sig, m->signature, secret) ? 0 : err_set(e, ERR_DENIED, "%s", sig->wrong);
	return check_mac(sig, secret, timestamp, m, a, id, e);
}
