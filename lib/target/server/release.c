#include "target/server/release.h"

#include <ctype.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"

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

static bool is_below(const char *path, const char *folder)
{
	size_t size = strlen(folder);

	return strncmp(path, folder, size) == 0 && (path[size] == '\0' || path[size] == '/');
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

	buf_add(&text, "1", 2);
	buf_add(&text, release->folder, strlen(release->folder) + 1);
	add_list(&text, release->start);
	add_list(&text, release->env);
	if (buf_full(&text))
		return err_set(err, ERR_LIMIT, 0,
			       "the app's command and environment are larger than %d MiB",
			       RUN_LIMIT >> 20);
	return file_write(place_run(place, version), text.data, text.size, 0600, err);
}

int release_make(struct release *out, const struct place *place, const char *version,
		 const struct deploy *deploy, struct err *err)
{
	static const char *const skip[] = {".git", NULL};
	const char *folder = deploy->artifact ? deploy->artifact->folder : NULL;
	const char *own = place_release(place, version);

	if (!folder)
		return err_set(err, ERR_USAGE, 0,
			       "target server runs the app from its folder; an image alone isn't "
			       "supported yet");
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

	if (!format || !text_same(format, "1"))
		return -1;
	out->folder = next_text(&at, end);
	out->start = out->folder ? next_list(&at, end, arena) : NULL;
	out->env = out->start ? next_list(&at, end, arena) : NULL;
	return out->env && out->start[0] ? 0 : -1;
}

int release_load(struct release *out, const struct place *place, const char *version,
		 struct err *err)
{
	cleanup(forget) struct buf text = BUF_INIT(RUN_LIMIT);
	const char *path = place_run(place, version);
	const char *copy;

	if (file_read(path, &text, err) == -1)
		return err_within(err, "version %s", version);
	copy = arena_memdup(place->arena, buf_text(&text), text.size);
	if (parse(out, copy, text.size, place->arena) == -1)
		return err_set(err, ERR_ABSENT, 0, "version %s: %s is damaged", version, path);
	if (!file_exists(out->folder))
		return err_set(err, ERR_ABSENT, 0, "version %s: its folder %s is gone", version,
			       out->folder);
	return 0;
}

int release_remove(const struct place *place, const char *version, bool log, struct err *err)
{
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
