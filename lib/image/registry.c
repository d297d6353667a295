#include "image/registry.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "image/blob.h"
#include "image/manifest.h"
#include "image/talk.h"
#include "image/tar_index.h"

#define ANSWER_MAX (INT64_C(16) << 20)

/* One push under way. */
struct push {
	struct talk talk;
	struct tar_index *tar;
	const char *tag;
	struct arena *arena;
	const char *digest; /* of what the registry stored */
};

static const char *manifest_path(const struct talk *talk, const char *reference)
{
	return arena_printf(talk->arena, "/v2/%s/manifests/%s", talk->name, reference);
}

/* HEAD or GET of a manifest; any answer but 200 and 404 is an error. */
static int ask_manifest(struct talk *talk, const char *method, const char *reference,
			struct http_response *response, struct err *err)
{
	struct talk_request request = {
		.method = method,
		.url = manifest_path(talk, reference),
		.accept = MANIFEST_ACCEPT,
	};

	if (talk_ask(talk, &request, response, err))
		return -1;
	if (response->status == 200 || response->status == 404)
		return 0;
	return talk_refused(talk, response, "look for the image", err);
}

/* Its digest, of the header or else of the bytes; NULL when the answer has neither. */
static const char *answered_digest(const struct talk *talk, const struct http_response *response)
{
	const char *header = http_response_header(response, "Docker-Content-Digest");
	char digest[DIGEST_SIZE];

	if (header && image_is_digest(header))
		return arena_strdup(talk->arena, header);
	if (response->body.size == 0)
		return NULL;
	digest_of(response->body.data, response->body.size, digest);
	return arena_strdup(talk->arena, digest);
}

/* The tag's digest now; NULL when there is no such tag. */
static int tag_digest(struct talk *talk, const char *reference, const char **digest,
		      struct err *err)
{
	struct http_response response = {.body = BUF_INIT(ANSWER_MAX)};
	int status = ask_manifest(talk, "HEAD", reference, &response, err);

	*digest = status == 0 && response.status == 200 ? answered_digest(talk, &response) : NULL;
	/* Not every registry says it in the answer to HEAD. */
	if (status == 0 && response.status == 200 && !*digest) {
		status = ask_manifest(talk, "GET", reference, &response, err);
		*digest = status == 0 && response.status == 200 ? answered_digest(talk, &response)
								: NULL;
	}
	http_response_free(&response);
	return status;
}

/* The image's id and its manifest's digest; both NULL when there is no such tag. */
static int read_image(struct talk *talk, const char *reference, const char **id,
		      const char **digest, struct err *err)
{
	struct http_response response = {.body = BUF_INIT(ANSWER_MAX)};
	struct err ignored = ERR_INIT;
	json_auto json_t *manifest = NULL;
	int status = ask_manifest(talk, "GET", reference, &response, err);
	const char *config;

	*id = *digest = NULL;
	if (status == 0 && response.status == 200) {
		*digest = answered_digest(talk, &response);
		if (json_parse(&manifest, buf_text(&response.body), response.body.size, &ignored)
		    == 0) {
			config = json_text(manifest, "config.digest");
			*id = config && image_is_digest(config) ? arena_strdup(talk->arena, config)
								: NULL;
		}
	}
	http_response_free(&response);
	return status;
}

/* Has the tag that image already, whatever its layers' compression? */
static int has_image(struct push *push, const char *config, bool *has, struct err *err)
{
	const char *id, *digest;

	if (read_image(&push->talk, push->tag, &id, &digest, err))
		return -1;
	*has = id && digest && text_same(id, config);
	push->digest = *has ? digest : NULL;
	return 0;
}

static bool is_immutable(const struct http_response *response)
{
	const char *body = buf_text(&response->body);

	return response->status == 409 || strcasestr(body, "immutable")
	       || strcasestr(body, "already exists");
}

