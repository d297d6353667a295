/*
 * The registry client, driven from a test. One argument, a JSON object:
 *     {"do": "push", "host": "…", "name": "…", "tag": "…", "archive": "FILE",
 *      "username": "…", "password": "…", "from": ["…"], "folder": "…", "piece": N}
 * or "do": "digest" or "platforms". Prints one: {"digest" | "platforms" | "error", "kind", "said",
 * "peak": KiB}. Pauses are a hundredth of what they should be; "waited" has the milliseconds.
 */
#include "image/registry.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"

static struct http *http;
static json_t *said;
static int64_t waited;

static int64_t quick_now(struct clock *clock)
{
	(void)clock;
	return clock_now(&clock_system);
}

static int64_t quick_ticks(struct clock *clock)
{
	(void)clock;
	return clock_ticks(&clock_system) + waited;
}

static void quick_sleep(struct clock *clock, int64_t milliseconds)
{
	(void)clock;
	waited += milliseconds;
	clock_sleep(&clock_system, milliseconds / 100);
}

static struct clock quick = {quick_now, quick_ticks, quick_sleep};

static void say(void *self, const char *line, size_t size)
{
	(void)self;
	json_array_append_new(said, json_stringn(line, size));
}

static int64_t peak(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[200];
	long kib = 0;

	while (status && fgets(line, sizeof line, status))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	if (status)
		fclose(status);
	return kib;
}

static const char *const *texts(const json_t *list, struct arena *arena)
{
	const char **out;

	if (!list)
		return NULL;
	out = arena_alloc(arena, (json_array_size(list) + 1) * sizeof *out);
	for (size_t i = 0; i < json_array_size(list); i++)
		out[i] = json_string_value(json_array_get(list, i));
	return out;
}

static int push(const struct registry *registry, const json_t *what, struct arena *arena,
		json_t *out, struct err *err)
{
	int archive = open(json_text(what, "archive"), O_RDONLY | O_CLOEXEC);
	const char *digest;
	int status = registry_push(registry, archive, json_text(what, "name"),
				   json_text(what, "tag"), arena, &digest, err);

	close(archive);
	if (status == 0)
		json_object_set_new(out, "digest", json_string(digest));
	return status;
}

static int look(const struct registry *registry, const json_t *what, struct arena *arena,
		json_t *out, struct err *err)
{
	const char *const *platforms;
	const char *digest;
	json_t *list;

	if (text_same(json_text(what, "do"), "digest")) {
		if (registry_digest(registry, json_text(what, "name"), json_text(what, "tag"),
				    arena, &digest, err))
			return -1;
		json_object_set_new(out, "digest", json_string(digest));
		return 0;
	}
	if (registry_platforms(registry, json_text(what, "name"), json_text(what, "tag"), arena,
			       &platforms, err))
		return -1;
	list = json_array();
	for (; *platforms; platforms++)
		json_array_append_new(list, json_string(*platforms));
	json_object_set_new(out, "platforms", list);
	return 0;
}

int main(int argc, char **argv)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	json_auto json_t *what = NULL, *out = json_object();
	struct err err = ERR_INIT;
	struct registry registry;
	int status;

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc != 2 || json_parse(&what, argv[1], strlen(argv[1]), &err)
	    || http_curl_new(&http, "slipway-test", &err)) {
		fprintf(stderr, "registry: %s\n", err.text);
		return 2;
	}
	said = json_array();
	registry = (struct registry){
		.http = http,
		.clock = &quick,
		.host = json_text(what, "host"),
		.auth = {.username = json_text(what, "username"),
			 .password = json_text(what, "password")},
		.from = texts(json_object_get(what, "from"), arena),
		.folder = json_text(what, "folder"),
		.piece = json_integer_at(what, "piece", 0),
		.say = say,
	};
	if (text_same(json_text(what, "do"), "push"))
		status = push(&registry, what, arena, out, &err);
	else
		status = look(&registry, what, arena, out, &err);
	if (status) {
		json_object_set_new(out, "error", json_string(err.text));
		json_object_set_new(out, "kind", json_string(err_kind_name(err.kind)));
	}
	json_object_set_new(out, "said", said);
	json_object_set_new(out, "peak", json_integer(peak()));
	json_object_set_new(out, "waited", json_integer(waited));
	json_dumpf(out, stdout, JSON_COMPACT);
	putchar('\n');
	http_free(http);
	return 0;
}
