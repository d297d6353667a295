/* The first line is the header, the rest is the body. Whatever they are: only the right value is
 * accepted. */
#include "github/signature.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const secrets[] = {"It's a Secret to Everybody", "another", ""};

static void expected(const void *body, size_t size, char header[80])
{
	cleanup(hmac_key_freep) struct hmac_key *key = hmac_key_new(secrets[0], strlen(secrets[0]));
	struct hmac *hmac = hmac_begin(key);
	uint8_t mac[SHA256_SIZE];

	hmac_add(hmac, body, size);
	hmac_end(hmac, mac);
	memcpy(header, "sha256=", 7);
	hex_encode(mac, sizeof mac, header + 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct signature_keys *keys;
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t length = end ? (size_t)(end - data) : size;
	const uint8_t *body = end ? end + 1 : data + size;
	size_t body_size = size - (size_t)(body - data);
	autofree char *header = xalloc(length + 1);
	struct signature_check *check;
	char right[80];
	int found;

	if (!keys)
		keys = signature_keys_new(secrets, 2);
	if (length)
		memcpy(header, data, length);
	check = signature_begin(keys);
	signature_add(check, body, body_size / 2);
	signature_add(check, body + body_size / 2, body_size - body_size / 2);
	found = signature_end(check, header);
	expected(body, body_size, right);
	assert((found == 0) == (strcmp(header, right) == 0));

	check = signature_begin(keys);
	signature_add(check, body, body_size);
	assert(signature_end(check, right) == 0);
	return 0;
}