/* The registry said no to a tag: is it there already, with these bytes, or with others? */
static int refused_manifest(struct push *push, const char *reference, const char *digest,
			    const struct http_response *response, struct err *err)
{
	struct err ignored = ERR_INIT;
	const char *there = NULL;

	if (response->status < 400 || response->status >= 500 || response->status == 401
	    || tag_digest(&push->talk, reference, &there, &ignored) || !there)
		return talk_refused(&push->talk, response, "store the image", err);
	if (text_same(there, digest)) {
		push->digest = there;
		return 0;
	}
	if (!is_immutable(response))
		return talk_refused(&push->talk, response, "store the image", err);
	return err_set(
		err, ERR_CONFLICT, response->status,
		"store the image: the tag %.128s of %s can't be changed: it stands for %s, and "
		"this image is %s; use another tag, or make the repository's tags mutable",
		reference, push->talk.name, there, digest);
}

static int put_manifest(struct push *push, const char *reference, const char *type,
			const struct buf *manifest, struct err *err)
{
	struct http_response response = {.body = BUF_INIT(ANSWER_MAX)};
	struct talk_request put = {
		.method = "PUT",
		.url = manifest_path(&push->talk, reference),
		.type = type,
		.bytes = manifest->data,
		.size = (int64_t)manifest->size,
	};
	char ours[DIGEST_SIZE];
	int status;

	digest_of(manifest->data, manifest->size, ours);
	status = talk_ask(&push->talk, &put, &response, err);
	if (status == 0 && response.status != 201 && response.status != 200) {
		status = refused_manifest(push, reference, ours, &response, err);
		http_response_free(&response);
		return status;
	}
	push->digest = http_response_header(&response, "Docker-Content-Digest");
	push->digest = arena_strdup(push->arena, push->digest);
	http_response_free(&response);
	if (status == 0 && !push->digest)
		status = tag_digest(&push->talk, reference, &push->digest, err);
	if (status == 0 && !text_same(push->digest, ours))
		return err_set(err, ERR_REMOTE, 0, "store the image: %s stored %.80s (expected %s)",
			       push->talk.registry->host, push->digest ? push->digest : "nothing",
			       ours);
	return status ? err_within(err, "store the image") : 0;
}

static void tell(const struct push *push, const char *what, int64_t size, enum blob_way way)
{
	static const char *const ways[] = {"is there", "mounted", "sent"};

	talk_say(&push->talk, "%s: %jd KiB, %s", what, (intmax_t)((size + 1023) / 1024), ways[way]);
}

static int put_bytes(struct push *push, const char *what, const char *digest,
		     const struct buf *bytes, struct err *err)
{
	struct blob blob = {
		.digest = digest, .size = (int64_t)bytes->size, .bytes = buf_text(bytes)};
	enum blob_way way;

	if (blob_put(&push->talk, &blob, &way, err))
		return -1;
	tell(push, what, blob.size, way);
	return 0;
}

static int put_layer(struct push *push, const char *what, const struct layer *layer,
		     struct err *err)
{
	struct blob blob = {.digest = layer->digest,
			    .size = layer->size,
			    .fd = layer->fd,
			    .offset = layer->offset};
	enum blob_way way;

	if (blob_put(&push->talk, &blob, &way, err))
		return err_within(err, "%s", what);
	tell(push, what, blob.size, way);
	return 0;
}

/* ---- docker save ---- */

static int save_layer(struct push *push, const struct saved *saved, size_t i,
		      struct manifest_layer *out, struct err *err)
{
	const struct registry *registry = push->talk.registry;
	const char *what = arena_printf(push->arena, "layer %zu of %zu", i + 1, saved->layer_count);
	struct tar_entry entry;
	struct layer layer;
	int status = 0;

	if (!tar_index_find(push->tar, saved->layers[i], &entry))
		return err_set(err, ERR_USAGE, 0, "%s: the image's tar has no %.200s", what,
			       saved->layers[i]);
	if (layer_pack(&layer, saved->fd, entry.offset, entry.size, registry->folder,
		       registry->tick, registry->self, err))
		return err_within(err, "%s", what);
	if (*layer.unpacked && !text_same(layer.unpacked, saved->diff_ids[i]))
		status = err_set(err, ERR_USAGE, 0,
				 "%s: the image's tar has %s (expected %s, as its configuration "
				 "says)",
				 what, layer.unpacked, saved->diff_ids[i]);
	if (status == 0)
		status = put_layer(push, what, &layer, err);
	*out = (struct manifest_layer){.size = layer.size, .form = layer.form};
	memcpy(out->digest, layer.digest, sizeof out->digest);
	layer_close(&layer);
	return status;
}

