/* The webhook route: what is answered to whom, and that nothing happens before the signature fits.
 */
#include "service/hooks.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "tap.h"
#include "wire.h"

#define NEW "new secret"
#define OLD "old secret"

/* A store that remembers what it was given. */
struct fake {
	struct store store;
	pthread_mutex_t mutex;
	unsigned records, batches;
	struct {
		char guid[80], event[40], hook[40], type[40], sha256[SHA256_HEX_SIZE];
		size_t size;
		int secret;
		bool whole; /* the body that came is the one that the digest is of */
	} last;
	char guids[64][80];
	atomic_bool broken;
};

static void keep(struct fake *fake, const struct delivery *item)
{
	char hex[SHA256_HEX_SIZE];
	char *body = xalloc(item->size + 1);

	if (item->body)
		memcpy(body, item->body, item->size);
	else if (pread(item->body_fd, body, item->size, 0) != (ssize_t)item->size)
		memset(body, 0, item->size);
	sha256_hex(body, item->size, hex);
	free(body);
	snprintf(fake->last.guid, sizeof fake->last.guid, "%s", item->guid);
	snprintf(fake->last.event, sizeof fake->last.event, "%s", item->event);
	snprintf(fake->last.hook, sizeof fake->last.hook, "%s", item->hook);
	snprintf(fake->last.type, sizeof fake->last.type, "%s", item->type);
	fake->last.whole = strcmp(hex, item->body_sha256) == 0;
	fake->last.size = item->size;
	fake->last.secret = item->secret;
	snprintf(fake->guids[fake->records++ % 64], 80, "%s", item->guid);
}

static int record(struct store *store, struct delivery *batch, size_t count, int64_t now,
		  struct err *err)
{
	struct fake *fake = (struct fake *)store;

	(void)now;
	if (atomic_load(&fake->broken))
		return err_set(err, ERR_SYSTEM, ENOSPC, "record: no space left on device");
	pthread_mutex_lock(&fake->mutex);
	fake->batches++;
	for (size_t i = 0; i < count; i++) {
		batch[i].err.kind = ERR_NONE;
		batch[i].duplicate = false;
		for (size_t g = 0; g < 64; g++)
			if (strcmp(fake->guids[g], batch[i].guid) == 0)
				batch[i].duplicate = true;
		if (!batch[i].duplicate)
			keep(fake, &batch[i]);
	}
	pthread_mutex_unlock(&fake->mutex);
	return 0;
}

static void fake_free(struct store *store)
{
	(void)store;
}

struct rig {
	struct fake fake;
	struct writer *writer;
	struct metrics *metrics;
	struct hooks *hooks;
	struct server *server;
	struct route routes[4];
	char folder[64];
	char store[80];
	int port;
};

static struct settings_secret two[] = {{.secret = {.text = NEW}}, {.secret = {.text = OLD}}};
static struct settings_secret other[] = {{.secret = {.text = "another hook's"}}};
static struct settings_hook hooks_[] = {
	{.path = "/hooks/github", .secrets = {.items = two, .count = 2}},
	{.path = "/hooks/other", .secrets = {.items = other, .count = 1}},
};

static void rig_start(struct rig *rig)
{
	struct settings settings = {.hooks = {.items = hooks_, .count = 2}};
	const struct server_options options = {.address = "127.0.0.1:0"};
	struct err err = ERR_INIT;
	size_t count;

	*rig = (struct rig){.fake = {.store = {.record = record, .free = fake_free}}};
	snprintf(rig->folder, sizeof rig->folder, "/tmp/hooks-test-XXXXXX");
	if (!mkdtemp(rig->folder))
		bail_out("mkdtemp");
	settings.data = rig->folder;
	snprintf(rig->store, sizeof rig->store, "%s/store", rig->folder);
	if (mkdir(rig->store, 0700) != 0)
		bail_out("mkdir");
	pthread_mutex_init(&rig->fake.mutex, NULL);
	rig->writer = writer_new(&rig->fake.store, &clock_system);
	rig->metrics = metrics_new();
	if (hooks_new(&rig->hooks, &settings, rig->writer, rig->metrics, &err) < 0)
		bail_out(err.text);
	count = hooks_routes(rig->hooks, rig->routes);
	if (server_start(&rig->server, &options, rig->routes, count, NULL, &err) < 0)
		bail_out(err.text);
	rig->port = server_port(rig->server);
}

