/* SPDX-License-Identifier: Apache-2.0 */
/* See aws_keys.h. Names of variables, files and addresses are those of AWS's "Credential providers" and "Container credentials". */
#include "core/net/aws_keys.h"

#include "core/clock.h"
#include "core/crypto.h"
#include "core/files.h"
#include "core/net/sts.h"
#include "core/val.h"

#define FILE_MAX ((size_t)1 << 20)
#define METADATA "http://169.254.169.254"
#define CONTAINER "http://169.254.170.2"
#define METADATA_MS 1000 /* it is on this machine, or there is none */

static str
variable(const char *name)
{
	const char *text = getenv(name);
	return text && *text ? str_c(text) : STR_NONE;
}

/* ---- a profile of the shared files ----------------------------------------------------------------------------------- */

static str
shared_file(struct arena *a, const char *name, const char *rest)
{
	str given = variable(name), home = variable("HOME");
	return given.p ? given : home.p ? arena_fmt(a, "%.*s/.aws/%s", STR_ARG(home), rest) : STR_NONE;
}

static bool
is_section(str line, str profile)
{
	str name = str_trim(str_slice(line, 1, str_find_char(line, ']', 0)));
	if (str_starts(name, S("profile ")))
		name = str_trim(str_slice(name, 8, name.n));
	return str_eq(name, profile);
}

/* The value in the profile's section; absent: there is none. */
static str
setting(str text, str profile, str name)
{
	bool in = false;
	while (text.n) {
		str line = str_trim(str_cut(&text, '\n'));
		if (str_starts(line, S("[")))
			in = is_section(line, profile);
		if (!in || !line.n || line.p[0] == '#' || line.p[0] == ';')
			continue;
		str value = line, key = str_trim(str_cut(&value, '='));
		if (str_eq(key, name))
			return str_trim(value);
	}
	return STR_NONE;
}

static int
read_shared(struct arena *a, str path, str *out, struct err *e)
{
	*out = S("");
	if (!path.p || files_read(str_z(a, path), FILE_MAX, a, out, e) == 0)
		return 0;
	return e->code == ERR_NOT_FOUND ? 0 : -1;
}

static int
check_profile(str text, str profile, struct err *e)
{
	static const char *const ways[] = { "role_arn", "credential_process", "sso_session", "sso_start_url" };
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (setting(text, profile, str_c(ways[i])).n)
			return err_set(e, ERR_UNSUPPORTED, "the AWS profile \"%.*s\" has %s, which is not followed: give keys, or roleARN", STR_ARG(profile), ways[i]);
	return 1;
}

static int
profile_keys(struct arena *a, struct aws_keys *out, struct err *e)
{
	str secrets, config, profile = variable("AWS_PROFILE");
	bool asked = profile.p;
	if (!asked)
		profile = S("default");
	if (read_shared(a, shared_file(a, "AWS_SHARED_CREDENTIALS_FILE", "credentials"), &secrets, e) < 0 ||
		read_shared(a, shared_file(a, "AWS_CONFIG_FILE", "config"), &config, e) < 0)
		return -1;
	const str texts[] = { secrets, config };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sigv4_keys k = { setting(texts[i], profile, S("aws_access_key_id")), setting(texts[i], profile, S("aws_secret_access_key")),
			setting(texts[i], profile, S("aws_session_token")) };
		if (k.access_key.n && k.secret_key.n) {
			*out = (struct aws_keys){ k, INT64_MAX };
			return 0;
		}
	}
	return asked ? check_profile(config, profile, e) < 0 || check_profile(secrets, profile, e) < 0 ? -1 : 1 : 1;
}

/* ---- services that give keys ----------------------------------------------------------------------------------------- */

struct question {
	struct http_call call;
};

static int
repeat(void *arg, uint64_t from UNUSED, str etag UNUSED, struct arena *a UNUSED, struct http_call *call, struct err *e UNUSED)
{
	const struct question *q = arg;
	*call = q->call;
	return 0;
}

static int
ask(struct http_session *s, const struct http_call *call, unsigned tries, struct arena *a, struct http_answer *ans, struct err *e)
{
	struct question q = { *call };
	const struct http_transfer t = { .request = repeat, .arg = &q, .tries = tries };
	return http_ask(s, &t, a, ans, e);
}

static int
refused(const char *who, const struct http_answer *ans, struct arena *a, struct err *e)
{
	str why = http_xml_refusal(a, ans->body);
	return err_set(e, ERR_DENIED, "%s gives no keys: %d %.*s", who, ans->status, STR_ARG(why.p ? why : http_excerpt(a, ans->body)));
}

/* {"AccessKeyId": ..., "SecretAccessKey": ..., "Token": ..., "Expiration": ...} of containers and machines. */
static int
read_json_keys(const char *who, str body, struct arena *a, struct aws_keys *out, struct err *e)
{
	struct val v;
	if (json_read(a, body, &v, e) < 0)
		return err_wrap(e, "%s", who);
	out->keys = (struct sigv4_keys){ val_get_str(&v, "AccessKeyId"), val_get_str(&v, "SecretAccessKey"), val_get_str(&v, "Token") };
	if (!out->keys.access_key.n || !out->keys.secret_key.n)
		return err_set(e, ERR_INVALID, "%s: its answer has no AccessKeyId or SecretAccessKey", who);
	str until = val_get_str(&v, "Expiration");
	out->until_ns = INT64_MAX;
	return until.n && time_parse_rfc3339(until, &out->until_ns, e) < 0 ? -1 : 0;
}

