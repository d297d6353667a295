/* What every store promises, over every row of the registry. */
#include "contract/store_cases.h"

/* --- deliveries ------------------------------------------------------------------------------ */

static void records_and_marks_duplicates(struct store *store)
{
	struct delivery batch[4] = {a_delivery("g1", "one"), a_delivery("g2", "two"),
				    a_delivery("g1", "three"), a_delivery("g3", "")};
	struct err err = ERR_INIT;

	same_int(store->record(store, batch, 4, 1000, &err), 0, "a batch is recorded");
	ok(!batch[0].duplicate && !batch[1].duplicate && !batch[3].duplicate, "new ones are new");
	ok(batch[2].duplicate, "the same guid within one batch is a duplicate");
	same_int(record_one(store, "g2", "other", 1001), 1,
		 "and in a later batch, whatever its body");
	same_str(delivery_field(store, "g1", "state"), "received", "its state is received");
	same_str(delivery_field(store, "g1", "received_at"), "1970-01-01T00:16:40Z",
		 "with the time");
	same_str(delivery_field(store, "g1", "deployments"), "[]", "and no deployments");
	same_str(delivery_field(store, "nope", "state"), "(none)", "an unknown guid is absent");
}

static void one_bad_item_fails_alone(struct store *store)
{
	struct delivery batch[4] = {a_delivery("ok1", "1"), a_delivery("short", "2"),
				    a_delivery("bad-fd", "3"), a_delivery("ok2", "4")};
	struct err err = ERR_INIT;
	FILE *spool = tmpfile();

	fputs("only this", spool);
	fflush(spool);
	batch[1].body = batch[2].body = NULL;
	batch[1].size = batch[2].size = 100;
	batch[1].body_fd = fileno(spool);
	batch[2].body_fd = 9999;
	same_int(store->record(store, batch, 4, 1000, &err), 0, "the batch is recorded");
	ok(batch[0].err.kind == ERR_NONE && batch[3].err.kind == ERR_NONE,
	   "the good ones have no error");
	ok(strstr(batch[1].err.text, "ends after 9 bytes, expected 100") != NULL,
	   "a short spool file is said");
	ok(strstr(batch[2].err.text, "Bad file descriptor") != NULL, "and a bad descriptor");
	same_str(delivery_field(store, "ok2", "state"), "received", "a good one is there");
	same_str(delivery_field(store, "short", "state"), "(none)", "a bad one isn't");
	same_int(record_one(store, "short", "2", 1000), 0, "and can be delivered again");
	fclose(spool);
}

static void gives_out_in_order(struct store *store)
{
	struct delivery out;
	struct err err = ERR_INIT;
	const char *replay_of;
	int tries;
	struct instant now = {1000, 50};

	same_int(store->unrouted(store, now, &out, &replay_of, &tries, arena, &err), STORE_EMPTY,
		 "empty at first");
	record_one(store, "g1", "one", 5000);
	record_one(store, "g2", "one", 1); /* the clock jumped back */
	same_int(store->unrouted(store, now, &out, &replay_of, &tries, arena, &err), 0,
		 "one is unrouted");
	same_str(out.guid, "g1", "the first that came, whatever the clock says");
	ok(out.size == 3 && memcmp(out.body, "one", 3) == 0, "with its body");
	ok(!replay_of && tries == 0, "no replay, never put off");
	same_int(store->put_off(store, "g1", "github is down", 60, &err), 0, "it is put off");
	same_int(store->unrouted(store, now, &out, &replay_of, &tries, arena, &err), 0,
		 "then the next comes");
	same_str(out.guid, "g2", "which is g2");
	same_str(replay_of, "g1", "a replay of g1, having the same body");
	same_str(delivery_field(store, "g1", "reason"), "github is down", "the reason is shown");
	now.ticks = 60;
	same_int(store->unrouted(store, now, &out, &replay_of, &tries, arena, &err), 0,
		 "when its time has come");
	ok(strcmp(out.guid, "g1") == 0 && tries == 1, "the first is back, with one try");
	same_int(store->put_off(store, "nope", "x", 60, &err), -1,
		 "an unknown one can't be put off");
	same_int(store->give_up(store, "g1", NULL, "no such commit", &err), 0, "it is given up");
	same_str(delivery_field(store, "g1", "state"), "failed", "and is failed");
	same_int(store->give_up(store, "g1", NULL, "again", &err), -1, "only once");
}