static void rig_stop(struct rig *rig)
{
	struct err err = ERR_INIT;

	server_stop(rig->server);
	writer_free(rig->writer);
	hooks_free(rig->hooks);
	metrics_free(rig->metrics);
	if (file_remove_tree(rig->folder, &err) < 0)
		tap_note("%s", err.text);
}

static void sign(const char *secret, const void *body, size_t size, char out[80])
{
	struct hmac_key *key = hmac_key_new(secret, strlen(secret));
	struct hmac *hmac = hmac_begin(key);
	uint8_t mac[SHA256_SIZE];

	hmac_add(hmac, body, size);
	hmac_end(hmac, mac);
	hmac_key_free(key);
	memcpy(out, "sha256=", 7);
	hex_encode(mac, sizeof mac, out + 7);
}

/* Post a body with these header lines besides its length. The status; the whole answer in `out`. */
static int post(const struct rig *rig, const char *path, const char *headers, const void *body,
		size_t size, char *out, size_t room)
{
	int fd = wire_open(rig->port);
	char head[2048];
	ssize_t got;

	snprintf(
		head, sizeof head,
		"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n",
		path, size, headers);
	(void)(wire_says(fd, head) && wire_send(fd, body, size));
	got = wire_read_to_end(fd, out, room);
	close(fd);
	return got < 0 ? -1 : wire_status(out);
}

#define JSON "Content-Type: application/json\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

/* A delivery as GitHub would send it. */
static int deliver(const struct rig *rig, const char *secret, const char *guid, const char *event,
		   const char *type, const char *body, size_t size, char *out, size_t room)
{
	char signature[80], headers[1024];

	sign(secret, body, size, signature);
	snprintf(headers, sizeof headers,
		 "%sX-GitHub-Event: %s\r\nX-GitHub-Delivery: %s\r\nX-Hub-Signature-256: %s\r\n",
		 type, event, guid, signature);
	return post(rig, "/hooks/github", headers, body, size, out, room);
}

static void test_recorded(struct rig *rig)
{
	static const char json[] = "{\"ref\":\"refs/heads/main\"}";
	static const char form[] = "payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fmain%22%7D";
	char out[4096];

	same_int(deliver(rig, NEW, "g-1", "push", JSON, json, strlen(json), out, sizeof out), 202,
		 "a signed push is recorded");
	same_str(rig->fake.last.guid, "g-1", "under its id");
	same_str(rig->fake.last.hook, "/hooks/github", "with its hook");
	same_str(rig->fake.last.event, "push", "its event");
	same_int(rig->fake.last.secret, 0, "the secret that signed it");
	ok(rig->fake.last.whole, "and its body");
	same_int(deliver(rig, NEW, "g-1", "push", JSON, json, strlen(json), out, sizeof out), 200,
		 "the same id again is 200");
	ok(strstr(out, "seen before"), "and told so");
	same_int(rig->fake.records, 1, "and not recorded again");
	same_int(deliver(rig, OLD, "g-2", "push", FORM, form, strlen(form), out, sizeof out), 202,
		 "a form signed with the older secret too");
	same_int(rig->fake.last.secret, 1, "which is told apart");
	same_str(rig->fake.last.type, "application/x-www-form-urlencoded", "with its type");
	same_int(deliver(rig, NEW, "g-3", "ping", JSON, json, strlen(json), out, sizeof out), 200,
		 "ping is 200");
	ok(strstr(out, "nothing to do"), "with the reason");
	same_str(rig->fake.last.event, "ping", "and recorded");
	same_int(deliver(rig, NEW, "g-4", "star", JSON, json, strlen(json), out, sizeof out), 200,
		 "an event that never deploys is 200");
	same_str(rig->fake.last.event, "star", "and recorded");
	same_int(deliver(rig, NEW, "g-5", "push",
			 "Content-Type: Application/JSON; charset=utf-8\r\n", json, strlen(json),
			 out, sizeof out),
		 202, "a content type may have parameters");
}

