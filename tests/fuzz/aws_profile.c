/* AWS's shared files: the credentials file, a byte 0xff, the config file. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "cloud/aws/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"default", "shop", "a b"};
static const char *const keys[] = {"region", "aws_access_key_id", "aws_secret_access_key",
				   "role_arn", "source_profile"};

static void check(const struct profiles *profiles)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		for (size_t j = 0; j < sizeof keys / sizeof *keys; j++) {
			const char *value = profiles_get(profiles, names[i], keys[j]);

			assert(!value || (*value && profiles_has(profiles, names[i])));
			/* It may end up in a header. */
			assert(!value || !strpbrk(value, "\n"));
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *border = size ? memchr(data, 0xff, size) : NULL;
	size_t first = border ? (size_t)(border - data) : size;
	size_t second = border ? size - first - 1 : 0;
	cleanup(profiles_freep) struct profiles *profiles = profiles_parse(
		(const char *)data, first, border ? (const char *)border + 1 : NULL, second);

	check(profiles);
	return 0;
}
