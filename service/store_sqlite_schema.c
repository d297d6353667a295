#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "service/store_sqlite.h"

/*
 * The schema's versions, oldest first; PRAGMA user_version says how many have been applied. An
 * entry that was released is never changed: a new one is added.
 *
 * Times are seconds since 1970, `lease` and `until` are ticks of the boot that meta names.
 */
static const char *const migrations[] = {
	"CREATE TABLE meta ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" boot TEXT NOT NULL,"
	" fence INTEGER NOT NULL,"
	" writes INTEGER NOT NULL) STRICT;"
	"INSERT INTO meta VALUES (1, '', 0, 0);"

	"CREATE TABLE deliveries ("
	" row INTEGER PRIMARY KEY AUTOINCREMENT,"
	" guid TEXT NOT NULL UNIQUE CHECK (guid <> ''),"
	" hook TEXT NOT NULL,"
	" event TEXT NOT NULL,"
	" type TEXT NOT NULL,"
	" body_sha256 TEXT NOT NULL,"
	" secret INTEGER NOT NULL,"
	" received_at INTEGER NOT NULL,"
	" kept INTEGER NOT NULL DEFAULT 1," /* its body is still there */
	" state TEXT NOT NULL DEFAULT 'received'"
	"  CHECK (state IN ('received', 'deployed', 'ignored', 'failed')),"
	" repository TEXT,"
	" reason TEXT,"
	" tries INTEGER NOT NULL DEFAULT 0,"
	" until INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX deliveries_state ON deliveries (state);"
	"CREATE INDEX deliveries_body ON deliveries (body_sha256);"
	"CREATE INDEX deliveries_age ON deliveries (kept, received_at);"

	"CREATE TABLE bodies ("
	" delivery INTEGER PRIMARY KEY REFERENCES deliveries (row) ON DELETE CASCADE,"
	" bytes BLOB NOT NULL) STRICT;"

	"CREATE TABLE secrets ("
	" hook TEXT NOT NULL, secret INTEGER NOT NULL, last INTEGER NOT NULL,"
	" PRIMARY KEY (hook, secret)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE deployments ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" dedupe TEXT NOT NULL UNIQUE,"
	" asked TEXT NOT NULL," /* what was asked for, to tell a repeated key from a reused one */
	" repository TEXT NOT NULL,"
	" service TEXT NOT NULL,"
	" environment TEXT NOT NULL,"
	" commit_id TEXT,"
	" ref TEXT,"
	" needs TEXT,"
	" cause TEXT NOT NULL,"
	" revive INTEGER NOT NULL,"
	" wanted TEXT," /* the version that a rollback asked for */
	" before TEXT,"
	" delivery INTEGER REFERENCES deliveries (row) ON DELETE SET NULL,"
	" state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'succeeded', "
	"'failed',"
	"  'rolled_back', 'superseded', 'cancelled')),"
	" step TEXT NOT NULL,"
	" fence INTEGER NOT NULL DEFAULT 0,"
	" worker TEXT,"
	" lease INTEGER NOT NULL DEFAULT 0,"
	" tries INTEGER NOT NULL DEFAULT 0,"
	" losses INTEGER NOT NULL DEFAULT 0," /* leases lost since it last got a step further */
	" version TEXT, previous TEXT, url TEXT, memo TEXT, folder TEXT, target TEXT,"
	" error TEXT,"
	" created_at INTEGER NOT NULL,"
	" started_at INTEGER,"
	" finished_at INTEGER,"
	" log_size INTEGER NOT NULL DEFAULT 0,"
	" log_full INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE UNIQUE INDEX deployments_one_running ON deployments (repository, service, "
	"environment)"
	" WHERE state = 'running';"
	"CREATE INDEX deployments_state ON deployments (state);"
	"CREATE INDEX deployments_commit ON deployments (repository, service, environment, "
	"commit_id);"
	"CREATE INDEX deployments_before ON deployments (repository, before) WHERE before IS NOT "
	"NULL;"
	"CREATE INDEX deployments_delivery ON deployments (delivery) WHERE delivery IS NOT NULL;"

	"CREATE TABLE live ("
	" repository TEXT NOT NULL, service TEXT NOT NULL, environment TEXT NOT NULL,"
	" deployment INTEGER NOT NULL REFERENCES deployments (id),"
	" PRIMARY KEY (repository, service, environment)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE logs ("
	" deployment INTEGER NOT NULL REFERENCES deployments (id),"
	" start INTEGER NOT NULL,"
	" bytes BLOB NOT NULL,"
	" UNIQUE (deployment, start)) STRICT;",

	/* What a build made, what was published of it, what the target noted. */
	"ALTER TABLE deployments ADD COLUMN built TEXT;"
	"ALTER TABLE deployments ADD COLUMN image TEXT;"
	"ALTER TABLE deployments ADD COLUMN facts TEXT;",

	/* What GitHub is told, and what is fetched from it. */
	"CREATE TABLE reports ("
	" deployment INTEGER PRIMARY KEY REFERENCES deployments (id),"
	" open INTEGER NOT NULL DEFAULT 1,"
	" told TEXT NOT NULL DEFAULT ''," /* state and step of the deployment */
	" memo TEXT,"
	" tries INTEGER NOT NULL DEFAULT 0,"
	" until INTEGER NOT NULL DEFAULT 0,"
	" error TEXT) STRICT;"
	"CREATE INDEX reports_open ON reports (until, deployment) WHERE open = 1;"
	"CREATE TRIGGER deployments_reported AFTER INSERT ON deployments BEGIN"
	" INSERT INTO reports (deployment) VALUES (new.id); END;"
	"CREATE TABLE fetched ("
	" hook TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE name (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL) STRICT;"
	"INSERT INTO name VALUES (1, lower(hex(randomblob(8))));",
};
enum { VERSION = sizeof migrations / sizeof *migrations };

