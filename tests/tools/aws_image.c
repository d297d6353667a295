/*
 * Images in ECR, driven from a test: the environment says where AWS is. One argument, JSON:
 *     {"do": "publish", "image": "sha256:…", "repository": "…", "tag": "…", "straight": false,
 *      "immutable": false, "scan": false, "tags": ["k=v"], "platform": "linux/amd64",
 *      "data": "FOLDER", "again": N}
 * or {"do": "find", "reference": "…"}. Prints {"by_tag", …} or {"error", "kind"}; "said", "masked".
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "target/aws/image.h"

static json_t *said, *masked;

static void say(void *self, const char *fmt, ...)
{
	char line[2000];
	va_list ap;

	(void)self;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	json_array_append_new(said, json_string(line));
}

static void mask(void *self, const char *secret)
{
	(void)self;
	json_array_append_new(masked, json_string(secret));
}

static void say_engine(void *self, const char *line, size_t size)
{
	(void)self;
	json_array_append_new(said, json_stringn(line, size));
}

/* Pauses pass a hundred times faster. */
static int64_t waited;

static int64_t quick_now(struct clock *clock)
{
	(void)clock;
	return clock_now(&clock_system);
}

static int64_t quick_ticks(struct clock *clock)
{
	(void)clock;
	return clock_ticks(&clock_system) + waited;
}

static void quick_sleep(struct clock *clock, int64_t milliseconds)
{
	(void)clock;
	waited += milliseconds;
	clock_sleep(&clock_system, milliseconds / 100);
}

static struct clock quick = {quick_now, quick_ticks, quick_sleep};

static const char *const *texts(const json_t *list, struct arena *arena)
{
	const char **out;

	if (!list)
		return NULL;
	out = arena_alloc(arena, (json_array_size(list) + 1) * sizeof *out);
	for (size_t i = 0; i < json_array_size(list); i++)
		out[i] = json_string_value(json_array_get(list, i));
	return out;
}

static int act(const struct aws_image_job *job, const json_t *what, struct aws_image *image,
	       struct err *err)
{
	const struct aws_image_push push = {
		.image = json_text(what, "image"),
		.repository = json_text(what, "repository"),
		.tag = json_text(what, "tag"),
		.immutable = json_flag(what, "immutable"),
		.scan = json_flag(what, "scan"),
		.straight = json_flag(what, "straight"),
		.tags = texts(json_object_get(what, "tags"), job->arena),
	};

	if (text_same(json_text(what, "do"), "find"))
		return aws_image_find(image, job, json_text(what, "reference"), err);
	return aws_image_publish(image, job, &push, err);
}

static void show(json_t *out, const char *name, const char *text)
{
	json_object_set_new(out, name, text ? json_string(text) : json_null());
}

static void report(json_t *out, const struct aws_image *image)
{
	show(out, "by_tag", image->by_tag);
	show(out, "by_digest", image->by_digest);
	show(out, "digest", image->digest);
	show(out, "account", image->account);
	show(out, "region", image->region);
	json_object_set_new(out, "public", json_boolean(image->is_public));
	json_object_set_new(out, "foreign", json_boolean(image->foreign));
	json_object_set_new(out, "far", json_boolean(image->far));
	json_object_set_new(out, "created", json_boolean(image->created));
	json_object_set_new(out, "was_there", json_boolean(image->was_there));
}

static int run(const json_t *what, json_t *out, struct http *http, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const struct engine_site engine_site = {.http = http, .clock = &quick, .say = say_engine};
	cleanup(engine_freep) struct engine *engine =
		engine_new("/var/run/docker.sock", &engine_site);
	cleanup(aws_freep) struct aws *aws = NULL;
	const struct site site = {
		.data = json_text(what, "data"),
		.http = http,
		.clock = &quick,
		.engine = engine,
		.env = (const char *const *)environ,
		.mask = mask,
		.say = say,
	};
	const struct cloud_site cloud = {
		.http = http, .clock = &quick, .env = site.env, .mask = mask, .say = say};
	const struct aws_settings settings = {.role_duration = 3600};
	struct aws_image_job job = {
		.settings = &settings,
		.site = &site,
		.arena = arena,
		.platform =
			json_text(what, "platform") ? json_text(what, "platform") : "linux/amd64",
		.runner = "App Runner",
	};
	struct aws_image image = {0};

	if (aws_new(&aws, &settings, &cloud, err))
		return -1;
	job.aws = aws;
	for (int64_t i = json_integer_at(what, "again", 0); i >= 0; i--)
		if (act(&job, what, &image, err))
			return -1;
	report(out, &image);
	return 0;
}

int main(int argc, char **argv)
{
	json_auto json_t *what = NULL, *out = json_object();
	struct err err = ERR_INIT;
	struct http *http;

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc != 2 || json_parse(&what, argv[1], strlen(argv[1]), &err)
	    || http_curl_new(&http, "slipway-test", &err)) {
		fprintf(stderr, "aws_image: %s\n", err.text);
		return 2;
	}
	said = json_array();
	masked = json_array();
	if (run(what, out, http, &err)) {
		show(out, "error", err.text);
		show(out, "kind", err_kind_name(err.kind));
	}
	json_object_set_new(out, "said", said);
	json_object_set_new(out, "masked", masked);
	json_dumpf(out, stdout, JSON_COMPACT);
	putchar('\n');
	http_free(http);
	return 0;
}
