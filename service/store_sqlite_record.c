/* Deliveries: recording them, and giving them to the router one by one. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "service/store_sqlite.h"

enum { PIECE = 64 * 1024 };

/* Is the statement's failure the item's own fault, rather than the disk's? */
static bool own_fault(const struct sqlite *self)
{
	int code = sqlite3_errcode(self->db) & 0xff;

	return code == SQLITE_CONSTRAINT || code == SQLITE_TOOBIG || code == SQLITE_MISMATCH;
}

static ssize_t read_at(int fd, char *bytes, size_t size, size_t offset)
{
	ssize_t got;

	do
		got = pread(fd, bytes, size, (off_t)offset);
	while (got < 0 && errno == EINTR);
	return got;
}

/* *own is set when the descriptor, not the database, is at fault. */
static int copy_body(struct sqlite *self, sqlite3_blob *blob, const struct delivery *item,
		     bool *own, struct err *err)
{
	autofree char *piece = xalloc(PIECE);

	for (size_t at = 0; at < item->size;) {
		size_t want = item->size - at < PIECE ? item->size - at : PIECE;
		ssize_t got = read_at(item->body_fd, piece, want, at);

		if (got <= 0) {
			*own = true;
			if (got < 0)
				return err_errno(err, "delivery %s: read its spooled body",
						 item->guid);
			return err_set(
				err, ERR_SYSTEM, EIO,
				"delivery %s: its spooled body ends after %zu bytes, expected %zu",
				item->guid, at, item->size);
		}
		if (sqlite3_blob_write(blob, piece, (int)got, (int)at) != SQLITE_OK)
			return sqlite_fail(self, err);
		at += (size_t)got;
	}
	return 0;
}

static int store_spooled(struct sqlite *self, const struct delivery *item, int64_t row, bool *own,
			 struct err *err)
{
	static const char sql[] = "INSERT INTO bodies (delivery, bytes) VALUES (?1, zeroblob(?2))";
	sqlite3_blob *blob = NULL;
	int result;

	if (sqlite_run(self, err, sql, "ii", row, (int64_t)item->size) < 0) {
		*own = own_fault(self);
		return -1;
	}
	if (sqlite3_blob_open(self->db, "main", "bodies", "bytes", row, 1, &blob) != SQLITE_OK) {
		sqlite_fail(self, err);
		sqlite3_blob_close(blob);
		return -1;
	}
	result = copy_body(self, blob, item, own, err);
	if (sqlite3_blob_close(blob) != SQLITE_OK && result == 0)
		result = sqlite_fail(self, err);
	return result;
}

static int store_body(struct sqlite *self, const struct delivery *item, int64_t row, bool *own,
		      struct err *err)
{
	static const char sql[] = "INSERT INTO bodies (delivery, bytes) VALUES (?1, ?2)";

	if (!item->body && item->size)
		return store_spooled(self, item, row, own, err);
	if (sqlite_run(self, err, sql, "ib", row, item->body, (int64_t)item->size) >= 0)
		return 0;
	*own = own_fault(self);
	return -1;
}

/* A fault of the item's own goes into item->err, and what was stored of it is taken back. */
static int record_one(struct sqlite *self, struct delivery *item, int64_t now, struct err *err)
{
	static const char insert[] =
		"INSERT INTO deliveries (guid, hook, event, type, body_sha256, secret, received_at,"
		" reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, iif(?6 < 0, 'fetched from GitHub', "
		"NULL)) ON CONFLICT (guid) DO NOTHING";
	static const char remove[] = "DELETE FROM deliveries WHERE row = ?1";
	bool own = false;
	int64_t row;
	int changed;

	item->err.kind = ERR_NONE;
	item->duplicate = false;
	changed =
		sqlite_run(self, &item->err, insert, "tttttii", item->guid, item->hook, item->event,
			   item->type, item->body_sha256, (int64_t)item->secret, now);
	if (changed < 0) {
		*err = item->err;
		return own_fault(self) ? 0 : -1;
	}
	item->duplicate = changed == 0;
	if (item->duplicate)
		return 0;
	row = sqlite3_last_insert_rowid(self->db);
	if (store_body(self, item, row, &own, &item->err) == 0)
		return 0;
	*err = item->err;
	if (own && sqlite_run(self, err, remove, "i", row) >= 0)
		return 0;
	return -1;
}

/* Deliveries of one hook and secret mostly come together, so most items cost nothing here. */
static int note_secrets(struct sqlite *self, const struct delivery *batch, size_t count,
			int64_t now, struct err *err)
{
	static const char sql[] = "INSERT INTO secrets (hook, secret, last) VALUES (?1, ?2, ?3)"
				  " ON CONFLICT (hook, secret) DO UPDATE SET last = excluded.last";

	for (size_t i = 0; i < count; i++) {
		if (batch[i].err.kind != ERR_NONE || batch[i].secret < 0)
			continue;
		if (i && batch[i].secret == batch[i - 1].secret && batch[i - 1].err.kind == ERR_NONE
		    && strcmp(batch[i].hook, batch[i - 1].hook) == 0)
			continue;
		if (sqlite_run(self, err, sql, "tii", batch[i].hook, (int64_t)batch[i].secret, now)
		    < 0)
			return -1;
	}
	return 0;
}

