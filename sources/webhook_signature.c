/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/webhook_signature.h"

enum { ALGORITHM_SHA256, ALGORITHM_SHA1, ALGORITHM_SHA512, ALGORITHM_TOKEN };
static const char *const algorithms[] = { "sha256", "sha1", "sha512", "token", NULL };
enum { ENCODING_HEX, ENCODING_BASE64 };
static const char *const encodings[] = { "hex", "base64", NULL };
static const char *const secret_encodings[] = { "text", "base64", NULL };

static bool
has(const struct webhook_signature *s, str part)
{
	return str_find(s->content, part, 0) != SIZE_MAX;
}

static void
check_stamps(const struct webhook_signature *s, const struct val *in, struct decode *c)
{
	if (s->timestamp_header.n && !has(s, S("{timestamp}")))
		decode_error(c, in, "timestampHeader", "the time proves nothing if it is not signed: write what is signed, as in signed: "
			"\"{timestamp}.{body}\"");
	if (!s->timestamp_header.n && has(s, S("{timestamp}")))
		decode_error(c, in, "signed", "{timestamp} needs a timestampHeader");
	if (!s->id_header.n && has(s, S("{id}")))
		decode_error(c, in, "signed", "{id} needs an idHeader");
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct webhook_signature *s = obj;
	bool token = s->algorithm == ALGORITHM_TOKEN;

	if (!token && !has(s, S("{body}")))
		decode_error(c, in, "signed", "a signature without {body} says nothing about what was sent");
	if (s->separator.n > 1)
		decode_error(c, in, "separator", "must be a single character, not \"%.*s\"", STR_ARG(s->separator));
	if (token && s->timestamp_header.n)
		decode_error(c, in, "timestampHeader", "a token signs nothing, so that a time would prove nothing");
	else if (!token)
		check_stamps(s, in, c);
	if (s->tolerance.ns <= 0)
		decode_error(c, in, "tolerance", "must be longer than nothing, as in 5m");
	if (!s->timestamp_header.n && !s->id_header.n)
		decode_warn(c, in, NULL, "a request that somebody recorded can be sent again: name the timestampHeader that is signed, or the "
			"idHeader of the delivery");
}

const struct schema webhook_signature_schema = { "WebhookSignature", "How the sender of a webhook signs. Tidegate's own.",
	sizeof(struct webhook_signature), (const struct field[]){
	FIELD_ENUM(struct webhook_signature, algorithm, "algorithm", 0, algorithms, .dflt = "sha256",
		.doc = "Hash of the HMAC; `token`: the header has the secret itself."),
	FIELD_ENUM(struct webhook_signature, encoding, "encoding", 0, encodings, .dflt = "hex", .doc = "How the signature is written."),
	FIELD(struct webhook_signature, header, "header", REQ, .doc = "Header with the signature, such as X-Shopify-Hmac-Sha256."),
	FIELD(struct webhook_signature, id_header, "idHeader", 0,
		.doc = "Header that names the delivery: the same again is the same event."),
	FIELD(struct webhook_signature, prefix, "prefix", 0, .doc = "What stands before the signature, such as `sha256=`."),
	FIELD_PTR(struct webhook_signature, secret, "secret", REQ, &secret_ref_schema, .doc = "The key."),
	FIELD_ENUM(struct webhook_signature, secret_encoding, "secretEncoding", 0, secret_encodings, .dflt = "text",
		.doc = "Whether the key stands in the secret as it is, or in base64."),
	FIELD(struct webhook_signature, separator, "separator", 0,
		.doc = "Character between signatures, if the header may have several: one that is right will do."),
	FIELD(struct webhook_signature, content, "signed", 0, .dflt = "{body}",
		.doc = "What is signed, of `{body}`, `{timestamp}` and `{id}`, such as `{timestamp}.{body}`."),
	FIELD(struct webhook_signature, timestamp_header, "timestampHeader", 0,
		.doc = "Header with the time of signing: seconds or milliseconds since 1970, or RFC 3339."),
	FIELD(struct webhook_signature, tolerance, "tolerance", 0, .dflt = "5m", .doc = "How far that time may be from now."),
	FIELD_SRC(struct webhook_signature, src),
	{ 0 } }, check };

static const char *
given(str text, struct arena *a)
{
	return text.n ? str_z(a, text) : NULL;
}

const struct signature *
webhook_signature_row(const struct webhook_signature *s, struct arena *a)
{
	struct signature *row = ARENA_NEW(a, struct signature);
	bool token = s->algorithm == ALGORITHM_TOKEN;
	*row = (struct signature){
		.header = str_z(a, s->header), .hash = token ? NULL : algorithms[s->algorithm], .prefix = given(s->prefix, a),
		.form = token ? SIGNATURE_TOKEN : s->encoding == ENCODING_BASE64 ? SIGNATURE_BASE64 : SIGNATURE_HEX,
		.separator = s->separator.n ? s->separator.p[0] : 0, .timestamp = given(s->timestamp_header, a),
		.content = token ? NULL : str_z(a, s->content), .id = given(s->id_header, a), .key_base64 = s->secret_encoding != 0,
		.tolerance_ns = s->timestamp_header.n ? s->tolerance.ns : 0, .status = 401, .missing = "missing signature",
		.wrong = "signature check failed", .stale = "timestamp is too old or too new",
	};
	return row;
}
