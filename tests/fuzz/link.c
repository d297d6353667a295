/* Link headers. */
#include "github/link.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is found stands in the header between '<' and '>'. */
static void check(const char *header, const char *relation)
{
	autofree char *found = link_find(header, relation);
	autofree char *within = found ? xprintf("<%s>", found) : NULL;

	assert(!found || strstr(header, within));
	assert(!found || !strchr(found, '>'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *header = xmemdup(data, size);
	autofree char *alone = xprintf("<https://a/b>; rel=\"next\", %s", header);
	autofree char *first = link_find(alone, "next");

	check(header, "next");
	check(header, "last");
	assert(first && strcmp(first, "https://a/b") == 0);
	return 0;
}
