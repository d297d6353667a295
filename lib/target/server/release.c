#include "target/server/release.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "target/server/stage.h"

#define RUN_LIMIT     (4 << 20)
#define VERSION_MAX   120
#define FORGOTTEN_AGE 86400 /* seconds */

bool release_is_version(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && size <= VERSION_MAX && isalnum((unsigned char)text[0])
	       && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
			  == size;
}

const char *release_version(const struct deploy *deploy)
{
	const char *commit = deploy->artifact ? deploy->artifact->commit : NULL;
	char *version = arena_printf(deploy->arena, "%.12s-%s",
				     commit && *commit ? commit : "local", deploy->key);
	char hex[SHA256_HEX_SIZE];

	if (release_is_version(version))
		return version;
	sha256_hex(deploy->key, strlen(deploy->key), hex);
	version = arena_printf(deploy->arena, "%.12s-%.24s", commit && *commit ? commit : "local",
			       hex);
	return release_is_version(version) ? version
					   : arena_printf(deploy->arena, "local-%.24s", hex);
}

/* A name of our own keeps the image from being taken for one that nobody uses. */
static const char *image_name(const struct place *place, const char *version)
{
	return arena_printf(place->arena, "slipway-app/%s:%s", place->id, version);
}

static bool is_below(const char *path, const char *folder)
{
	size_t size = strlen(folder);

	return strncmp(path, folder, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

static void add_text(struct buf *out, const char *text)
{
	buf_add(out, text ? text : "", text ? strlen(text) + 1 : 1);
}

static void add_list(struct buf *out, const char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	buf_addf(out, "%zu", count);
	buf_addc(out, '\0');
	for (size_t i = 0; i < count; i++)
		buf_add(out, list[i], strlen(list[i]) + 1);
}

static void forget(struct buf *buf)
{
	if (buf->data)
		crypto_wipe(buf->data, buf->size);
	buf_free(buf);
}

/* Texts that end with NUL each: values need not be UTF-8. */
int release_note(const struct release *release, const struct place *place, const char *version,
		 struct err *err)
{
	cleanup(forget) struct buf text = BUF_INIT(RUN_LIMIT);

	buf_add(&text, "2", 2);
	add_text(&text, release->folder);
	add_text(&text, release->image);
	add_text(&text, release->limits);
	add_list(&text, release->start);
	add_list(&text, release->env);
	if (buf_full(&text))
		return err_set(err, ERR_LIMIT, 0,
			       "the app's command and environment are larger than %d MiB",
			       RUN_LIMIT >> 20);
	return file_write(place_run(place, version), text.data, text.size, 0600, err);
}

static int64_t bytes_of(const char *text)
{
	static const char units[] = "kmg";
	char *unit;
	int64_t value = text ? strtoll(text, &unit, 10) : 0;

	if (value == 0 || !*unit)
		return value;
	return value << 10 * (strchr(units, tolower((unsigned char)*unit)) - units + 1);
}

/* "0.5" to 500. */
static int64_t thousandths(const char *text)
{
	return text ? (int64_t)(strtod(text, NULL) * 1000 + 0.5) : 0;
}

static int make_image(struct release *out, const struct place *place, const char *version,
		      const struct deploy *deploy, struct err *err)
{
	const struct server_settings *settings = deploy->settings;
	const char *image = deploy->artifact->image;

	if (!image)
		return err_set(err, ERR_USAGE, 0,
			       "run: container: the build made no image (build: {dockerfile: "
			       "Dockerfile})");
	out->image = image_name(place, version);
	out->folder = place_release(place, version);
	out->start = deploy->app->start;
	out->env = deploy->app->env;
	out->limits = arena_printf(place->arena, "%lld %lld %lld %lld %d",
				   (long long)settings->port, (long long)bytes_of(settings->memory),
				   (long long)thousandths(settings->cpus),
				   (long long)settings->pids, settings->confined);
	if (engine_tag(place->site->engine, image, out->image, err) == -1)
		return err_within(err, "keep the image of version %s", version);
	return release_note(out, place, version, err);
}

void release_limits(const struct release *release, struct slot_command *command)
{
	int64_t *const into[] = {&command->inside, &command->memory, &command->cpus,
				 &command->pids};
	char *at = (char *)(release->image ? release->limits : "");

	command->image = release->image;
	for (size_t i = 0; i < sizeof into / sizeof *into; i++)
		*into[i] = strtoll(at, &at, 10);
	command->confined = strtoll(at, &at, 10) != 0;
}

int release_make(struct release *out, const struct place *place, const char *version,
		 const struct deploy *deploy, struct err *err)
{
	static const char *const skip[] = {".git", NULL};
	const char *folder = deploy->artifact ? deploy->artifact->folder : NULL;
	const char *own = place_release(place, version);

	*out = (struct release){0};
	if (stage_wants_container(deploy))
		return make_image(out, place, version, deploy, err);
	if (!folder)
		return err_set(err, ERR_USAGE, 0,
			       "there is no folder to run the app from; a built image needs run: "
			       "container");
	if (!is_below(folder, own)) {
		if (file_remove_tree(own, err) == -1 || file_make_dirs(own, 0700, err) == -1
		    || file_copy_tree(folder, own, skip, err) == -1)
			return err_within(err, "copy the release to %s", own);
		folder = own;
	}
	if (!file_exists(folder))
		return err_set(err, ERR_ABSENT, 0, "the release's folder %s is gone", folder);
	out->folder = arena_strdup(place->arena, folder);
	out->start = deploy->app->start;
	out->env = deploy->app->env;
	return release_note(out, place, version, err);
}

/* The next text; NULL at the end. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return text;
}

static const char *const *next_list(const char **at, const char *end, struct arena *arena)
{
	const char *text = next_text(at, end);
	struct err ignored;
	const char **list;
	int64_t count;

	if (!text || text_number(text, 0, end - *at, &count, &ignored) == -1)
		return NULL;
	list = arena_alloc(arena, ((size_t)count + 1) * sizeof *list);
	for (int64_t i = 0; i < count; i++) {
		list[i] = next_text(at, end);
		if (!list[i])
			return NULL;
	}
	return list;
}

static int parse(struct release *out, const char *text, size_t size, struct arena *arena)
{
	const char *at = text, *end = text + size;
	const char *format = next_text(&at, end);

	bool has_image = format && text_same(format, "2");

	/* 1: of a slipway that had no containers yet. */
	if (!format || (!has_image && !text_same(format, "1")))
		return -1;
	out->folder = next_text(&at, end);
	out->image = has_image && out->folder ? next_text(&at, end) : NULL;
	out->limits = out->image ? next_text(&at, end) : NULL;
	if (out->image && !*out->image)
		out->image = NULL;
	out->start = out->folder ? next_list(&at, end, arena) : NULL;
	out->env = out->start ? next_list(&at, end, arena) : NULL;
	if (!out->env || (!out->image && !out->start[0]))
		return -1;
	if (!out->start[0])
		out->start = NULL;
	return 0;
}

static int load_image(const struct release *release, const struct place *place, json_t **image,
		      const char *version, struct err *err)
{
	if (!place->site->engine)
		return err_set(err, ERR_USAGE, 0,
			       "version %s is a container, and no Docker engine is named", version);
	if (engine_image(place->site->engine, release->image, image, err) == -1)
		return err_within(err, "version %s: its image", version);
	return 0;
}

int release_load(struct release *out, const struct place *place, const char *version,
		 struct err *err)
{
	cleanup(forget) struct buf text = BUF_INIT(RUN_LIMIT);
	const char *path = place_run(place, version);
	const char *copy;
	json_auto json_t *image = NULL;

	*out = (struct release){0};
	if (file_read(path, &text, err) == -1)
		return err_within(err, "version %s", version);
	copy = arena_memdup(place->arena, buf_text(&text), text.size);
	if (parse(out, copy, text.size, place->arena) == -1)
		return err_set(err, ERR_ABSENT, 0, "version %s: %s is damaged", version, path);
	if (out->image)
		return load_image(out, place, &image, version, err);
	if (!file_exists(out->folder))
		return err_set(err, ERR_ABSENT, 0, "version %s: its folder %s is gone", version,
			       out->folder);
	return 0;
}

int release_remove(const struct place *place, const char *version, bool log, struct err *err)
{
	if (place->site->engine
	    && engine_untag(place->site->engine, image_name(place, version), err) == -1)
		return -1;
	/* How it is started goes last: while that is there, a remove that was cut short shows. */
	if (file_remove_tree(place_release(place, version), err) == -1
	    || (log && file_remove_tree(place_log(place, version), err) == -1))
		return -1;
	return file_remove_tree(place_run(place, version), err);
}

static bool is_named(const struct state *state, const char *version)
{
	return text_same(state->live.version, version) || text_same(state->next.version, version)
	       || text_same(state->previous.version, version)
	       || text_same(state->leaving.version, version) || state_is_good(state, version);
}

int release_forget(const struct place *place, const struct state *state, const char *version,
		   struct err *err)
{
	if (!version || !release_is_version(version) || is_named(state, version))
		return 0;
	return release_remove(place, version, false, err);
}

static int sweep(const struct place *place, const struct state *state, const char *kind,
		 struct err *err)
{
	const char *dir = arena_printf(place->arena, "%s/%s", place->dir, kind);
	int64_t now = clock_now(place->site->clock);
	DIR *folder = opendir(dir);
	const struct dirent *entry;
	int result = 0;

	while (folder && result == 0 && (entry = readdir(folder))) {
		const char *path = arena_printf(place->arena, "%s/%s", dir, entry->d_name);
		struct stat info;

		if (!release_is_version(entry->d_name) || is_named(state, entry->d_name)
		    || lstat(path, &info) == -1 || now - info.st_mtime < FORGOTTEN_AGE)
			continue;
		result = file_remove_tree(path, err);
	}
	if (folder)
		closedir(folder);
	return result;
}

int release_sweep(const struct place *place, const struct state *state, struct err *err)
{
	if (sweep(place, state, "releases", err) == -1 || sweep(place, state, "runs", err) == -1)
		return -1;
	return sweep(place, state, "logs", err);
}
