/* Reading, for the API and the router. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "service/store_sqlite.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MOST = 200 };

static json_t *text_at(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	json_t *json;

	if (!text)
		return json_null();
	json = json_stringn(text, (size_t)sqlite3_column_bytes(row, column));
	/* What isn't UTF-8 can't be shown, but it mustn't hide the rest. */
	return json ? json : json_string("?");
}

static json_t *time_at(sqlite3_stmt *row, int column)
{
	char text[CLOCK_TEXT_SIZE];

	if (sqlite3_column_type(row, column) == SQLITE_NULL)
		return json_null();
	clock_text(sqlite3_column_int64(row, column), text);
	return json_string(text);
}

static json_t *integer_at(sqlite3_stmt *row, int column)
{
	if (sqlite3_column_type(row, column) == SQLITE_NULL)
		return json_null();
	return json_integer(sqlite3_column_int64(row, column));
}

/* A column that holds JSON. */
static json_t *json_within(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	json_t *json = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	return json ? json : json_null();
}

struct column {
	const char *name;
	json_t *(*read)(sqlite3_stmt *row, int column);
};

#define DEPLOYMENT_COLUMNS                                                                         \
	"SELECT id, repository, service, environment, target, commit_id, ref, cause, state, step," \
	" url, coalesce(version, wanted), previous, error, created_at, started_at, finished_at"    \
	" FROM deployments"

static const struct column deployment_columns[] = {
	{"id", integer_at},       {"repository", text_at},  {"service", text_at},
	{"environment", text_at}, {"target", text_at},      {"commit", text_at},
	{"ref", text_at},         {"cause", json_within},   {"state", text_at},
	{"step", text_at},        {"url", text_at},         {"version", text_at},
	{"previous", text_at},    {"error", text_at},       {"created_at", time_at},
	{"started_at", time_at},  {"finished_at", time_at}, {NULL, NULL},
};

/* The last column is for paging. */
#define DELIVERY_COLUMNS                                                                         \
	"SELECT guid, hook, event, repository, received_at, state, reason,"                      \
	" (SELECT json_group_array(d.id) FROM deployments d WHERE d.delivery = deliveries.row)," \
	" nullif(secret, -1), row FROM deliveries"

static const struct column delivery_columns[] = {
	{"guid", text_at},        {"hook", text_at},
	{"event", text_at},       {"repository", text_at},
	{"received_at", time_at}, {"state", text_at},
	{"reason", text_at},      {"deployments", json_within},
	{"secret", integer_at},   {NULL, NULL},
};

static json_t *object_of(sqlite3_stmt *row, const struct column *columns)
{
	json_t *object = json_object();

	for (int i = 0; columns[i].name; i++)
		json_object_set_new(object, columns[i].name, columns[i].read(row, i));
	return object;
}

static int64_t page_size(const struct store_filter *filter)
{
	if (filter->limit <= 0)
		return LIMIT_DEFAULT;
	return filter->limit < LIMIT_MOST ? filter->limit : LIMIT_MOST;
}

struct listing {
	const char *name;
	const struct column *columns;
	int key; /* the column that `before` means */
};
static const struct listing deployments_listing = {"deployments", deployment_columns, 0};
static const struct listing deliveries_listing = {"deliveries", delivery_columns, 9};

/* The statement gives one row more than the limit when there is a next page. */
static int read_page(struct sqlite *self, sqlite3_stmt *statement, const struct listing *listing,
		     int64_t limit, json_t **list, struct err *err)
{
	json_auto json_t *items = json_array();
	int64_t last = 0;
	int got;

	if (!statement)
		return -1;
	while ((got = sqlite_next(self, statement, err)) > 0
	       && (int64_t)json_array_size(items) < limit) {
		json_array_append_new(items, object_of(statement, listing->columns));
		last = sqlite3_column_int64(statement, listing->key);
	}
	sqlite_reset(statement);
	if (got < 0)
		return -1;
	*list = json_pack("{s: O, s: o}", listing->name, items, "next",
			  got ? json_integer(last) : json_null());
	return 0;
}

/* The one row, or ERR_ABSENT. */
static int read_one(struct sqlite *self, sqlite3_stmt *statement, const struct column *columns,
		    json_t **out, struct err *err)
{
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (!got)
		return STORE_EMPTY;
	*out = object_of(statement, columns);
	sqlite_reset(statement);
	return 0;
}

