/* A .dockerignore, and a path that it is asked about: the text, a NUL, the path. */
#include "image/ignore.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *nul = memchr(data, '\0', size);
	size_t text = nul ? (size_t)(nul - (const char *)data) : size;
	autofree char *path = nul ? xmemdup(nul + 1, size - text - 1) : xstrdup("dir/a.txt");
	cleanup(ignore_freep) struct ignore *ignore = NULL;
	struct err err = ERR_INIT;

	if (ignore_parse(&ignore, (const char *)data, text, &err))
		return 0;
	(void)ignore_matches(ignore, path);
	(void)ignore_looks_into(ignore, path);
	return 0;
}
