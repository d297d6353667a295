#include "image/engine_self.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "image/engine_call.h"

#define ID_SIZE 64

/* 64 lower-case hex digits, and no more? */
static const char *id_at(const char *at, struct arena *arena)
{
	size_t size = strspn(at, "0123456789abcdef");

	return size == ID_SIZE ? arena_memdup(arena, at, ID_SIZE) : NULL;
}

/* The n-th field, from 0. Empty when there is none. */
static const char *field(const char *line, unsigned n)
{
	while (n-- > 0) {
		line += strcspn(line, " \n");
		line += *line == ' ';
	}
	return line;
}

static bool is(const char *at, const char *word)
{
	size_t size = strlen(word);

	return strncmp(at, word, size) == 0 && at[size] == ' ';
}

/* "… <root> <where it is mounted> …": proc_pid_mountinfo(5). The machine itself sees other
 * containers' mounts too, but none at these places. */
const char *engine_self_in_mounts(const char *mountinfo, struct arena *arena)
{
	static const char folder[] = "/containers/";

	for (const char *line = mountinfo; line && *line; line = strchr(line, '\n')) {
		const char *root, *place, *id;

		line += *line == '\n';
		root = field(line, 3);
		place = field(line, 4);
		if (!is(place, "/etc/hostname") && !is(place, "/etc/hosts")
		    && !is(place, "/etc/resolv.conf"))
			continue;
		id = memmem(root, (size_t)(place - root), folder, strlen(folder));
		id = id ? id_at(id + strlen(folder), arena) : NULL;
		if (id)
			return id;
	}
	return NULL;
}

const char *engine_self_in_cgroup(const char *cgroup, struct arena *arena)
{
	/* "/docker/<id>", "/system.slice/docker-<id>.scope", "/kubepods/…/<id>": the last part. */
	for (const char *line = cgroup; line && *line; line = strchr(line, '\n')) {
		size_t size, from;
		const char *id;

		line += *line == '\n';
		size = strcspn(line, "\n");
		for (from = size; from > 0 && line[from - 1] != '/' && line[from - 1] != '-';)
			from--;
		id = id_at(line + from, arena);
		if (id)
			return id;
	}
	return NULL;
}

static const char *read_proc(const char *path, struct buf *text)
{
	struct err ignored = ERR_INIT;

	return file_read(path, text, &ignored) ? "" : buf_text(text);
}

/* The engine knows it, and it runs under our host name. */
static bool is_ours(struct engine *engine, const char *id, const char *hostname)
{
	json_auto json_t *container = NULL;
	struct err ignored = ERR_INIT;

	return engine_container(engine, id, &container, &ignored) == 0
	       && (text_same(json_text(container, "Config.Hostname"), hostname)
		   || text_same(json_text(container, "HostConfig.NetworkMode"), "host"));
}

const char *engine_self(struct engine *engine, struct arena *arena)
{
	cleanup(buf_free) struct buf mounts = BUF_INIT(4 * 1024 * 1024),
				     groups = BUF_INIT(1024 * 1024);
	char hostname[256] = "";
	const char *candidates[3];

	if (gethostname(hostname, sizeof hostname - 1))
		return NULL;
	candidates[0] = engine_self_in_mounts(read_proc("/proc/self/mountinfo", &mounts), arena);
	candidates[1] = engine_self_in_cgroup(read_proc("/proc/self/cgroup", &groups), arena);
	/* What the engine calls a container's machine when nobody says otherwise. */
	candidates[2] = strlen(hostname) == 12 && strspn(hostname, "0123456789abcdef") == 12
				? arena_strdup(arena, hostname)
				: NULL;
	for (size_t i = 0; i < 3; i++)
		if (candidates[i] && is_ours(engine, candidates[i], hostname))
			return candidates[i];
	return NULL;
}

/* How much of `path` the folder `above` covers; 0 when it doesn't hold it. */
static size_t covers(const char *above, const char *path)
{
	size_t size = above ? strlen(above) : 0;

	if (size == 1 && *above == '/')
		return 1;
	return size > 0 && strncmp(above, path, size) == 0
			       && (path[size] == '/' || path[size] == '\0')
		       ? size
		       : 0;
}

int engine_host_path(struct engine *engine, const char *self, const char *path, struct arena *arena,
		     const char **out, struct err *err)
{
	json_auto json_t *container = NULL;
	const json_t *mount, *best = NULL;
	size_t i, longest = 0;

	*out = NULL;
	if (!self) {
		*out = arena_strdup(arena, path);
		return 0;
	}
	if (engine_container(engine, self, &container, err))
		return -1;
	json_array_foreach(json_object_get(container, "Mounts"), i, mount)
	{
		size_t size = covers(json_text(mount, "Destination"), path);

		if (size > longest && json_text(mount, "Source")) {
			longest = size;
			best = mount;
		}
	}
	if (best)
		*out = arena_printf(arena, "%s%s", json_text(best, "Source"),
				    longest == 1 ? path : path + longest);
	return 0;
}
