/* SPDX-License-Identifier: Apache-2.0 */
/* crypto: the examples of NIST and of the RFCs, through the functions as they are loaded. */
#include "core/crypto.h"

#include <setjmp.h>
#include <cmocka.h>

static void
expect(str bytes, const char *hex)
{
	unsigned char out[CRYPTO_HASH_MAX];
	char text[65];
	size_t n = crypto_hash("sha256", bytes, out);
	assert_int_equal(n, 32);
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", out[i]);
	assert_string_equal(text, hex);
}

static void
sha256_gives_the_published_digests(void **state UNUSED)
{
	expect(S(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	expect(S("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	expect(S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231, test case 2; RFC 2202, test case 2. */
static void
hmac_gives_the_published_codes(void **state UNUSED)
{
	static const unsigned char sha256[] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
		0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43 };
	static const unsigned char sha1[] = { 0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2, 0x74, 0x16, 0xd5, 0xf1, 0x84, 0xdf, 0x9c,
		0x25, 0x9a, 0x7c, 0x79 };
	unsigned char out[64];
	size_t n;
	struct err e;
	assert_int_equal(crypto_hmac("sha256", S("Jefe"), S("what do ya want for nothing?"), out, &n, &e), 0);
	assert_int_equal(n, sizeof sha256);
	assert_memory_equal(out, sha256, n);
	assert_int_equal(crypto_hmac("sha1", S("Jefe"), S("what do ya want for nothing?"), out, &n, &e), 0);
	assert_int_equal(n, sizeof sha1);
	assert_memory_equal(out, sha1, n);
	assert_int_equal(crypto_hmac("md5", S("k"), S("m"), out, &n, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

static void
equal_is_equal(void **state UNUSED)
{
	assert_true(crypto_equal(S("secret"), S("secret")));
	assert_false(crypto_equal(S("secret"), S("secreT")));
	assert_false(crypto_equal(S("secret"), S("secret ")));
	assert_false(crypto_equal(S("\0a"), S("\0b")));
	assert_true(crypto_equal(S(""), STR_NONE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_published_digests),
		cmocka_unit_test(hmac_gives_the_published_codes),
		cmocka_unit_test(equal_is_equal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
