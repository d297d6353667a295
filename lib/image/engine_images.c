#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "image/engine_progress.h"
#include "image/reference.h"
#include "net/url.h"

#define TRANSFER_TIMEOUT 3600 /* seconds for a pull, a push, a save */

/* "/images/<name>", then `rest`. The caller frees. */
static char *image_path(const char *image, const char *rest)
{
	cleanup(buf_free) struct buf path = BUF_INIT(8 * 1024);

	buf_adds(&path, "/images/");
	url_encode(&path, image, true);
	buf_adds(&path, rest);
	return buf_take(&path);
}

int engine_image(struct engine *engine, const char *image, json_t **out, struct err *err)
{
	autofree char *path = image_path(image, "/json");

	if (engine_get(engine, path, out, err))
		return err_within(err, "look at image %s", image);
	return 0;
}

/* The name without tag and digest, as push and tag want it: "docker.io" isn't said. */
static const char *repository(const struct image_reference *reference, struct arena *arena)
{
	struct image_reference bare = *reference;

	bare.tag = bare.digest = NULL;
	return image_reference_text(&bare, arena);
}

static int transfer(struct engine *engine, const char *path, const char *auth,
		    struct engine_progress *progress, struct err *err)
{
	const struct engine_call call = {.method = "POST",
					 .path = path,
					 .auth = auth,
					 .timeout = TRANSFER_TIMEOUT,
					 .long_running = true,
					 .limit = INT64_MAX,
					 .on_body = engine_progress_add,
					 .self = progress};

	if (engine_call(engine, &call, NULL, err))
		return -1;
	return engine_progress_end(progress, err);
}

int engine_pull(struct engine *engine, const char *reference, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(buf_free) struct buf path = BUF_INIT(8 * 1024);
	struct engine_progress progress;
	struct image_reference parts;
	int result;

	if (image_reference_parse(&parts, reference, arena, err))
		return -1;
	buf_adds(&path, "/images/create?fromImage=");
	url_encode(&path, repository(&parts, arena), false);
	buf_adds(&path, "&tag=");
	url_encode(&path, parts.digest ? parts.digest : parts.tag ? parts.tag : "latest", false);
	engine_progress_begin(&progress, engine);
	result = transfer(engine, buf_text(&path), NULL, &progress, err);
	engine_progress_free(&progress);
	return result ? err_within(err, "pull %s", reference) : 0;
}

int engine_tag(struct engine *engine, const char *image, const char *reference, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(buf_free) struct buf path = BUF_INIT(8 * 1024);
	autofree char *before = image_path(image, "/tag?repo=");
	struct image_reference parts;

	if (image_reference_parse(&parts, reference, arena, err))
		return -1;
	buf_adds(&path, before);
	url_encode(&path, repository(&parts, arena), false);
	buf_adds(&path, "&tag=");
	url_encode(&path, parts.tag ? parts.tag : "latest", false);
	if (engine_post(engine, buf_text(&path), NULL, NULL, err))
		return err_within(err, "name image %s %s", image, reference);
	return 0;
}

int engine_untag(struct engine *engine, const char *reference, struct err *err)
{
	autofree char *path = image_path(reference, "");
	const struct engine_call call = {.method = "DELETE", .path = path};

	if (engine_call(engine, &call, NULL, err) == 0 || err->kind == ERR_ABSENT
	    || err->kind == ERR_CONFLICT)
		return 0;
	return err_within(err, "remove image %s", reference);
}

static int untag_each(struct engine *engine, const json_t *image, const char *repository,
		      const char *except, struct err *err)
{
	size_t size = strlen(repository), i;
	json_t *tag;

	json_array_foreach(json_object_get(image, "RepoTags"), i, tag)
	{
		const char *name = json_string_value(tag);

		if (name && strncmp(name, repository, size) == 0 && name[size] == ':'
		    && strcmp(name, except) != 0 && engine_untag(engine, name, err))
			return -1;
	}
	return 0;
}

int engine_untag_old(struct engine *engine, const char *repository, int64_t before,
		     const char *except, struct err *err)
{
	json_auto json_t *filters = json_pack("{s:[s]}", "reference", repository), *images = NULL;
	cleanup(buf_free) struct buf path = BUF_INIT(16 * 1024), json = BUF_INIT(8 * 1024);
	json_t *image;
	size_t i;

	buf_add_json(&json, filters);
	buf_adds(&path, "/images/json?filters=");
	url_encode(&path, buf_text(&json), false);
	if (engine_get(engine, buf_text(&path), &images, err))
		return err_within(err, "list the images named %s", repository);
	json_array_foreach(images, i, image)
	{
		if (json_integer_at(image, "Created", before) < before
		    && untag_each(engine, image, repository, except, err))
			return -1;
	}
	return 0;
}

/* base64url with its padding, as the engine wants it. The caller wipes and frees. */
static char *auth_header(const struct engine_auth *auth)
{
	json_auto json_t *json = auth->username
					 ? json_pack("{s:s, s:s, s:s}", "username", auth->username,
						     "password", auth->password, "serveraddress",
						     auth->server ? auth->server : "")
					 : json_object();
	struct buf text = BUF_INIT(64 * 1024);
	char *encoded, *padded;

	buf_add_json(&text, json);
	encoded = base64_encode(buf_text(&text), text.size, true);
	padded = xprintf("%s%.*s", encoded, (int)((4 - strlen(encoded) % 4) % 4), "==");
	crypto_wipe(text.data, text.size);
	crypto_wipe_text(encoded);
	free(encoded);
	buf_free(&text);
	return padded;
}

static int check_pushed(const struct engine_progress *progress, struct arena *arena,
			const char **digest, struct err *err)
{
	if (!image_is_digest(progress->digest))
		return err_set(err, ERR_REMOTE, 0,
			       "the engine's answer ended without the digest that was stored");
	*digest = arena_strdup(arena, progress->digest);
	return 0;
}

int engine_push(struct engine *engine, const char *reference, const struct engine_auth *auth,
		struct arena *arena, const char **digest, struct err *err)
{
	cleanup(buf_free) struct buf path = BUF_INIT(8 * 1024);
	struct engine_progress progress;
	struct image_reference parts;
	char *header;
	int result;

	if (image_reference_parse(&parts, reference, arena, err))
		return -1;
	buf_adds(&path, "/images/");
	url_encode(&path, repository(&parts, arena), true);
	buf_adds(&path, "/push?tag=");
	url_encode(&path, parts.tag ? parts.tag : "latest", false);
	header = auth_header(auth);
	engine_progress_begin(&progress, engine);
	result = transfer(engine, buf_text(&path), header, &progress, err);
	if (result == 0)
		result = check_pushed(&progress, arena, digest, err);
	engine_progress_free(&progress);
	crypto_wipe_text(header);
	free(header);
	return result ? err_within(err, "push %s", reference) : 0;
}

int engine_save(struct engine *engine, const char *image, int fd, struct err *err)
{
	autofree char *path = image_path(image, "/get");
	const struct engine_call call = {.method = "GET",
					 .path = path,
					 .timeout = TRANSFER_TIMEOUT,
					 .long_running = true,
					 .limit = INT64_MAX,
					 .file = fd};

	if (engine_call(engine, &call, NULL, err))
		return err_within(err, "save image %s", image);
	return 0;
}