static int push_saved(struct push *push, const struct saved *saved, struct err *err)
{
	struct manifest_layer *layers =
		arena_alloc(push->arena, (saved->layer_count + 1) * sizeof *layers);
	cleanup(buf_free) struct buf manifest = BUF_INIT(MANIFEST_MAX);
	const char *type;
	bool has;

	if (has_image(push, saved->digest, &has, err))
		return -1;
	if (has) {
		talk_say(&push->talk, "the registry has the image already");
		return 0;
	}
	for (size_t i = 0; i < saved->layer_count; i++)
		if (save_layer(push, saved, i, &layers[i], err))
			return -1;
	if (put_bytes(push, "configuration", saved->digest, &saved->config, err))
		return -1;
	type = manifest_write(saved, layers, &manifest);
	return put_manifest(push, push->tag, type, &manifest, err);
}

/* ---- OCI layout ---- */

static int push_part(struct push *push, int fd, const struct manifest_part *part, struct err *err)
{
	const struct registry *registry = push->talk.registry;
	const char *what = arena_printf(push->arena, "blob %.19s", part->digest);
	struct tar_entry entry;
	struct layer layer;

	if (!tar_index_find(push->tar, manifest_blob_path(part->digest, push->arena), &entry))
		return err_set(err, ERR_USAGE, 0, "the image's tar has no blob %s", part->digest);
	if (layer_read(&layer, fd, entry.offset, entry.size, registry->tick, registry->self, err))
		return -1;
	if (!text_same(layer.digest, part->digest))
		return err_set(err, ERR_USAGE, 0, "the image's tar has %s in the place of %s",
			       layer.digest, part->digest);
	return put_layer(push, what, &layer, err);
}

