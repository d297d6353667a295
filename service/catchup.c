#include "service/catchup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "github/event.h"
#include "net/url.h"

#define KEPT_SECONDS    (3 * 86400) /* how long GitHub keeps them */
#define OVERLAP_SECONDS 300         /* lists aren't strictly in the order of time */
#define YOUNG_SECONDS   30          /* so long one may be under way to our own port */
#define PAGES           500
#define BACKOFF_MIN     5
#define BACKOFF_MAX     600
#define REFUSED_SECONDS 3600 /* until what we may not see is asked for again */
#define LIMIT_SECONDS   60

/** One look through one hook. */
struct look {
	struct catchup *catchup;
	struct catchup_hook *hook;
	struct arena *arena;
	int64_t now, since;                    /* seconds since 1970 */
	int64_t until;                         /* everything up to then is settled */
	const struct deliveries_item **wanted; /* newest first */
	size_t count, room;
	size_t fetched;
	const char *etag;
	bool store_failed;
};

static void parse_setting(struct catchup_hook *hook, struct arena *arena)
{
	char *text = arena_strdup(arena, hook->setting);
	char *id = strstr(text, "/hooks/");
	struct err ignored;

	if (id) {
		if (text_number(id + strlen("/hooks/"), 1, INT64_MAX / 10, &hook->hook.id, &ignored)
		    < 0)
			hook->hook.id = 0;
		*id = '\0';
	}
	if (text_same(text, "app"))
		hook->hook.app = true;
	else if (text_starts(text, "repos/"))
		hook->hook.repository = text + strlen("repos/");
	else
		hook->hook.organization = text + strlen("orgs/");
	if (hook->hook.app || hook->hook.id > 0)
		hook->name = hook->setting;
}

void catchup_init(struct catchup *catchup, struct arena *arena)
{
	const char *const *list = settings_deliveries(catchup->settings, arena);

	catchup->count = 0;
	catchup->arena = arena;
	while (list[catchup->count])
		catchup->count++;
	catchup->hooks = arena_alloc(arena, (catchup->count + 1) * sizeof *catchup->hooks);
	for (size_t i = 0; i < catchup->count; i++) {
		catchup->hooks[i].setting = list[i];
		parse_setting(&catchup->hooks[i], arena);
	}
}

void catchup_free(struct catchup *catchup)
{
	for (size_t i = 0; i < catchup->count; i++)
		free(catchup->hooks[i].etag);
	catchup->count = 0;
}

/* Does it deliver to one of our own paths? */
static bool is_ours(const struct settings *settings, const char *address, struct arena *arena)
{
	const struct settings_hook *hooks = settings->hooks.items;
	struct err ignored;
	struct url url;

	if (url_parse(&url, address, arena, &ignored) < 0)
		return false;
	for (size_t i = 0; i < settings->hooks.count; i++)
		if (text_same(hooks[i].path, url.path))
			return true;
	return false;
}

