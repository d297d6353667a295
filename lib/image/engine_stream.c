#include "image/engine_stream.h"

#include <string.h>

#include "base/json.h"

#define MESSAGE_LIMIT (4 * 1024 * 1024)

void json_stream_begin(struct json_stream *stream,
		       int (*got)(void *self, json_t *message, struct err *err), void *self)
{
	*stream = (struct json_stream){.got = got, .self = self, .held = {.limit = MESSAGE_LIMIT}};
}

void json_stream_free(struct json_stream *stream)
{
	buf_free(&stream->held);
}

/* A build may print NULs, which come as \u0000 and which no JSON text of ours may hold. */
static void replace_nuls(char *text, size_t size)
{
	for (size_t at = 0; at + 1 < size; at++) {
		if (text[at] != '\\')
			continue;
		if (size - at >= 6 && memcmp(text + at + 1, "u0000", 5) == 0)
			memcpy(text + at + 1, "ufffd", 5);
		at++;
	}
}

static int hand_out(struct json_stream *stream, struct err *err)
{
	json_auto json_t *message = NULL;

	replace_nuls(stream->held.data, stream->held.size);
	if (json_parse(&message, buf_text(&stream->held), stream->held.size, err))
		return err_set(err, ERR_REMOTE, 0, "the engine's answer isn't JSON: %.200s",
			       buf_text(&stream->held));
	buf_clear(&stream->held);
	return stream->got(stream->self, message, err);
}

/* One byte further; true at an object's end. */
static bool scan(struct json_stream *stream, char c)
{
	if (stream->escaped) {
		stream->escaped = false;
	} else if (stream->text) {
		stream->escaped = c == '\\';
		stream->text = c != '"';
	} else if (c == '"') {
		stream->text = true;
	} else if (c == '{' || c == '[') {
		stream->depth++;
	} else if (c == '}' || c == ']') {
		return --stream->depth == 0;
	}
	return false;
}

int json_stream_add(struct json_stream *stream, const char *bytes, size_t size, struct err *err)
{
	size_t from = 0;

	for (size_t at = 0; at < size; at++) {
		if (stream->depth == 0 && bytes[at] != '{') {
			if (!strchr(" \t\r\n", bytes[at]) || bytes[at] == '\0')
				return err_set(
					err, ERR_REMOTE, 0, "the engine's answer isn't JSON: %.*s",
					(int)(size - at > 200 ? 200 : size - at), bytes + at);
			from = at + 1;
			continue;
		}
		if (!scan(stream, bytes[at]))
			continue;
		buf_add(&stream->held, bytes + from, at + 1 - from);
		from = at + 1;
		if (buf_full(&stream->held))
			break;
		if (hand_out(stream, err))
			return -1;
	}
	if (from < size)
		buf_add(&stream->held, bytes + from, size - from);
	return buf_full(&stream->held)
		       ? err_set(err, ERR_LIMIT, 0, "a message of the engine is over %d MiB",
				 MESSAGE_LIMIT / 1024 / 1024)
		       : 0;
}

int json_stream_end(struct json_stream *stream, struct err *err)
{
	bool within = stream->held.size > 0;

	json_stream_free(stream);
	return within ? err_set(err, ERR_TRANSIENT, 0, "the engine's answer was cut off") : 0;
}

void log_frames_begin(struct log_frames *frames,
		      void (*take)(void *self, const char *line, size_t size), void *self)
{
	*frames = (struct log_frames){.take = take, .self = self};
	lines_begin(&frames->out, take, self);
	lines_begin(&frames->errors, take, self);
}

static int take_head(struct log_frames *frames, struct err *err)
{
	const unsigned char *head = frames->head;

	if (head[0] > 2 || head[1] || head[2] || head[3])
		return err_set(err, ERR_REMOTE, 0, "the engine's log stream is malformed");
	frames->left = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8
		       | head[7];
	if (frames->left == 0)
		frames->have = 0;
	return 0;
}

int log_frames_add(struct log_frames *frames, const char *bytes, size_t size, struct err *err)
{
	while (size > 0) {
		size_t part;

		if (frames->have < sizeof frames->head) {
			frames->head[frames->have++] = (unsigned char)*bytes++;
			size--;
			if (frames->have == sizeof frames->head && take_head(frames, err))
				return -1;
			continue;
		}
		part = size < frames->left ? size : frames->left;
		lines_add(frames->head[0] == 2 ? &frames->errors : &frames->out, bytes, part);
		bytes += part;
		size -= part;
		frames->left -= (uint32_t)part;
		if (frames->left == 0)
			frames->have = 0;
	}
	return 0;
}

void log_frames_end(struct log_frames *frames)
{
	lines_end(&frames->out);
	lines_end(&frames->errors);
}
