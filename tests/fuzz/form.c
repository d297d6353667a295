/* A form body: either a payload comes out, or one line that says why not. A payload that is encoded
 * comes back as it went in. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "github/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_encoded(struct buf *out, const char *text)
{
	for (; *text; text++)
		if (*text == ' ')
			buf_addc(out, '+');
		else
			buf_addf(out, "%%%02X", (unsigned char)*text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char type[] = "application/x-www-form-urlencoded";
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024), form = BUF_INIT(4 * 1024 * 1024);
	autofree char *body = xmemdup(data, size ? size : 1);
	json_auto json_t *json = NULL, *again = NULL;
	struct err err = ERR_INIT;

	if (event_payload(&json, type, body, size, &err) < 0) {
		assert(!json && *err.text && !strpbrk(err.text, "\r\n"));
		return 0;
	}
	buf_add_json(&text, json);
	buf_adds(&form, "a=1&payload=");
	add_encoded(&form, buf_text(&text));
	buf_adds(&form, "&b");
	if (buf_full(&text) || buf_full(&form))
		return 0;
	assert(event_payload(&again, type, form.data, form.size, &err) == 0);
	assert(json_equal(json, again));
	return 0;
}
