/* What a worker that holds a claim writes. Each write names the claim's fence. */
#include <assert.h>
#include <string.h>

#include "service/store_sqlite.h"

enum { LOG_LIMIT = 8 * 1024 * 1024, LOG_PIECE = 64 * 1024 };

/* One update of one row that is ours, in a transaction. */
static int end_update(struct sqlite *self, int changed, const char *what, const struct claim *claim,
		      struct err *err)
{
	int result = changed < 0 ? -1 : changed == 0 ? STORE_LOST : 0;

	result = sqlite_end(self, result, err);
	return result < 0
		       ? err_within(err, "%s deployment %lld", what, (long long)claim->deployment)
		       : result;
}

int sqlite_renew(struct store *store, const struct claim *claim, int64_t until_ticks,
		 struct err *err)
{
	static const char sql[] = "UPDATE deployments SET lease = ?3 WHERE id = ?1 AND fence = ?2 "
				  "AND state = 'running'";
	struct sqlite *self = sqlite_of(store);
	int changed;

	if (sqlite_begin(self, true, err) < 0)
		return -1;
	changed = sqlite_run(self, err, sql, "iii", claim->deployment, claim->fence, until_ticks);
	return end_update(self, changed, "renew the lease of", claim, err);
}

int sqlite_advance(struct store *store, const struct claim *claim, enum step next,
		   const struct progress *progress, int64_t until_ticks, struct err *err)
{
	static const char sql[] = "UPDATE deployments SET losses = iif(step = ?3, losses, 0), step "
				  "= ?3, lease = ?4, version = ?5,"
				  " previous = ?6, url = ?7, memo = ?8, folder = ?9, target = ?10,"
				  " built = ?11, image = ?12, facts = ?13"
				  " WHERE id = ?1 AND fence = ?2 AND state = 'running'";
	struct sqlite *self = sqlite_of(store);
	int changed;

	if (sqlite_begin(self, false, err) < 0)
		return -1;
	changed = sqlite_run(self, err, sql, "iitittttttttt", claim->deployment, claim->fence,
			     step_name(next), until_ticks, progress->version, progress->previous,
			     progress->url, progress->memo, progress->folder, progress->target,
			     progress->built, progress->image, progress->facts);
	return end_update(self, changed, "save the progress of", claim, err);
}

/* A rollback learns only now which commit it brought back. */
static int name_revived(struct sqlite *self, int64_t id, struct err *err)
{
	static const char sql[] = "UPDATE deployments AS d SET (commit_id, ref) = (SELECT "
				  "o.commit_id, o.ref FROM deployments o"
				  " WHERE o.repository = d.repository AND o.service = d.service"
				  " AND o.environment = d.environment AND o.version = d.version "
				  "AND o.commit_id IS NOT NULL"
				  " ORDER BY o.id DESC LIMIT 1)"
				  " WHERE d.id = ?1 AND d.commit_id IS NULL";

	return sqlite_run(self, err, sql, "i", id) < 0 ? -1 : 0;
}

static int make_live(struct sqlite *self, int64_t id, struct err *err)
{
	static const char sql[] =
		"INSERT INTO live (repository, service, environment, deployment)"
		" SELECT repository, service, environment, id FROM deployments WHERE id = ?1"
		" ON CONFLICT (repository, service, environment) DO UPDATE SET deployment = "
		"excluded.deployment";

	return sqlite_run(self, err, sql, "i", id) < 0 ? -1 : 0;
}

/* Returns how many rows changed, or -1. */
static int finish_within(struct sqlite *self, const struct claim *claim,
			 const struct result *result, int64_t now, struct err *err)
{
	static const char sql[] =
		"UPDATE deployments SET state = ?3, step = ?4, error = ?5, finished_at = ?6, lease "
		"= 0,"
		" version = ?7, previous = ?8, url = ?9, memo = ?10, folder = ?11,"
		" target = coalesce(?12, target), built = ?13, image = ?14, facts = ?15 WHERE id = "
		"?1 AND fence = ?2 AND state = "
		"'running'";
	const struct progress *progress = &result->progress;
	bool live = result->outcome == OUTCOME_LIVE;
	int changed;

	changed = sqlite_run(self, err, sql, "iitttittttttttt", claim->deployment, claim->fence,
			     outcome_state(result->outcome),
			     step_name(live ? STEP_DONE : result->failed),
			     live ? NULL : result->err.text, now, progress->version,
			     progress->previous, progress->url, progress->memo, progress->folder,
			     progress->target, progress->built, progress->image, progress->facts);
	if (changed <= 0 || !live)
		return changed;
	if (name_revived(self, claim->deployment, err) < 0
	    || make_live(self, claim->deployment, err) < 0)
		return -1;
	return changed;
}

