#include "service/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "github/signature.h"
#include "service/payload.h"

#define SPOOL_MAX     ((int64_t)1024 * 1024 * 1024)
#define SIGNATURE     "X-Hub-Signature-256"
#define SIGNATURE_HEX 71 /* sha256= and 64 digits */

struct hook {
	struct hooks *hooks;
	const char *path;
	struct signature_keys *keys;
};

struct hooks {
	struct writer *writer;
	struct metrics *metrics;
	char *folder; /* where long bodies wait: the store's, which is all the listener may write */
	struct hook *items;
	size_t count;
	_Atomic int64_t spooled, spool_max;
	_Atomic int64_t warned; /* when a refused signature was last logged, in ticks */
};

/* One delivery while it arrives. */
struct arrival {
	struct hook *hook;
	int64_t began;
	struct signature_check *check;
	struct sha256_stream *sha256;
	enum payload_type type;
	struct buf head; /* all of the body, or while there is a spool nothing */
	int spool;       /* -1: none */
	size_t size;
	int64_t counted; /* of hooks->spooled */
	struct err err;  /* the body couldn't be kept */
};

/* Events that a rule may turn into a deployment; the router looks at the details. */
static const char *const deploying[] = {"push", "release", "workflow_run", "deployment",
					"registry_package"};

static void say(struct reply *reply, int status, const char *state, const char *guid,
		const char *reason)
{
	reply->status = status;
	reply->type = "application/json";
	buf_addf(&reply->body, "{\"state\":\"%s\",\"delivery\":\"%s\"", state, guid);
	if (reason)
		buf_addf(&reply->body, ",\"reason\":\"%s\"", reason);
	buf_adds(&reply->body, "}\n");
}

/* One body for all that is wrong with a signature: what exactly would help only a guesser. */
static void refuse_signature(struct hook *hook, const struct call *call, struct reply *reply)
{
	int64_t now = clock_ticks(&clock_system);
	int64_t warned = atomic_load(&hook->hooks->warned);

	metrics_count(hook->hooks->metrics, METRIC_UNSIGNED);
	reply_problem(reply, 401, "Unauthorized", "the signature is missing or wrong");
	if (now - warned > 1000
	    && atomic_compare_exchange_strong(&hook->hooks->warned, &warned, now))
		log_warn("a delivery's signature is missing or wrong", "hook", hook->path, "peer",
			 call->peer);
}

static bool looks_signed(const struct call *call)
{
	const char *header = call_header(call->request, SIGNATURE);

	return header && strlen(header) == SIGNATURE_HEX
	       && call_header_count(call->request, SIGNATURE) == 1;
}

static void *begin(void *self, const struct call *call, struct reply *reply)
{
	struct hook *hook = self;
	enum payload_type type = payload_type(call_header(call->request, "Content-Type"));
	struct arrival *arrival;

	if (type == PAYLOAD_NONE) {
		metrics_count(hook->hooks->metrics, METRIC_UNSUPPORTED);
		reply_problem(reply, 415, "Unsupported Media Type",
			      "expected the content type %s or %s", payload_type_name(PAYLOAD_JSON),
			      payload_type_name(PAYLOAD_FORM));
		return NULL;
	}
	if (!looks_signed(call)) {
		refuse_signature(hook, call, reply);
		return NULL;
	}
	arrival = xalloc(sizeof *arrival);
	*arrival = (struct arrival){.hook = hook,
				    .began = clock_ticks(&clock_system),
				    .check = signature_begin(hook->keys),
				    .sha256 = sha256_begin(),
				    .type = type,
				    .head = BUF_INIT(HOOKS_IN_MEMORY),
				    .spool = -1};
	return arrival;
}

/* A file without a name, gone when it's closed. */
static int open_spool(const char *folder, struct err *err)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	autofree char *name = NULL;

	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return err_errno(err, "keep a delivery's body in %s", folder);
	name = file_join(folder, "spool-XXXXXX");
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "keep a delivery's body in %s", folder);
	(void)unlink(name);
	return fd;
}

static int write_all(int fd, const char *bytes, size_t size, struct err *err)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, "keep a delivery's body");
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Its share of what all together may take. */
static int take_share(struct arrival *arrival, size_t size, struct err *err)
{
	struct hooks *hooks = arrival->hook->hooks;

	arrival->counted += (int64_t)size;
	if (atomic_fetch_add(&hooks->spooled, (int64_t)size) + (int64_t)size
	    <= atomic_load(&hooks->spool_max))
		return 0;
	return err_set(err, ERR_LIMIT, 0, "bodies that are arriving fill all that they may");
}

static int spool(struct arrival *arrival, const void *bytes, size_t size, struct err *err)
{
	if (arrival->spool < 0) {
		if (take_share(arrival, arrival->head.size, err) < 0)
			return -1;
		arrival->spool = open_spool(arrival->hook->hooks->folder, err);
		if (arrival->spool < 0
		    || write_all(arrival->spool, buf_text(&arrival->head), arrival->head.size, err)
			       < 0)
			return -1;
		buf_free(&arrival->head);
	}
	if (take_share(arrival, size, err) < 0)
		return -1;
	return write_all(arrival->spool, bytes, size, err);
}