/* The number that a query of one column in one row gives. */
static int number(struct sqlite *self, const char *sql, int64_t *out, struct err *err)
{
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "");
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	*out = got ? sqlite3_column_int64(statement, 0) : 0;
	sqlite_reset(statement);
	return 0;
}

static int refuse(struct sqlite *self, int64_t version, int64_t tables, struct err *err)
{
	if (version > VERSION)
		return err_set(err, ERR_USAGE, 0,
			       "%s: schema version %lld, this program knows up to %d: a newer "
			       "slipwayd wrote it; "
			       "run that one or newer",
			       self->path, (long long)version, VERSION);
	if (version < 0 || (version == 0 && tables > 0))
		return err_set(err, ERR_USAGE, 0,
			       "%s: this database isn't Slipway's: name another file", self->path);
	return 0;
}

static const char version_sql[] = "PRAGMA user_version";

static int migrate_within(struct sqlite *self, struct err *err)
{
	static const char tables_sql[] = "SELECT count(*) FROM sqlite_schema";
	int64_t version, tables;

	if (number(self, version_sql, &version, err) < 0
	    || number(self, tables_sql, &tables, err) < 0 || refuse(self, version, tables, err) < 0)
		return -1;
	for (; version < VERSION; version++) {
		char set[64];

		snprintf(set, sizeof set, "PRAGMA user_version=%d", (int)version + 1);
		if (sqlite_exec(self, migrations[version], err) < 0
		    || sqlite_exec(self, set, err) < 0)
			return err_within(err, "migrate to schema version %d", (int)version + 1);
	}
	return 0;
}

int sqlite_migrate(struct sqlite *self, struct err *err)
{
	int64_t version;

	if (number(self, version_sql, &version, err) < 0)
		return -1;
	if (version == VERSION)
		return 0;
	if (sqlite_begin(self, false, err) < 0)
		return -1;
	return sqlite_end(self, migrate_within(self, err), err);
}

static int boot_id(struct buf *out, struct err *err)
{
	if (file_read("/proc/sys/kernel/random/boot_id", out, err) < 0)
		return err_within(err, "read the boot id");
	while (out->size && out->data[out->size - 1] == '\n')
		out->data[--out->size] = '\0';
	return 0;
}

/* Is meta.boot this one? 1 yes, 0 no. */
static int boot_is_known(struct sqlite *self, const char *boot, struct err *err)
{
	static const char sql[] = "SELECT 1 FROM meta WHERE boot = ?1";
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "t", boot);
	int got;

	if (!statement)
		return -1;
	got = sqlite_next(self, statement, err);
	sqlite_reset(statement);
	return got;
}

static int end_leases(struct sqlite *self, const char *boot, struct err *err)
{
	static const char leases[] =
		"UPDATE deployments SET lease = 0, losses = 0 WHERE state = 'running'";
	static const char delays[] = "UPDATE deliveries SET until = 0 WHERE state = 'received'";
	static const char reports[] = "UPDATE reports SET until = 0 WHERE open = 1";
	static const char meta[] = "UPDATE meta SET boot = ?1";

	if (sqlite_run(self, err, leases, "") < 0 || sqlite_run(self, err, delays, "") < 0
	    || sqlite_run(self, err, reports, "") < 0 || sqlite_run(self, err, meta, "t", boot) < 0)
		return -1;
	return 0;
}

/* A power cut is what damages files, so the check is made once per boot; a large file would hold up
 * the start for too long, and damage shows when it is read, too. */
static int check_file(struct sqlite *self, struct err *err)
{
	static const char sql[] = "PRAGMA quick_check(1)";
	enum { LARGEST = 256 * 1024 * 1024 };
	struct stat status;
	sqlite3_stmt *statement;
	const char *said;
	int result = 0;

	if (stat(self->path, &status) < 0 || status.st_size > LARGEST)
		return 0;
	statement = sqlite_query(self, err, sql, "");
	if (!statement || sqlite_next(self, statement, err) < 0)
		return -1;
	said = (const char *)sqlite3_column_text(statement, 0);
	if (said && strcmp(said, "ok") != 0)
		result = sqlite_damaged(self, err, said);
	sqlite_reset(statement);
	return result;
}

int sqlite_greet_boot(struct sqlite *self, struct err *err)
{
	cleanup(buf_free) struct buf boot = BUF_INIT(200);
	int known;

	if (boot_id(&boot, err) < 0)
		return -1;
	known = boot_is_known(self, buf_text(&boot), err);
	if (known)
		return known < 0 ? -1 : 0;
	if (check_file(self, err) < 0)
		return -1;
	/* Looked at again under the lock: another process may have done it and claimed something
	 * since. */
	if (sqlite_begin(self, false, err) < 0)
		return -1;
	known = boot_is_known(self, buf_text(&boot), err);
	if (known == 0)
		known = end_leases(self, buf_text(&boot), err);
	return sqlite_end(self, known < 0 ? -1 : 0, err);
}
