#ifndef GITHUB_SIGNATURE_H
#define GITHUB_SIGNATURE_H

#include <stddef.h>

#include "base/mem.h"

/*
 * X-Hub-Signature-256: "sha256=" and 64 lower-case hex digits, the HMAC of the raw body. Any number
 * of secrets may be live. https://docs.github.com/webhooks (validating webhook deliveries).
 */
struct signature_keys; /* prepared; read-only after creation, so threads share it */

/** Prepare that many secrets, which are copied. */
struct signature_keys *signature_keys_new(const char *const *secrets, size_t count);
void signature_keys_free(struct signature_keys *keys);
DEFINE_FREEP(struct signature_keys, signature_keys_free);

/** One body, checked while it arrives. */
struct signature_check;
struct signature_check *signature_begin(const struct signature_keys *keys);
void signature_add(struct signature_check *check, const void *bytes, size_t size);

/** The index of the secret that made this header's value, or -1 (also for NULL). Takes the same
 * time for every secret and every well-formed value. Frees the check. */
int signature_end(struct signature_check *check, const char *header);

#endif
