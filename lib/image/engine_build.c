#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "image/context.h"
#include "image/engine_progress.h"
#include "net/url.h"

/* Building: POST /build, the classic builder, whose context is a tar and whose answer is a stream
 * of messages. https://docs.docker.com/engine/api/v1.41/#operation/ImageBuild */

struct upload {
	struct engine_progress progress;
	struct context *context;
};

static ssize_t give_context(void *self, void *out, size_t room, struct err *err)
{
	struct upload *upload = self;

	return context_read(upload->context, out, room, err);
}

static int take_message(void *self, const void *bytes, size_t size, struct err *err)
{
	struct upload *upload = self;

	return engine_progress_add(&upload->progress, bytes, size, err);
}

/* {"NAME": "value"} of "NAME=value"; new reference. */
static json_t *pairs(const char *const *items)
{
	json_t *json = json_object();

	for (; items && *items; items++) {
		const char *equals = strchr(*items, '=');
		autofree char *name = NULL;

		assert(equals);
		name = xmemdup(*items, (size_t)(equals - *items));
		json_object_set_new(json, name, json_string(equals + 1));
	}
	return json;
}

static void add_text(struct buf *query, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(query, "&%s=", name);
	url_encode(query, value, false);
}

static void add_pairs(struct buf *query, const char *name, const char *const *items)
{
	json_auto json_t *json = pairs(items);
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024);

	if (json_object_size(json) == 0)
		return;
	buf_add_json(&text, json);
	add_text(query, name, buf_text(&text));
}

static void add_query(struct buf *query, const struct engine_build *build, const char *dockerfile)
{
	buf_adds(query, "/build?version=1&rm=1&forcerm=1");
	add_text(query, "dockerfile", dockerfile);
	add_text(query, "t", build->tag);
	add_text(query, "target", build->target);
	add_text(query, "platform", build->platform);
	add_text(query, "pull", build->pull ? "1" : NULL);
	add_pairs(query, "buildargs", build->args);
	add_pairs(query, "labels", build->labels);
}

/* "Successfully built 8f3c…" names it by its beginning. */
static int whole_id(struct engine *engine, const char *id, struct arena *arena, const char **out,
		    struct err *err)
{
	json_auto json_t *image = NULL;

	if (!id)
		return err_set(err, ERR_REMOTE, 0,
			       "the engine's answer ended without the image's id");
	if (text_starts(id, "sha256:")) {
		*out = arena_strdup(arena, id);
		return 0;
	}
	if (engine_image(engine, id, &image, err))
		return -1;
	*out = arena_strdup(arena, json_text(image, "Id"));
	return *out ? 0 : err_set(err, ERR_REMOTE, 0, "the engine knows no id of image %s", id);
}

static int send_build(struct engine *engine, const struct engine_build *build,
		      const char *dockerfile, struct upload *upload, struct err *err)
{
	cleanup(buf_free) struct buf query = BUF_INIT(2 * 1024 * 1024);
	const struct engine_call call = {
		.method = "POST",
		.timeout = build->timeout,
		.long_running = true,
		.limit = INT64_MAX,
		.type = "application/x-tar",
		.body_read = give_context,
		.on_body = take_message,
		.self = upload,
		.path = (add_query(&query, build, dockerfile), buf_text(&query))};

	if (engine_call(engine, &call, NULL, err)) {
		/* The engine says what is wrong before it stops reading the context. */
		if (err->kind == ERR_TRANSIENT && upload->progress.error)
			return engine_progress_end(&upload->progress, err);
		return -1;
	}
	return engine_progress_end(&upload->progress, err);
}

int engine_build(struct engine *engine, const struct engine_build *build, struct arena *arena,
		 const char **id, struct err *err)
{
	const char *dockerfile = build->dockerfile ? build->dockerfile : "Dockerfile";
	cleanup(context_freep) struct context *context = NULL;
	struct upload upload = {0};
	const char *note;
	int result;

	if (context_open(&context, build->folder, dockerfile, err))
		return -1;
	upload.context = context;
	engine_progress_begin(&upload.progress, engine);
	result = send_build(engine, build, dockerfile, &upload, err);
	note = context_note(context);
	if (note)
		engine_say(engine, note, strlen(note));
	if (result == 0)
		result = whole_id(engine, upload.progress.id, arena, id, err);
	else if (strstr(err->text, "BuildKit"))
		err_set(err, err->kind, err->code,
			"%.300s (the engine's own builder is used, which lacks what only BuildKit "
			"has)",
			err->text);
	/* A step that fails is the author's matter, however its text reads. */
	if (result && upload.progress.error && err->kind != ERR_CANCELLED && err->kind != ERR_LIMIT)
		err->kind = ERR_REMOTE;
	engine_progress_free(&upload.progress);
	return result;
}
