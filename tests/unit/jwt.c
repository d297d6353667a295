#include "net/jwt.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/crypto.h"
#include "base/json.h"
#include "tap.h"

static char *key_text(EVP_PKEY *key, bool pkcs1, const char *passphrase)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long size;

	if (pkcs1)
		PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
	else
		PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? EVP_aes_128_cbc() : NULL,
					      passphrase, passphrase ? (int)strlen(passphrase) : 0,
					      NULL, NULL);
	size = BIO_get_mem_data(bio, &data);
	text = xmemdup(data, (size_t)size);
	BIO_free(bio);
	return text;
}

static bool verified(const char *token, EVP_PKEY *key)
{
	const char *dot = strrchr(token, '.');
	size_t size = 0;
	autofree char *signature = base64_decode(dot + 1, &size);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool same = signature && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1
		    && EVP_DigestVerify(context, (unsigned char *)signature, size,
					(const unsigned char *)token, (size_t)(dot - token))
			       == 1;

	EVP_MD_CTX_free(context);
	return same;
}

static void check_token(const char *pem, EVP_PKEY *key, const char *name)
{
	json_auto json_t *claims = json_pack("{s:s,s:i}", "iss", "Iv1.x", "iat", 1700000000);
	struct err err = ERR_INIT;
	autofree char *token = NULL, *body = NULL;
	size_t size;

	if (!ok(jwt_sign(&token, claims, pem, &err) == 0, name)) {
		tap_note("%s", err.text);
		return;
	}
	ok(strncmp(token, "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.", 37) == 0, "  the header");
	ok(verified(token, key), "  the signature holds for its public key");
	token[37 + (int)strcspn(token + 37, ".")] = '\0';
	body = base64_decode(token + 37, &size);
	same_str(body, "{\"iss\":\"Iv1.x\",\"iat\":1700000000}", "  the claims");
}

static void check_refused(const char *pem, const char *want, const char *name)
{
	json_auto json_t *claims = json_object();
	struct err err = ERR_INIT;
	autofree char *token = NULL;

	ok(jwt_sign(&token, claims, pem, &err) == -1 && err.kind == ERR_USAGE && !token, name);
	if (!ok(strstr(err.text, want) != NULL, "  and says why"))
		tap_note("%s", err.text);
}

int main(void)
{
	EVP_PKEY *key = EVP_RSA_gen(2048), *small = EVP_RSA_gen(1024), *curve = EVP_EC_gen("P-256");
	autofree char *eight = key_text(key, false, NULL), *one = key_text(key, true, NULL);
	autofree char *locked = key_text(key, false, "secret"),
		      *short_key = key_text(small, true, NULL);
	autofree char *elliptic = key_text(curve, false, NULL);

	ok(strstr(eight, "BEGIN PRIVATE KEY") && strstr(one, "BEGIN RSA PRIVATE KEY"), "two forms");
	check_token(eight, key, "PKCS#8");
	check_token(one, key, "PKCS#1");
	check_refused("", "no private key in PEM form", "nothing is no key");
	check_refused("hello", "no private key in PEM form", "nor is a word");
	check_refused(locked, "without a passphrase",
		      "a locked key is refused, and nobody is asked");
	check_refused(short_key, "has 1024 bits (expected 2048", "a short key");
	check_refused(elliptic, "of kind EC (expected RSA)", "an elliptic key");
	EVP_PKEY_free(key);
	EVP_PKEY_free(small);
	EVP_PKEY_free(curve);
	return tap_done();
}
