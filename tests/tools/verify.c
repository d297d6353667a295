/*
 * Verdicts of ours about signatures, for comparing with another program's. Reads a JSON object per
 * line:
 *     {"secrets": ["…"], "body": "<base64>"}    what the next lines are about
 *     {"signature": "sha256=…"}                 prints the secret's index, or -1
 * The body is handed over in pieces of growing size, as it would arrive.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "github/signature.h"

#define SECRETS_MAX 8

struct subject {
	struct signature_keys *keys;
	char *body;
	size_t size;
};

static void take_subject(struct subject *subject, const json_t *line)
{
	const json_t *list = json_object_get(line, "secrets");
	const char *secrets[SECRETS_MAX];
	size_t count = json_array_size(list);

	signature_keys_free(subject->keys);
	free(subject->body);
	if (count > SECRETS_MAX)
		exit(2);
	for (size_t i = 0; i < count; i++)
		secrets[i] = json_string_value(json_array_get(list, i));
	subject->keys = signature_keys_new(secrets, count);
	subject->body = base64_decode(json_text(line, "body"), &subject->size);
	if (!subject->body)
		exit(2);
}

static int judge(const struct subject *subject, const char *signature)
{
	struct signature_check *check = signature_begin(subject->keys);
	size_t piece = 1;

	for (size_t at = 0; at < subject->size; at += piece, piece *= 2) {
		if (piece > subject->size - at)
			piece = subject->size - at;
		signature_add(check, subject->body + at, piece);
	}
	return signature_end(check, signature);
}

int main(void)
{
	struct subject subject = {0};
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	while ((size = getline(&line, &room, stdin)) > 0) {
		json_auto json_t *json = NULL;
		struct err err;

		if (json_parse(&json, line, (size_t)size, &err) < 0) {
			fprintf(stderr, "verify: %s\n", err.text);
			return 2;
		}
		if (json_object_get(json, "body"))
			take_subject(&subject, json);
		else
			printf("%d\n", judge(&subject, json_text(json, "signature")));
	}
	free(line);
	free(subject.body);
	signature_keys_free(subject.keys);
	return 0;
}
