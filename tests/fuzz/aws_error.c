/* An answer of AWS that isn't 2xx, whatever is in it. The first byte chooses the status. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cloud/aws/error.h"
#include "cloud/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_line(const char *text, size_t room)
{
	size_t size = strnlen(text, room);

	assert(size < room && text_is_utf8(text, size));
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static void check_error(const struct http_response *response)
{
	struct aws_error error;
	struct err err = ERR_INIT;

	aws_error_read(&error, response);
	assert(error.status == response->status);
	assert(is_line(error.code, sizeof error.code));
	assert(is_line(error.message, sizeof error.message));
	assert(is_line(error.request_id, sizeof error.request_id));
	assert(aws_error_verdict(&error) != CLOUD_DONE);
	assert(aws_error_set(&error, "x: y", &err) == -1 && err.kind != ERR_NONE);
	assert(!strpbrk(err.text, "\r\n"));
}

static void check_xml(const char *text, size_t size)
{
	static const char *const names[] = {"Credentials", "Code", "a"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		autofree char *outer = xml_text(text, size, names[i]);
		autofree char *inner = xml_text_in(text, size, "Credentials", names[i]);

		assert(!outer || strlen(outer) <= size);
		assert(!inner || strlen(inner) <= size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {400, 403, 429, 500, 503, 307};
	struct http_response response = {.body = BUF_INIT(1 << 20)};
	autofree char *exact = NULL;

	if (size < 1)
		return 0;
	response.status = statuses[data[0] % 6];
	buf_add(&response.body, data + 1, size - 1);
	check_error(&response);
	/* Without the NUL that a buf has at its end. */
	exact = xresize(NULL, size, 1);
	memcpy(exact, data + 1, size - 1);
	check_xml(exact, size - 1);
	buf_free(&response.body);
	return 0;
}