static int
read_sts(const char *who, const struct http_answer *ans, struct arena *a, struct aws_keys *out, struct err *e)
{
	return ans->status == 200 ? sts_read_keys(ans->body, a, &out->keys, &out->until_ns, e) : refused(who, ans, a, e);
}

static int
web_identity_keys(struct http_session *s, str region, struct arena *a, struct aws_keys *out, struct err *e)
{
	str file = variable("AWS_WEB_IDENTITY_TOKEN_FILE"), arn = variable("AWS_ROLE_ARN"), session = variable("AWS_ROLE_SESSION_NAME"), token;
	struct http_call call;
	struct http_answer ans;
	if (!file.p || !arn.p)
		return 1;
	if (files_read(str_z(a, file), FILE_MAX, a, &token, e) < 0)
		return err_wrap(e, "AWS_WEB_IDENTITY_TOKEN_FILE");
	const struct sts_role role = { arn, session.p ? session : S("tidegate"), region, variable("AWS_ENDPOINT_URL_STS") };
	sts_assume_role_by_token(&role, str_trim(token), a, &call);
	return ask(s, &call, 0, a, &ans, e) < 0 ? -1 : read_sts("AWS's token service", &ans, a, out, e);
}

static int
container_keys(struct http_session *s, struct arena *a, struct aws_keys *out, struct err *e)
{
	str part = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), url = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	str file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct http_answer ans;
	if (part.p)
		url = arena_fmt(a, CONTAINER "%.*s", STR_ARG(part));
	if (!url.p)
		return 1;
	if (file.p && files_read(str_z(a, file), FILE_MAX, a, &token, e) < 0)
		return err_wrap(e, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const struct http_header headers[] = { { S("Authorization"), str_trim(token) } };
	const struct http_call call = { .method = S("GET"), .url = url, .headers = headers, .headers_n = token.p ? 1 : 0 };
	if (ask(s, &call, 0, a, &ans, e) < 0)
		return -1;
	return ans.status == 200 ? read_json_keys("the container's metadata service", ans.body, a, out, e)
	                         : refused("the container's metadata service", &ans, a, e);
}

/* IMDSv2: a token first. 1: there is no such service, or it has no role. */
static int
machine_keys(struct http_session *s, struct arena *a, struct aws_keys *out, struct err *e)
{
	static const char who[] = "the machine's metadata service";
	str base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT"), off = variable("AWS_EC2_METADATA_DISABLED");
	struct http_answer ans;
	struct err why;
	if (off.p && str_eq(off, S("true")))
		return 1;
	if (!base.p)
		base = S(METADATA);
	if (str_ends(base, S("/")))
		base = str_slice(base, 0, base.n - 1);
	const struct http_header ttl[] = { { S("X-aws-ec2-metadata-token-ttl-seconds"), S("21600") } };
	struct http_call call = { .method = S("PUT"), .headers = ttl, .headers_n = 1, .timeout_ms = METADATA_MS };
	call.url = arena_fmt(a, "%.*s/latest/api/token", STR_ARG(base));
	if (ask(s, &call, 1, a, &ans, &why) < 0 || ans.status != 200)
		return 1;
	const struct http_header token[] = { { S("X-aws-ec2-metadata-token"), str_trim(ans.body) } };
	call = (struct http_call){ .method = S("GET"), .headers = token, .headers_n = 1, .timeout_ms = METADATA_MS * 5 };
	str roles = arena_fmt(a, "%.*s/latest/meta-data/iam/security-credentials/", STR_ARG(base));
	call.url = roles;
	if (ask(s, &call, 0, a, &ans, e) < 0)
		return -1;
	if (ans.status == 404)
		return 1;
	str list = ans.body, role = str_trim(str_cut(&list, '\n'));
	if (ans.status != 200 || !role.n)
		return refused(who, &ans, a, e);
	call.url = arena_fmt(a, "%.*s%.*s", STR_ARG(roles), STR_ARG(role));
	if (ask(s, &call, 0, a, &ans, e) < 0)
		return -1;
	return ans.status == 200 ? read_json_keys(who, ans.body, a, out, e) : refused(who, &ans, a, e);
}

int
aws_keys_around(struct http_session *s, str region, struct arena *a, struct aws_keys *out, struct err *e)
{
	if (crypto_load(e) < 0)
		return -1;
	*out = (struct aws_keys){ .until_ns = INT64_MAX };
	if (sigv4_keys_around(&out->keys))
		return 0;
	int rc = profile_keys(a, out, e);
	if (rc == 1)
		rc = web_identity_keys(s, region, a, out, e);
	if (rc == 1)
		rc = container_keys(s, a, out, e);
	return rc == 1 ? machine_keys(s, a, out, e) : rc;
}

int
aws_keys_of_role(struct http_session *s, str arn, str region, const struct sigv4_keys *with, struct arena *a, struct aws_keys *out, struct err *e)
{
	const struct sts_role role = { arn, S("tidegate"), region, variable("AWS_ENDPOINT_URL_STS") };
	struct http_call call;
	struct http_answer ans;
	if (crypto_load(e) < 0)
		return -1;
	sts_assume_role(&role, with, clock_wall_ns(), a, &call);
	return ask(s, &call, 0, a, &ans, e) < 0 ? -1 : read_sts("AWS's token service", &ans, a, out, e);
}
