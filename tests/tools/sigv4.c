/*
 * Signs what it reads: a JSON object a line, on stdin; the answers on stdout. Every text in
 * "target", "headers", "body" and "token" is base64, so that any bytes may be in it.
 * {"method": "GET", "target": …, "headers": [[name, value], …], "body": …, "token": …,
 *  "access_key_id": "AK", "secret_access_key": "s", "region": "r", "service": "s", "now":
 * 1440938160, "normalize": true, "sign_body": false, "omit_session_token": false,
 * "signed_body_value": "…"} → {"canonical": base64, "string_to_sign": …, "signature": …,
 * "signed_headers": …}
 */
#include "cloud/aws/sigv4.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

/* A NUL would end it: the caller sends none. */
static char *bytes(const json_t *json, struct arena *arena, size_t *size)
{
	const char *text = json_string_value(json);
	autofree char *decoded = text ? base64_decode(text, size) : NULL;

	return decoded ? arena_memdup(arena, decoded, *size) : NULL;
}

static struct http_header *read_headers(json_t *list, struct arena *arena)
{
	size_t count = json_array_size(list), size;
	struct http_header *headers = arena_alloc(arena, (count + 1) * sizeof *headers);

	for (size_t i = 0; i < count; i++) {
		json_t *pair = json_array_get(list, i);

		headers[i].name = bytes(json_array_get(pair, 0), arena, &size);
		headers[i].value = bytes(json_array_get(pair, 1), arena, &size);
	}
	return headers;
}

static void read_request(struct sigv4_request *request, json_t *asked, struct arena *arena)
{
	size_t size = 0;
	char *target = bytes(json_object_get(asked, "target"), arena, &size);
	char *mark = target ? strchr(target, '?') : NULL;

	if (mark)
		*mark++ = '\0';
	*request = (struct sigv4_request){
		.method = json_text(asked, "method"),
		.path = target ? target : "/",
		.query = mark,
		.headers = read_headers(json_object_get(asked, "headers"), arena),
		.header_count = json_array_size(json_object_get(asked, "headers")),
	};
	request->body = bytes(json_object_get(asked, "body"), arena, &request->body_size);
}

/* The request with what was added to it, but Authorization, which is the last. */
static struct sigv4_request whole(const struct sigv4_request *request,
				  const struct http_header *added, size_t count,
				  struct arena *arena)
{
	struct sigv4_request out = *request;
	struct http_header *all = arena_alloc(arena, (out.header_count + count) * sizeof *all);

	for (size_t i = 0; i < out.header_count; i++)
		all[i] = request->headers[i];
	for (size_t i = 0; i + 1 < count; i++)
		all[out.header_count++] = added[i];
	out.headers = all;
	return out;
}

static json_t *answer(json_t *asked, struct arena *arena)
{
	size_t size, count;
	char *token = bytes(json_object_get(asked, "token"), arena, &size);
	struct credential credential = {
		.id = arena_strdup(arena, json_text(asked, "access_key_id")),
		.secret = arena_strdup(arena, json_text(asked, "secret_access_key")),
		.token = token,
	};
	const struct sigv4 sigv4 = {
		.credential = &credential,
		.region = json_text(asked, "region"),
		.service = json_text(asked, "service"),
		.now = json_integer_at(asked, "now", 0),
		.keep_path = json_is_false(json_object_get(asked, "normalize")),
		.hash_header = json_flag(asked, "sign_body"),
		.token_unsigned = json_flag(asked, "omit_session_token"),
		.payload_hash = json_text(asked, "signed_body_value"),
	};
	struct sigv4_request request, sent;
	struct http_header *added;
	struct err err = ERR_INIT;
	const char *canonical, *to_sign, *authorization;
	autofree char *encoded = NULL;

	read_request(&request, asked, arena);
	if (sigv4_headers(&sigv4, &request, &added, &count, arena, &err) < 0)
		return json_pack("{s:s}", "error", err.text);
	sent = whole(&request, added, count, arena);
	canonical = sigv4_canonical(&sigv4, &sent, arena);
	to_sign = sigv4_string_to_sign(&sigv4, canonical, arena);
	authorization = added[count - 1].value;
	encoded = base64_encode(canonical, strlen(canonical), false);
	return json_pack("{s:s, s:s, s:s, s:s}", "canonical", encoded, "string_to_sign", to_sign,
			 "signature", sigv4_signature(&sigv4, to_sign, arena), "authorization",
			 authorization);
}

static void answer_line(const char *line, size_t size)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	json_auto json_t *asked = NULL, *said = NULL;
	cleanup(buf_free) struct buf out = BUF_INIT(16 * 1024 * 1024);
	struct err err = ERR_INIT;

	said = json_parse(&asked, line, size, &err) < 0 ? json_pack("{s:s}", "error", err.text)
							: answer(asked, arena);
	buf_add_json(&out, said);
	puts(buf_text(&out));
	fflush(stdout);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	while ((size = getline(&line, &room, stdin)) > 0)
		answer_line(line, (size_t)size);
	free(line);
	return 0;
}
