/* SPDX-License-Identifier: Apache-2.0 */
/* See crypto.h. The few functions of libcrypto that are used stand in one table, filled once, on the loop's thread. */
#include "core/crypto.h"

#include <dlfcn.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "core/log.h"

static struct {
	void *library;
	unsigned char *(*hmac)(const EVP_MD *md, const void *key, int key_n, const unsigned char *d, size_t n, unsigned char *out, unsigned *out_n);
	int (*digest)(const void *data, size_t n, unsigned char *out, unsigned *out_n, const EVP_MD *md, ENGINE *engine);
	const EVP_MD *(*md5)(void), *(*sha1)(void), *(*sha256)(void), *(*sha512)(void);
	EVP_PKEY *(*raw_key)(int type, ENGINE *engine, const unsigned char *key, size_t n);
	int (*public_key)(const EVP_PKEY *key, unsigned char *out, size_t *n);
	void (*key_free)(EVP_PKEY *key);
	int (*memcmp)(const void *a, const void *b, size_t n);
	BIO *(*bio)(const void *text, int n);
	int (*bio_free)(BIO *b);
	EVP_PKEY *(*read_key)(BIO *b, EVP_PKEY **key, pem_password_cb *password, void *arg);
	int (*key_is)(const EVP_PKEY *key, const char *type);
	EVP_MD_CTX *(*context)(void);
	void (*context_free)(EVP_MD_CTX *c);
	int (*sign_init)(EVP_MD_CTX *c, EVP_PKEY_CTX **pc, const EVP_MD *md, ENGINE *engine, EVP_PKEY *key);
	int (*sign)(EVP_MD_CTX *c, unsigned char *out, size_t *n, const unsigned char *text, size_t text_n);
} crypto;

int
crypto_load(struct err *e)
{
	static const struct {
		const char *name;
		void *to;
	} symbols[] = { { "HMAC", &crypto.hmac }, { "EVP_Digest", &crypto.digest }, { "EVP_md5", &crypto.md5 }, { "EVP_sha1", &crypto.sha1 },
		        { "EVP_sha256", &crypto.sha256 }, { "EVP_sha512", &crypto.sha512 }, { "CRYPTO_memcmp", &crypto.memcmp },
		        { "EVP_PKEY_new_raw_private_key", &crypto.raw_key }, { "EVP_PKEY_get_raw_public_key", &crypto.public_key },
		        { "EVP_PKEY_free", &crypto.key_free }, { "BIO_new_mem_buf", &crypto.bio }, { "BIO_free", &crypto.bio_free },
		        { "PEM_read_bio_PrivateKey", &crypto.read_key }, { "EVP_PKEY_is_a", &crypto.key_is }, { "EVP_MD_CTX_new", &crypto.context },
		        { "EVP_MD_CTX_free", &crypto.context_free }, { "EVP_DigestSignInit", &crypto.sign_init }, { "EVP_DigestSign", &crypto.sign } };
	if (crypto.library)
		return 0;
	void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return err_set(e, ERR_UNAVAILABLE, "OpenSSL's libcrypto is needed: install libssl3 (%s)", dlerror());
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

/* The package depends on libssl3: without it nothing can be trusted, so there is no way to go on. */
static void
load_or_die(void)
{
	struct err e;
	if (crypto_load(&e) == 0)
		return;
	log_error("stopping", "error", e.msg, NULL);
	exit(err_exit_code(ERR_IO));
}

static const EVP_MD *
hash_named(const char *hash)
{
	return strcmp(hash, "sha1") == 0     ? crypto.sha1()
	       : strcmp(hash, "sha256") == 0 ? crypto.sha256()
	       : strcmp(hash, "sha512") == 0 ? crypto.sha512()
	                                     : NULL;
}

int
crypto_hmac(const char *hash, str key, str message, unsigned char out[CRYPTO_HASH_MAX], size_t *n, struct err *e)
{
	if (crypto_load(e) < 0)
		return -1;
	const EVP_MD *md = hash_named(hash);
	unsigned size = 0;
	if (!md)
		return err_set(e, ERR_INVALID, "hash %s: must be sha1, sha256 or sha512", hash);
	if (!crypto.hmac(md, key.p, (int)key.n, (const unsigned char *)message.p, message.n, out, &size))
		return err_set(e, ERR_INTERNAL, "HMAC with %s failed", hash);
	*n = size;
	return 0;
}

size_t
crypto_hash(const char *hash, str bytes, unsigned char out[CRYPTO_HASH_MAX])
{
	unsigned n = 0;
	load_or_die();
	const EVP_MD *md = strcmp(hash, "md5") == 0 ? crypto.md5() : hash_named(hash); /* HMAC is for what is still safe */
	int ok = crypto.digest(bytes.p, bytes.n, out, &n, md, NULL);
	assert(ok);
	(void)ok;
	return n;
}

int
crypto_ed25519_public(const unsigned char private[32], unsigned char out[32], struct err *e)
{
	size_t n = 32;
	if (crypto_load(e) < 0)
		return -1;
	EVP_PKEY *key = crypto.raw_key(EVP_PKEY_ED25519, NULL, private, 32);
	int ok = key && crypto.public_key(key, out, &n) && n == 32;
	crypto.key_free(key);
	return ok ? 0 : err_set(e, ERR_INTERNAL, "Ed25519: no public key");
}

/* Nobody is there to be asked for a password. */
static int
no_password(char *to UNUSED, int n UNUSED, int writing UNUSED, void *arg UNUSED)
{
	return -1;
}

static EVP_PKEY *
rsa_key(str pem)
{
	BIO *b = pem.n && pem.n < INT_MAX ? crypto.bio(pem.p, (int)pem.n) : NULL;
	EVP_PKEY *key = b ? crypto.read_key(b, NULL, no_password, NULL) : NULL;
	if (b)
		crypto.bio_free(b);
	if (key && crypto.key_is(key, "RSA"))
		return key;
	crypto.key_free(key);
	return NULL;
}

int
crypto_rs256(str pem, str message, unsigned char out[CRYPTO_RSA_MAX], size_t *n, struct err *e)
{
	if (crypto_load(e) < 0)
		return -1;
	EVP_PKEY *key = rsa_key(pem);
	if (!key)
		return err_set(e, ERR_INVALID, "not an RSA key in PEM without a password");
	EVP_MD_CTX *c = crypto.context();
	*n = CRYPTO_RSA_MAX;
	bool ok = c && crypto.sign_init(c, NULL, crypto.sha256(), NULL, key) == 1 &&
	          crypto.sign(c, out, n, (const unsigned char *)message.p, message.n) == 1;
	crypto.context_free(c);
	crypto.key_free(key);
	return ok ? 0 : err_set(e, ERR_INVALID, "no signature: the RSA key is too large, or not a whole one");
}

bool
crypto_equal(str a, str b)
{
	load_or_die();
	return a.n == b.n && (a.n == 0 || crypto.memcmp(a.p, b.p, a.n) == 0);
}
