#include "target/server/state.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define STATE_LIMIT  (1 << 20)
#define LOCK_POLL_MS 50

int state_lock(const struct place *place, int64_t wait, struct err *err)
{
	const char *path = arena_printf(place->arena, "%s/lock", place->dir);
	struct clock *clock = place->site->clock;
	int64_t end = clock_ticks(clock) + wait * 1000;

	for (;;) {
		int fd = file_lock(path, false, err);

		if (fd != -1 || err->kind != ERR_CONFLICT || wait == 0)
			return fd;
		if (clock_ticks(clock) >= end)
			return err_set(err, ERR_TRANSIENT, 0,
				       "app '%s' is still locked by another process after %lld s",
				       place->app, (long long)wait);
		clock_sleep(clock, LOCK_POLL_MS);
	}
}

static const char *copied(const json_t *json, const char *key, struct arena *arena)
{
	return arena_strdup(arena, json_text(json, key));
}

static void load_run(struct state_run *out, const json_t *json, struct arena *arena)
{
	const char *slot = json_text(json, "slot");

	if (!slot || (!text_same(slot, "a") && !text_same(slot, "b"))
	    || !json_text(json, "version"))
		return;
	out->slot = slot[0];
	out->version = copied(json, "version", arena);
	out->key = copied(json, "key", arena);
}

static const char *const *load_list(const json_t *list, struct arena *arena)
{
	size_t count = json_array_size(list), used = 0;
	const char **out = arena_alloc(arena, (count + 1) * sizeof *out);

	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text)
			out[used++] = arena_strdup(arena, text);
	}
	return out;
}

static void load_site(struct state_site *out, const json_t *json, struct arena *arena)
{
	if (!json_text(json, "url"))
		return;
	out->url = copied(json, "url", arena);
	out->host = copied(json, "host", arena);
	out->authority = copied(json, "authority", arena);
	out->max_body = copied(json, "max_body", arena);
	out->listen = load_list(json_at(json, "listen"), arena);
}

static void load_all(struct state *out, const json_t *json, struct arena *arena)
{
	out->fence = json_integer_at(json, "fence", 0);
	out->port_a = (int)json_integer_at(json, "ports.a", 0);
	out->port_b = (int)json_integer_at(json, "ports.b", 0);
	load_run(&out->live, json_at(json, "live"), arena);
	load_run(&out->next, json_at(json, "next"), arena);
	load_run(&out->previous, json_at(json, "previous"), arena);
	load_run(&out->leaving, json_at(json, "leaving"), arena);
	out->shifted = json_flag(json, "shifted");
	load_site(&out->site, json_at(json, "site"), arena);
	load_site(&out->next_site, json_at(json, "next_site"), arena);
	out->good = load_list(json_at(json, "good"), arena);
}

int state_load(struct state *out, const struct place *place, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(STATE_LIMIT);
	const char *path = arena_printf(place->arena, "%s/app.json", place->dir);
	json_auto json_t *json = NULL;

	*out = (struct state){.good = arena_alloc(place->arena, sizeof(char *))};
	if (file_read(path, &text, err) == -1)
		return err->kind == ERR_ABSENT ? 0 : -1;
	if (json_parse(&json, buf_text(&text), text.size, err) == -1)
		return err_within(err, "%s", path);
	load_all(out, json, place->arena);
	return 0;
}

static json_t *run_json(const struct state_run *run)
{
	char slot[2] = {run->slot, '\0'};

	if (!run->version)
		return json_null();
	return json_pack("{s:s, s:s, s:s}", "version", run->version, "key",
			 run->key ? run->key : "", "slot", slot);
}

static json_t *list_json(const char *const *list)
{
	json_t *out = json_array();

	for (size_t i = 0; list && list[i]; i++)
		json_array_append_new(out, json_string(list[i]));
	return out;
}

static json_t *site_json(const struct state_site *site)
{
	if (!site->url)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "url", site->url, "host", site->host,
			 "authority", site->authority, "max_body", site->max_body, "listen",
			 list_json(site->listen));
}

int state_save(const struct state *state, const struct place *place, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(STATE_LIMIT);
	const char *path = arena_printf(place->arena, "%s/app.json", place->dir);
	json_auto json_t *json = json_pack(
		"{s:I, s:{s:i, s:i}, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "fence",
		(json_int_t)state->fence, "ports", "a", state->port_a, "b", state->port_b, "live",
		run_json(&state->live), "next", run_json(&state->next), "previous",
		run_json(&state->previous), "leaving", run_json(&state->leaving), "shifted",
		state->shifted, "site", site_json(&state->site), "next_site",
		site_json(&state->next_site), "good", list_json(state->good));

	if (!json)
		return err_set(err, ERR_SYSTEM, 0, "%s: a text in it is not UTF-8", path);
	buf_add_json(&text, json);
	buf_addc(&text, '\n');
	return file_write(path, text.data, text.size, 0600, err);
}

int *state_port(struct state *state, char slot)
{
	return slot == 'b' ? &state->port_b : &state->port_a;
}

size_t state_good_count(const struct state *state)
{
	size_t count = 0;

	while (state->good[count])
		count++;
	return count;
}

/* Where in the list; its length when it isn't there. */
static size_t good_index(const struct state *state, const char *version)
{
	size_t i = 0;

	while (state->good[i] && !text_same(state->good[i], version))
		i++;
	return i;
}

bool state_is_good(const struct state *state, const char *version)
{
	return state->good[good_index(state, version)] != NULL;
}

void state_add_good(struct state *state, const char *version, const char *before,
		    struct arena *arena)
{
	size_t count = state_good_count(state), at = good_index(state, before);
	const char **list = arena_alloc(arena, (count + 2) * sizeof *list);
	size_t used = 0;

	if (state_is_good(state, version))
		return;
	for (size_t i = at + 1; i < count; i++)
		list[used++] = state->good[i];
	for (size_t i = 0; i <= at && i < count; i++)
		list[used++] = state->good[i];
	list[used] = arena_strdup(arena, version);
	state->good = list;
}

void state_drop_good(struct state *state, const char *version)
{
	const char **list = (const char **)(uintptr_t)state->good;
	size_t used = 0;

	for (size_t i = 0; list[i]; i++)
		if (!text_same(list[i], version))
			list[used++] = list[i];
	list[used] = NULL;
}
