/* What GitHub is told about deployments, and up to where its deliveries were fetched. */
#include <string.h>

#include "service/store_sqlite.h"

/* The memo of what was live there before it. */
static int read_last(struct sqlite *self, struct report *report, struct arena *arena,
		     struct err *err)
{
	static const char sql[] =
		"SELECT r.memo FROM deployments d JOIN reports r ON r.deployment = d.id"
		" WHERE d.repository = ?1 AND d.service = ?2 AND d.environment = ?3 AND d.id < ?4"
		" AND d.state = 'succeeded' ORDER BY d.id DESC LIMIT 1";
	sqlite3_stmt *statement =
		sqlite_query(self, err, sql, "ttti", report->repository, report->service,
			     report->environment, report->deployment);
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (got)
		report->last = sqlite_text(statement, 0, arena);
	sqlite_reset(statement);
	return 0;
}

int sqlite_report(struct store *store, struct instant now, int64_t oldest, struct report *out,
		  struct arena *arena, struct err *err)
{
	static const char sql[] =
		"SELECT d.id, d.repository, d.service, d.environment, d.commit_id, d.cause,"
		" d.state, d.step, d.url, d.version, d.previous, d.error, d.created_at,"
		" d.started_at, d.finished_at, r.memo, r.tries"
		" FROM reports r JOIN deployments d ON d.id = r.deployment"
		" WHERE r.open = 1 AND r.until <= ?1 AND r.told <> d.state || ' ' || d.step"
		" AND (d.finished_at IS NULL OR d.finished_at >= ?2)"
		" ORDER BY r.until, r.deployment LIMIT 1";
	struct sqlite *self = sqlite_of(store);
	sqlite3_stmt *row = sqlite_query(self, err, sql, "ii", now.ticks, oldest);
	int got;

	if (!row || (got = sqlite_next(self, row, err)) < 0)
		return -1;
	if (!got)
		return STORE_EMPTY;
	*out = (struct report){
		.deployment = sqlite3_column_int64(row, 0),
		.repository = sqlite_text(row, 1, arena),
		.service = sqlite_text(row, 2, arena),
		.environment = sqlite_text(row, 3, arena),
		.commit = sqlite_text(row, 4, arena),
		.cause = sqlite_text(row, 5, arena),
		.state = sqlite_text(row, 6, arena),
		.step = sqlite_text(row, 7, arena),
		.url = sqlite_text(row, 8, arena),
		.version = sqlite_text(row, 9, arena),
		.previous = sqlite_text(row, 10, arena),
		.error = sqlite_text(row, 11, arena),
		.created_at = sqlite3_column_int64(row, 12),
		.started_at = sqlite3_column_int64(row, 13),
		.finished_at = sqlite3_column_int64(row, 14),
		.memo = sqlite_text(row, 15, arena),
		.tries = sqlite3_column_int(row, 16),
	};
	sqlite_reset(row);
	return read_last(self, out, arena, err);
}

int sqlite_report_keep(struct store *store, const struct report *report, const char *memo,
		       enum report_mark mark, struct err *err)
{
	static const char sql[] =
		"UPDATE reports SET memo = ?2, told = coalesce(?3, told), open = ?4,"
		" tries = iif(?3 IS NULL, tries, 0), until = iif(?3 IS NULL, until, 0),"
		" error = iif(?3 IS NULL, error, NULL) WHERE deployment = ?1";
	struct sqlite *self = sqlite_of(store);
	autofree char *told = xprintf("%s %s", report->state, report->step);
	int changed;

	if (sqlite_begin(self, false, err) < 0)
		return -1;
	changed = sqlite_run(self, err, sql, "itti", report->deployment, memo,
			     mark == REPORT_MIDWAY ? NULL : told, (int64_t)(mark != REPORT_CLOSED));
	if (sqlite_end(self, changed < 0 ? -1 : 0, err) < 0)
		return err_within(err, "keep what GitHub was told of deployment %lld",
				  (long long)report->deployment);
	return 0;
}

int sqlite_report_put_off(struct store *store, int64_t deployment, const char *why,
			  int64_t until_ticks, struct err *err)
{
	static const char sql[] =
		"UPDATE reports SET until = ?2, error = ?3, tries = tries + (?3 IS NOT NULL)"
		" WHERE deployment = ?1";
	struct sqlite *self = sqlite_of(store);

	if (sqlite_begin(self, true, err) < 0)
		return -1;
	return sqlite_end(
		self, sqlite_run(self, err, sql, "iit", deployment, until_ticks, why) < 0 ? -1 : 0,
		err);
}

int sqlite_name(struct store *store, struct arena *arena, const char **name, struct err *err)
{
	static const char sql[] = "SELECT name FROM name";
	struct sqlite *self = sqlite_of(store);
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "");
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	*name = got ? sqlite_text(statement, 0, arena) : "";
	sqlite_reset(statement);
	return 0;
}

int sqlite_fetched(struct store *store, const char *hook, int64_t *until, struct err *err)
{
	static const char sql[] = "SELECT until FROM fetched WHERE hook = ?1";
	struct sqlite *self = sqlite_of(store);
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "t", hook);
	int got;

	*until = 0;
	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (got)
		*until = sqlite3_column_int64(statement, 0);
	sqlite_reset(statement);
	return 0;
}

int sqlite_fetched_until(struct store *store, const char *hook, int64_t until, struct err *err)
{
	static const char sql[] = "INSERT INTO fetched (hook, until) VALUES (?1, ?2)"
				  " ON CONFLICT (hook) DO UPDATE SET until = excluded.until";
	struct sqlite *self = sqlite_of(store);

	if (sqlite_begin(self, false, err) < 0)
		return -1;
	return sqlite_end(self, sqlite_run(self, err, sql, "ti", hook, until) < 0 ? -1 : 0, err);
}
