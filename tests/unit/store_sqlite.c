/* What goes wrong below SQLite: full, read-only and failing disks, damaged and foreign files,
 * another boot. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "contract/store.h"

static char *path_in(const struct place *place, const char *name)
{
	return file_join(place->dir, name);
}

/* SQL past the store, as a person with sqlite3 would. */
static void sql(const char *path, const char *text)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK
	    || sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
		tap_note("%s: %s", text, sqlite3_errmsg(db));
		bail_out("sqlite3");
	}
	sqlite3_close(db);
}

static void copy(const char *from, const char *to)
{
	struct buf bytes = BUF_INIT(1 << 30);
	struct err err;

	if (file_read(from, &bytes, &err) < 0
	    || file_write(to, buf_text(&bytes), bytes.size, 0600, &err) < 0) {
		tap_note("%s", err.text);
		bail_out("copy");
	}
	buf_free(&bytes);
}

static off_t size_of(const char *path)
{
	struct stat status;

	return stat(path, &status) < 0 ? -1 : status.st_size;
}

static bool opens(const char *url, struct err *err)
{
	struct store *store;

	*err = (struct err)ERR_INIT;
	if (store_open(&store, url, err) < 0)
		return false;
	store_free(store);
	return true;
}

static void urls(void)
{
	struct err err;

	ok(!opens("nonsense", &err) && err.kind == ERR_USAGE, "no scheme is the settings' mistake");
	ok(!opens("postgres://user:secret@host/db", &err) && !strstr(err.text, "secret"),
	   "nor an unknown one; no secret shown");
	ok(!opens("sqlite://relative.db", &err) && strstr(err.text, "absolute"),
	   "nor a relative path");
	ok(!opens("sqlite:///nowhere/at/all.db", &err) && strstr(err.text, "No such file"),
	   "nor a folder that isn't there");
}

static void foreign_files(void)
{
	struct place place;
	struct err err;
	autofree char *path = NULL;

	place_make(&place, "sqlite");
	path = path_in(&place, "s.db");
	ok(file_write(path, "this is a text file and no database at all", 42, 0600, &err) == 0,
	   "a text file");
	ok(!opens(place.url, &err) && strstr(err.text, path)
		   && strstr(err.text, "restore a backup"),
	   "is refused, with its name and what to do");
	unlink(path);
	sql(path, "CREATE TABLE theirs (x)");
	ok(!opens(place.url, &err) && strstr(err.text, "isn't Slipway's"),
	   "another program's database is refused");
	unlink(path);
	ok(opens(place.url, &err), "a new one is made");
	same_int((intmax_t)file_is_exposed(path), 0, "for its owner alone");
	sql(path, "PRAGMA user_version=99");
	ok(!opens(place.url, &err) && strstr(err.text, "99") && strstr(err.text, "newer"),
	   "a newer schema is refused");
	place_remove(&place);
}

static void another_boot(void)
{
	struct place place;
	struct claim claim;
	struct err err;
	struct arena *arena = arena_new();
	struct store *store;
	autofree char *path = NULL;

	place_make(&place, "sqlite");
	path = path_in(&place, "s.db");
	store = open_or_bail(place.url);
	order_one(store, an_order("web", "c1", "1"));
	same_int(claim_one(store, "w", 1000000, &claim, arena), 1, "claimed late in one boot");
	store_free(store);
	store = open_or_bail(place.url);
	same_int(claim_one(store, "w", 5, &claim, arena), 0, "opening again leaves the lease");
	store_free(store);
	sql(path, "UPDATE meta SET boot = 'the one before'");
	store = open_or_bail(place.url);
	same_int(claim_one(store, "w", 5, &claim, arena), 1, "another boot ends it");
	same_int(store->renew(store, &claim, 100, &err), 0, "and leases count anew");
	store_free(store);
	arena_free(arena);
	place_remove(&place);
}

/* Overwrites the file's pages from this one on. */
static void damage(const char *path, off_t page)
{
	int fd = open(path, O_WRONLY);
	char junk[4096];

	memset(junk, 0x5a, sizeof junk);
	for (off_t at = page * 4096; at < size_of(path); at += 4096)
		if (pwrite(fd, junk, sizeof junk, at) != sizeof junk)
			bail_out("pwrite");
	close(fd);
}