/* A manifest, after all that it names. An index goes down into its manifests. */
static int push_layout(struct push *push, int fd, const struct manifest_part *root,
		       const char *reference, int depth, struct err *err)
{
	cleanup(buf_free) struct buf bytes = BUF_INIT(MANIFEST_MAX);
	struct manifest_part *parts;
	size_t count;
	char digest[DIGEST_SIZE];

	if (tar_index_read(push->tar, manifest_blob_path(root->digest, push->arena), &bytes, err))
		return err_within(err, "read the image's manifest");
	digest_of(buf_text(&bytes), bytes.size, digest);
	if (!text_same(digest, root->digest))
		return err_set(err, ERR_USAGE, 0, "the image's tar has %s in the place of %s",
			       digest, root->digest);
	if (manifest_parts(&bytes, &parts, &count, push->arena, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (!parts[i].is_manifest) {
			if (push_part(push, fd, &parts[i], err))
				return -1;
		} else if (depth >= 3) {
			return err_set(err, ERR_USAGE, 0, "the image's indexes nest too deep");
		} else if (push_layout(push, fd, &parts[i], parts[i].digest, depth + 1, err)) {
			return -1;
		}
	}
	return put_manifest(push, reference, root->type, &bytes, err);
}

/* ---- */

static int push_archive(struct push *push, int archive, struct err *err)
{
	struct tar_entry entry;
	struct saved saved = {.fd = archive};
	struct manifest_part root;
	int status;

	if (tar_index_find(push->tar, "manifest.json", &entry)) {
		status = saved_read(&saved, push->tar, push->arena, err);
		if (status == 0)
			status = push_saved(push, &saved, err);
		saved_free(&saved);
		return status;
	}
	if (tar_index_find(push->tar, "index.json", &entry))
		return manifest_root(&root, push->tar, push->tag, push->arena, err)
			       ? -1
			       : push_layout(push, archive, &root, push->tag, 0, err);
	return err_set(err, ERR_USAGE, 0,
		       "the tar holds no image: neither manifest.json (docker save) nor index.json "
		       "(OCI layout)");
}

int registry_push(const struct registry *registry, int archive, const char *name, const char *tag,
		  struct arena *arena, const char **digest, struct err *err)
{
	cleanup(tar_index_freep) struct tar_index *tar = NULL;
	struct push push = {.tag = tag, .arena = arena};
	int status;

	*digest = NULL;
	if (talk_begin(&push.talk, registry, name, true, arena, err)
	    || tar_index_new(&tar, archive, err))
		return -1;
	push.tar = tar;
	status = push_archive(&push, archive, err);
	talk_end(&push.talk);
	if (status)
		return err_within(err, "push to %s/%s:%s", registry->host, name, tag);
	*digest = push.digest;
	return 0;
}

static int absent(const struct registry *registry, const char *name, const char *reference,
		  struct err *err)
{
	return err_set(err, ERR_ABSENT, 404, "%s has no image %s%s%s", registry->host, name,
		       image_is_digest(reference) ? "@" : ":", reference);
}

int registry_image(const struct registry *registry, const char *name, const char *reference,
		   struct arena *arena, const char **id, const char **digest, struct err *err)
{
	struct talk talk;
	int status;

	if (talk_begin(&talk, registry, name, false, arena, err))
		return -1;
	status = read_image(&talk, reference, id, digest, err);
	talk_end(&talk);
	return status == 0 && !*digest ? absent(registry, name, reference, err) : status;
}

int registry_digest(const struct registry *registry, const char *name, const char *reference,
		    struct arena *arena, const char **digest, struct err *err)
{
	struct talk talk;
	int status;

	*digest = NULL;
	if (talk_begin(&talk, registry, name, false, arena, err))
		return -1;
	status = tag_digest(&talk, reference, digest, err);
	talk_end(&talk);
	if (status == 0 && !*digest)
		return absent(registry, name, reference, err);
	return status;
}

/* ---- what it runs on ---- */

static int config_platform(struct talk *talk, const char *config, struct arena *arena,
			   const char **platform, struct err *err)
{
	struct http_response response = {.body = BUF_INIT(ANSWER_MAX)};
	struct talk_request get = {
		.method = "GET",
		.url = arena_printf(arena, "/v2/%s/blobs/%s", talk->name, config),
	};
	json_auto json_t *json = NULL;
	char digest[DIGEST_SIZE];
	int status = talk_ask(talk, &get, &response, err);

	if (status == 0 && response.status != 200)
		status = talk_refused(talk, &response, "read the image's configuration", err);
	digest_of(buf_text(&response.body), response.body.size, digest);
	if (status == 0 && !text_same(digest, config))
		status = err_set(err, ERR_REMOTE, 0,
				 "the image's configuration is not what its manifest names");
	if (status == 0)
		status = json_parse(&json, buf_text(&response.body), response.body.size, err);
	if (status == 0)
		*platform = manifest_platform(json, arena);
	http_response_free(&response);
	return status;
}

static int read_platforms(struct talk *talk, const struct http_response *response,
			  struct arena *arena, const char *const **out, struct err *err)
{
	json_auto json_t *manifest = NULL;
	const json_t *list;
	const char **platforms;
	const char *config;
	size_t count = 0;

	if (json_parse(&manifest, buf_text(&response->body), response->body.size, err))
		return err_within(err, "read the image's manifest");
	list = json_object_get(manifest, "manifests");
	platforms = arena_alloc(arena, (json_array_size(list) + 2) * sizeof *platforms);
	*out = platforms;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *platform = json_object_get(json_array_get(list, i), "platform");
		const char *text = manifest_platform(platform, arena);

		/* Attestations have "unknown/unknown". */
		if (text && !text_same(text, "unknown/unknown"))
			platforms[count++] = text;
	}
	if (list)
		return 0;
	config = json_text(manifest, "config.digest");
	if (!config || !image_is_digest(config))
		return err_set(err, ERR_REMOTE, 0,
			       "the image's manifest names no configuration that can be read");
	return config_platform(talk, config, arena, &platforms[0], err);
}

int registry_platforms(const struct registry *registry, const char *name, const char *reference,
		       struct arena *arena, const char *const **platforms, struct err *err)
{
	struct http_response response = {.body = BUF_INIT(ANSWER_MAX)};
	struct talk talk;
	int status;

	*platforms = NULL;
	if (talk_begin(&talk, registry, name, false, arena, err))
		return -1;
	status = ask_manifest(&talk, "GET", reference, &response, err);
	if (status == 0 && response.status == 404)
		status = absent(registry, name, reference, err);
	if (status == 0)
		status = read_platforms(&talk, &response, arena, platforms, err);
	talk_end(&talk);
	http_response_free(&response);
	return status;
}