static void test_bad_signatures(struct rig *rig)
{
	static const char body[] = "{\"ref\":1}";
	static const char rest[] = JSON "X-GitHub-Event: push\r\nX-GitHub-Delivery: bad\r\n";
	char good[80], upper[80], wrong[90], headers[1024], out[4096], first[4096] = "";
	unsigned before = rig->fake.records, same = 0;
	struct {
		const char *name, *header, *value;
	} rows[] = {
		{"missing", "X-Other", "x"},
		{"empty", "X-Hub-Signature-256", ""},
		{"prefix alone", "X-Hub-Signature-256", "sha256="},
		{"wrong prefix", "X-Hub-Signature-256", "sha512=0000"},
		{"without its prefix", "X-Hub-Signature-256", good + 7},
		{"too short", "X-Hub-Signature-256", "sha256=00"},
		{"too long", "X-Hub-Signature-256", wrong},
		{"upper-case", "X-Hub-Signature-256", upper},
		{"sha1 only", "X-Hub-Signature", "sha1=0123456789012345678901234567890123456789"},
		{"of another secret", "X-Hub-Signature-256", wrong},
		{"twice", "X-Hub-Signature-256: x\r\nX-Hub-Signature-256", good},
	};

	sign(NEW, body, strlen(body), good);
	memcpy(upper, good, sizeof upper);
	for (char *c = upper + 7; *c; c++)
		*c = (char)(*c >= 'a' ? *c - 32 : *c);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *at;
		int status;

		if (strcmp(rows[i].name, "too long") == 0)
			snprintf(wrong, sizeof wrong, "%s0", good);
		if (strcmp(rows[i].name, "of another secret") == 0)
			sign("another", body, strlen(body), wrong);
		snprintf(headers, sizeof headers, "%s%s: %s\r\n", rest, rows[i].header,
			 rows[i].value);
		status = post(rig, "/hooks/github", headers, body, strlen(body), out, sizeof out);
		same_int(status, 401, rows[i].name);
		at = strstr(out, "\r\n\r\n");
		if (i == 0)
			snprintf(first, sizeof first, "%s", at ? at : "");
		same += at && strcmp(at, first) == 0;
	}
	same_int(same, sizeof rows / sizeof *rows, "all with the same body");
	snprintf(headers, sizeof headers, "%sX-Hub-Signature-256: %s\r\n", rest, good);
	same_int(post(rig, "/hooks/other", headers, body, strlen(body), out, sizeof out), 401,
		 "the path chooses the secret");
	same_int(post(rig, "/hooks/github", headers, body, strlen(body) - 1, out, sizeof out), 401,
		 "a body that is cut short");
	same_int(rig->fake.records, before, "nothing of it was recorded");
}