int sqlite_finish(struct store *store, const struct claim *claim, const struct result *result,
		  int64_t now, struct err *err)
{
	struct sqlite *self = sqlite_of(store);

	assert(result->outcome != OUTCOME_LOST);
	if (sqlite_begin(self, false, err) < 0)
		return -1;
	return end_update(self, finish_within(self, claim, result, now, err), "end", claim, err);
}

int sqlite_release(struct store *store, const char *worker, struct err *err)
{
	static const char sql[] =
		"UPDATE deployments SET lease = 0 WHERE state = 'running' AND worker = ?1";
	struct sqlite *self = sqlite_of(store);

	if (sqlite_begin(self, true, err) < 0)
		return -1;
	return sqlite_end(self, sqlite_run(self, err, sql, "t", worker) < 0 ? -1 : 0, err);
}

/* Where the log stands, if it is ours to write: 0, or STORE_LOST. */
static int log_state(struct sqlite *self, const struct claim *claim, int64_t *size, bool *full,
		     struct err *err)
{
	static const char sql[] =
		"SELECT log_size, log_full FROM deployments WHERE id = ?1 AND fence = ?2";
	sqlite3_stmt *statement =
		sqlite_query(self, err, sql, "ii", claim->deployment, claim->fence);
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (!got)
		return STORE_LOST;
	*size = sqlite3_column_int64(statement, 0);
	*full = sqlite3_column_int(statement, 1) != 0;
	sqlite_reset(statement);
	return 0;
}

static int add_pieces(struct sqlite *self, int64_t id, int64_t start, const char *bytes,
		      size_t size, struct err *err)
{
	static const char sql[] = "INSERT INTO logs (deployment, start, bytes) VALUES (?1, ?2, ?3)";

	for (size_t at = 0; at < size; at += LOG_PIECE) {
		size_t piece = size - at < LOG_PIECE ? size - at : LOG_PIECE;

		if (sqlite_run(self, err, sql, "iib", id, start + (int64_t)at, bytes + at,
			       (int64_t)piece)
		    < 0)
			return -1;
	}
	return 0;
}

/* How much of it fits, in whole lines. */
static size_t fitting(const char *bytes, size_t size, size_t room)
{
	const char *end;

	if (size <= room)
		return size;
	end = memrchr(bytes, '\n', room);
	return end ? (size_t)(end - bytes) + 1 : 0;
}

static int append_within(struct sqlite *self, const struct claim *claim, const char *bytes,
			 size_t size, struct err *err)
{
	static const char last[] = "(the log is longer than 8 MiB: the rest was dropped)\n";
	static const char sql[] =
		"UPDATE deployments SET log_size = ?2, log_full = ?3 WHERE id = ?1";
	int64_t start;
	bool full;
	size_t fits;
	int result = log_state(self, claim, &start, &full, err);

	if (result || full)
		return result;
	fits = fitting(bytes, size, (size_t)(LOG_LIMIT - start));
	if (add_pieces(self, claim->deployment, start, bytes, fits, err) < 0)
		return -1;
	start += (int64_t)fits;
	full = fits < size;
	if (full) {
		if (add_pieces(self, claim->deployment, start, last, sizeof last - 1, err) < 0)
			return -1;
		start += (int64_t)sizeof last - 1;
	}
	return sqlite_run(self, err, sql, "iii", claim->deployment, start, (int64_t)full) < 0 ? -1
											      : 0;
}

int sqlite_append_log(struct store *store, const struct claim *claim, const char *bytes,
		      size_t size, struct err *err)
{
	struct sqlite *self = sqlite_of(store);
	int result;

	if (!size)
		return 0;
	if (sqlite_begin(self, true, err) < 0)
		return -1;
	result = sqlite_end(self, append_within(self, claim, bytes, size, err), err);
	return result < 0 ? err_within(err, "write the log of deployment %lld",
				       (long long)claim->deployment)
			  : result;
}
