#include "service/store_sqlite.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "service/store_kinds.h"

enum { BUSY_MS = 10000 };

static int fail_system(struct sqlite *self, struct err *err, int code, const char *what)
{
	return err_set(err, ERR_SYSTEM, code, "%s: %s%s%s", self->path, what, code ? ": " : "",
		       code ? strerror(code) : "");
}

int sqlite_damaged(struct sqlite *self, struct err *err, const char *how)
{
	/* quick_check's texts have several lines; an error has one. */
	autofree char *line = xstrdup(how);

	for (char *c = line; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return err_set(
		err, ERR_SYSTEM, EIO,
		"%s: the database is damaged or isn't one (%.150s): stop slipwayd, move the file "
		"and "
		"its -wal away, and restore a backup or `sqlite3 FILE .recover | sqlite3 NEW`",
		self->path, line);
}

/* The errno behind an I/O error; a commit's is known only to the write-ahead log's file. */
static int system_cause(struct sqlite *self)
{
	int cause = sqlite3_system_errno(self->db);
	sqlite3_file *wal = NULL;

	if (cause)
		return cause;
	if (sqlite3_file_control(self->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK
	    && wal && wal->pMethods)
		wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &cause);
	return cause;
}

int sqlite_fail(struct sqlite *self, struct err *err)
{
	int code = sqlite3_errcode(self->db), cause;

	switch (code & 0xff) {
	case SQLITE_FULL:
		return fail_system(
			self, err, ENOSPC,
			"nothing was stored: free some space on its disk, or raise its quota");
	case SQLITE_READONLY:
		return fail_system(
			self, err, EROFS,
			"nothing was stored: it, or its folder, can't be written by this user");
	case SQLITE_CANTOPEN:
		return fail_system(self, err, system_cause(self),
				   "can't open the database: its folder must exist and be writable "
				   "by this user");
	case SQLITE_IOERR:
		cause = system_cause(self);
		return fail_system(self, err, cause ? cause : EIO,
				   "nothing was stored: the disk failed");
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, ERR_TRANSIENT, 0,
			       "%s: another process has held the database for more than %d seconds",
			       self->path, BUSY_MS / 1000);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return sqlite_damaged(self, err, sqlite3_errmsg(self->db));
	default:
		return err_set(err, ERR_SYSTEM, 0, "%s: %s", self->path, sqlite3_errmsg(self->db));
	}
}

/* SQLite's own waits in steps of up to 100 ms; a commit here takes one or two, and 2xx waits for
 * it. */
static int wait_for_others(void *self, int tries)
{
	(void)self;
	if (tries >= 200 + (BUSY_MS - 200) / 10)
		return 0;
	sqlite3_sleep(tries < 200 ? 1 : 10);
	return 1;
}

static sqlite3_stmt *prepared(struct sqlite *self, const char *sql, struct err *err)
{
	struct sqlite_cached *cached = self->cached;
	size_t i = 0;

	while (i < self->count && cached[i].sql != sql)
		i++;
	if (i < self->count)
		return cached[i].statement;
	assert(i < sizeof self->cached / sizeof *self->cached);
	if (sqlite3_prepare_v3(self->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &cached[i].statement,
			       NULL)
	    != SQLITE_OK) {
		sqlite_fail(self, err);
		return NULL;
	}
	cached[i].sql = sql;
	self->count++;
	return cached[i].statement;
}

/* Returns an SQLite code: a text over the limit is TOOBIG. */
static int bind_all(sqlite3_stmt *statement, const char *types, va_list args)
{
	int code = SQLITE_OK;
	const void *bytes;

	for (int i = 1; *types && code == SQLITE_OK; i++, types++) {
		switch (*types) {
		case 't':
			code = sqlite3_bind_text(statement, i, va_arg(args, const char *), -1,
						 SQLITE_STATIC);
			break;
		case 'i':
			code = sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
			break;
		case 'b':
			bytes = va_arg(args, const void *);
			code = sqlite3_bind_blob64(statement, i, bytes ? bytes : "",
						   (sqlite3_uint64)va_arg(args, int64_t),
						   SQLITE_STATIC);
			break;
		default:
			assert(false && "a type of t, i, b");
		}
	}
	return code;
}

