/* SPDX-License-Identifier: Apache-2.0 */
/* digest: NIST's example messages, and OpenSSL's answers for every length around the block. */
#include "core/digest.h"

#include <setjmp.h>
#include <cmocka.h>
#include <openssl/sha.h>

static void
expect(str bytes, const char *hex)
{
	unsigned char out[DIGEST_SHA256_SIZE];
	char text[65];
	digest_sha256(bytes, out);
	for (size_t i = 0; i < sizeof out; i++)
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

static void
sha256_agrees_with_openssl(void **state UNUSED)
{
	static char bytes[300];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 31);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		unsigned char ours[DIGEST_SHA256_SIZE], theirs[SHA256_DIGEST_LENGTH];
		digest_sha256((str){ bytes, n }, ours);
		SHA256((const unsigned char *)bytes, n, theirs);
		assert_memory_equal(ours, theirs, sizeof ours);
	}
}

static void
equal_is_equal(void **state UNUSED)
{
	assert_true(digest_equal(S("secret"), S("secret")));
	assert_false(digest_equal(S("secret"), S("secreT")));
	assert_false(digest_equal(S("secret"), S("secret ")));
	assert_false(digest_equal(S("\0a"), S("\0b")));
	assert_true(digest_equal(S(""), STR_NONE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_published_digests),
		cmocka_unit_test(sha256_agrees_with_openssl),
		cmocka_unit_test(equal_is_equal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
