/* Orders: how deliveries and people's wishes become queued deployments. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "service/store_sqlite.h"

/* What makes two orders the same wish. */
static char *asked_text(const struct order *order)
{
	json_auto json_t *asked =
		json_pack("[s, s, s, s?, b, s?]", order->repository, order->service,
			  order->environment, order->commit, order->revive, order->version);

	assert(asked);
	return json_dumps(asked, JSON_COMPACT);
}

/* 1 with its id when it is new, 0 when its dedupe is there already. `delivery` 0: a person's. */
static int insert(struct sqlite *self, const struct order *order, const char *asked,
		  int64_t delivery, int64_t now, int64_t *id, struct err *err)
{
	static const char sql[] =
		"INSERT INTO deployments (dedupe, asked, repository, service, environment, "
		"commit_id, ref, needs,"
		" cause, revive, wanted, before, delivery, step, created_at) VALUES (?1, ?2, ?3, "
		"?4, ?5, ?6, ?7,"
		" ?8, ?9, ?10, ?11, ?12, nullif(?13, 0), ?14, ?15) ON CONFLICT (dedupe) DO NOTHING";
	int changed =
		sqlite_run(self, err, sql, "tttttttttittiti", order->dedupe, asked,
			   order->repository, order->service, order->environment, order->commit,
			   order->ref, order->needs, order->cause, (int64_t)order->revive,
			   order->version, order->before, delivery, step_name(STEP_FETCH), now);

	if (changed > 0)
		*id = sqlite3_last_insert_rowid(self->db);
	return changed;
}

static int supersede(struct sqlite *self, const struct order *order, int64_t id, int64_t now,
		     struct err *err)
{
	static const char sql[] = "UPDATE deployments SET state = 'superseded', finished_at = ?5,"
				  " error = 'superseded by deployment ' || ?4"
				  " WHERE state = 'queued' AND repository = ?1 AND service = ?2 "
				  "AND environment = ?3 AND id < ?4";

	return sqlite_run(self, err, sql, "tttii", order->repository, order->service,
			  order->environment, id,
			  now) < 0
		       ? -1
		       : 0;
}

/* 1 new, 0 there already, -1. */
static int enqueue(struct sqlite *self, const struct order *order, int64_t delivery, int64_t now,
		   int64_t *id, struct err *err)
{
	autofree char *asked = asked_text(order);
	int new = insert(self, order, asked, delivery, now, id, err);

	if (new > 0 && supersede(self, order, *id, now, err) < 0)
		return -1;
	return new;
}

/* The deployment that has the dedupe key already; *same: it asks for the same. */
static int find_twin(struct sqlite *self, const struct order *order, int64_t *id, bool *same,
		     struct err *err)
{
	static const char sql[] = "SELECT id, asked = ?2 FROM deployments WHERE dedupe = ?1";
	autofree char *asked = asked_text(order);
	cleanup(sqlite_reset_at) sqlite3_stmt *statement =
		sqlite_query(self, err, sql, "tt", order->dedupe, asked);
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	assert(got); /* deployments are never deleted, and we hold the lock */
	*id = sqlite3_column_int64(statement, 0);
	*same = sqlite3_column_int(statement, 1) != 0;
	return 0;
}

/* The row of a delivery that waits; 0 when none does. */
static int waiting_row(struct sqlite *self, const char *guid, int64_t *row, struct err *err)
{
	static const char sql[] =
		"SELECT row FROM deliveries WHERE guid = ?1 AND state = 'received'";
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "t", guid);
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	*row = got ? sqlite3_column_int64(statement, 0) : 0;
	sqlite_reset(statement);
	return 0;
}

static int settle(struct sqlite *self, int64_t row, const char *state, const char *repository,
		  const char *reason, struct err *err)
{
	static const char sql[] =
		"UPDATE deliveries SET state = ?2, repository = ?3, reason = ?4 WHERE row = ?1";

	return sqlite_run(self, err, sql, "ittt", row, state, repository, reason) < 0 ? -1 : 0;
}

/* Says in *reason which orders were skipped, since the router can't know before. */
static int enqueue_all(struct sqlite *self, int64_t row, const struct order *orders, size_t count,
		       int64_t now, size_t *made, struct buf *reason, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		int64_t id;
		bool same;
		int new = enqueue(self, &orders[i], row, now, &id, err);

		if (new < 0 || (new == 0 && find_twin(self, &orders[i], &id, &same, err) < 0))
			return -1;
		if (new)
			++*made;
		else
			buf_addf(reason, "; %s to %s: deployment %lld is for this commit already",
				 orders[i].service, orders[i].environment, (long long)id);
	}
	return 0;
}

static int route_within(struct sqlite *self, const char *guid, const char *repository,
			const struct order *orders, size_t count, const char *why, int64_t now,
			size_t *made, struct err *err)
{
	cleanup(buf_free) struct buf reason = BUF_INIT(8192);
	int64_t row;

	if (waiting_row(self, guid, &row, err) < 0)
		return -1;
	if (!row)
		return STORE_DUPLICATE;
	buf_adds(&reason, why ? why : "");
	if (enqueue_all(self, row, orders, count, now, made, &reason, err) < 0)
		return -1;
	return settle(self, row, *made ? "deployed" : "ignored", repository, buf_text(&reason),
		      err);
}

int sqlite_route(struct store *store, const char *guid, const char *repository,
		 const struct order *orders, size_t count, const char *why, int64_t now,
		 size_t *made, struct err *err)
{
	struct sqlite *self = sqlite_of(store);
	int result;

	*made = 0;
	/* A verdict that queues nothing may be lost with the power: it is reached again. */
	if (sqlite_begin(self, count == 0, err) < 0)
		return err_within(err, "route delivery %s", guid);
	result = route_within(self, guid, repository, orders, count, why, now, made, err);
	result = sqlite_end(self, result, err);
	return result < 0 ? err_within(err, "route delivery %s", guid) : result;
}

int sqlite_give_up(struct store *store, const char *guid, const char *repository, const char *why,
		   struct err *err)
{
	struct sqlite *self = sqlite_of(store);
	int64_t row = 0;
	int result;

	if (sqlite_begin(self, false, err) < 0)
		return -1;
	result = waiting_row(self, guid, &row, err);
	if (result == 0 && row)
		result = settle(self, row, "failed", repository, why, err);
	if (sqlite_end(self, result, err) < 0)
		return -1;
	return row ? 0
		   : err_set(err, ERR_ABSENT, 0, "give up delivery %s: none of that id waits",
			     guid);
}

int sqlite_order(struct store *store, const struct order *order, int64_t now, int64_t *id,
		 struct err *err)
{
	struct sqlite *self = sqlite_of(store);
	bool same = true;
	int new;

	if (sqlite_begin(self, false, err) < 0)
		return err_within(err, "queue the deployment");
	new = enqueue(self, order, 0, now, id, err);
	if (new == 0 && find_twin(self, order, id, &same, err) < 0)
		new = -1;
	if (sqlite_end(self, new < 0 ? -1 : 0, err) < 0)
		return err_within(err, "queue the deployment");
	if (new > 0)
		return 0;
	return same ? STORE_DUPLICATE : STORE_CONFLICT;
}
