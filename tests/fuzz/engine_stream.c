/* What an engine sends: JSON messages or log frames, by the first byte, in pieces of the second's
 * size. */
#include "image/engine_stream.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int got(void *self, json_t *message, struct err *err)
{
	(void)self, (void)err;
	return json_is_object(message) ? 0 : -1;
}

static void take_line(void *self, const char *line, size_t size)
{
	size_t *sum = self;

	*sum += size + (unsigned char)line[size];
}

static void read_json(const char *bytes, size_t size, size_t piece)
{
	struct json_stream stream;
	struct err err = ERR_INIT;
	size_t at = 0;

	json_stream_begin(&stream, got, NULL);
	for (; at < size; at += piece)
		if (json_stream_add(&stream, bytes + at, size - at < piece ? size - at : piece,
				    &err))
			break;
	if (at >= size && json_stream_end(&stream, &err) == 0)
		return;
	json_stream_free(&stream);
}

static void read_frames(const char *bytes, size_t size, size_t piece)
{
	struct log_frames frames;
	struct err err = ERR_INIT;
	size_t sum = 0;

	log_frames_begin(&frames, take_line, &sum);
	for (size_t at = 0; at < size; at += piece)
		if (log_frames_add(&frames, bytes + at, size - at < piece ? size - at : piece,
				   &err))
			break;
	log_frames_end(&frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	(data[0] & 1 ? read_json : read_frames)((const char *)data + 2, size - 2,
						data[1] % 64u + 1);
	return 0;
}