static void test_malformed(struct rig *rig)
{
	static const char json[] = "{\"a\":1}";
	unsigned before = rig->fake.records;
	char out[4096];
	char longest[70];

	memset(longest, 'g', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	same_int(deliver(rig, NEW, "m-1", "push", JSON, "{\"a\":}", 6, out, sizeof out), 400,
		 "signed but malformed JSON is 400");
	ok(strstr(out, "signed but malformed"), "and told so");
	same_int(deliver(rig, NEW, "m-2", "push", JSON, "", 0, out, sizeof out), 400,
		 "an empty body");
	same_int(deliver(rig, NEW, "m-3", "push", JSON, "[1]", 3, out, sizeof out), 400,
		 "JSON that is no object");
	same_int(deliver(rig, NEW, "m-4", "push", FORM, "a=b&c=d", 7, out, sizeof out), 400,
		 "a form without payload");
	same_int(deliver(rig, NEW, "m-5", "push", FORM, "payload=%7B%7D&payload=%7B%7D", 29, out,
			 sizeof out),
		 400, "a form with two");
	same_int(deliver(rig, NEW, "m-6", "push", FORM, "payload=%7B%7", 13, out, sizeof out), 400,
		 "a form cut within an escape");
	same_int(deliver(rig, NEW, "", "push", JSON, json, 7, out, sizeof out), 400,
		 "no delivery id");
	same_int(deliver(rig, NEW, "a/../b", "push", JSON, json, 7, out, sizeof out), 400,
		 "a delivery id with other characters");
	same_int(deliver(rig, NEW, longest, "push", JSON, json, 7, out, sizeof out), 400,
		 "a delivery id that is too long");
	same_int(deliver(rig, NEW, "m-7", "", JSON, json, 7, out, sizeof out), 400, "no event");
	same_int(deliver(rig, NEW, "m-8", "push", "Content-Type: text/plain\r\n", json, 7, out,
			 sizeof out),
		 415, "another content type is 415");
	same_int(deliver(rig, NEW, "m-9", "push", "", json, 7, out, sizeof out), 415, "none too");
	same_int(rig->fake.records, before, "nothing of it was recorded");
	same_int(deliver(rig, "wrong", "", "push", JSON, "{", 1, out, sizeof out), 401,
		 "unsigned and malformed is 401");
	same_int(post(rig, "/hooks/github", JSON, "", 0, out, sizeof out), 401,
		 "nothing but a content type is 401");
}

static void test_not_recorded(struct rig *rig)
{
	static const char json[] = "{\"a\":1}";
	char out[4096];

	atomic_store(&rig->fake.broken, true);
	same_int(deliver(rig, NEW, "b-1", "push", JSON, json, 7, out, sizeof out), 503,
		 "what can't be recorded is 503");
	ok(strstr(out, "\r\nRetry-After: "), "with Retry-After");
	ok(!strstr(out, "no space"), "and without our troubles");
	atomic_store(&rig->fake.broken, false);
	same_int(deliver(rig, NEW, "b-1", "push", JSON, json, 7, out, sizeof out), 202,
		 "the next time it is");
}

/* An object with one long text, of exactly so many bytes. */
static char *big_body(size_t size)
{
	char *body = xalloc(size + 1);

	memset(body, 'x', size);
	memcpy(body, "{\"a\":\"", 6);
	memcpy(body + size - 2, "\"}", 2);
	return body;
}

static size_t files_in(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count - 2;
}

static void test_sizes(struct rig *rig)
{
	static const size_t sizes[] = {65535, 65536, 65537, 3000000, HOOKS_BODY_MAX};
	char out[4096], guid[40], *body;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		body = big_body(sizes[i]);
		snprintf(guid, sizeof guid, "s-%zu", sizes[i]);
		same_int(deliver(rig, NEW, guid, "push", JSON, body, sizes[i], out, sizeof out),
			 202, guid);
		ok(rig->fake.last.whole && rig->fake.last.size == sizes[i], "is kept whole");
		body[sizes[i] - 1] = 'x';
		snprintf(guid, sizeof guid, "t-%zu", sizes[i]);
		same_int(deliver(rig, NEW, guid, "push", JSON, body, sizes[i], out, sizeof out),
			 400, "and read to its last byte");
		free(body);
	}
	body = big_body(HOOKS_BODY_MAX + 1);
	same_int(post(rig, "/hooks/github", JSON, body, HOOKS_BODY_MAX + 1, out, sizeof out), 413,
		 "a byte more than 25 MiB is 413");
	free(body);
	same_int((intmax_t)files_in(rig->store), 0, "nothing is left in the store's folder");
}

static void test_spool_is_limited(struct rig *rig)
{
	char *body = big_body(300000);
	char out[4096];

	hooks_limit_spool(rig->hooks, 200000);
	same_int(deliver(rig, NEW, "l-1", "push", JSON, body, 300000, out, sizeof out), 429,
		 "bodies may fill only so much of the disk");
	same_int(deliver(rig, "wrong", "l-2", "push", JSON, body, 300000, out, sizeof out), 401,
		 "of which a stranger learns nothing");
	hooks_limit_spool(rig->hooks, 1 << 30);
	same_int(deliver(rig, NEW, "l-1", "push", JSON, body, 300000, out, sizeof out), 202,
		 "what was taken is given back");
	free(body);
}