static void keeps_large_bodies(struct store *store)
{
	enum { SIZE = 25 * 1024 * 1024 };
	struct delivery large = a_delivery("large", ""), out;
	struct err err = ERR_INIT;
	const char *replay_of;
	char *bytes = xalloc(SIZE);
	FILE *spool = tmpfile();
	int tries;

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	ok(fwrite(bytes, 1, SIZE, spool) == SIZE && fflush(spool) == 0, "a spool file of 25 MiB");
	large.body = NULL;
	large.body_fd = fileno(spool);
	large.size = SIZE;
	same_int(store->record(store, &large, 1, 1, &err), 0, "it is recorded");
	same_int(store->unrouted(store, (struct instant){1, 1}, &out, &replay_of, &tries, arena,
				 &err),
		 0, "and comes back");
	ok(out.size == SIZE && memcmp(out.body, bytes, SIZE) == 0, "byte for byte");
	fclose(spool);
	free(bytes);
}

static void knows_secrets(struct store *store)
{
	struct delivery batch[2] = {a_delivery("a", "a"), a_delivery("b", "b")};
	struct err err;
	int64_t last;

	batch[1].secret = 1;
	same_int(store->record(store, batch, 1, 100, &err), 0, "recorded");
	same_int(store->record(store, batch, 2, 200, &err), 0, "recorded");
	ok(store->secret_used(store, "/hooks/github", 0, &last, &err) == 0 && last == 200,
	   "secret 0 at 200");
	ok(store->secret_used(store, "/hooks/github", 1, &last, &err) == 0 && last == 200,
	   "secret 1 at 200");
	ok(store->secret_used(store, "/hooks/github", 2, &last, &err) == 0 && last == -1,
	   "secret 2 never");
}

/* --- routing --------------------------------------------------------------------------------- */

static void routes_once(struct store *store)
{
	struct order orders[2] = {an_order("web", "c1", "push:web:c1"),
				  an_order("db", "c1", "push:db:c1")};
	int got;

	record_one(store, "g1", "one", 1000);
	record_one(store, "g2", "two", 1000);
	record_one(store, "g3", "three", 1000);
	same_int((intmax_t)route(store, "g1", orders, 2, &got), 2, "two deployments are made");
	same_str(delivery_field(store, "g1", "state"), "deployed", "the delivery deployed");
	same_str(delivery_field(store, "g1", "deployments"), "[1,2]", "and names them");
	same_str(delivery_field(store, "g1", "repository"), "acme/shop", "its repository is known");
	same_int((intmax_t)route(store, "g1", orders, 2, &got), 0, "routing it again makes none");
	same_int(got, STORE_DUPLICATE, "and says so");
	same_int((intmax_t)route(store, "g2", orders, 1, &got), 0,
		 "another delivery of that commit makes none");
	same_str(delivery_field(store, "g2", "state"), "ignored", "it is ignored");
	same_str(delivery_field(store, "g2", "reason"),
		 "push to main; web to production: deployment 1 is for this commit already",
		 "with the reason");
	same_int((intmax_t)route(store, "g3", NULL, 0, &got), 0, "one without orders");
	same_str(delivery_field(store, "g3", "state"), "ignored", "is ignored");
}

static void newer_supersedes_queued(struct store *store)
{
	struct claim claim;
	int64_t first = order_one(store, an_order("web", "c1", "1")), second, third;

	claim_one(store, "w", 0, &claim, arena);
	second = order_one(store, an_order("web", "c2", "2"));
	order_one(store, an_order("db", "c2", "3"));
	third = order_one(store, an_order("web", "c3", "4"));
	same_str(deployment_field(store, first, "state"), "running", "the running one goes on");
	same_str(deployment_field(store, second, "state"), "superseded",
		 "the queued one is superseded");
	same_str(deployment_field(store, second, "error"), "superseded by deployment 4",
		 "by which is said");
	ok(deployment_field(store, second, "finished_at") != NULL, "and when");
	same_str(deployment_field(store, third, "state"), "queued", "the newest waits");
	same_str(deployment_field(store, 3, "state"), "queued", "another service's isn't touched");
}

static void idempotent_orders(struct store *store)
{
	struct order order = an_order("web", "c1", "key:ops:k1"), other = order;
	struct err err;
	int64_t id = 0, again = 0;

	same_int(store->order(store, &order, 1, &id, &err), 0, "an order");
	same_int(store->order(store, &order, 2, &again, &err), STORE_DUPLICATE, "the same again");
	same_int(again, id, "is the same deployment");
	other.commit = "c2";
	same_int(store->order(store, &other, 2, &again, &err), STORE_CONFLICT,
		 "the key with another commit");
	same_int(again, id, "is a conflict with it");
	other = order;
	other.revive = true;
	same_int(store->order(store, &other, 2, &again, &err), STORE_CONFLICT, "or as a rollback");
}

