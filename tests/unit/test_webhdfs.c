/* SPDX-License-Identifier: Apache-2.0 */
/* WebHDFS: URLs, what answers say, and HDFS's checksum of a file, as Hadoop 3.3.6 tells it. Requests are in tests/integration. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/crypto.h"
#include "engine/artifact/hdfs.h"

static void
a_url_has_everything_encoded(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct webhdfs_op op = { "PUT", "RENAME", S("/a b/c+d%&"), { { S("destination"), S("/x y?&=") }, { S("renameoptions"), S("NONE") } }, 2 };
	assert_string_equal(webhdfs_url(S("nn:9870"), &op, S("ann & co"), a).p,
		"http://nn:9870/webhdfs/v1/a%20b/c%2Bd%25%26?op=RENAME&user.name=ann%20%26%20co&destination=%2Fx%20y%3F%26%3D&renameoptions=NONE");
	const struct webhdfs_op plain = { "GET", "OPEN", S("/"), { { STR_NONE, STR_NONE } }, 0 };
	assert_string_equal(webhdfs_url(S("https://gate:8443/gateway/one//"), &plain, STR_NONE, a).p, "https://gate:8443/gateway/one/webhdfs/v1/?op=OPEN");
}

static void
a_refusal_says_what_it_means(void **state UNUSED)
{
	static const struct {
		int status;
		const char *body, *text;
		enum err_code code;
		bool passing;
	} cases[] = {
		{ 404, "{\"RemoteException\":{\"exception\":\"FileNotFoundException\",\"message\":\"File /d/9 not found.\"}}",
		  "404 FileNotFoundException: File /d/9 not found.", ERR_NOT_FOUND, false },
		{ 403, "{\"RemoteException\":{\"exception\":\"StandbyException\",\"message\":\"Operation category READ is not supported in state standby. Visit x\\nmore\"}}",
		  "403 StandbyException: Operation category READ is not supported in state standby. Visit x", ERR_UNAVAILABLE, true },
		{ 403, "{\"RemoteException\":{\"exception\":\"IOException\",\"message\":\"Failed to find datanode, suggest to check cluster health.\"}}",
		  "403 IOException: Failed to find datanode, suggest to check cluster health.", ERR_UNAVAILABLE, true },
		{ 403, "{\"RemoteException\":{\"exception\":\"IOException\",\"message\":\"Offset=1000 out of the range\"}}",
		  "403 IOException: Offset=1000 out of the range", ERR_DENIED, false },
		{ 403, "{\"RemoteException\":{\"exception\":\"FileAlreadyExistsException\",\"message\":\"x\"}}", "403 FileAlreadyExistsException: x", ERR_INVALID, false },
		{ 403, "{\"RemoteException\":{\"exception\":\"AccessControlException\",\"message\":\"Permission denied\"}}", "403 AccessControlException: Permission denied",
		  ERR_DENIED, false },
		{ 403, "{\"RemoteException\":{\"exception\":\"DSQuotaExceededException\",\"message\":\"x\"}}", "403 DSQuotaExceededException: x", ERR_LIMIT, false },
		{ 404, "It looks like you are making an HTTP request to a Hadoop IPC port.\n", "404 It looks like you are making an HTTP request to a Hadoop IPC port.",
		  ERR_INVALID, false },
		{ 401, "", "401", ERR_UNAUTHENTICATED, false },
		{ 500, "{\"RemoteException\":[1]}", "500 {\"RemoteException\":[1]}", ERR_UNAVAILABLE, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		const struct http_answer ans = { .status = cases[i].status, .body = str_c(cases[i].body) };
		struct webhdfs_refusal r;
		webhdfs_refusal(&ans, a, &r);
		assert_string_equal(r.text.p, cases[i].text);
		assert_int_equal(r.code, cases[i].code);
		assert_int_equal(r.passing, cases[i].passing);
	}
}

static void
a_listing_is_whole_or_goes_on(void **state UNUSED)
{
	static const struct {
		const char *body, *after;
		size_t n;
	} cases[] = {
		{ "{\"FileStatuses\":{\"FileStatus\":[{\"pathSuffix\":\"a\"},{\"pathSuffix\":\"b\"}]}}", NULL, 2 },
		{ "{\"DirectoryListing\":{\"partialListing\":{\"FileStatuses\":{\"FileStatus\":[{\"pathSuffix\":\"a\"}]}},\"remainingEntries\":3}}", "a", 1 },
		{ "{\"DirectoryListing\":{\"partialListing\":{\"FileStatuses\":{\"FileStatus\":[]}},\"remainingEntries\":3}}", NULL, 0 },
		{ "{\"DirectoryListing\":{\"partialListing\":{\"FileStatuses\":{\"FileStatus\":[{\"pathSuffix\":\"\"}]}},\"remainingEntries\":0}}", NULL, 1 },
		{ "{\"DirectoryListing\":{\"partialListing\":7}}", NULL, SIZE_MAX },
		{ "[]", NULL, SIZE_MAX },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		struct val v;
		struct err e;
		str after;
		assert_int_equal(json_read(a, str_c(cases[i].body), &v, &e), 0);
		const struct val *list = webhdfs_listing(&v, &after);
		assert_int_equal(list ? list->n : SIZE_MAX, cases[i].n);
		assert_true(str_eq(after, str_c(cases[i].after)));
	}
}

/* ---- checksums ----------------------------------------------------------------------------------------------------------- */