static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[200];
	long kb = -1, value;

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "Rss: %ld", &value) == 1)
			kb = value;
	if (file)
		fclose(file);
	return kb;
}

struct poster {
	const struct rig *rig;
	const char *body;
	char guid[40];
	int status;
};

static void *post_big(void *self)
{
	struct poster *poster = self;
	char out[4096];

	poster->status = deliver(poster->rig, NEW, poster->guid, "star", JSON, poster->body,
				 HOOKS_BODY_MAX, out, sizeof out);
	return NULL;
}

/* Without the fake's reading of them: what the hooks themselves need for many large bodies at once.
 */
static int record_nothing(struct store *store, struct delivery *batch, size_t count, int64_t now,
			  struct err *err)
{
	(void)store;
	(void)now;
	(void)err;
	for (size_t i = 0; i < count; i++)
		batch[i].err.kind = ERR_NONE;
	clock_sleep(&clock_system, 200);
	return 0;
}

static void *watch_memory(void *self)
{
	_Atomic long *most = self;

	while (atomic_load(most) >= 0) {
		long now = resident_kb();

		if (now > atomic_load(most))
			atomic_store(most, now);
		clock_sleep(&clock_system, 20);
	}
	return NULL;
}

static void test_memory(struct rig *rig)
{
	enum { POSTERS = 8 };
	char *body = big_body(HOOKS_BODY_MAX);
	struct poster posters[POSTERS];
	pthread_t threads[POSTERS], watcher;
	long before = resident_kb(), highest;
	_Atomic long most = before;
	unsigned fine = 0;

	rig->fake.store.record = record_nothing;
	pthread_create(&watcher, NULL, watch_memory, &most);
	for (int i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){.rig = rig, .body = body};
		snprintf(posters[i].guid, sizeof posters[i].guid, "r-%d", i);
		pthread_create(&threads[i], NULL, post_big, &posters[i]);
	}
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(threads[i], NULL);
		fine += posters[i].status == 200;
	}
	highest = atomic_exchange(&most, -1);
	pthread_join(watcher, NULL);
	rig->fake.store.record = record;
	same_int(fine, POSTERS, "eight bodies of 25 MiB at once");
#ifdef __SANITIZE_ADDRESS__
	(void)highest;
	skip("need less than 60 MiB", "the sanitizer keeps freed memory");
#else
	if (!ok(highest - before < 60L * 1024, "need less than 60 MiB"))
		tap_note("from %ld KiB to %ld KiB", before, highest);
#endif
	free(body);
}

static void test_metrics(struct rig *rig)
{
	cleanup(buf_free) struct buf text = BUF_INIT(65536);

	metrics_write(rig->metrics, NULL, 0, &text);
	ok(strstr(buf_text(&text), "slipway_hook_requests_total{result=\"duplicate\"} 1\n"),
	   "what became of each is counted");
}

static void test_no_secret(void)
{
	struct settings_hook bare = {.path = "/hooks/bare"};
	struct settings settings = {.hooks = {.items = &bare, .count = 1}, .data = "/tmp"};
	struct settings_secret empty = {.secret = {.text = ""}};
	struct err err = ERR_INIT;
	struct hooks *hooks;

	same_int(hooks_new(&hooks, &settings, NULL, NULL, &err), -1,
		 "a hook without a secret isn't served");
	ok(strstr(err.text, "/hooks/bare has no secret"), "and named");
	bare.secrets = (struct field_array){.items = &empty, .count = 1};
	same_int(hooks_new(&hooks, &settings, NULL, NULL, &err), -1, "nor one with an empty one");
}

int main(void)
{
	struct rig rig;

	rig_start(&rig);
	test_recorded(&rig);
	test_bad_signatures(&rig);
	test_malformed(&rig);
	test_not_recorded(&rig);
	test_metrics(&rig);
	test_sizes(&rig);
	test_spool_is_limited(&rig);
	test_memory(&rig);
	rig_stop(&rig);
	test_no_secret();
	return tap_done();
}
