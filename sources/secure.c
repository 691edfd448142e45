/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/secure.h"

#include "core/crypto.h"

/* ---- GitHub --------------------------------------------------------------------------------------------------- */

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* At most 64 bytes: no hash is longer. False: no hexadecimal digits in pairs. */
static bool
read_hex(str s, unsigned char out[64], size_t *n)
{
	if (s.n % 2)
		return false;
	for (size_t i = 0; i < s.n; i += 2) {
		int high = hex_digit(s.p[i]), low = hex_digit(s.p[i + 1]);
		if (high < 0 || low < 0)
			return false;
		if (i / 2 < 64)
			out[i / 2] = (unsigned char)(high << 4 | low);
	}
	*n = s.n / 2;
	return true;
}

int
secure_check_github(str signature, str key, str body, struct err *e)
{
	static const char *const hashes[] = { "sha1", "sha256", "sha512" };
	if (signature.n == 0)
		return err_set(e, ERR_INVALID, "missing signature");
	str hex = signature, prefix = str_cut(&hex, '=');
	str shown = str_slice(signature, 0, 200);
	if (prefix.n == signature.n)
		return err_set(e, ERR_INVALID, "error parsing signature \"%.*s\"", STR_ARG(shown));
	const char *hash = NULL;
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		if (str_eq(prefix, str_c(hashes[i])))
			hash = hashes[i];
	if (!hash)
		return err_set(e, ERR_INVALID, "unknown hash type prefix: \"%.*s\"", STR_ARG(str_slice(prefix, 0, 64)));
	unsigned char given[64], ours[64];
	size_t given_n, ours_n;
	if (!read_hex(hex, given, &given_n))
		return err_set(e, ERR_INVALID, "error decoding signature \"%.*s\": must be hexadecimal digits", STR_ARG(shown));
	if (crypto_hmac(hash, key, body, ours, &ours_n, e) < 0)
		return -1;
	if (given_n != ours_n || !crypto_equal((str){ (const char *)given, given_n }, (str){ (const char *)ours, ours_n }))
		return err_set(e, ERR_DENIED, "payload signature check failed");
	return 0;
}
