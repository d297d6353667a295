/* The first line is the event's name, the rest its payload. What is read must be what was promised,
 * and a verdict must come with its reason. */
#include "github/event.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "service/routing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_event(const struct event *event)
{
	assert(!event->repository || text_is_repository(event->repository));
	assert(!event->commit || text_is_commit(event->commit));
	assert(!event->before || text_is_commit(event->before));
	assert(!event->branch || (text_is_ref(event->branch) && event->branch[0] != '-'));
	assert(!event->tag || (text_is_ref(event->tag) && event->tag[0] != '-'));
	assert(!event->ref || text_is_ref(event->ref));
	assert(!(event->branch && event->tag));
	assert(!event->paths_known || event->paths);
	assert(event->unfit || event->repository);
	assert(event->unfit || event->kind != EVENT_DEPLOYMENT || text_is_name(event->environment));
	assert(!event->unfit || (*event->unfit && !strpbrk(event->unfit, "\r\n")));
}

static void check_routing(const struct event *event, struct arena *arena)
{
	const struct settings_rule rules[] = {
		{.on = 0,
		 .branches = LIST("main", "release/**", "!release/old"),
		 .environment = "production"},
		{.on = 0, .tags = LIST("v[0-9]+*"), .environment = "staging"},
		{.on = 1, .environment = "production"},
		{.on = 2, .workflows = LIST("CI"), .environment = "production"},
		{.on = 3},
		{.on = 4, .packages = LIST("sho?"), .environment = "production"},
	};
	const struct settings_repository repository = {
		.name = "acme/shop",
		.rules = {.items = (void *)(uintptr_t)rules,
			  .count = sizeof rules / sizeof rules[0]},
	};
	struct routing_verdict verdict;

	routing_decide(event, &repository, arena, &verdict);
	assert(verdict.why && *verdict.why && !strpbrk(verdict.why, "\r\n"));
	assert(!(verdict.count && event->unfit));
	for (size_t i = 0; i < verdict.count; i++)
		assert(text_is_name(verdict.choices[i].environment));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	json_auto json_t *payload = NULL;
	const char *name;
	struct event event;
	struct err err = ERR_INIT;

	if (!end)
		return 0;
	name = arena_memdup(arena, data, (size_t)(end - data));
	if (event_payload(&payload, "application/json", (const char *)end + 1,
			  size - (size_t)(end + 1 - data), &err)
	    < 0) {
		assert(err.kind == ERR_USAGE);
		return 0;
	}
	if (event_read(&event, name, payload, arena, &err) < 0) {
		assert(err.kind == ERR_USAGE && *err.text && !strpbrk(err.text, "\r\n"));
		return 0;
	}
	check_event(&event);
	check_routing(&event, arena);
	return 0;
}