/* The webhook meant by "repos/acme/shop": the one that delivers to us, or the only one. */
static int find_hook(struct look *look, struct err *err)
{
	struct catchup *catchup = look->catchup;
	struct catchup_hook *hook = look->hook;
	struct deliveries_webhook *list;
	size_t count;
	int64_t id = 0;

	if (deliveries_hooks(catchup->github, &hook->hook, look->arena, &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && id == 0; i++)
		if (is_ours(catchup->settings, list[i].url, look->arena))
			id = list[i].id;
	if (id == 0 && count == 1)
		id = list[0].id;
	if (id <= 0)
		return err_set(err, ERR_ABSENT, 0,
			       "%s has %zu webhooks, none of which delivers to a path of 'hooks'; "
			       "name one as %s/hooks/ID",
			       hook->setting, count, hook->setting);
	hook->hook.id = id;
	hook->name =
		arena_printf(catchup->arena, "%s/hooks/%" PRId64, hook->setting, hook->hook.id);
	return 0;
}

/* Where to begin: a hook never looked at before is looked at from now on, since what came before
 * this server was set up isn't its business. */
static int find_since(struct look *look, struct err *err)
{
	struct store *store = look->catchup->store;
	int64_t kept = look->now - KEPT_SECONDS;

	if (store->fetched(store, look->hook->name, &look->until, err) < 0)
		return -1;
	if (look->until > look->now) /* the clock was wrong when that was written */
		look->until = look->now;
	if (look->until == 0) {
		look->until = look->now;
		if (store->fetched_until(store, look->hook->name, look->until, err) < 0)
			return -1;
	}
	look->since = look->until - OVERLAP_SECONDS;
	if (look->since < kept)
		look->since = kept;
	return 0;
}

static bool may_deploy(const char *event)
{
	static const enum event_kind kinds[] = {EVENT_PUSH, EVENT_RELEASE, EVENT_WORKFLOW_RUN,
						EVENT_DEPLOYMENT, EVENT_REGISTRY_PACKAGE};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (text_same(event, event_kind_name(kinds[i])))
			return true;
	return false;
}

/* 1: we have it; 0: we don't. */
static int is_known(struct look *look, const char *guid, struct err *err)
{
	struct store *store = look->catchup->store;
	json_auto json_t *found = NULL;

	for (size_t i = 0; i < look->count; i++)
		if (text_same(look->wanted[i]->guid, guid))
			return 1;
	if (store->delivery(store, guid, &found, err) == 0)
		return 1;
	if (err->kind == ERR_ABSENT)
		return 0;
	look->store_failed = true;
	return -1;
}

static void want(struct look *look, const struct deliveries_item *item)
{
	if (look->count == look->room) {
		size_t room = look->room ? look->room * 2 : 64;
		const struct deliveries_item **list = arena_alloc(look->arena, room * sizeof *list);

		if (look->count)
			memcpy(list, look->wanted, look->count * sizeof *list);
		look->wanted = list;
		look->room = room;
	}
	look->wanted[look->count++] = item;
}

/* One that just went out is on its way to our own port, unless it is known to have failed. */
static bool is_under_way(const struct look *look, const struct deliveries_item *item)
{
	return look->catchup->settings->listen && item->status_code < 400
	       && item->delivered_at > look->now - YOUNG_SECONDS;
}

/* 1: the rest is older than what we want. */
static int read_items(struct look *look, const struct deliveries_page *page, struct err *err)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct deliveries_item *item = &page->items[i];
		int known;

		if (item->delivered_at < look->since)
			return 1;
		if (!may_deploy(item->event))
			continue;
		known = is_known(look, item->guid, err);
		if (known < 0)
			return -1;
		if (known)
			continue;
		if (is_under_way(look, item))
			look->etag = NULL; /* so that the next look doesn't pass over it */
		else
			want(look, item);
	}
	return 0;
}

static int list_all(struct look *look, struct err *err)
{
	struct catchup_hook *hook = look->hook;
	struct deliveries_page page = {0};

	for (int pages = 0; pages < PAGES; pages++) {
		int ended;

		if (deliveries_list(look->catchup->github, &hook->hook, page.next,
				    pages ? NULL : hook->etag, look->arena, &page, err)
		    < 0)
			return -1;
		if (pages == 0)
			look->etag = page.unchanged ? hook->etag : page.etag;
		ended = read_items(look, &page, err);
		if (ended || !page.next)
			return ended < 0 ? -1 : 0;
	}
	return 0;
}

static int record(struct look *look, const struct deliveries_item *item, const json_t *payload,
		  struct err *err)
{
	struct store *store = look->catchup->store;
	autofree char *body = json_dumps(payload, JSON_COMPACT);
	char digest[SHA256_HEX_SIZE];
	struct delivery delivery = {
		.guid = item->guid,
		.hook = look->hook->name,
		.event = item->event,
		.type = "application/json",
		.body_sha256 = digest,
		.body = body,
		.body_fd = -1,
		.size = strlen(body),
		.secret = -1,
	};

	sha256_hex(body, delivery.size, digest);
	if (store->record(store, &delivery, 1, look->now, err) < 0) {
		look->store_failed = true;
		return -1;
	}
	if (delivery.err.kind != ERR_NONE) {
		*err = delivery.err;
		return -1;
	}
	if (delivery.duplicate)
		return 0;
	look->fetched++;
	log_info("delivery fetched", "guid", item->guid, "event", item->event, "from",
		 look->hook->name);
	return 0;
}

