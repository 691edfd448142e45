/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/secure.h"

#include "core/digest.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* ---- libcrypto ------------------------------------------------------------------------------------------------ */

static struct {
	void *library;
	unsigned char *(*hmac)(const EVP_MD *md, const void *key, int key_n, const unsigned char *d, size_t n, unsigned char *out, unsigned *out_n);
	const EVP_MD *(*sha1)(void), *(*sha256)(void), *(*sha512)(void);
} crypto; /* filled once, on the loop's thread */

int
secure_load(struct err *e)
{
	static const struct {
		const char *name;
		void *to;
	} symbols[] = { { "HMAC", &crypto.hmac }, { "EVP_sha1", &crypto.sha1 }, { "EVP_sha256", &crypto.sha256 },
		        { "EVP_sha512", &crypto.sha512 } };
	if (crypto.library)
		return 0;
	void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return err_set(e, ERR_UNAVAILABLE, "signatures need OpenSSL's libcrypto: install libssl3 (%s)", dlerror());
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		void *symbol = dlsym(library, symbols[i].name);
		if (!symbol) {
			err_set(e, ERR_UNAVAILABLE, "libcrypto has no %s: install libssl3 of version 3", symbols[i].name);
			dlclose(library);
			return -1;
		}
		memcpy(symbols[i].to, &symbol, sizeof symbol);
	}
	crypto.library = library;
	return 0;
}

int
secure_hmac(const char *hash, str key, str message, unsigned char out[64], size_t *n, struct err *e)
{
	if (secure_load(e) < 0)
		return -1;
	const EVP_MD *md = strcmp(hash, "sha1") == 0     ? crypto.sha1()
	                   : strcmp(hash, "sha256") == 0 ? crypto.sha256()
	                   : strcmp(hash, "sha512") == 0 ? crypto.sha512()
	                                                 : NULL;
	unsigned size = 0;
	if (!md)
		return err_set(e, ERR_INVALID, "hash %s: must be sha1, sha256 or sha512", hash);
	if (!crypto.hmac(md, key.p, (int)key.n, (const unsigned char *)message.p, message.n, out, &size))
		return err_set(e, ERR_INTERNAL, "HMAC with %s failed", hash);
	*n = size;
	return 0;
}

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
	if (secure_hmac(hash, key, body, ours, &ours_n, e) < 0)
		return -1;
	if (given_n != ours_n || !digest_equal((str){ (const char *)given, given_n }, (str){ (const char *)ours, ours_n }))
		return err_set(e, ERR_DENIED, "payload signature check failed");
	return 0;
}