int sqlite_deployments(struct store *store, const struct store_filter *filter, json_t **list,
		       struct err *err)
{
	static const char sql[] = DEPLOYMENT_COLUMNS
		" WHERE (?1 IS NULL OR repository = ?1) AND (?2 IS NULL OR service = ?2)"
		" AND (?3 IS NULL OR environment = ?3) AND (?4 IS NULL OR state = ?4)"
		" AND (?5 = 0 OR id < ?5) ORDER BY id DESC LIMIT ?6";
	struct sqlite *self = sqlite_of(store);
	int64_t limit = page_size(filter);
	sqlite3_stmt *statement =
		sqlite_query(self, err, sql, "ttttii", filter->repository, filter->service,
			     filter->environment, filter->state, filter->before, limit + 1);

	return read_page(self, statement, &deployments_listing, limit, list, err);
}

int sqlite_deployment(struct store *store, int64_t id, json_t **out, struct err *err)
{
	static const char sql[] = DEPLOYMENT_COLUMNS " WHERE id = ?1";
	struct sqlite *self = sqlite_of(store);
	int got =
		read_one(self, sqlite_query(self, err, sql, "i", id), deployment_columns, out, err);

	if (got == STORE_EMPTY)
		return err_set(err, ERR_ABSENT, 0, "no deployment %lld", (long long)id);
	return got;
}

int sqlite_deliveries(struct store *store, const struct store_filter *filter, json_t **list,
		      struct err *err)
{
	static const char sql[] = DELIVERY_COLUMNS
		" WHERE (?1 IS NULL OR repository = ?1) AND (?2 IS NULL OR state = ?2)"
		" AND (?3 = 0 OR row < ?3) ORDER BY row DESC LIMIT ?4";
	struct sqlite *self = sqlite_of(store);
	int64_t limit = page_size(filter);
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "ttii", filter->repository,
					       filter->state, filter->before, limit + 1);

	return read_page(self, statement, &deliveries_listing, limit, list, err);
}

int sqlite_delivery(struct store *store, const char *guid, json_t **out, struct err *err)
{
	static const char sql[] = DELIVERY_COLUMNS " WHERE guid = ?1";
	struct sqlite *self = sqlite_of(store);
	int got =
		read_one(self, sqlite_query(self, err, sql, "t", guid), delivery_columns, out, err);

	/* The guid is what a stranger wrote in a URL: it isn't repeated. */
	if (got == STORE_EMPTY)
		return err_set(err, ERR_ABSENT, 0, "no delivery of that id");
	return got;
}

int sqlite_log(struct store *store, int64_t id, int64_t offset, size_t limit, struct buf *out,
	       struct err *err)
{
	static const char sql[] =
		"SELECT start, bytes FROM logs WHERE deployment = ?1 AND start >= (SELECT "
		"coalesce(max(start), 0)"
		" FROM logs WHERE deployment = ?1 AND start <= ?2) ORDER BY start";
	struct sqlite *self = sqlite_of(store);
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "ii", id, offset);
	int got;

	if (!statement)
		return -1;
	while (limit > 0 && (got = sqlite_next(self, statement, err)) != 0) {
		int64_t start, skip;
		size_t size;

		if (got < 0)
			return -1;
		start = sqlite3_column_int64(statement, 0);
		size = (size_t)sqlite3_column_bytes(statement, 1);
		skip = offset > start ? offset - start : 0;
		if (skip >= (int64_t)size)
			continue;
		size -= (size_t)skip;
		size = size < limit ? size : limit;
		buf_add(out, (const char *)sqlite3_column_blob(statement, 1) + skip, size);
		limit -= size;
	}
	sqlite_reset(statement);
	return 0;
}

int sqlite_live(struct store *store, const char *repository, const char *service,
		const char *environment, struct arena *arena, const char **commit, const char **ref,
		struct err *err)
{
	static const char sql[] =
		"SELECT d.commit_id, d.ref FROM live l JOIN deployments d ON d.id = l.deployment"
		" WHERE l.repository = ?1 AND l.service = ?2 AND l.environment = ?3";
	struct sqlite *self = sqlite_of(store);
	sqlite3_stmt *statement =
		sqlite_query(self, err, sql, "ttt", repository, service, environment);
	int got;