static void receive(void *state, const void *bytes, size_t size)
{
	struct arrival *arrival = state;

	signature_add(arrival->check, bytes, size);
	sha256_add(arrival->sha256, bytes, size);
	arrival->size += size;
	if (arrival->err.kind != ERR_NONE)
		return;
	if (arrival->size <= HOOKS_IN_MEMORY)
		buf_add(&arrival->head, bytes, size);
	else
		(void)!spool(arrival, bytes, size, &arrival->err);
}

static void end(void *state)
{
	struct arrival *arrival = state;
	uint8_t digest[SHA256_SIZE];

	if (arrival->check)
		(void)signature_end(arrival->check, NULL);
	if (arrival->sha256)
		sha256_end(arrival->sha256, digest);
	atomic_fetch_sub(&arrival->hook->hooks->spooled, arrival->counted);
	file_close_at(&arrival->spool);
	buf_free(&arrival->head);
	free(arrival);
}

static int check_spooled(const struct arrival *arrival, struct payload_check *check,
			 struct err *err)
{
	autofree char *piece = xalloc(HOOKS_IN_MEMORY);

	for (size_t at = 0; at < arrival->size;) {
		ssize_t got = pread(arrival->spool, piece, HOOKS_IN_MEMORY, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_errno(err, "read a delivery's body again");
		payload_check_add(check, piece, (size_t)got);
		at += (size_t)got;
	}
	return payload_check_end(check, err);
}

static int check_payload(const struct arrival *arrival, struct err *err)
{
	struct payload_check check = {.type = arrival->type};

	if (arrival->spool >= 0)
		return check_spooled(arrival, &check, err);
	payload_check_add(&check, buf_text(&arrival->head), arrival->head.size);
	return payload_check_end(&check, err);
}

static bool is_made_of(const char *text, const char *others)
{
	size_t size = text ? strlen(text) : 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
		      || strchr(others, c)))
			return false;
	}
	return size >= 1 && size <= 64;
}

static bool may_deploy(const char *event)
{
	for (size_t i = 0; i < sizeof deploying / sizeof *deploying; i++)
		if (strcmp(event, deploying[i]) == 0)
			return true;
	return false;
}

static void malformed(const struct arrival *arrival, const char *guid, const char *why,
		      struct reply *reply)
{
	metrics_count(arrival->hook->hooks->metrics, METRIC_MALFORMED);
	reply_problem(reply, 400, "Bad Request", "signed but malformed: %s", why);
	log_warn("a delivery is signed but malformed", "hook", arrival->hook->path, "guid", guid,
		 "why", why);
}

static void not_recorded(const struct arrival *arrival, const char *guid, const struct err *err,
			 struct reply *reply)
{
	bool busy = err->kind == ERR_LIMIT;

	metrics_count(arrival->hook->hooks->metrics, busy ? METRIC_BUSY : METRIC_FAILED);
	if (busy)
		reply_problem(reply, 429, "Too Many Requests",
			      "too many deliveries are waiting to be recorded; send it again");
	else
		reply_problem(reply, 503, "Service Unavailable",
			      "the delivery can't be recorded now; send it again");
	snprintf(reply->retry_after, sizeof reply->retry_after, busy ? "5" : "30");
	log_error("a delivery isn't recorded", "hook", arrival->hook->path, "guid", guid, "why",
		  err->text);
}

static void answer(const struct arrival *arrival, const struct delivery *delivery,
		   struct reply *reply)
{
	bool ping = strcmp(delivery->event, "ping") == 0;
	enum metric metric = METRIC_RECORDED;

	if (delivery->duplicate) {
		metric = METRIC_DUPLICATE;
		say(reply, 200, "duplicate", delivery->guid, "seen before; nothing is done again");
	} else if (may_deploy(delivery->event)) {
		say(reply, 202, "recorded", delivery->guid, NULL);
	} else {
		metric = METRIC_IGNORED;
		say(reply, 200, "ignored", delivery->guid,
		    ping ? "understood, nothing to do: the hook works"
			 : "understood, nothing to do: no rule deploys on this event");
	}
	metrics_count(arrival->hook->hooks->metrics, metric);
	log_debug("a delivery is recorded", "guid", delivery->guid, "event", delivery->event,
		  "duplicate", delivery->duplicate ? "yes" : NULL);
}

