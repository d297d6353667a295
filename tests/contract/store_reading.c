/* What every store shows: logs, lists, counts; and what it forgets. */
#include "contract/store_cases.h"

static const char *log_text(struct store *store, int64_t id, int64_t offset, size_t limit,
			    struct buf *out)
{
	struct err err;

	buf_clear(out);
	if (store->log(store, id, offset, limit, out, &err) < 0)
		return "(error)";
	return buf_text(out);
}

static void logs_are_read_from_an_offset(struct store *store)
{
	struct buf out = BUF_INIT(1000);
	struct claim claim;
	struct err err;

	order_one(store, an_order("web", "c1", "1"));
	claim_one(store, "w", 0, &claim, arena);
	same_str(log_text(store, 1, 0, 100, &out), "", "empty at first");
	same_int(store->append_log(store, &claim, "one\n", 4, &err), 0, "a line");
	same_int(store->append_log(store, &claim, "two\nthree\n", 10, &err), 0, "two more");
	same_str(log_text(store, 1, 0, 100, &out), "one\ntwo\nthree\n", "all of it");
	same_str(log_text(store, 1, 2, 4, &out), "e\ntw", "a piece across chunks");
	same_str(log_text(store, 1, 4, 4, &out), "two\n", "from a chunk's start");
	same_str(log_text(store, 1, 14, 100, &out), "", "nothing at its end");
	same_str(log_text(store, 1, 1000, 100, &out), "", "nor after it");
	finish_one(store, &claim, OUTCOME_LIVE);
	same_int(store->append_log(store, &claim, "end\n", 4, &err), 0,
		 "a last line after the end");
	same_str(log_text(store, 1, 14, 100, &out), "end\n", "is there");
	buf_free(&out);
}

static const char *serving;

/* A deployment (of a version: a rollback to it) that succeeds; the version is called as its commit.
 */
static void live(struct store *store, const char *commit, const char *dedupe, const char *version)
{
	struct order order = an_order("web", commit, dedupe);
	struct result result = {.outcome = OUTCOME_LIVE, .failed = STEP_DONE};
	struct err err = ERR_INIT;
	struct claim claim;

	result.progress.version = commit;
	result.progress.previous = serving;
	serving = commit;

	order.revive = version != NULL;
	order.version = version;
	order_one(store, order);
	claim_one(store, "w", 0, &claim, arena);
	same_int(store->finish(store, &claim, &result, 3000, &err), 0, commit);
}

static const char *good(struct store *store, const char *wanted)
{
	struct order about = an_order("web", NULL, ""), out = {0};
	struct err err;
	int got = store->good(store, &about, wanted, arena, &out, &err);

	return got == STORE_EMPTY ? "(none)" : got < 0 ? arena_strdup(arena, err.text) : out.commit;
}

static void good_versions_lead_back(struct store *store)
{
	serving = NULL;
	same_str(good(store, NULL), "(none)", "nothing was ever live");
	live(store, "c1", "1", NULL);
	same_str(good(store, NULL), "(none)", "nothing is older than the first");
	live(store, "c2", "2", NULL);
	live(store, "c3", "3", NULL);
	same_str(good(store, NULL), "c2", "the one before what is live");
	live(store, "c2", "4", "c2");
	same_str(good(store, NULL), "c1", "after a rollback, the one before that");
	live(store, "c4", "5", NULL);
	same_str(good(store, NULL), "c2", "what was rolled back from is passed over");
	live(store, "c3", "6", "c3");
	live(store, "c5", "7", NULL);
	same_str(good(store, NULL), "c3", "until somebody goes back to it by its name");
	same_str(good(store, "c4"), "c4", "any by its name");
	same_str(good(store, "c9"), "(none)", "but none that never was");
}

static void logs_are_limited(struct store *store)
{
	static const char last[] = "(the log is longer than 8 MiB: the rest was dropped)\n";
	enum { CHUNK = 1000 * 1000, LIMIT = 8 * 1024 * 1024 };
	struct buf out = BUF_INIT(16 * 1024 * 1024);
	char *chunk = xalloc(CHUNK);
	struct claim claim;
	struct err err;
	int failed = 0;

	memset(chunk, 'x', CHUNK);
	for (size_t i = 99; i < CHUNK; i += 100)
		chunk[i] = '\n';
	order_one(store, an_order("web", "c1", "1"));
	claim_one(store, "w", 0, &claim, arena);
	for (int i = 0; i < 12; i++)
		failed += store->append_log(store, &claim, chunk, CHUNK, &err) != 0;
	same_int(failed, 0, "12 MB are appended without complaint");
	log_text(store, 1, 0, SIZE_MAX, &out);
	ok(out.size <= LIMIT + sizeof last && out.size > LIMIT - 200, "8 MiB are kept");
	same_str(out.data + out.size - (sizeof last - 1), last, "the last line says so");
	ok(out.data[out.size - sizeof last] == '\n', "after a whole line");
	buf_free(&out);
	free(chunk);
}

static json_t *list_of(struct store *store, const struct store_filter *filter, bool deliveries)
{
	struct err err = ERR_INIT;
	json_t *list = NULL;
	int got = deliveries ? store->deliveries(store, filter, &list, &err)
			     : store->deployments(store, filter, &list, &err);

	if (got < 0)
		tap_note("%s", err.text);
	return list;
}

