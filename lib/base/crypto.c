#include "base/crypto.h"

#include <assert.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

/*
 * What can fail here is memory or a broken OpenSSL, so it ends the process, as in mem.h.
 * EVP_sha256() would be looked up in the provider at every use; this is looked up once.
 */
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256_method;

static void must(bool done)
{
	assert(done);
}

static void sha256_fetch(void)
{
	sha256_method = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(sha256_method != NULL);
}

static const EVP_MD *sha256_get(void)
{
	must(pthread_once(&sha256_once, sha256_fetch) == 0);
	return sha256_method;
}

void sha256(const void *bytes, size_t size, uint8_t out[SHA256_SIZE])
{
	must(EVP_Digest(bytes, size, out, NULL, sha256_get(), NULL) == 1);
}

void sha256_hex(const void *bytes, size_t size, char out[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	sha256(bytes, size, digest);
	hex_encode(digest, sizeof digest, out);
}

/* The contexts are OpenSSL's own; the incomplete types of the header only name them. */
struct sha256_stream *sha256_begin(void)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	must(context && EVP_DigestInit_ex2(context, sha256_get(), NULL) == 1);
	return (struct sha256_stream *)context;
}

void sha256_add(struct sha256_stream *stream, const void *bytes, size_t size)
{
	must(EVP_DigestUpdate((EVP_MD_CTX *)stream, bytes, size) == 1);
}

void sha256_end(struct sha256_stream *stream, uint8_t out[SHA256_SIZE])
{
	EVP_MD_CTX *context = (EVP_MD_CTX *)stream;

	must(EVP_DigestFinal_ex(context, out, NULL) == 1);
	EVP_MD_CTX_free(context);
}

struct hmac_key *hmac_key_new(const void *secret, size_t size)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *method = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = method ? EVP_MAC_CTX_new(method) : NULL;

	/* A NULL key would mean "the key of before" to OpenSSL. */
	must(context && EVP_MAC_init(context, secret ? secret : (const void *)"", size, params));
	EVP_MAC_free(method);
	return (struct hmac_key *)context;
}

void hmac_key_free(struct hmac_key *key)
{
	EVP_MAC_CTX_free((EVP_MAC_CTX *)key);
}

struct hmac *hmac_begin(const struct hmac_key *key)
{
	EVP_MAC_CTX *context = EVP_MAC_CTX_dup((const EVP_MAC_CTX *)key);

	must(context != NULL);
	return (struct hmac *)context;
}

void hmac_add(struct hmac *hmac, const void *bytes, size_t size)
{
	if (size > 0)
		must(EVP_MAC_update((EVP_MAC_CTX *)hmac, bytes, size) == 1);
}

void hmac_end(struct hmac *hmac, uint8_t out[SHA256_SIZE])
{
	EVP_MAC_CTX *context = (EVP_MAC_CTX *)hmac;
	size_t size = 0;

	if (out) {
		must(EVP_MAC_final(context, out, &size, SHA256_SIZE) == 1);
		must(size == SHA256_SIZE);
	}
	EVP_MAC_CTX_free(context);
}

bool crypto_same(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}

size_t crypto_choose(bool condition, size_t yes, size_t no)
{
	size_t mask = (size_t)0 - (size_t)condition;

	/* Or the compiler sees what the mask is made of, and makes a branch of it. */
	__asm__("" : "+r"(mask));
	return (yes & mask) | (no & ~mask);
}

void crypto_random(void *out, size_t size)
{
	assert(size <= INT_MAX);
	must(RAND_bytes(out, (int)size) == 1);
}

void crypto_random_hex(char *out, size_t digits)
{
	uint8_t byte;
	char pair[3];

	for (size_t i = 0; i < digits; i++) {
		if (i % 2 == 0) {
			crypto_random(&byte, 1);
			hex_encode(&byte, 1, pair);
		}
		out[i] = pair[i % 2];
	}
	out[digits] = '\0';
}

void crypto_wipe(void *bytes, size_t size)
{
	if (bytes)
		OPENSSL_cleanse(bytes, size);
}

void crypto_wipe_text(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
}

void hex_encode(const void *bytes, size_t size, char *out)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < size; i++) {
		out[2 * i] = "0123456789abcdef"[from[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[from[i] & 15];
	}
	out[2 * size] = '\0';
}

/* 0-15, or over 255 when it isn't a digit; no branch and no table, so the time tells nothing. */
static unsigned hex_nibble(unsigned char c)
{
	unsigned digit = (unsigned)c - '0', letter = (unsigned)c - 'a';
	unsigned is_digit = (digit - 10U) >> 31 & ~(digit >> 31);
	unsigned is_letter = (letter - 6U) >> 31 & ~(letter >> 31);

	return ((0U - is_digit) & digit) | ((0U - is_letter) & (letter + 10U))
	       | ((is_digit | is_letter) ^ 1U) << 8;
}

bool hex_decode(const char *text, size_t digits, uint8_t *out, size_t size)
{
	unsigned bad = 0;

	if (digits != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		unsigned high = hex_nibble((unsigned char)text[2 * i]);
		unsigned low = hex_nibble((unsigned char)text[2 * i + 1]);

		bad |= high | low;
		out[i] = (uint8_t)((high << 4 | low) & 255U);
	}
	return bad < 256;
}

static const char base64_digits[2][65] = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

char *base64_encode(const void *bytes, size_t size, bool url)
{
	const uint8_t *from = bytes;
	char *out = xalloc(size / 3 * 4 + 5);
	size_t used = 0;

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		unsigned group = (unsigned)from[i] << 16;

		group |= left > 1 ? (unsigned)from[i + 1] << 8 : 0;
		group |= left > 2 ? (unsigned)from[i + 2] : 0;
		for (unsigned j = 0; j < 4; j++)
			if (j <= left)
				out[used++] = base64_digits[url][group >> (18 - 6 * j) & 63];
			else if (!url)
				out[used++] = '=';
	}
	return out;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* Length without the padding; -1 when the padding is wrong. */
static long base64_length(const char *text)
{
	size_t whole = strlen(text), length = whole;

	while (length > 0 && text[length - 1] == '=' && whole - length < 2)
		length--;
	if (length % 4 == 1 || (length < whole && whole % 4 != 0))
		return -1;
	return (long)length;
}

char *base64_decode(const char *text, size_t *size)
{
	long length = base64_length(text);
	autofree char *out = NULL;
	unsigned bits = 0, held = 0;
	size_t used = 0;

	if (length < 0)
		return NULL;
	out = xalloc((size_t)length / 4 * 3 + 4);
	for (long i = 0; i < length; i++) {
		int value = base64_value(text[i]);

		if (value < 0)
			return NULL;
		held = (held << 6 | (unsigned)value) & 0xffffU;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[used++] = (char)(held >> bits & 255U);
		}
	}
	/* Bits that stand for nothing must be zero, so that one value has one spelling. */
	if (held & ((1U << bits) - 1U))
		return NULL;
	*size = used;
	return take(out);
}