static void record(struct arrival *arrival, struct delivery *delivery, struct reply *reply)
{
	uint8_t digest[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
	struct err err = arrival->err;

	sha256_end(take(arrival->sha256), digest);
	hex_encode(digest, sizeof digest, hex);
	delivery->hook = arrival->hook->path;
	delivery->type = payload_type_name(arrival->type);
	delivery->body_sha256 = hex;
	delivery->body = arrival->spool < 0 ? buf_text(&arrival->head) : NULL;
	delivery->body_fd = arrival->spool;
	delivery->size = arrival->size;
	if (err.kind != ERR_NONE || writer_record(arrival->hook->hooks->writer, delivery, &err) < 0)
		not_recorded(arrival, delivery->guid, &err, reply);
	else
		answer(arrival, delivery, reply);
}

/* GitHub sent the secret itself along for some months: https://github.blog, 2026-01. */
static void warn_of_leak(const struct hook *hook, const struct call *call)
{
	if (call_header_count(call->request, "X-GitHub-Encoded-Secret") > 0)
		log_warn("a delivery came with its secret in a header: rotate the secret now",
			 "hook", hook->path);
}

static void handle(void *self, const struct call *call, struct reply *reply)
{
	struct hook *hook = self;
	struct arrival *arrival = call->state;
	struct delivery delivery = {
		.guid = call_header(call->request, "X-GitHub-Delivery"),
		.event = call_header(call->request, "X-GitHub-Event"),
	};
	struct err err = ERR_INIT;

	delivery.secret =
		signature_end(take(arrival->check), call_header(call->request, SIGNATURE));
	if (delivery.secret < 0) {
		refuse_signature(hook, call, reply);
		return;
	}
	warn_of_leak(hook, call);
	if (!is_made_of(delivery.guid, "-"))
		malformed(arrival, NULL, "the header X-GitHub-Delivery is missing or no id", reply);
	else if (!is_made_of(delivery.event, "_"))
		malformed(arrival, delivery.guid, "the header X-GitHub-Event is missing or no name",
			  reply);
	else if (arrival->err.kind != ERR_NONE)
		not_recorded(arrival, delivery.guid, &arrival->err, reply);
	else if (check_payload(arrival, &err) == 0)
		record(arrival, &delivery, reply);
	else if (err.kind == ERR_USAGE)
		malformed(arrival, delivery.guid, err.text, reply);
	else
		not_recorded(arrival, delivery.guid, &err, reply);
	metrics_took(hook->hooks->metrics, clock_ticks(&clock_system) - arrival->began);
}

static int read_secrets(struct hook *hook, const struct settings_hook *settings, struct err *err)
{
	const struct settings_secret *secrets = settings->secrets.items;
	size_t count = settings->secrets.count, read = 0;
	char **texts = xalloc((count + 1) * sizeof *texts);
	int rc = 0;

	if (count == 0)
		rc = err_set(err, ERR_USAGE, 0,
			     "hook %s has no secret: anybody could deploy, so it is not served",
			     settings->path);
	while (rc == 0 && read < count) {
		rc = secret_read(&secrets[read].secret, &texts[read], err);
		if (rc < 0)
			err_within(err, "hook %s", settings->path);
		else
			read++;
	}
	if (rc == 0)
		hook->keys = signature_keys_new((const char *const *)texts, count);
	for (size_t i = 0; i < read; i++) {
		crypto_wipe_text(texts[i]);
		free(texts[i]);
	}
	free(texts);
	return rc;
}

int hooks_new(struct hooks **out, const struct settings *settings, struct writer *writer,
	      struct metrics *metrics, struct err *err)
{
	const struct settings_hook *items = settings->hooks.items;
	cleanup(hooks_freep) struct hooks *hooks = xalloc(sizeof *hooks);

	hooks->writer = writer;
	hooks->metrics = metrics;
	hooks->folder = file_join(settings->data, "store");
	hooks->spool_max = SPOOL_MAX;
	hooks->warned = -2000;
	hooks->items = xalloc((settings->hooks.count + 1) * sizeof *hooks->items);
	for (; hooks->count < settings->hooks.count; hooks->count++) {
		struct hook *hook = &hooks->items[hooks->count];

		hook->hooks = hooks;
		hook->path = items[hooks->count].path;
		if (read_secrets(hook, &items[hooks->count], err) < 0)
			return -1;
	}
	*out = take(hooks);
	return 0;
}

void hooks_free(struct hooks *hooks)
{
	if (!hooks)
		return;
	for (size_t i = 0; i < hooks->count; i++)
		signature_keys_free(hooks->items[i].keys);
	free(hooks->items);
	free(hooks->folder);
	free(hooks);
}

size_t hooks_routes(struct hooks *hooks, struct route *routes)
{
	for (size_t i = 0; i < hooks->count; i++)
		routes[i] = (struct route){.method = "POST",
					   .path = hooks->items[i].path,
					   .right = RIGHT_SIGNED,
					   .body_limit = HOOKS_BODY_MAX,
					   .self = &hooks->items[i],
					   .begin = begin,
					   .receive = receive,
					   .end = end,
					   .handle = handle};
	return hooks->count;
}

void hooks_limit_spool(struct hooks *hooks, int64_t bytes)
{
	hooks->spool_max = bytes;
}