static void lists(struct store *store)
{
	struct store_filter filter = {.limit = 2};
	json_t *list, *counts;
	struct err err;

	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof name, "s%d", i);
		order_one(store, an_order(name, "c1", name));
		record_one(store, name, name, 1000 + i);
	}
	list = list_of(store, &filter, false);
	same_int((intmax_t)json_array_size(json_object_get(list, "deployments")), 2, "two of five");
	same_str(field(json_array_get(json_object_get(list, "deployments"), 0), "service"), "s4",
		 "newest first");
	same_str(field(list, "next"), "4", "next is where to go on");
	json_decref(list);
	filter.before = 2;
	list = list_of(store, &filter, false);
	same_str(field(json_array_get(json_object_get(list, "deployments"), 0), "service"), "s0",
		 "before 2 is 1");
	same_str(field(list, "next"), NULL, "and no more");
	json_decref(list);
	filter = (struct store_filter){
		.repository = "acme/shop", .service = "s3", .state = "queued"};
	list = list_of(store, &filter, false);
	same_int((intmax_t)json_array_size(json_object_get(list, "deployments")), 1, "a filter");
	json_decref(list);
	filter = (struct store_filter){.limit = 4};
	list = list_of(store, &filter, true);
	same_int((intmax_t)json_array_size(json_object_get(list, "deliveries")), 4,
		 "four deliveries");
	same_str(field(list, "next"), "2", "and one more");
	json_decref(list);
	same_int(store->counts(store, &counts, &err), 0, "counts");
	same_str(field(json_object_get(counts, "deployments"), "queued"), "5", "five are queued");
	same_str(field(json_object_get(counts, "deliveries"), "received"), "5",
		 "five were received");
	json_decref(counts);
}

static void fields_are_those_of_the_interface(struct store *store)
{
	static const char *const deployment[] = {
		"id",       "repository", "service",    "environment", "target",      "commit",
		"ref",      "cause",      "state",      "step",        "url",         "version",
		"previous", "error",      "created_at", "started_at",  "finished_at", NULL};
	static const char *const delivery[] = {"guid",        "hook",  "event",  "repository",
					       "received_at", "state", "reason", "deployments",
					       "secret",      NULL};
	struct err err;
	json_t *object;
	size_t i = 0;
	const char *key;
	json_t *value;
	bool same = true;

	order_one(store, an_order("web", "c1", "1"));
	record_one(store, "g", "x", 1);
	same_int(store->deployment(store, 1, &object, &err), 0, "a deployment");
	json_object_foreach(object, key, value) same =
		same && deployment[i] && strcmp(key, deployment[i++]) == 0;
	ok(same && !deployment[i], "has exactly its fields, in order");
	ok(json_is_object(json_object_get(object, "cause")), "its cause is an object");
	json_decref(object);
	i = 0;
	same_int(store->delivery(store, "g", &object, &err), 0, "a delivery");
	json_object_foreach(object, key, value) same =
		same && delivery[i] && strcmp(key, delivery[i++]) == 0;
	ok(same && !delivery[i], "has exactly its fields, in order");
	json_decref(object);
	same_int(store->deployment(store, 99, &object, &err), -1, "an unknown one");
	same_int((intmax_t)err.kind, ERR_ABSENT, "is absent");
}

static void knows_what_replaced_a_commit(struct store *store)
{
	struct order order = an_order("web", "c2", "1");
	const char *newer;
	struct err err;

	order.before = "c1";
	order_one(store, order);
	ok(store->replaced(store, "acme/shop", "refs/heads/main", "c1", arena, &newer, &err) == 0,
	   "asked");
	same_str(newer, "c2", "c2 came after c1");
	ok(store->replaced(store, "acme/shop", "refs/heads/dev", "c1", arena, &newer, &err) == 0
		   && !newer,
	   "not on another ref");
	ok(store->replaced(store, "acme/shop", "refs/heads/main", "c2", arena, &newer, &err) == 0
		   && !newer,
	   "nothing came after c2");
}

static void forgets_the_old(struct store *store)
{
	const int64_t day = 86400;
	struct buf out = BUF_INIT(1000);
	struct claim claim;
	struct err err;
	int calls = 0, got;

	for (int i = 0; i < 300; i++) {
		char guid[16];

		snprintf(guid, sizeof guid, "g%d", i);
		record_one(store, guid, guid, i < 250 ? 10 * day : 50 * day);
		if (i != 7)
			route(store, guid, NULL, 0, &got);
	}
	order_one(store, an_order("web", "c1", "1"));
	claim_one(store, "w", 0, &claim, arena);
	ok(store->append_log(store, &claim, "hello\n", 6, &err) == 0, "a log");
	finish_one(store, &claim, OUTCOME_LIVE);
	while ((got = store->expire(store, 20 * day, &err)) == 0 && calls < 100)
		calls++;
	same_int(got, STORE_EMPTY, "it comes to an end");
	ok(calls > 1, "in more than one call");
	same_int(record_one(store, "g5", "x", 20 * day), 1,
		 "guids of the last 30 days still dedupe");
	same_str(log_text(store, 1, 0, 100, &out), "", "the log is gone");
	same_str(deployment_field(store, 1, "state"), "succeeded", "the deployment isn't");
	while ((got = store->expire(store, 41 * day, &err)) == 0)
		continue;
	same_int(record_one(store, "g5", "x", 41 * day), 0, "older ones are forgotten");
	same_str(delivery_field(store, "g7", "state"), "received",
		 "but never one that isn't routed");
	same_str(delivery_field(store, "g299", "state"), "ignored", "nor a young one");
	same_int(store->ready(store, &err), 0, "it is ready");
	buf_free(&out);
}

static const struct store_case cases[] = {
	{"logs are read from an offset", logs_are_read_from_an_offset},
	{"logs are limited", logs_are_limited},
	{"good versions lead back", good_versions_lead_back},
	{"lists", lists},
	{"fields are those of the interface", fields_are_those_of_the_interface},
	{"knows what replaced a commit", knows_what_replaced_a_commit},
	{"forgets the old", forgets_the_old},
};

int main(void)
{
	return run_cases(cases, sizeof cases / sizeof *cases);
}
