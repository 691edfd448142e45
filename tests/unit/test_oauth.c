/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: how long they are used, what is no token, and what refusals say; and how a machine in Azure asks for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "core/net/azure_identity.h"
#include "core/net/oauth.h"

static const int64_t now = 1784109600 * NS_PER_SEC;

static void
how_long_a_token_is_used(void **state)
{
	static const struct {
		const char *answer;
		int64_t seconds; /* that it is used; 0: it is not taken */
	} cases[] = {
		{ "{\"access_token\":\"t0ken-of-tests\",\"expires_in\":3600}", 3540 },
		{ "{\"access_token\":\"t0ken-of-tests\",\"expires_in\":\"3599\"}", 3539 },
		{ "{\"access_token\":\"t0ken-of-tests\",\"expires_on\":\"1784110600\"}", 940 },
		{ "{\"access_token\":\"t0ken-of-tests\",\"expires_in\":60}", 30 },
		{ "{\"access_token\":\"t0ken-of-tests\"}", 3540 },
		{ "{\"access_token\":\"t0ken-of-tests\",\"expires_in\":-5}", 3540 },
		{ "{\"access_token\":\"t0ken-of-tests\",\"expires_in\":1e9}", 3540 },
		{ "{\"access_token\":\"t0ken-of-tests\",\"expires_in\":0}", 0 },
		{ "{\"access_token\":\"t0ken-of-tests\",\"expires_on\":\"1784109600\"}", 0 },
		{ "{\"access_token\":\"\"}", 0 },
		{ "[]", 0 },
		{ "", 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct oauth_token t = { 0 };
		struct err e = { 0 };
		int rc = oauth_token_take(&t, str_c(cases[i].answer), now, &e);
		if ((rc == 0) != (cases[i].seconds > 0))
			fail_msg("%s: %s", cases[i].answer, e.msg);
		assert_true(oauth_token_is_good(&t, now) == (rc == 0));
		if (rc == 0 && t.until_ns != now + cases[i].seconds * NS_PER_SEC)
			fail_msg("%s: used for %lld s", cases[i].answer, (long long)((t.until_ns - now) / NS_PER_SEC));
		assert_false(oauth_token_is_good(&t, now + 3600 * NS_PER_SEC));
		oauth_token_free(&t);
	}
}

static void
refusals(void **state)
{
	struct arena *a = arena_new();
	(void)state;
	assert_string_equal(oauth_refusal(a, S("{\"error\":\"invalid_client\",\"error_description\":\"no\"}")).p, "invalid_client: no");
	assert_true(str_eq(oauth_refusal(a, S("{\"error\":\"invalid_client\"}")), S("invalid_client")));
	assert_null(oauth_refusal(a, S("{}")).p);
	assert_null(oauth_refusal(a, S("<html>")).p);
	arena_free(a);
}

static void
a_machine_asks_for_itself(void **state)
{
	struct arena *a = arena_new();
	struct http_call call;
	struct err e;
	(void)state;
	static const char *const names[] = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT",
		"IDENTITY_HEADER", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "AZURE_AUTHORITY_HOST" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	assert_int_equal(azure_identity_call("https://storage.azure.com", a, &call, &e), 0);
	assert_string_equal(call.url.p, "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com");
	assert_true(call.headers_n == 1 && str_eq(call.headers[0].name, S("Metadata")) && str_eq(call.headers[0].value, S("true")));
	setenv("AZURE_TENANT_ID", "t", 1);
	setenv("AZURE_CLIENT_ID", "c&d", 1);
	assert_int_equal(azure_identity_call("https://storage.azure.com", a, &call, &e), 0);
	assert_true(str_ends(call.url, S("&client_id=c%26d")));
	setenv("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token", 1);
	assert_int_equal(azure_identity_call("https://storage.azure.com", a, &call, &e), -1);
	assert_true(str_starts(str_c(e.msg), S("AZURE_FEDERATED_TOKEN_FILE: /nowhere/token")));
	setenv("AZURE_CLIENT_SECRET", "s", 1);
	assert_int_equal(azure_identity_call("https://storage.azure.com", a, &call, &e), 0);
	assert_string_equal(call.url.p, "https://login.microsoftonline.com/t/oauth2/v2.0/token");
	assert_string_equal(call.body.p, "grant_type=client_credentials&client_id=c%26d&scope=https%3A%2F%2Fstorage.azure.com%2F.default&client_secret=s");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_long_a_token_is_used),
		cmocka_unit_test(refusals),
		cmocka_unit_test(a_machine_asks_for_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
