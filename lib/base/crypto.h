#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* with its NUL */

/** The SHA-256 digest (FIPS 180-4), as bytes or as lower-case hex. */
void sha256(const void *bytes, size_t size, uint8_t out[SHA256_SIZE]);
void sha256_hex(const void *bytes, size_t size, char out[SHA256_HEX_SIZE]);

/** A digest over pieces. */
struct sha256_stream;
struct sha256_stream *sha256_begin(void);
void sha256_add(struct sha256_stream *stream, const void *bytes, size_t size);
void sha256_end(struct sha256_stream *stream, uint8_t out[SHA256_SIZE]); /* and frees it */

/** An HMAC-SHA256 key, prepared once; read-only after that, so threads share it. */
struct hmac_key;
struct hmac_key *hmac_key_new(const void *secret, size_t size);
void hmac_key_free(struct hmac_key *key);
DEFINE_FREEP(struct hmac_key, hmac_key_free);

struct hmac;
struct hmac *hmac_begin(const struct hmac_key *key);
void hmac_add(struct hmac *hmac, const void *bytes, size_t size);
void hmac_end(struct hmac *hmac, uint8_t out[SHA256_SIZE]); /* and frees it; out may be NULL */

/** In time that depends on `size` alone. */
bool crypto_same(const void *a, const void *b, size_t size);

/** `yes` or `no`, by the same instructions for both. */
size_t crypto_choose(bool condition, size_t yes, size_t no);

void crypto_random(void *out, size_t size);
void crypto_random_hex(char *out, size_t digits); /* digits + 1 bytes */
void crypto_wipe(void *bytes, size_t size);
void crypto_wipe_text(char *text); /* NULL is fine; does not free */

void hex_encode(const void *bytes, size_t size, char *out); /* 2 * size + 1 bytes, lower case */
/** Exactly 2 * size lower-case hex digits at `text`? Then the bytes. No early exit. */
bool hex_decode(const char *text, size_t digits, uint8_t *out, size_t size);

/** The caller frees. url: RFC 4648 section 5, unpadded. */
char *base64_encode(const void *bytes, size_t size, bool url);
/** NULL if it isn't base64 (either alphabet, padding optional). The caller frees. */
char *base64_decode(const char *text, size_t *size);

#endif
