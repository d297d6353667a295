/* A JSON body: the checker that runs while a body arrives and the parser that reads it later agree,
 * whatever pieces it came in; and what was parsed survives being written and read again. */
#include "base/json.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/json_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool checked(const uint8_t *bytes, size_t size, size_t piece)
{
	struct json_check check = {0};
	struct err err = ERR_INIT;

	for (size_t at = 0; at < size; at += piece)
		json_check_add(&check, bytes + at, size - at < piece ? size - at : piece);
	return json_check_end(&check, &err) == 0;
}

static void read_again(const json_t *json)
{
	cleanup(buf_free) struct buf text = BUF_INIT(4 * 1024 * 1024);
	json_auto json_t *again = NULL;
	struct err err = ERR_INIT;

	buf_add_json(&text, json);
	if (buf_full(&text))
		return;
	assert(json_parse(&again, buf_text(&text), text.size, &err) == 0);
	assert(json_equal(again, json));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_auto json_t *json = NULL;
	struct err err = ERR_INIT;
	size_t piece;
	bool whole;

	if (size < 1)
		return 0;
	piece = 1 + data[0] % 16;
	data++;
	size--;
	whole = checked(data, size, size + 1);
	assert(whole == checked(data, size, piece));
	if (json_parse(&json, (const char *)data, size, &err) < 0) {
		assert(!json && *err.text && !strpbrk(err.text, "\r\n"));
		return 0;
	}
	assert(whole || !json_is_object(json));
	read_again(json);
	return 0;
}