static sqlite3_stmt *query(struct sqlite *self, struct err *err, const char *sql, const char *types,
			   va_list args)
{
	sqlite3_stmt *statement = prepared(self, sql, err);

	if (!statement)
		return NULL;
	assert((int)strlen(types) == sqlite3_bind_parameter_count(statement));
	if (bind_all(statement, types, args) != SQLITE_OK) {
		sqlite_fail(self, err);
		sqlite_reset(statement);
		return NULL;
	}
	return statement;
}

sqlite3_stmt *sqlite_query(struct sqlite *self, struct err *err, const char *sql, const char *types,
			   ...)
{
	sqlite3_stmt *statement;
	va_list args;

	va_start(args, types);
	statement = query(self, err, sql, types, args);
	va_end(args);
	return statement;
}

int sqlite_next(struct sqlite *self, sqlite3_stmt *statement, struct err *err)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return 1;
	if (code != SQLITE_DONE)
		sqlite_fail(self, err);
	sqlite_reset(statement);
	return code == SQLITE_DONE ? 0 : -1;
}

void sqlite_reset(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	if (statement)
		sqlite3_clear_bindings(statement);
}

void sqlite_reset_at(sqlite3_stmt **at)
{
	sqlite_reset(*at);
}

int sqlite_run(struct sqlite *self, struct err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *statement;
	va_list args;
	int got;

	va_start(args, types);
	statement = query(self, err, sql, types, args);
	va_end(args);
	if (!statement)
		return -1;
	while ((got = sqlite_next(self, statement, err)) > 0)
		continue;
	return got < 0 ? -1 : sqlite3_changes(self->db);
}

const char *sqlite_text(sqlite3_stmt *statement, int column, struct arena *arena)
{
	return arena_strdup(arena, (const char *)sqlite3_column_text(statement, column));
}