/* --- claims ---------------------------------------------------------------------------------- */

static void claims_one_per_group(struct store *store)
{
	struct claim first, second;
	struct order full = an_order("web", "c1", "1");

	full.before = "c0";
	full.needs = NULL;
	same_int(claim_one(store, "w1", 0, &first, arena), 0, "nothing to claim");
	order_one(store, full);
	same_int(claim_one(store, "w1", 0, &first, arena), 1, "the first is claimed");
	order_one(store, an_order("web", "c2", "2"));
	same_int(claim_one(store, "w2", 0, &second, arena), 0, "the second of that group waits");
	ok(first.tries == 1 && first.step == STEP_FETCH && !first.progress.version,
	   "it starts at the beginning");
	same_str(first.order.commit, "c1", "commit");
	same_str(first.order.before, "c0", "before");
	same_str(first.order.cause, "{\"token\": \"ops\"}", "cause");
	same_str(first.order.dedupe, "1", "dedupe");
	order_one(store, an_order("db", "c2", "3"));
	same_int(claim_one(store, "w2", 0, &second, arena), 3, "another service's doesn't");
	ok(second.fence > first.fence, "the fence grows");
	same_int(finish_one(store, &first, OUTCOME_LIVE), 0, "the first ends");
	same_int(claim_one(store, "w1", 0, &first, arena), 2, "then the second is claimed");
}

static void lost_leases(struct store *store)
{
	struct progress progress = {.version = "v1",
				    .memo = "{}",
				    .target = "server",
				    .built = "sha256:a",
				    .image = "r/a@sha256:b",
				    .facts = "{\"service-arn\":\"x\"}"};
	struct claim old, new;
	struct err err;

	order_one(store, an_order("web", "c1", "1"));
	claim_one(store, "w1", 100, &old, arena);
	same_int(store->renew(store, &old, 2000, &err), 0, "a lease is renewed");
	same_int(claim_one(store, "w2", 1999, &new, arena), 0, "and holds");
	same_int(store->advance(store, &old, STEP_TEST, &progress, 3000, &err), 0,
		 "progress is saved");
	same_str(deployment_field(store, 1, "step"), "test", "and shown");
	same_int(claim_one(store, "w2", 3000, &new, arena), 1,
		 "when it ran out another worker has it");
	ok(new.fence > old.fence &&new.tries == 2, "with a greater fence, as the second try");
	ok(new.step == STEP_TEST &&strcmp(new.progress.version, "v1") == 0
		   && strcmp(new.progress.target, "server") == 0,
	   "where the first one was");
	same_str(new.progress.built, "sha256:a", "with the image that it built");
	same_str(new.progress.image, "r/a@sha256:b", "what was published of it");
	same_str(new.progress.facts, "{\"service-arn\":\"x\"}", "and the target's facts");
	same_int(store->renew(store, &old, 9000, &err), STORE_LOST, "the old one can't renew");
	same_int(store->advance(store, &old, STEP_RETIRE, &progress, 9000, &err), STORE_LOST,
		 "nor save progress");
	same_int(store->append_log(store, &old, "x\n", 2, &err), STORE_LOST, "nor log");
	same_int(finish_one(store, &old, OUTCOME_LIVE), STORE_LOST, "nor end it");
	same_int(store->release(store, "w2", &err), 0, "w2 is known to be dead");
	same_int(claim_one(store, "w1", 3001, &new, arena), 1, "so its deployment is free at once");
	same_int(finish_one(store, &new, OUTCOME_LIVE), 0, "and is ended");
	same_int(finish_one(store, &new, OUTCOME_FAILED), STORE_LOST, "once");
}

