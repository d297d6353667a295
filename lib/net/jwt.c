#include "net/jwt.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"

#define KEY_BITS_MIN 2048 /* RFC 7518 section 3.3 */

static void pkey_free_at(EVP_PKEY **at)
{
	EVP_PKEY_free(*at);
}

static void context_free_at(EVP_MD_CTX **at)
{
	EVP_MD_CTX_free(*at);
}

static void bio_free_at(BIO **at)
{
	BIO_free(*at);
}

/* Without it OpenSSL would ask on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *self)
{
	(void)out, (void)size, (void)writing, (void)self;
	return -1;
}

static int read_key(EVP_PKEY **out, const char *pem, struct err *err)
{
	cleanup(bio_free_at) BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	ERR_clear_error();
	*out = key;
	if (!key)
		return err_set(err, ERR_USAGE, 0,
			       "the key is no private key in PEM form without a passphrase "
			       "(expected -----BEGIN RSA PRIVATE KEY----- or PRIVATE KEY)");
	if (!EVP_PKEY_is_a(key, "RSA"))
		return err_set(err, ERR_USAGE, 0, "the key is of kind %s (expected RSA)",
			       EVP_PKEY_get0_type_name(key));
	if (EVP_PKEY_get_bits(key) < KEY_BITS_MIN)
		return err_set(err, ERR_USAGE, 0, "the RSA key has %d bits (expected %d or more)",
			       EVP_PKEY_get_bits(key), KEY_BITS_MIN);
	return 0;
}

static int sign(char **out, const char *text, EVP_PKEY *key, struct err *err)
{
	cleanup(context_free_at) EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = (size_t)EVP_PKEY_get_size(key);
	autofree unsigned char *signature = xalloc(size);

	if (!context || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1
	    || EVP_DigestSign(context, signature, &size, (const unsigned char *)text, strlen(text))
		       != 1) {
		ERR_clear_error();
		return err_set(err, ERR_USAGE, 0, "the RSA key can't sign: it may be damaged");
	}
	*out = base64_encode(signature, size, true);
	return 0;
}

int jwt_sign(char **out, const json_t *claims, const char *pem, struct err *err)
{
	static const char head[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
	cleanup(buf_free) struct buf body = BUF_INIT(64 * 1024);
	cleanup(pkey_free_at) EVP_PKEY *key = NULL;
	autofree char *first = base64_encode(head, sizeof head - 1, true);
	autofree char *second = NULL, *text = NULL, *signature = NULL;

	*out = NULL;
	buf_add_json(&body, claims);
	if (buf_full(&body))
		return err_set(err, ERR_LIMIT, 0, "sign a token: its claims are over 64 KiB");
	second = base64_encode(buf_text(&body), body.size, true);
	text = xprintf("%s.%s", first, second);
	if (read_key(&key, pem, err) || sign(&signature, text, key, err))
		return err_within(err, "sign a token");
	*out = xprintf("%s.%s", text, signature);
	return 0;
}
