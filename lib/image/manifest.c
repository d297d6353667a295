#include "image/manifest.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "image/reference.h"

#define CONFIG_MAX (8 * 1024 * 1024)
#define PARTS_MAX  10000

#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define OCI_LAYER       "application/vnd.oci.image.layer.v1.tar"

static int read_json(const struct tar_index *tar, const char *name, json_t **out, struct err *err)
{
	cleanup(buf_free) struct buf bytes = BUF_INIT(MANIFEST_MAX);

	if (tar_index_read(tar, name, &bytes, err))
		return -1;
	if (json_parse(out, buf_text(&bytes), bytes.size, err)) {
		err->kind = ERR_USAGE;
		return err_within(err, "the image's %s", name);
	}
	return 0;
}

/* ---- `docker save` ---- */

static int text_list(const json_t *json, const char ***out, size_t *count, struct arena *arena)
{
	*count = json_array_size(json);
	if (!json_is_array(json) || *count > PARTS_MAX)
		return -1;
	*out = arena_alloc(arena, (*count + 1) * sizeof **out);
	for (size_t i = 0; i < *count; i++) {
		(*out)[i] = arena_strdup(arena, json_string_value(json_array_get(json, i)));
		if (!(*out)[i])
			return -1;
	}
	return 0;
}

static int read_config(struct saved *saved, const struct tar_index *tar, const char *name,
		       struct arena *arena, struct err *err)
{
	json_auto json_t *config = NULL;
	size_t count;

	if (tar_index_read(tar, name, &saved->config, err))
		return -1;
	digest_of(buf_text(&saved->config), saved->config.size, saved->digest);
	if (json_parse(&config, buf_text(&saved->config), saved->config.size, err)) {
		err->kind = ERR_USAGE;
		return err_within(err, "the image's configuration");
	}
	if (text_list(json_at(config, "rootfs.diff_ids"), &saved->diff_ids, &count, arena)
	    || count != saved->layer_count)
		return err_set(err, ERR_USAGE, 0,
			       "the image's configuration doesn't name its %zu layers",
			       saved->layer_count);
	return 0;
}

int saved_read(struct saved *out, const struct tar_index *tar, struct arena *arena, struct err *err)
{
	json_auto json_t *list = NULL;
	const json_t *image;
	const char *config;

	out->config = (struct buf)BUF_INIT(CONFIG_MAX);
	if (read_json(tar, "manifest.json", &list, err))
		return -1;
	if (json_array_size(list) != 1)
		return err_set(err, ERR_USAGE, 0, "the tar holds %zu images (expected one)",
			       json_array_size(list));
	image = json_array_get(list, 0);
	config = json_text(image, "Config");
	if (!config
	    || text_list(json_object_get(image, "Layers"), &out->layers, &out->layer_count, arena))
		return err_set(err, ERR_USAGE, 0,
			       "the image's manifest.json isn't as docker save writes it (expected "
			       "Config and Layers)");
	return read_config(out, tar, config, arena, err);
}

void saved_free(struct saved *saved)
{
	buf_free(&saved->config);
}

static void write_part(struct buf *out, const char *type, const char *suffix, int64_t size,
		       const char *digest)
{
	buf_addf(out, "{\"mediaType\":\"%s%s\",\"size\":%jd,\"digest\":\"%s\"}", type, suffix,
		 (intmax_t)size, digest);
}

const char *manifest_write(const struct saved *saved, const struct manifest_layer *layers,
			   struct buf *out)
{
	static const char *const suffixes[] = {"", "+gzip", "+zstd"};
	bool oci = false;
	const char *type;

	for (size_t i = 0; i < saved->layer_count; i++)
		oci |= layers[i].form == LAYER_ZSTD;
	type = oci ? OCI_MANIFEST : DOCKER_MANIFEST;
	buf_addf(out, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":", type);
	write_part(out, oci ? OCI_CONFIG : DOCKER_CONFIG, "", (int64_t)saved->config.size,
		   saved->digest);
	buf_adds(out, ",\"layers\":[");
	for (size_t i = 0; i < saved->layer_count; i++) {
		if (i)
			buf_addc(out, ',');
		write_part(out, oci ? OCI_LAYER : DOCKER_LAYER, oci ? suffixes[layers[i].form] : "",
			   layers[i].size, layers[i].digest);
	}
	buf_adds(out, "]}");
	return type;
}