static void gives_up_after_ten_deaths(struct store *store)
{
	struct progress progress = {.version = "v1"};
	struct claim claim;
	struct err err;
	int claims = 0;

	order_one(store, an_order("web", "c1", "1"));
	for (int i = 0; i < 4; i++)
		claim_one(store, "w", i * 1000, &claim, arena);
	same_int(store->advance(store, &claim, STEP_BUILD, &progress, 4000, &err), 0,
		 "a step further");
	for (int i = 4; i < 20 && claim_one(store, "w", i * 1000, &claim, arena); i++) {
		claims++;
		same_int(claim.losses, claims, "each claim says how many died at this step");
	}
	same_int(claims, 9, "ten deaths at one step are the end");
	same_str(deployment_field(store, 1, "state"), "failed", "it failed");
	same_str(deployment_field(store, 1, "error"),
		 "build: its worker died 10 times in a row at this step, so it isn't tried again: "
		 "see the log, and "
		 "whether memory ran out",
		 "and says why");
	order_one(store, an_order("web", "c2", "2"));
	same_int(claim_one(store, "w", 90000, &claim, arena), 2, "the next one may go");
}

static void clock_jumps_change_nothing(struct store *store)
{
	struct claim claim, other;
	struct err err;
	int64_t id;
	struct order order = an_order("web", "c1", "1");

	same_int(store->order(store, &order, 200000, &id, &err), 0, "queued");
	same_int(store->claim(store, "w1", (struct instant){200000, 0}, 1000, &claim, arena, &err),
		 0, "claimed");
	same_int(store->claim(store, "w2", (struct instant){200000 - 86400, 10}, 1000, &other,
			      arena, &err),
		 STORE_EMPTY, "a day back, the lease holds");
	same_int(store->claim(store, "w2", (struct instant){200000 + 86400, 20}, 1000, &other,
			      arena, &err),
		 STORE_EMPTY, "a day ahead, the lease holds");
	same_int(store->claim(store, "w2", (struct instant){200000 - 86400, 1000}, 1000, &other,
			      arena, &err),
		 0, "a day back, it runs out when its ticks have passed");
	same_int(finish_one(store, &other, OUTCOME_LIVE), 0, "and is ended");
	same_str(deployment_field(store, 1, "finished_at"), "1970-01-01T00:50:00Z",
		 "before it began, by that clock");
}

static void outcomes_are_states(struct store *store)
{
	static const struct {
		enum outcome outcome;
		const char *state;
	} table[] = {
		{OUTCOME_LIVE, "succeeded"},          {OUTCOME_FAILED, "failed"},
		{OUTCOME_ROLLED_BACK, "rolled_back"}, {OUTCOME_USAGE, "failed"},
		{OUTCOME_UNKNOWN, "failed"},          {OUTCOME_CANCELLED, "cancelled"},
		{OUTCOME_SUPERSEDED, "superseded"},
	};
	const char *commit, *ref;
	struct claim claim;
	struct err err;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char text[24];
		int64_t id;

		snprintf(text, sizeof text, "c%zu", i);
		id = order_one(store, an_order("web", text, text));
		claim_one(store, "w", 0, &claim, arena);
		finish_one(store, &claim, table[i].outcome);
		same_str(deployment_field(store, id, "state"), table[i].state, table[i].state);
	}
	same_str(deployment_field(store, 2, "error"), "make: exit status 2",
		 "a failed one says why");
	ok(deployment_field(store, 1, "error") == NULL, "a good one has no error");
	same_str(deployment_field(store, 1, "step"), "done", "and is done");
	same_int(store->live(store, "acme/shop", "web", "production", arena, &commit, &ref, &err),
		 0, "live");
	same_str(commit, "c0", "only a success is live");
	same_str(ref, "refs/heads/main", "with its ref");
}

static void rollbacks_know_their_commit(struct store *store)
{
	struct order back = an_order("web", NULL, "once:1");
	const char *commit, *ref;
	struct claim claim;
	struct err err;

	order_one(store, an_order("web", "c1", "1"));
	claim_one(store, "w", 0, &claim, arena);
	finish_one(store, &claim, OUTCOME_LIVE);
	order_one(store, an_order("web", "c2", "2"));
	claim_one(store, "w", 0, &claim, arena);
	finish_one(store, &claim, OUTCOME_LIVE);
	back.revive = true;
	back.version = "c1"; /* finish_one uses the commit as the version */
	back.ref = NULL;
	same_int(order_one(store, back), 3, "a rollback");
	same_str(deployment_field(store, 3, "version"), "c1", "shows what it wants");
	claim_one(store, "w", 0, &claim, arena);
	ok(claim.order.revive && strcmp(claim.order.version, "c1") == 0 && !claim.order.commit,
	   "and claims it");
	finish_one(store, &claim, OUTCOME_LIVE);
	same_int(store->live(store, "acme/shop", "web", "production", arena, &commit, &ref, &err),
		 0, "live");
	same_str(commit, "c1", "is the old commit again");
	same_int(order_one(store, back), -STORE_DUPLICATE, "the same key is still the same wish");
}

