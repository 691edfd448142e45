/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/webhdfs.h"

#include "core/net/sigv4.h"

#define MESSAGE_MAX 200 /* bytes that are shown */

str
webhdfs_url(str address, const struct webhdfs_op *op, str user, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	while (address.n && str_ends(address, S("/")))
		address.n--;
	buf_addf(&b, "%s%.*s/webhdfs/v1", str_find(address, S("://"), 0) == SIZE_MAX ? "http://" : "", STR_ARG(address));
	buf_addf(&b, "%.*s?op=%s", STR_ARG(sigv4_encode(a, op->path, true)), op->op);
	if (user.n)
		buf_addf(&b, "&user.name=%.*s", STR_ARG(sigv4_encode(a, user, false)));
	for (size_t i = 0; i < op->query_n; i++)
		buf_addf(&b, "&%.*s=%.*s", STR_ARG(op->query[i].name), STR_ARG(sigv4_encode(a, op->query[i].value, false)));
	return arena_dup(a, buf_str(&b));
}

bool
webhdfs_is_rpc(str address)
{
	return str_ends(address, S(":8020")) || str_ends(address, S(":9000"));
}

/* ---- refusals -------------------------------------------------------------------------------------------------- */

/* What passes; a name node says most of it with 403. */
static const struct {
	const char *exception, *message;
} passing[] = {
	{ "StandbyException", "" }, { "RetriableException", "" }, { "SafeModeException", "" }, { "RecoveryInProgressException", "" },
	{ "AlreadyBeingCreatedException", "" }, { "BlockMissingException", "" },
	{ "IOException", "Failed to find datanode" }, /* one that has just begun knows none yet */
};

static bool
is_passing(const struct webhdfs_refusal *r)
{
	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		if (str_eq(r->exception, str_c(passing[i].exception)) && str_starts(r->message, str_c(passing[i].message)))
			return true;
	return false;
}

static enum err_code
code_of(int status, const struct webhdfs_refusal *r)
{
	static const struct { const char *exception; enum err_code code; } codes[] = {
		{ "FileNotFoundException", ERR_NOT_FOUND }, { "AccessControlException", ERR_DENIED }, { "DSQuotaExceededException", ERR_LIMIT },
		{ "NSQuotaExceededException", ERR_LIMIT }, { "FileAlreadyExistsException", ERR_INVALID } };
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (str_eq(r->exception, str_c(codes[i].exception)))
			return codes[i].code;
	if (r->passing || status >= 500 || status == 408 || status == 429)
		return ERR_UNAVAILABLE;
	return status == 401 ? ERR_UNAUTHENTICATED : status == 403 ? ERR_DENIED : ERR_INVALID;
}

void
webhdfs_refusal(const struct http_answer *ans, struct arena *a, struct webhdfs_refusal *out)
{
	struct val v = { 0 };
	struct err ours;
	const struct val *x = json_read(a, ans->body, &v, &ours) == 0 ? val_get(&v, S("RemoteException")) : NULL;
	*out = (struct webhdfs_refusal){ .exception = val_get_str(x, "exception"), .message = val_get_str(x, "message") };
	str rest = out->message;
	out->message = str_slice(str_cut(&rest, '\n'), 0, MESSAGE_MAX);
	str said = out->exception.n ? out->exception : http_excerpt(a, ans->body);
	out->text = arena_fmt(a, "%d%s%.*s%s%.*s", ans->status, said.n ? " " : "", STR_ARG(said), out->message.n ? ": " : "", STR_ARG(out->message));
	out->passing = is_passing(out);
	out->code = code_of(ans->status, out);
}

/* ---- what is there --------------------------------------------------------------------------------------------- */

str
webhdfs_text(const struct val *status, const char *member)
{
	str text = val_get_str(status, member);
	return text.p ? text : S("");
}

int64_t
webhdfs_number(const struct val *status, const char *member)
{
	const struct val *x = val_get(status, str_c(member));
	int64_t n = 0;
	return x && val_to_i64(x, &n) ? n : 0;
}

bool
webhdfs_is_directory(const struct val *status)
{
	return str_eq(webhdfs_text(status, "type"), S("DIRECTORY"));
}

static const struct val *
list_of(const struct val *v, str outer, str inner)
{
	const struct val *x = val_get(val_get(v, outer), inner);
	return val_is(x, VAL_LIST) ? x : NULL;
}

const struct val *
webhdfs_listing(const struct val *answer, str *after)
{
	const struct val *part = val_get(answer, S("DirectoryListing"));
	const struct val *statuses = part ? list_of(val_get(part, S("partialListing")), S("FileStatuses"), S("FileStatus")) :
	                                    list_of(answer, S("FileStatuses"), S("FileStatus"));
	*after = STR_NONE;
	if (statuses && statuses->n && webhdfs_number(part, "remainingEntries") > 0)
		*after = val_get_str(&statuses->items[statuses->n - 1], "pathSuffix");
	if (!after->n)
		*after = STR_NONE;
	return statuses;
}