	*commit = *ref = NULL;
	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (got) {
		*commit = sqlite_text(statement, 0, arena);
		*ref = sqlite_text(statement, 1, arena);
	}
	sqlite_reset(statement);
	return 0;
}

int sqlite_good(struct store *store, const struct order *about, const char *wanted,
		struct arena *arena, struct order *out, struct err *err)
{
	/* A rollback succeeds with the version that it revived: the first deployment of a version
	 * says how old it is. What was rolled back from, and not live again since, isn't gone back
	 * to unless it is named. */
	static const char sql[] =
		"WITH done AS (SELECT * FROM deployments WHERE repository = ?1 AND service = ?2"
		"  AND environment = ?3 AND state = 'succeeded' AND version IS NOT NULL"
		"  AND commit_id IS NOT NULL),"
		" good AS (SELECT version, commit_id, ref, min(id) AS first, max(id) AS last"
		"  FROM done GROUP BY version)"
		" SELECT version, commit_id, ref FROM good WHERE CASE WHEN ?4 IS NOT NULL"
		"  THEN version = ?4"
		"  ELSE first < (SELECT g.first FROM live l JOIN done d ON d.id = l.deployment"
		"   JOIN good g ON g.version = d.version"
		"   WHERE l.repository = ?1 AND l.service = ?2 AND l.environment = ?3)"
		"  AND NOT EXISTS (SELECT 1 FROM done r JOIN good g ON g.version = r.version"
		"   WHERE r.revive AND r.previous = good.version AND g.first < good.first"
		"   AND r.id > good.last) END"
		" ORDER BY first DESC LIMIT 1";
	struct sqlite *self = sqlite_of(store);
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "tttt", about->repository,
					       about->service, about->environment, wanted);
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (got) {
		out->version = sqlite_text(statement, 0, arena);
		out->commit = sqlite_text(statement, 1, arena);
		out->ref = sqlite_text(statement, 2, arena);
	}
	sqlite_reset(statement);
	return got ? 0 : STORE_EMPTY;
}

int sqlite_replaced(struct store *store, const char *repository, const char *ref,
		    const char *commit, struct arena *arena, const char **newer, struct err *err)
{
	static const char sql[] =
		"SELECT commit_id FROM deployments WHERE repository = ?1 AND before = ?2"
		" AND ref = ?3 ORDER BY id DESC LIMIT 1";
	struct sqlite *self = sqlite_of(store);
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "ttt", repository, commit, ref);
	int got;

	*newer = NULL;
	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (got)
		*newer = sqlite_text(statement, 0, arena);
	sqlite_reset(statement);
	return 0;
}

static int count_states(struct sqlite *self, const char *sql, const char *const *states,
			json_t **out, struct err *err)
{
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "");
	json_auto json_t *counts = json_object();
	int got;

	if (!statement)
		return -1;
	for (size_t i = 0; states[i]; i++)
		json_object_set_new(counts, states[i], json_integer(0));
	while ((got = sqlite_next(self, statement, err)) > 0)
		json_object_set_new(counts, (const char *)sqlite3_column_text(statement, 0),
				    integer_at(statement, 1));
	if (got < 0)
		return -1;
	*out = json_incref(counts);
	return 0;
}

int sqlite_counts(struct store *store, json_t **out, struct err *err)
{
	static const char deployments_sql[] =
		"SELECT state, count(*) FROM deployments GROUP BY state";
	static const char deliveries_sql[] =
		"SELECT state, count(*) FROM deliveries GROUP BY state";
	static const char *const deployment_states[] = {"queued",    "running",     "succeeded",
							"failed",    "rolled_back", "superseded",
							"cancelled", NULL};
	static const char *const delivery_states[] = {"received", "deployed", "ignored", "failed",
						      NULL};
	struct sqlite *self = sqlite_of(store);
	json_auto json_t *deployments = NULL, *deliveries = NULL;

	if (count_states(self, deployments_sql, deployment_states, &deployments, err) < 0
	    || count_states(self, deliveries_sql, delivery_states, &deliveries, err) < 0)
		return -1;
	*out = json_pack("{s: O, s: O}", "deployments", deployments, "deliveries", deliveries);
	return 0;
}
