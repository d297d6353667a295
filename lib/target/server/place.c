#include "target/server/place.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"

/* A unix socket's path is at most 107 bytes long; the longest name that we add is this. */
#define LONGEST_SOCKET "/server/nginx/control.sock"
#define APP_NAME_MAX   120

int place_check(const struct site *site, struct err *err)
{
	const char *data = site->data;
	size_t size = strlen(data);

	if (data[0] != '/')
		return err_set(err, ERR_USAGE, 0, "data folder '%s': not an absolute path", data);
	if (strspn(data, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-@")
	    != size)
		return err_set(err, ERR_USAGE, 0,
			       "data folder '%s': target server needs a path of letters, digits "
			       "and / . _ + - @ only; choose another",
			       data);
	if (size + sizeof LONGEST_SOCKET > 108)
		return err_set(err, ERR_USAGE, 0,
			       "data folder '%s': the path is %zu bytes long; target server needs "
			       "one of at most %zu",
			       data, size, 108 - sizeof LONGEST_SOCKET);
	return 0;
}

/* '+' is in none of the names, so two apps can't be called the same. */
static const char *app_name(const struct app *app, struct arena *arena)
{
	char hex[SHA256_HEX_SIZE];
	char *name, *slash;

	if (app->repository)
		name = arena_printf(arena, "%s+%s+%s", app->repository, app->service,
				    app->environment);
	else
		name = arena_printf(arena, "%s+%s", app->service, app->environment);
	while ((slash = strchr(name, '/')))
		*slash = '+';
	if (strlen(name) <= APP_NAME_MAX)
		return name;
	sha256_hex(name, strlen(name), hex);
	return arena_printf(arena, "%.*s+%.16s", APP_NAME_MAX - 17, name, hex);
}

int place_named(struct place *out, const struct site *site, const char *name, struct arena *arena,
		struct err *err)
{
	char hex[SHA256_HEX_SIZE];

	if (place_check(site, err) == -1)
		return -1;
	sha256_hex(name, strlen(name), hex);
	out->site = site;
	out->root = arena_printf(arena, "%s/server", site->data);
	out->app = arena_strdup(arena, name);
	out->dir = arena_printf(arena, "%s/apps/%s", out->root, name);
	out->id = arena_printf(arena, "%.16s", hex);
	out->arena = arena;
	return 0;
}

int place_of(struct place *out, const struct site *site, const struct app *app, struct arena *arena,
	     struct err *err)
{
	return place_named(out, site, app_name(app, arena), arena, err);
}

const char *const *place_apps(const struct site *site, struct arena *arena)
{
	autofree char *dir = xprintf("%s/server/apps", site->data);
	const char **names = arena_alloc(arena, sizeof *names);
	size_t count = 0, room = 1;
	DIR *folder = opendir(dir);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		if (count + 1 == room) {
			const char **more = arena_alloc(arena, 2 * room * sizeof *more + 8);

			memcpy(more, names, count * sizeof *names);
			names = more;
			room *= 2;
		}
		names[count++] = arena_strdup(arena, entry->d_name);
		names[count] = NULL;
	}
	if (folder)
		closedir(folder);
	return names;
}

const char *place_gateway(const struct site *site, struct arena *arena)
{
	return arena_printf(arena, "%s/server/nginx", site->data);
}

const char *place_slot(const struct place *place, char slot)
{
	return arena_printf(place->arena, "%s/slots/%c", place->dir, slot);
}

const char *place_release(const struct place *place, const char *version)
{
	return arena_printf(place->arena, "%s/releases/%s", place->dir, version);
}

const char *place_run(const struct place *place, const char *version)
{
	return arena_printf(place->arena, "%s/runs/%s", place->dir, version);
}

const char *place_log(const struct place *place, const char *version)
{
	return arena_printf(place->arena, "%s/logs/%s", place->dir, version);
}

/* nginx's workers may be another user than its master: they look at the marker files. */
static int make_gateway(const struct place *place, struct err *err)
{
	static const char *const names[] = {"", "/nginx", "/nginx/live"};
	autofree char *live = xprintf("%s/nginx/live", place->root);

	if (file_exists(live))
		return 0;
	if (file_make_dirs(live, 0700, err) == -1)
		return -1;
	for (size_t i = 0; geteuid() == 0 && i < 3; i++) {
		autofree char *dir = xprintf("%s%s", place->root, names[i]);

		if (chmod(dir, 0711) == -1)
			return err_errno(err, "%s", dir);
	}
	return 0;
}

int place_make(const struct place *place, struct err *err)
{
	static const char *const below[] = {"slots", "releases", "runs", "logs"};

	for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
		autofree char *dir = xprintf("%s/%s", place->dir, below[i]);

		if (file_make_dirs(dir, 0700, err) == -1)
			return -1;
	}
	return make_gateway(place, err);
}
