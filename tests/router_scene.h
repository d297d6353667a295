/* A router with a store of its own, and a source whose answers the test sets. */
#ifndef TESTS_ROUTER_SCENE_H
#define TESTS_ROUTER_SCENE_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "scratch.h"
#include "service/router.h"
#include "tap.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Commits are '1' … '9' in a row on main; 'a' … have left main. */
#define C1 "1111111111111111111111111111111111111111"
#define C2 "2222222222222222222222222222222222222222"
#define C3 "3333333333333333333333333333333333333333"
#define C4 "4444444444444444444444444444444444444444"
#define C5 "5555555555555555555555555555555555555555"
#define CA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define Z  "0000000000000000000000000000000000000000"

static const char project[] =
	"version: 1\n"
	"services:\n"
	"  shop:\n"
	"    path: shop\n"
	"    start: [run]\n"
	"    needs: [api]\n"
	"    environments:\n"
	"      production: {target: server, url: 'http://a.localhost:8080'}\n"
	"      staging: {target: server, url: 'http://b.localhost:8080'}\n"
	"  api:\n"
	"    path: api\n"
	"    start: [run]\n"
	"    environments:\n"
	"      production: {target: server, url: 'http://c.localhost:8080'}\n";

/* A source whose answers the test sets. */
struct scene {
	struct source source;
	const char *project;        /* NULL: there is no slipway.yml */
	enum err_kind fault;        /* every call fails so, unless ERR_NONE */
	const char *tip;            /* what any ref stands for; NULL: it isn't there */
	const char *const *changed; /* what compare says of the files */
	int opened;
};

static struct scene scene;

static int fault(struct err *err)
{
	return scene.fault == ERR_NONE ? 0 : err_set(err, scene.fault, 0, "the source is out");
}

static int scene_resolve(struct source *source, const char *ref, struct arena *arena,
			 const char **commit, struct err *err)
{
	(void)source;
	if (fault(err) < 0)
		return -1;
	if (!scene.tip)
		return err_set(err, ERR_ABSENT, 0, "no %s", ref);
	*commit = arena_strdup(arena, scene.tip);
	return 0;
}

static int scene_read(struct source *source, const char *commit, const char *path, struct buf *out,
		      struct err *err)
{
	(void)source, (void)commit;
	if (fault(err) < 0)
		return -1;
	if (!scene.project || !text_same(path, "slipway.yml"))
		return err_set(err, ERR_ABSENT, 0, "no %s", path);
	buf_adds(out, scene.project);
	return 0;
}

static int scene_compare(struct source *source, const char *base, const char *head,
			 struct arena *arena, enum relation *relation, const char *const **files,
			 struct err *err)
{
	(void)source, (void)arena;
	if (fault(err) < 0)
		return -1;
	*files = scene.changed;
	if (base && base[0] == 'f')
		return err_set(err, ERR_ABSENT, 0, "no such commit");
	*relation = !base || head[0] > base[0] ? RELATION_AHEAD
		    : head[0] < base[0]        ? RELATION_BEHIND
					       : RELATION_SAME;
	if (base && (base[0] == 'a' || head[0] == 'a'))
		*relation = RELATION_DIVERGED;
	return 0;
}

static int scene_open(void *self, const struct settings_repository *repository, struct source **out,
		      struct err *err)
{
	(void)self, (void)repository, (void)err;
	scene.opened++;
	*out = &scene.source;
	return 0;
}

struct hand {
	struct clock clock;
	int64_t now;
};

static int64_t hand_now(struct clock *clock)
{
	return ((struct hand *)clock)->now;
}

static int64_t hand_ticks(struct clock *clock)
{
	return ((struct hand *)clock)->now * 1000;
}

static struct hand hand = {{hand_now, hand_ticks, NULL}, 1795527900};

enum { PUSH, RELEASE, WORKFLOW_RUN, DEPLOYMENT, REGISTRY_PACKAGE };

static struct store *store;
static struct settings settings;
static struct router router = {.settings = &settings, .clock = &hand.clock, .open = scene_open};
static struct err err;

/* A new store, a healthy source. */
static void begin(const char *name)
{
	char url[4200];

	store_free(store);
	snprintf(url, sizeof url, "sqlite://%s", scratch(name));
	if (store_open(&store, url, &err) < 0)
		bail_out(err.text);
	router.store = store;
	scene = (struct scene){
		.source = {.resolve = scene_resolve, .read = scene_read, .compare = scene_compare},
		.project = project,
		.tip = C5,
	};
}

static void post(const char *guid, const char *event, const char *body)
{
	char digest[SHA256_HEX_SIZE];
	struct delivery delivery = {
		.guid = guid,
		.hook = "/hooks/github",
		.event = event,
		.type = "application/json",
		.body_sha256 = digest,
		.body = body,
		.body_fd = -1,
		.size = strlen(body),
	};

	sha256_hex(body, strlen(body), digest);
	if (store->record(store, &delivery, 1, hand.now, &err) < 0)
		bail_out(err.text);
}

static void push(const char *guid, const char *branch, const char *before, const char *after,
		 const char *files)
{
	char body[2000];

	snprintf(body, sizeof body,
		 "{\"repository\":{\"full_name\":\"acme/shop\"},\"ref\":\"refs/heads/%s\","
		 "\"before\":\"%s\",\"after\":\"%s\",\"commits\":[%s]}",
		 branch, before, after, files);
	post(guid, "push", body);
}

#define FILES(name) "{\"added\":[\"" name "\"]}"

static int step(void)
{
	int rc = router_step(&router, &err);

	if (rc < 0)
		tap_note("%s", err.text);
	return rc;
}

/* The delivery's state, and whether its reason says so. */
static void outcome(const char *guid, const char *state, const char *says, const char *name)
{
	json_auto json_t *json = NULL;

	if (store->delivery(store, guid, &json, &err) < 0)
		bail_out(err.text);
	if (!ok(text_same(json_text(json, "state"), state) && json_text(json, "reason")
			&& strstr(json_text(json, "reason"), says),
		name))
		tap_note("%s: %s", json_text(json, "state"),
			 json_text(json, "reason") ? json_text(json, "reason") : "(no reason)");
}

/* "api:production:22 shop:production:22": service, environment and the commit's beginning, oldest
 * first, of those that aren't superseded. */
static const char *queued(void)
{
	static char text[500];
	const struct store_filter filter = {.state = "queued", .limit = 50};
	json_auto json_t *list = NULL;
	const json_t *deployments;

	text[0] = '\0';
	if (store->deployments(store, &filter, &list, &err) < 0)
		bail_out(err.text);
	deployments = json_object_get(list, "deployments");
	for (size_t i = json_array_size(deployments); i-- > 0;) {
		const json_t *one = json_array_get(deployments, i);

		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s:%s:%.2s",
			 *text ? " " : "", json_text(one, "service"), json_text(one, "environment"),
			 json_text(one, "commit"));
	}
	return text;
}

/* Run whatever is queued to a good end. */
static void deploy_all(void)
{
	for (;;) {
		cleanup(arena_freep) struct arena *arena = arena_new();
		struct instant now = {hand.now, hand.now * 1000};
		struct result result = {.outcome = OUTCOME_LIVE, .failed = STEP_DONE};
		struct claim claim;
		int got = store->claim(store, "worker-1", now, 30000, &claim, arena, &err);

		if (got == STORE_EMPTY)
			return;
		if (got != 0 || store->finish(store, &claim, &result, hand.now, &err) != 0)
			bail_out(err.text);
	}
}

#endif
