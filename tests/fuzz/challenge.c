/* What a registry answers in headers: WWW-Authenticate, Location. */
#include "image/challenge.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "image/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	char *text = arena_memdup(arena, data, size);
	struct challenge list[CHALLENGES_MAX];
	size_t count = challenge_parse(text, list, arena);
	const char *url = talk_resolve("https://registry.example:5000/v2/a/b?c=d", text, arena);

	assert(count <= CHALLENGES_MAX);
	for (size_t i = 0; i < count; i++) {
		assert(*list[i].scheme && strlen(list[i].scheme) <= size);
		assert(!list[i].realm || strlen(list[i].realm) <= size);
	}
	if (url)
		assert(strncasecmp(url, "http", 4) == 0 && strstr(url, "://")
		       && !strpbrk(url, "\r\n "));
	return 0;
}
