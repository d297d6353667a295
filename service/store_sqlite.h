#ifndef SERVICE_STORE_SQLITE_H
#define SERVICE_STORE_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/store.h"

/*
 * Private to store_sqlite*.c. One connection, used by one thread at a time. Every statement is
 * reset before the call returns, so that no read holds an old snapshot.
 */

struct sqlite_cached {
	const char *sql; /* the literal's address is the key */
	sqlite3_stmt *statement;
};

struct sqlite {
	struct store store; /* first, so that a struct store * is one of these */
	sqlite3 *db;
	char *path;
	bool soft; /* the open transaction doesn't wait for the disk */
	struct sqlite_cached cached[80];
	size_t count;
};

static inline struct sqlite *sqlite_of(struct store *store)
{
	return (struct sqlite *)store;
}

/** Set *err from the connection's last error: what happened, to which file, what to do. Returns -1.
 */
int sqlite_fail(struct sqlite *self, struct err *err);

/** Set *err: the file is damaged in this way, and what to do. Returns -1. */
int sqlite_damaged(struct sqlite *self, struct err *err, const char *how);

/**
 * The prepared statement of this text (a literal: it is prepared once), with values bound by
 * `types`: t const char * (NULL is NULL), i int64_t, b a blob as const void * and int64_t. Texts
 * and blobs are not copied: they must stay until the statement is reset. NULL with *err.
 */
sqlite3_stmt *sqlite_query(struct sqlite *self, struct err *err, const char *sql, const char *types,
			   ...);

/** 1 with a row, 0 at the end, -1 with *err. At the end and on failure the statement is reset. */
int sqlite_next(struct sqlite *self, sqlite3_stmt *statement, struct err *err) MUST_CHECK;

/** Done with it before its end. NULL is fine. */
void sqlite_reset(sqlite3_stmt *statement);
void sqlite_reset_at(sqlite3_stmt **at); /* for cleanup() */

/** Query and run to the end. Returns how many rows it changed, or -1. */
int sqlite_run(struct sqlite *self, struct err *err, const char *sql, const char *types,
	       ...) MUST_CHECK;

/** A column's text in the arena; NULL for NULL. */
const char *sqlite_text(sqlite3_stmt *statement, int column, struct arena *arena);

/** Begin to write: waits up to 10 seconds for other writers. `soft`: a power cut may undo it. */
int sqlite_begin(struct sqlite *self, bool soft, struct err *err) MUST_CHECK;

/** Commit when result is 0, else roll back. Returns result, or -1 when the commit failed. */
int sqlite_end(struct sqlite *self, int result, struct err *err) MUST_CHECK;

/* The calls of struct store, by file. */

/* store_sqlite_record.c */
int sqlite_record(struct store *store, struct delivery *batch, size_t count, int64_t now,
		  struct err *err);
int sqlite_unrouted(struct store *store, struct instant now, struct delivery *out,
		    const char **replay_of, int *tries, struct arena *arena, struct err *err);
int sqlite_put_off(struct store *store, const char *guid, const char *why, int64_t until_ticks,
		   struct err *err);
int sqlite_secret_used(struct store *store, const char *hook, int secret, int64_t *last,
		       struct err *err);

/* store_sqlite_queue.c */
int sqlite_route(struct store *store, const char *guid, const char *repository,
		 const struct order *orders, size_t count, const char *why, int64_t now,
		 size_t *made, struct err *err);
int sqlite_give_up(struct store *store, const char *guid, const char *repository, const char *why,
		   struct err *err);
int sqlite_order(struct store *store, const struct order *order, int64_t now, int64_t *id,
		 struct err *err);

/* store_sqlite_claim.c */
int sqlite_claim(struct store *store, const char *worker, struct instant now, int64_t lease_ms,
		 struct claim *out, struct arena *arena, struct err *err);

/* store_sqlite_lease.c */
int sqlite_renew(struct store *store, const struct claim *claim, int64_t until_ticks,
		 struct err *err);
int sqlite_advance(struct store *store, const struct claim *claim, enum step next,
		   const struct progress *progress, int64_t until_ticks, struct err *err);
int sqlite_finish(struct store *store, const struct claim *claim, const struct result *result,
		  int64_t now, struct err *err);
int sqlite_release(struct store *store, const char *worker, struct err *err);
int sqlite_append_log(struct store *store, const struct claim *claim, const char *bytes,
		      size_t size, struct err *err);

/* store_sqlite_report.c */
int sqlite_report(struct store *store, struct instant now, int64_t oldest, struct report *out,
		  struct arena *arena, struct err *err);
int sqlite_report_keep(struct store *store, const struct report *report, const char *memo,
		       enum report_mark mark, struct err *err);
int sqlite_report_put_off(struct store *store, int64_t deployment, const char *why,
			  int64_t until_ticks, struct err *err);
int sqlite_name(struct store *store, struct arena *arena, const char **name, struct err *err);
int sqlite_fetched(struct store *store, const char *hook, int64_t *until, struct err *err);
int sqlite_fetched_until(struct store *store, const char *hook, int64_t until, struct err *err);

/* store_sqlite_read.c */
int sqlite_deployments(struct store *store, const struct store_filter *filter, json_t **list,
		       struct err *err);
int sqlite_deployment(struct store *store, int64_t id, json_t **out, struct err *err);
int sqlite_log(struct store *store, int64_t id, int64_t offset, size_t limit, struct buf *out,
	       struct err *err);
int sqlite_deliveries(struct store *store, const struct store_filter *filter, json_t **list,
		      struct err *err);
int sqlite_delivery(struct store *store, const char *guid, json_t **out, struct err *err);
int sqlite_good(struct store *store, const struct order *about, const char *wanted,
		struct arena *arena, struct order *out, struct err *err);
int sqlite_live(struct store *store, const char *repository, const char *service,
		const char *environment, struct arena *arena, const char **commit, const char **ref,
		struct err *err);
int sqlite_replaced(struct store *store, const char *repository, const char *ref,
		    const char *commit, struct arena *arena, const char **newer, struct err *err);
int sqlite_counts(struct store *store, json_t **out, struct err *err);

/* store_sqlite_schema.c */

/** Bring a new or older database up to this program's schema; refuse a newer or foreign one. */
int sqlite_migrate(struct sqlite *self, struct err *err) MUST_CHECK;

/** On the first open of a boot: check the file, and end all leases, which counted the last boot's
 * ticks. */
int sqlite_greet_boot(struct sqlite *self, struct err *err) MUST_CHECK;

/** Run a text of SQL. */
int sqlite_exec(struct sqlite *self, const char *sql, struct err *err) MUST_CHECK;

#endif