int sqlite_record(struct store *store, struct delivery *batch, size_t count, int64_t now,
		  struct err *err)
{
	struct sqlite *self = sqlite_of(store);
	int result = 0;

	if (sqlite_begin(self, false, err) < 0)
		return err_within(err, "record %zu deliveries", count);
	for (size_t i = 0; i < count && result == 0; i++)
		result = record_one(self, &batch[i], now, err);
	if (result == 0)
		result = note_secrets(self, batch, count, now, err);
	result = sqlite_end(self, result, err);
	return result < 0 ? err_within(err, "record %zu deliveries", count) : result;
}

static int read_body(struct sqlite *self, int64_t row, struct delivery *out, struct arena *arena,
		     struct err *err)
{
	sqlite3_blob *blob = NULL;
	char *body = NULL;
	int result = 0, size;

	if (sqlite3_blob_open(self->db, "main", "bodies", "bytes", row, 0, &blob) != SQLITE_OK) {
		sqlite_fail(self, err);
		sqlite3_blob_close(blob);
		return err_within(err, "read the body of delivery %s", out->guid);
	}
	size = sqlite3_blob_bytes(blob);
	body = arena_alloc(arena, (size_t)size + 1);
	if (size && sqlite3_blob_read(blob, body, size, 0) != SQLITE_OK) {
		sqlite_fail(self, err);
		result = err_within(err, "read the body of delivery %s", out->guid);
	}
	sqlite3_blob_close(blob);
	out->body = body;
	out->size = (size_t)size;
	return result;
}

static int find_replayed(struct sqlite *self, int64_t row, const char *sha256,
			 const char **replay_of, struct arena *arena, struct err *err)
{
	static const char sql[] = "SELECT guid FROM deliveries WHERE body_sha256 = ?1 AND row < ?2"
				  " ORDER BY row LIMIT 1";
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "ti", sha256, row);
	int got;

	*replay_of = NULL;
	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (got)
		*replay_of = sqlite_text(statement, 0, arena);
	sqlite_reset(statement);
	return 0;
}

int sqlite_unrouted(struct store *store, struct instant now, struct delivery *out,
		    const char **replay_of, int *tries, struct arena *arena, struct err *err)
{
	static const char sql[] =
		"SELECT row, guid, hook, event, type, body_sha256, secret, tries FROM deliveries"
		" WHERE state = 'received' AND until <= ?1 ORDER BY row LIMIT 1";
	struct sqlite *self = sqlite_of(store);
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "i", now.ticks);
	int64_t row;
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (!got)
		return STORE_EMPTY;
	row = sqlite3_column_int64(statement, 0);
	*out = (struct delivery){
		.guid = sqlite_text(statement, 1, arena),
		.hook = sqlite_text(statement, 2, arena),
		.event = sqlite_text(statement, 3, arena),
		.type = sqlite_text(statement, 4, arena),
		.body_sha256 = sqlite_text(statement, 5, arena),
		.body_fd = -1,
		.secret = sqlite3_column_int(statement, 6),
	};
	*tries = sqlite3_column_int(statement, 7);
	sqlite_reset(statement);
	if (find_replayed(self, row, out->body_sha256, replay_of, arena, err) < 0)
		return -1;
	return read_body(self, row, out, arena, err);
}

int sqlite_put_off(struct store *store, const char *guid, const char *why, int64_t until_ticks,
		   struct err *err)
{
	static const char sql[] = "UPDATE deliveries SET reason = ?2, until = ?3, tries = tries + 1"
				  " WHERE guid = ?1 AND state = 'received'";
	struct sqlite *self = sqlite_of(store);
	int changed;

	if (sqlite_begin(self, false, err) < 0)
		return -1;
	changed = sqlite_run(self, err, sql, "tti", guid, why, until_ticks);
	if (sqlite_end(self, changed < 0 ? -1 : 0, err) < 0)
		return -1;
	return changed ? 0
		       : err_set(err, ERR_ABSENT, 0, "put off delivery %s: none of that id waits",
				 guid);
}

int sqlite_secret_used(struct store *store, const char *hook, int secret, int64_t *last,
		       struct err *err)
{
	static const char sql[] = "SELECT last FROM secrets WHERE hook = ?1 AND secret = ?2";
	struct sqlite *self = sqlite_of(store);
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "ti", hook, (int64_t)secret);
	int got;

	*last = -1;
	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (got)
		*last = sqlite3_column_int64(statement, 0);
	sqlite_reset(statement);
	return 0;
}