static void damaged_file(void)
{
	struct store_filter filter = {.limit = 200};
	struct place place;
	struct err err;
	struct store *store;
	json_t *list;
	autofree char *path = NULL;

	place_make(&place, "sqlite");
	path = path_in(&place, "s.db");
	store = open_or_bail(place.url);
	for (int i = 0; i < 100; i++) {
		char guid[16];

		snprintf(guid, sizeof guid, "g%d", i);
		record_one(store, guid, "body", 1);
	}
	store_free(store);
	damage(path, 2);
	store = NULL;
	/* In the same boot it opens unread, and shows when it is read. */
	if (store_open(&store, place.url, &err) == 0)
		ok(store->deliveries(store, &filter, &list, &err) == -1,
		   "reading damaged pages fails");
	ok(strstr(err.text, path) && strstr(err.text, "damaged")
		   && strstr(err.text, "restore a backup"),
	   "with the file's name and what to do");
	store_free(store);
	place_remove(&place);
}

static void damage_is_found_after_a_boot(void)
{
	struct place place;
	struct err err;
	struct store *store;
	autofree char *path = NULL;

	place_make(&place, "sqlite");
	path = path_in(&place, "s.db");
	store = open_or_bail(place.url);
	for (int i = 0; i < 500; i++) {
		char guid[16];

		snprintf(guid, sizeof guid, "g%d", i);
		record_one(store, guid, "a body", 1);
	}
	store_free(store);
	sql(path, "UPDATE meta SET boot = 'the one before'; PRAGMA wal_checkpoint(TRUNCATE)");
	damage(path, size_of(path) / 4096 - 1);
	ok(!opens(place.url, &err) && strstr(err.text, path) && strstr(err.text, "damaged"),
	   "one damaged page is found at the first open of a boot");
	ok(!strchr(err.text, '\n'), "in one line");
	place_remove(&place);
}

/* One of the copies: torn somewhere after `whole`, by cutting or by writing over. */
static void tear(const char *wal, off_t whole, unsigned *seed)
{
	off_t torn = size_of(wal) - whole;
	off_t at = whole + rand_r(seed) % torn;
	char junk[64];
	int fd;

	if (rand_r(seed) % 2) {
		if (truncate(wal, at) < 0)
			bail_out("truncate");
		return;
	}
	fd = open(wal, O_WRONLY);
	for (size_t i = 0; i < sizeof junk; i++)
		junk[i] = (char)rand_r(seed);
	if (pwrite(fd, junk, sizeof junk, at) != sizeof junk)
		bail_out("pwrite");
	close(fd);
}

static int count_there(const char *url, int count)
{
	struct store *store = open_or_bail(url);
	int there = 0;

	for (int i = 0; i < count; i++) {
		char guid[16];

		snprintf(guid, sizeof guid, "g%d", i);
		there += strcmp(delivery_field(store, guid, "state"), "received") == 0;
	}
	store_free(store);
	return there;
}

static void torn_wal(void)
{
	enum { RECORDED = 20, TEARS = 200 };
	struct place place, torn;
	struct store *store;
	autofree char *db = NULL, *wal = NULL, *torn_db = NULL, *torn_wal_path = NULL,
		      *large = xalloc(20001);
	unsigned seed = 7;
	int lost = 0, whole = 0;
	off_t acknowledged;

	memset(large, 'x', 20000);
	place_make(&place, "sqlite");
	place_make(&torn, "sqlite");
	db = path_in(&place, "s.db");
	wal = path_in(&place, "s.db-wal");
	torn_db = path_in(&torn, "s.db");
	torn_wal_path = path_in(&torn, "s.db-wal");
	store = open_or_bail(place.url);
	for (int i = 0; i < RECORDED; i++) {
		char guid[16];

		snprintf(guid, sizeof guid, "g%d", i);
		record_one(store, guid, "body", 1);
	}
	acknowledged = size_of(wal);
	record_one(store, "last", large, 1); /* several pages: the one that the power cut tears */
	for (int i = 0; i < TEARS; i++) {
		copy(db, torn_db);
		copy(wal, torn_wal_path);
		tear(torn_wal_path, acknowledged, &seed);
		lost += RECORDED - count_there(torn.url, RECORDED);
		store_free(open_or_bail(torn.url));
		unlink(torn_db);
		unlink(torn_wal_path);
	}
	same_int(lost, 0, "a torn end of the write-ahead log loses nothing that was acknowledged");
	copy(db, torn_db);
	copy(wal, torn_wal_path);
	whole = count_there(torn.url, RECORDED);
	same_int(whole, RECORDED, "an untorn copy has it all");
	store_free(store);
	place_remove(&place);
	place_remove(&torn);
}

