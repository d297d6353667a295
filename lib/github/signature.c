#include "github/signature.h"

#include <string.h>

#include "base/crypto.h"

static const char prefix[] = "sha256=";
#define PREFIX_SIZE (sizeof prefix - 1)
#define DIGITS      ((size_t)2 * SHA256_SIZE)

struct signature_keys {
	size_t count;
	struct hmac_key **keys;
};

struct signature_check {
	size_t count;
	struct hmac **macs;
};

struct signature_keys *signature_keys_new(const char *const *secrets, size_t count)
{
	struct signature_keys *keys = xalloc(sizeof *keys);

	keys->keys = xalloc((count ? count : 1) * sizeof(struct hmac_key *));
	keys->count = count;
	for (size_t i = 0; i < count; i++)
		keys->keys[i] = hmac_key_new(secrets[i], strlen(secrets[i]));
	return keys;
}

void signature_keys_free(struct signature_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->count; i++)
		hmac_key_free(keys->keys[i]);
	free(keys->keys);
	free(keys);
}

struct signature_check *signature_begin(const struct signature_keys *keys)
{
	struct signature_check *check = xalloc(sizeof *check);

	check->macs = xalloc((keys->count ? keys->count : 1) * sizeof(struct hmac *));
	check->count = keys->count;
	for (size_t i = 0; i < keys->count; i++)
		check->macs[i] = hmac_begin(keys->keys[i]);
	return check;
}

void signature_add(struct signature_check *check, const void *bytes, size_t size)
{
	for (size_t i = 0; i < check->count; i++)
		hmac_add(check->macs[i], bytes, size);
}

static bool header_read(const char *header, uint8_t mac[SHA256_SIZE])
{
	return header && strlen(header) == PREFIX_SIZE + DIGITS
	       && memcmp(header, prefix, PREFIX_SIZE) == 0
	       && hex_decode(header + PREFIX_SIZE, DIGITS, mac, SHA256_SIZE);
}

/* Every secret is tried, also after one fits, by the same instructions: how long it takes doesn't
 * say which of them it was. */
int signature_end(struct signature_check *check, const char *header)
{
	uint8_t given[SHA256_SIZE] = {0}, ours[SHA256_SIZE];
	bool readable = header_read(header, given);
	size_t found = check->count;

	for (size_t i = 0; i < check->count; i++) {
		hmac_end(check->macs[i], ours);
		found = crypto_choose(
			crypto_same(given, ours, sizeof ours) & (found == check->count), i, found);
	}
	found = crypto_choose(readable, found, check->count);
	found = crypto_choose(found == check->count, SIZE_MAX, found);
	crypto_wipe(ours, sizeof ours);
	free(check->macs);
	free(check);
	return (int)found;
}