/* ---- OCI layout ---- */

static bool is_manifest_type(const char *type)
{
	return text_same(type, OCI_MANIFEST) || text_same(type, OCI_INDEX)
	       || text_same(type, DOCKER_MANIFEST) || text_same(type, DOCKER_LIST);
}

static int read_part(struct manifest_part *out, const json_t *json, struct arena *arena,
		     struct err *err)
{
	const char *digest = json_text(json, "digest"), *type = json_text(json, "mediaType");

	if (!digest || !image_is_digest(digest) || !type)
		return err_set(err, ERR_USAGE, 0,
			       "the image's manifest names a part without a sha256 digest and a "
			       "media type");
	*out = (struct manifest_part){
		.digest = arena_strdup(arena, digest),
		.type = arena_strdup(arena, type),
		.is_manifest = is_manifest_type(type),
	};
	return 0;
}

int manifest_root(struct manifest_part *out, const struct tar_index *tar, const char *tag,
		  struct arena *arena, struct err *err)
{
	json_auto json_t *index = NULL;
	const json_t *list, *chosen = NULL;
	size_t count;

	if (read_json(tar, "index.json", &index, err))
		return -1;
	list = json_object_get(index, "manifests");
	count = json_array_size(list);
	if (count == 1)
		chosen = json_array_get(list, 0);
	for (size_t i = 0; i < count && !chosen; i++) {
		const json_t *part = json_array_get(list, i);
		const json_t *notes = json_object_get(part, "annotations");
		const char *name = json_string_value(
			json_object_get(notes, "org.opencontainers.image.ref.name"));

		if (name
		    && (text_same(name, tag) || text_ends(name, arena_printf(arena, ":%s", tag))))
			chosen = part;
	}
	if (!chosen)
		return err_set(err, ERR_USAGE, 0,
			       "the tar holds %zu images (expected one, or one named %s)", count,
			       tag);
	if (read_part(out, chosen, arena, err))
		return -1;
	return out->is_manifest
		       ? 0
		       : err_set(err, ERR_USAGE, 0,
				 "the image's index.json names a %.100s (expected a manifest)",
				 out->type);
}

int manifest_parts(const struct buf *manifest, struct manifest_part **parts, size_t *count,
		   struct arena *arena, struct err *err)
{
	json_auto json_t *json = NULL;
	const json_t *lists[2];
	size_t room = 1;

	*count = 0;
	if (json_parse(&json, buf_text(manifest), manifest->size, err)) {
		err->kind = ERR_USAGE;
		return err_within(err, "the image's manifest");
	}
	lists[0] = json_object_get(json, "manifests");
	lists[1] = json_object_get(json, "layers");
	for (int i = 0; i < 2; i++)
		room += json_array_size(lists[i]);
	if (room > PARTS_MAX)
		return err_set(err, ERR_USAGE, 0, "the image's manifest names over %d parts",
			       PARTS_MAX);
	*parts = arena_alloc(arena, room * sizeof **parts);
	for (int i = 0; i < 2; i++) {
		for (size_t j = 0; j < json_array_size(lists[i]); j++) {
			const json_t *part = json_array_get(lists[i], j);

			if (json_array_size(json_object_get(part, "urls")) > 0)
				continue;
			if (read_part(&(*parts)[(*count)++], part, arena, err))
				return -1;
		}
	}
	if (!json_object_get(json, "config"))
		return 0;
	return read_part(&(*parts)[(*count)++], json_object_get(json, "config"), arena, err);
}

const char *manifest_blob_path(const char *digest, struct arena *arena)
{
	return arena_printf(arena, "blobs/sha256/%s", digest + strlen("sha256:"));
}

const char *manifest_platform(const json_t *json, struct arena *arena)
{
	const char *os = json_text(json, "os"), *architecture = json_text(json, "architecture");
	const char *variant = json_text(json, "variant");

	if (!os || !architecture)
		return NULL;
	return arena_printf(arena, "%s/%s%s%s", os, architecture, variant ? "/" : "",
			    variant ? variant : "");
}