/* Oldest first, so that what is left after a failure is found by the next look. */
static int fetch_all(struct look *look, struct err *err)
{
	struct catchup *catchup = look->catchup;

	for (size_t i = look->count; i-- > 0;) {
		const struct deliveries_item *item = look->wanted[i];
		json_auto json_t *payload = NULL;

		if (catchup->tick && catchup->tick(NULL) != 0)
			return err_set(err, ERR_CANCELLED, 0, "stopped");
		if (deliveries_read(catchup->github, &look->hook->hook, item->id, &payload, err)
		    < 0) {
			/* GitHub has forgotten it since it was listed: nobody gets it any more. */
			if (err->kind != ERR_ABSENT)
				return -1;
			continue;
		}
		if (record(look, item, payload, err) < 0)
			return -1;
	}
	return 0;
}

/* Everything that GitHub had listed by then is settled. */
static int move_mark(struct look *look, struct err *err)
{
	struct store *store = look->catchup->store;

	if (look->now <= look->until)
		return 0;
	if (store->fetched_until(store, look->hook->name, look->now, err) == 0)
		return 0;
	look->store_failed = true;
	return -1;
}

static int look_through(struct look *look, struct err *err)
{
	struct catchup_hook *hook = look->hook;

	if (!hook->name && find_hook(look, err) < 0)
		return -1;
	if (find_since(look, err) < 0) {
		look->store_failed = true;
		return -1;
	}
	if (list_all(look, err) < 0 || fetch_all(look, err) < 0 || move_mark(look, err) < 0)
		return -1;
	if (look->etag != hook->etag) {
		free(hook->etag);
		hook->etag = xstrdup(look->etag);
	}
	return 0;
}

static void settle_failure(struct look *look, const struct err *failure)
{
	struct catchup_hook *hook = look->hook;
	int64_t seconds = look->catchup->settings->github->poll;
	int64_t after = github_retry_after(look->catchup->github);

	hook->failures++;
	if (failure->kind == ERR_LIMIT) {
		seconds = after > 0 ? after : LIMIT_SECONDS;
	} else if ((failure->kind == ERR_AUTH && failure->code != 401)
		   || failure->kind == ERR_ABSENT) {
		seconds = REFUSED_SECONDS;
	} else {
		int64_t backoff = hook->failures > 7 ? BACKOFF_MAX
						     : (int64_t)BACKOFF_MIN << (hook->failures - 1);

		seconds = backoff < seconds || hook->failures > 2 ? backoff : seconds;
	}
	hook->due = clock_ticks(look->catchup->clock) + seconds * 1000;
	/* The next look lists everything again. */
	free(hook->etag);
	hook->etag = NULL;
	if (hook->failures == 1 && failure->kind != ERR_CANCELLED)
		log_warn("missed deliveries can't be fetched", "from", hook->setting, "error",
			 failure->text);
}

static int look_at(struct catchup *catchup, struct catchup_hook *hook, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct look look = {
		.catchup = catchup, .hook = hook, .arena = arena, .now = clock_now(catchup->clock)};
	struct err failure = ERR_INIT;
	char count[24];

	if (look_through(&look, &failure) < 0) {
		settle_failure(&look, &failure);
		if (!look.store_failed)
			return 0;
		*err = failure;
		return -1;
	}
	hook->failures = 0;
	hook->due = clock_ticks(catchup->clock) + catchup->settings->github->poll * 1000;
	snprintf(count, sizeof count, "%zu", look.fetched);
	if (look.fetched)
		log_info("missed deliveries fetched", "from", hook->name, "count", count);
	return 0;
}

int catchup_step(struct catchup *catchup, struct err *err)
{
	int64_t now = clock_ticks(catchup->clock);

	for (size_t i = 0; i < catchup->count; i++)
		if (now >= catchup->hooks[i].due)
			return look_at(catchup, &catchup->hooks[i], err);
	return STORE_EMPTY;
}
