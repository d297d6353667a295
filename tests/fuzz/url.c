/* URLs and form bodies. */
#include "net/url.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_form(const char *text, size_t size)
{
	char *form = xmemdup(text, size);
	long length = url_form_decode(form, size);

	assert(length >= -1 && length <= (long)size);
	free(form);
}

static void check_encoded(const char *text)
{
	cleanup(buf_free) struct buf out = BUF_INIT(1 << 20);
	long length;

	url_encode(&out, text, strlen(text) % 2 == 0);
	length = url_form_decode(out.data, out.size);
	assert(length == (long)strlen(text));
	assert(length == 0 || memcmp(out.data, text, (size_t)length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	char *text = arena_memdup(arena, data, size);
	struct err err = ERR_INIT;
	struct url url;

	check_form(text, size);
	check_encoded(text);
	(void)url_is_loopback(text);
	if (url_parse(&url, text, arena, &err) == 0) {
		assert(url.scheme && *url.scheme && url.host);
		assert(url.port >= 0 && url.port <= 65535);
		assert(*url.path == '/' || *url.path == '\0');
		assert(strlen(url.host) <= 253 && !strpbrk(url.host, "/@?# []"));
		assert(!url.query || !strchr(url.query, '#'));
	} else {
		assert(err.kind == ERR_USAGE && *err.text && !strchr(err.text, '\n'));
	}
	return 0;
}
