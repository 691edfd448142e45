/* SPDX-License-Identifier: Apache-2.0 */
/* See rsa.h. The functions of libcrypto that only this needs; crypto.c keeps the library open. */
#include "core/rsa.h"

#include <dlfcn.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/crypto.h"

static struct {
	void *library;
	BIO *(*memory)(const void *bytes, int n);
	int (*bio_free)(BIO *b);
	EVP_PKEY *(*read_key)(BIO *b, EVP_PKEY **key, pem_password_cb *password, void *arg);
	X509 *(*read_certificate)(BIO *b, X509 **x, pem_password_cb *password, void *arg);
	void (*key_free)(EVP_PKEY *key);
	int (*key_type)(const EVP_PKEY *key);
	void (*certificate_free)(X509 *x);
	EVP_PKEY *(*public_key)(const X509 *x);
	const ASN1_TIME *(*not_before)(const X509 *x), *(*not_after)(const X509 *x);
	int (*compare_time)(const ASN1_TIME *t, time_t *at);
	EVP_MD_CTX *(*context)(void);
	void (*context_free)(EVP_MD_CTX *c);
	int (*sign_init)(EVP_MD_CTX *c, EVP_PKEY_CTX **k, const EVP_MD *md, ENGINE *engine, EVP_PKEY *key);
	int (*sign)(EVP_MD_CTX *c, unsigned char *out, size_t *n, const unsigned char *message, size_t message_n);
	int (*verify_init)(EVP_MD_CTX *c, EVP_PKEY_CTX **k, const EVP_MD *md, ENGINE *engine, EVP_PKEY *key);
	int (*verify)(EVP_MD_CTX *c, const unsigned char *signature, size_t n, const unsigned char *message, size_t message_n);
	const EVP_MD *(*sha1)(void), *(*sha256)(void);
	void (*forget_errors)(void);
} rsa;

static int
load(struct err *e)
{
	static const struct {
		const char *name;
		void *to;
	} symbols[] = { { "BIO_new_mem_buf", &rsa.memory }, { "BIO_free", &rsa.bio_free }, { "PEM_read_bio_PrivateKey", &rsa.read_key },
		        { "PEM_read_bio_X509", &rsa.read_certificate }, { "EVP_PKEY_free", &rsa.key_free }, { "EVP_PKEY_get_base_id", &rsa.key_type },
		        { "X509_free", &rsa.certificate_free }, { "X509_get0_pubkey", &rsa.public_key }, { "X509_get0_notBefore", &rsa.not_before },
		        { "X509_get0_notAfter", &rsa.not_after }, { "X509_cmp_time", &rsa.compare_time }, { "EVP_MD_CTX_new", &rsa.context },
		        { "EVP_MD_CTX_free", &rsa.context_free }, { "EVP_DigestSignInit", &rsa.sign_init }, { "EVP_DigestSign", &rsa.sign },
		        { "EVP_DigestVerifyInit", &rsa.verify_init }, { "EVP_DigestVerify", &rsa.verify }, { "EVP_sha1", &rsa.sha1 },
		        { "EVP_sha256", &rsa.sha256 }, { "ERR_clear_error", &rsa.forget_errors } };
	if (rsa.library)
		return 0;
	if (crypto_load(e) < 0)
		return -1;
	void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		void *symbol = library ? dlsym(library, symbols[i].name) : NULL;
		if (!symbol)
			return err_set(e, ERR_UNAVAILABLE, "libcrypto has no %s: install libssl3 of version 3", symbols[i].name);
		memcpy(symbols[i].to, &symbol, sizeof symbol);
	}
	rsa.library = library;
	return 0;
}

/* Nobody is asked for a password: an encrypted key is no key. */
static int
no_password(char *to UNUSED, int n UNUSED, int writing UNUSED, void *arg UNUSED)
{
	return 0;
}

static bool
is_rsa(const EVP_PKEY *key)
{
	return key && rsa.key_type(key) == EVP_PKEY_RSA;
}

/* ---- sign ----------------------------------------------------------------------------------------------------- */

static int
sign_with(EVP_PKEY *key, str message, struct arena *a, str *out, struct err *e)
{
	EVP_MD_CTX *c = rsa.context();
	size_t n = 0;
	unsigned char *bytes = NULL;
	const unsigned char *text = (const unsigned char *)message.p;
	bool ok = c && rsa.sign_init(c, NULL, rsa.sha256(), NULL, key) == 1 && rsa.sign(c, NULL, &n, text, message.n) == 1;
	if (ok) {
		bytes = arena_alloc(a, n, 1);
		ok = rsa.sign(c, bytes, &n, text, message.n) == 1;
	}
	rsa.context_free(c);
	*out = (str){ (const char *)bytes, n };
	return ok ? 0 : err_set(e, ERR_INTERNAL, "RSA: cannot sign");
}

int
rsa_sign(str key_pem, str message, struct arena *a, str *out, struct err *e)
{
	if (load(e) < 0)
		return -1;
	BIO *b = rsa.memory(key_pem.p ? key_pem.p : "", (int)key_pem.n);
	EVP_PKEY *key = b ? rsa.read_key(b, NULL, no_password, NULL) : NULL;
	int rc = is_rsa(key) ? sign_with(key, message, a, out, e)
	                     : err_set(e, ERR_INVALID, "not a private RSA key in PEM, as in -----BEGIN RSA PRIVATE KEY-----");
	rsa.key_free(key);
	rsa.bio_free(b);
	rsa.forget_errors();
	return rc;
}

/* ---- verify --------------------------------------------------------------------------------------------------- */

static int
check_dates(const X509 *x, int64_t now_ns, struct err *e)
{
	time_t now = (time_t)(now_ns / NS_PER_SEC);
	if (rsa.compare_time(rsa.not_before(x), &now) >= 0)
		return err_set(e, ERR_DENIED, "the certificate is not valid yet");
	return rsa.compare_time(rsa.not_after(x), &now) > 0 ? 0 : err_set(e, ERR_DENIED, "the certificate has expired");
}

static int
verify_with(EVP_PKEY *key, const EVP_MD *md, str message, str signature, struct err *e)
{
	EVP_MD_CTX *c = rsa.context();
	bool ok = c && rsa.verify_init(c, NULL, md, NULL, key) == 1 &&
	          rsa.verify(c, (const unsigned char *)signature.p, signature.n, (const unsigned char *)message.p, message.n) == 1;
	rsa.context_free(c);
	return ok ? 0 : err_set(e, ERR_DENIED, "the signature is not that of the certificate's key");
}

int
rsa_verify(str certificate_pem, const char *hash, str message, str signature, int64_t now_ns, struct err *e)
{
	if (load(e) < 0)
		return -1;
	const EVP_MD *md = strcmp(hash, "sha1") == 0 ? rsa.sha1() : rsa.sha256();
	BIO *b = rsa.memory(certificate_pem.p ? certificate_pem.p : "", (int)certificate_pem.n);
	X509 *x = b ? rsa.read_certificate(b, NULL, no_password, NULL) : NULL;
	EVP_PKEY *key = x ? rsa.public_key(x) : NULL;
	int rc = !is_rsa(key)                    ? err_set(e, ERR_INVALID, "not a certificate of an RSA key in PEM")
	         : check_dates(x, now_ns, e) < 0 ? -1
	                                         : verify_with(key, md, message, signature, e);
	rsa.certificate_free(x);
	rsa.bio_free(b);
	rsa.forget_errors();
	return rc;
}