/* A file with something in front of it. */
static int
file_of(size_t n)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	char *bytes = malloc(n + 5);
	assert_true(fd >= 0 && bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i + 5] = (char)((i * 7 & 255) ^ (i >> 8 & 255));
	assert_int_equal(pwrite(fd, bytes, n + 5, 0), n + 5);
	free(bytes);
	return fd;
}

static enum hdfs_same
compare(const char *algorithm, const char *bytes, int fd, size_t n, bool uniform)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val_map m = { 0 };
	val_map_add(&m, S("algorithm"), val_cstr(algorithm));
	val_map_add(&m, S("bytes"), val_cstr(bytes));
	const struct val v = val_map_end(&m, a);
	return hdfs_sum_compare(&v, fd, 5, n, uniform, a);
}

/* Told by Hadoop 3.3.6, with blocks of 1 MiB. */
static void
a_checksum_is_that_of_hadoop(void **state UNUSED)
{
	static const struct {
		size_t n;
		const char *algorithm, *bytes;
	} cases[] = {
		{ 1, "MD5-of-0MD5-of-512CRC32C", "000002000000000000000000dc236201841049096ad31b6213203a9000000000" },
		{ 1000, "MD5-of-0MD5-of-512CRC32C", "0000020000000000000000001985b3354a6b3cc2511bb7256070406c00000000" },
		{ 1048576, "MD5-of-0MD5-of-512CRC32C", "0000020000000000000000008d5800f941a7e153bd643a5dd69430d100000000" },
		{ 1048577, "MD5-of-2048MD5-of-512CRC32C", "0000020000000000000008008a1f84a52892c16493add7391eee9d5200000000" },
		{ 2097252, "MD5-of-2048MD5-of-512CRC32C", "000002000000000000000800fb8b59df01f13e6ad00a4c8120e1c5f900000000" },
		{ 4194309, "MD5-of-2048MD5-of-512CRC32C", "00000200000000000000080096951d8e19eaa477b2f2e47da3b276d800000000" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd CLEANUP(close_fd) = file_of(cases[i].n);
		bool one = strstr(cases[i].algorithm, "of-0MD5");
		assert_int_equal(compare(cases[i].algorithm, cases[i].bytes, fd, cases[i].n, true), HDFS_SAME);
		assert_int_equal(pwrite(fd, "other", 5, (off_t)cases[i].n), 5);
		assert_int_equal(compare(cases[i].algorithm, cases[i].bytes, fd, cases[i].n, true), HDFS_DIFFERS);
		assert_int_equal(compare(cases[i].algorithm, cases[i].bytes, fd, cases[i].n, false), one ? HDFS_DIFFERS : HDFS_UNKNOWN);
	}
}

static void
what_is_no_checksum_is_not_known(void **state UNUSED)
{
	static const char *const algorithms[] = { "", "MD5-of-0MD5-of-512CRC32", "MD5-of-0MD5-of-1CRC32C", "MD5-of--1MD5-of-512CRC32C", "MD5-of-0MD5-of-9999999999CRC32C",
		"MD5-of-CRC32C", "MD5-of-xMD5-of-512CRC32C", "COMPOSITE-CRC32" };
	int fd CLEANUP(close_fd) = file_of(100);
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		assert_int_equal(compare(algorithms[i], "000002000000000000000000dc236201841049096ad31b6213203a9000000000", fd, 100, true), HDFS_UNKNOWN);
	assert_int_equal(compare("MD5-of-0MD5-of-512CRC32C", "00", fd, 100, true), HDFS_UNKNOWN);
	assert_int_equal(compare("MD5-of-0MD5-of-512CRC32C", "000002000000000000000000dc236201841049096ad31b6213203a9000000000", fd, 200, true), HDFS_UNKNOWN); /* it is shorter */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_has_everything_encoded),
		cmocka_unit_test(a_refusal_says_what_it_means),
		cmocka_unit_test(a_listing_is_whole_or_goes_on),
		cmocka_unit_test(a_checksum_is_that_of_hadoop),
		cmocka_unit_test(what_is_no_checksum_is_not_known),
	};
	struct err e;
	if (crypto_load(&e) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