int sqlite_exec(struct sqlite *self, const char *sql, struct err *err)
{
	return sqlite3_exec(self->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
									  : sqlite_fail(self, err);
}

/* Set outside transactions only, which is where SQLite honours it; and it acts when it is prepared,
 * so it can't be kept prepared. */
static int set_soft(struct sqlite *self, bool soft, struct err *err)
{
	if (self->soft == soft)
		return 0;
	if (sqlite_exec(self, soft ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL", err)
	    < 0)
		return -1;
	self->soft = soft;
	return 0;
}

int sqlite_begin(struct sqlite *self, bool soft, struct err *err)
{
	static const char sql[] = "BEGIN IMMEDIATE";

	if (set_soft(self, soft, err) < 0)
		return -1;
	return sqlite_run(self, err, sql, "") < 0 ? -1 : 0;
}

int sqlite_end(struct sqlite *self, int result, struct err *err)
{
	static const char commit[] = "COMMIT", rollback[] = "ROLLBACK";
	struct err unused;

	if (result == 0 && sqlite_run(self, err, commit, "") < 0)
		result = -1;
	/* After a full disk SQLite has rolled back by itself already. */
	if (!sqlite3_get_autocommit(self->db) && sqlite_run(self, &unused, rollback, "") < 0)
		assert(sqlite3_get_autocommit(self->db));
	return result;
}

/* A small write, since only that tells whether the disk has room and the lock can be had. */
static int ready(struct store *store, struct err *err)
{
	static const char sql[] = "UPDATE meta SET writes = writes + 1";
	struct sqlite *self = sqlite_of(store);

	if (sqlite_begin(self, true, err) < 0)
		return -1;
	return sqlite_end(self, sqlite_run(self, err, sql, "") < 0 ? -1 : 0, err);
}

static int expire(struct store *store, int64_t before, struct err *err)
{
	static const char *const forget[] = {
		"DELETE FROM bodies WHERE delivery IN (SELECT row FROM deliveries WHERE kept = 1"
		" AND received_at < ?1 AND state <> 'received' ORDER BY received_at LIMIT 100)",
		"UPDATE deliveries SET kept = 0 WHERE row IN (SELECT row FROM deliveries WHERE "
		"kept = 1"
		" AND received_at < ?1 AND state <> 'received' ORDER BY received_at LIMIT 100)",
		"DELETE FROM deliveries WHERE row IN (SELECT row FROM deliveries WHERE kept = 0"
		" AND received_at < ?1 - 30 * 86400 AND state <> 'received' ORDER BY received_at "
		"LIMIT 500)",
		"DELETE FROM logs WHERE rowid IN (SELECT l.rowid FROM deployments d JOIN logs l"
		" ON l.deployment = d.id WHERE d.finished_at < ?1 LIMIT 200)",
		/* Where nobody is told they are never closed otherwise. */
		"UPDATE reports SET open = 0 WHERE deployment IN (SELECT r.deployment FROM reports "
		"r"
		" JOIN deployments d ON d.id = r.deployment WHERE r.open = 1"
		" AND d.finished_at < ?1 LIMIT 500)",
	};
	struct sqlite *self = sqlite_of(store);
	int forgotten = 0;

	if (sqlite_begin(self, false, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof forget / sizeof *forget; i++) {
		int changed = sqlite_run(self, err, forget[i], "i", before);

		if (changed < 0)
			return sqlite_end(self, -1, err);
		forgotten += changed;
	}
	if (sqlite_end(self, 0, err) < 0)
		return -1;
	return forgotten ? 0 : STORE_EMPTY;
}

static void free_sqlite(struct store *store)
{
	struct sqlite *self = sqlite_of(store);

	for (size_t i = 0; i < self->count; i++)
		sqlite3_finalize(self->cached[i].statement);
	sqlite3_close(self->db);
	free(self->path);
	free(self);
}

/* The first to come makes the file, for its owner alone; -wal and -shm get the same mode from
 * SQLite. */
static int make_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(err, "open the database %s", path);
	close(fd);
	return 0;
}

/* Changing to WAL needs the file for oneself, and SQLite does not wait for that. */
static int use_wal(struct sqlite *self, struct err *err)
{
	int code;

	for (int tries = 0; tries < BUSY_MS / 10; tries++) {
		code = sqlite3_exec(self->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
		if (code != SQLITE_BUSY && code != SQLITE_LOCKED)
			return code == SQLITE_OK ? 0 : sqlite_fail(self, err);
		sqlite3_sleep(10);
	}
	return sqlite_fail(self, err);
}

static int set_up(struct sqlite *self, struct err *err)
{
	if (sqlite3_open_v2(self->path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL)
	    != SQLITE_OK)
		return self->db ? sqlite_fail(self, err)
				: err_set(err, ERR_SYSTEM, ENOMEM, "no memory");
	sqlite3_extended_result_codes(self->db, 1);
	sqlite3_busy_handler(self->db, wait_for_others, self);
	sqlite3_db_config(self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	if (use_wal(self, err) < 0
	    || sqlite_exec(
		       self,
		       "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
		       "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
		       "PRAGMA journal_size_limit=67108864",
		       err)
		       < 0)
		return -1;
	if (sqlite_migrate(self, err) < 0)
		return -1;
	return sqlite_greet_boot(self, err);
}

static const struct store calls = {
	.record = sqlite_record,
	.unrouted = sqlite_unrouted,
	.put_off = sqlite_put_off,
	.route = sqlite_route,
	.give_up = sqlite_give_up,
	.order = sqlite_order,
	.claim = sqlite_claim,
	.renew = sqlite_renew,
	.advance = sqlite_advance,
	.finish = sqlite_finish,
	.release = sqlite_release,
	.append_log = sqlite_append_log,
	.deployments = sqlite_deployments,
	.deployment = sqlite_deployment,
	.log = sqlite_log,
	.deliveries = sqlite_deliveries,
	.delivery = sqlite_delivery,
	.live = sqlite_live,
	.good = sqlite_good,
	.replaced = sqlite_replaced,
	.secret_used = sqlite_secret_used,
	.report = sqlite_report,
	.report_keep = sqlite_report_keep,
	.report_put_off = sqlite_report_put_off,
	.name = sqlite_name,
	.fetched = sqlite_fetched,
	.fetched_until = sqlite_fetched_until,
	.counts = sqlite_counts,
	.ready = ready,
	.expire = expire,
	.free = free_sqlite,
};

static int open_sqlite(struct store **out, const char *path, struct err *err)
{
	struct sqlite *self;

	if (path[0] != '/')
		return err_set(err, ERR_USAGE, 0,
			       "store 'sqlite://%s': expected an absolute path: "
			       "sqlite:///var/lib/slipway/slipway.db",
			       path);
	if (make_file(path, err) < 0)
		return -1;
	self = xalloc(sizeof *self);
	self->store = calls;
	self->path = xstrdup(path);
	if (set_up(self, err) < 0) {
		free_sqlite(&self->store);
		return -1;
	}
	*out = &self->store;
	return 0;
}

extern const struct store_kind store_sqlite;
const struct store_kind store_sqlite = {.scheme = "sqlite", .open = open_sqlite};