/* --- needs ----------------------------------------------------------------------------------- */

static struct order needy(const char *service, const char *commit, const char *dedupe)
{
	struct order order = an_order(service, commit, dedupe);

	order.needs = "[\"db\"]";
	return order;
}

static void needs_wait(struct store *store)
{
	struct claim web, db;

	order_one(store, needy("web", "c1", "web1"));
	order_one(store, an_order("db", "c1", "db1"));
	same_int(claim_one(store, "w1", 0, &db, arena), 2,
		 "the needed one is first, though it came later");
	same_int(claim_one(store, "w2", 0, &web, arena), 0, "the other waits while it runs");
	finish_one(store, &db, OUTCOME_LIVE);
	same_int(claim_one(store, "w2", 0, &web, arena), 1, "and goes when it is live");
	finish_one(store, &web, OUTCOME_LIVE);
	order_one(store, needy("web", "c2", "web2"));
	same_int(claim_one(store, "w2", 0, &web, arena), 3,
		 "of a commit without db, what is live counts");
	finish_one(store, &web, OUTCOME_LIVE);
}

static void needs_fail(struct store *store)
{
	struct claim db, web;

	order_one(store, needy("web", "c0", "web0"));
	same_int(claim_one(store, "w", 0, &web, arena), 0, "never deployed db");
	same_str(deployment_field(store, 1, "state"), "cancelled", "cancels it");
	same_str(deployment_field(store, 1, "error"),
		 "needs db, which isn't live in production: deploy it first",
		 "and says what to do");
	order_one(store, an_order("db", "c1", "db1"));
	order_one(store, needy("web", "c1", "web1"));
	claim_one(store, "w", 0, &db, arena);
	finish_one(store, &db, OUTCOME_FAILED);
	same_int(claim_one(store, "w", 0, &web, arena), 0, "a failed db");
	same_str(deployment_field(store, 3, "state"), "cancelled", "cancels what needs it");
	same_str(deployment_field(store, 3, "error"), "needs db, which failed", "and says so");
	order_one(store, needy("web", "c1", "web1 again"));
	order_one(store, an_order("db", "c1", "db1 again"));
	same_int(claim_one(store, "w", 0, &db, arena), 5,
		 "when db is tried again, it is waited for");
	finish_one(store, &db, OUTCOME_LIVE);
	same_int(claim_one(store, "w", 0, &web, arena), 4,
		 "once db of that commit succeeded, it goes");
}

static void superseded_needs(struct store *store)
{
	struct claim claim, web;

	order_one(store, an_order("db", "c0", "db0"));
	claim_one(store, "w", 0, &claim, arena);
	order_one(store, an_order("db", "c1", "db1"));
	order_one(store, needy("web", "c1", "web1"));
	order_one(store, an_order("db", "c2", "db2"));
	finish_one(store, &claim, OUTCOME_LIVE);
	same_int(claim_one(store, "w", 0, &claim, arena), 4, "the successor of a superseded need");
	same_int(claim_one(store, "w", 0, &web, arena), 0, "is waited for");
	finish_one(store, &claim, OUTCOME_ROLLED_BACK);
	same_int(claim_one(store, "w", 0, &web, arena), 0, "and when it ends badly");
	same_str(deployment_field(store, 3, "error"), "needs db, which was rolled back",
		 "that counts");
}

static const struct store_case cases[] = {
	{"records and marks duplicates", records_and_marks_duplicates},
	{"one bad item fails alone", one_bad_item_fails_alone},
	{"gives out in order", gives_out_in_order},
	{"keeps large bodies", keeps_large_bodies},
	{"knows secrets", knows_secrets},
	{"routes once", routes_once},
	{"newer supersedes queued", newer_supersedes_queued},
	{"idempotent orders", idempotent_orders},
	{"claims one per group", claims_one_per_group},
	{"lost leases", lost_leases},
	{"gives up after ten deaths", gives_up_after_ten_deaths},
	{"clock jumps change nothing", clock_jumps_change_nothing},
	{"outcomes are states", outcomes_are_states},
	{"rollbacks know their commit", rollbacks_know_their_commit},
	{"needs wait", needs_wait},
	{"needs fail", needs_fail},
	{"superseded needs", superseded_needs},
};

int main(void)
{
	return run_cases(cases, sizeof cases / sizeof *cases);
}