/* Records until it can't; how many went well. */
static int record_until_failure(struct store *store, const char *prefix, struct err *err)
{
	autofree char *body = xalloc(50001);
	int count = 0;

	memset(body, 'b', 50000);
	for (; count < 10000; count++) {
		char guid[32];
		struct delivery delivery;

		snprintf(guid, sizeof guid, "%s%d", prefix, count);
		delivery = a_delivery(guid, body);
		delivery.body_sha256 = guid;
		if (store->record(store, &delivery, 1, 1, err) < 0)
			break;
	}
	return count;
}

static int count_prefix(struct store *store, const char *prefix, int count)
{
	int there = 0;

	for (int i = 0; i < count; i++) {
		char guid[32];

		snprintf(guid, sizeof guid, "%s%d", prefix, i);
		there += strcmp(delivery_field(store, guid, "state"), "received") == 0;
	}
	return there;
}

static void failing_disk(void)
{
	struct rlimit before, small = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
	struct place place;
	struct store *store;
	struct err err = ERR_INIT;
	int count;

	place_make(&place, "sqlite");
	store = open_or_bail(place.url);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	count = record_until_failure(store, "g", &err);
	ok(count > 0 && count < 10000, "writes fail at some time");
	same_int(count_prefix(store, "g", count + 1), count,
		 "what was recorded is there, and no half of the rest");
	small.rlim_cur = 4096;
	setrlimit(RLIMIT_FSIZE, &small);
	ok(store->ready(store, &err) == -1, "when every write fails it isn't ready");
	ok(strstr(err.text, place.dir) && strstr(err.text, "File too large"),
	   "with the file and the system's reason");
	setrlimit(RLIMIT_FSIZE, &before);
	same_int(store->ready(store, &err), 0, "it is again when the disk is");
	same_int(record_one(store, "after", "x", 1), 0, "and records");
	store_free(store);
	store = open_or_bail(place.url);
	same_int(count_prefix(store, "g", count + 1), count, "all is there after a restart");
	store_free(store);
	place_remove(&place);
}

/* A file system of our own, which needs root or a user namespace. */
static bool mount_small(const char *dir)
{
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return mount("tmpfs", dir, "tmpfs", 0, "size=3m") == 0;
}

static void full_disk(const struct place *place)
{
	autofree char *filler = path_in(place, "filler"), *megabyte = xalloc(1 << 20);
	struct store *store;
	struct claim claim;
	struct arena *arena = arena_new();
	struct err err = ERR_INIT;
	int count;

	ok(file_write(filler, megabyte, 1 << 20, 0600, &err) == 0,
	   "a disk of 3 MiB with a file of 1 MiB");
	store = open_or_bail(place->url);
	order_one(store, an_order("web", "c1", "1"));
	count = record_until_failure(store, "g", &err);
	ok(count > 0 && count < 10000, "it is full at some time");
	same_int(err.code, ENOSPC, "the error is a full disk");
	ok(strstr(err.text, place->dir) && strstr(err.text, "free some space"),
	   "and says where and what to do");
	ok(strstr(err.text, "record 1 deliveries"), "and what failed");
	same_int(count_prefix(store, "g", count + 1), count,
		 "what was recorded is there, and no half of the rest");
	unlink(filler);
	same_int(store->ready(store, &err), 0, "with space again it is ready");
	same_int(record_one(store, "after", "x", 1), 0, "records");
	same_int(claim_one(store, "w", 0, &claim, arena), 1, "and claims");
	same_int(finish_one(store, &claim, OUTCOME_LIVE), 0, "and ends");
	store_free(store);
	arena_free(arena);
}

static void read_only_folder(const struct place *place)
{
	struct err err;

	if (mount(NULL, place->dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0) {
		skip("a read-only folder", "can't be made here");
		return;
	}
	ok(!opens(place->url, &err) && strstr(err.text, place->dir)
		   && strstr(err.text, "Read-only"),
	   "a read-only folder is said");
	mount(NULL, place->dir, NULL, MS_REMOUNT | MS_BIND, NULL);
	ok(opens(place->url, &err), "and it opens when it can be written");
}

/* The last: it moves this process into a mount namespace. */
static void own_file_system(void)
{
	struct place place;

	place_make(&place, "sqlite");
	if (mount_small(place.dir)) {
		full_disk(&place);
		read_only_folder(&place);
		umount2(place.dir, MNT_DETACH);
	} else
		skip("a full disk, a read-only folder", "needs root or user namespaces");
	place_remove(&place);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	urls();
	foreign_files();
	another_boot();
	damaged_file();
	damage_is_found_after_a_boot();
	torn_wal();
	failing_disk();
	own_file_system();
	return tap_done();
}
