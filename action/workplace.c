#include "action/workplace.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "action/inputs.h"
#include "action/ownership.h"
#include "base/crypto.h"
#include "base/file.h"

#define SOCKET "/var/run/docker.sock"

static int find_workspace(struct workplace *out, struct arena *arena, struct err *err)
{
	const char *given = inputs_variable("GITHUB_WORKSPACE");
	char here[PATH_MAX], real[PATH_MAX];
	size_t size;

	if (!getcwd(here, sizeof here))
		return err_errno(err, "find the current folder");
	if (!given || !realpath(given, real))
		snprintf(real, sizeof real, "%s", here);
	out->workspace = arena_strdup(arena, real);
	out->prefix = ".";
	size = strlen(real);
	if (strncmp(here, real, size) == 0 && here[size] == '/')
		out->prefix = arena_strdup(arena, here + size + 1);
	return 0;
}

static int choose_data(struct workplace *out, const char *data, struct arena *arena,
		       struct err *err)
{
	char name[17];

	out->data = data;
	out->passing = out->contained && !out->sibling;
	if (data)
		return 0;
	if (out->sibling) {
		out->data = inputs_action("data");
		if (!out->data)
			out->data = WORKPLACE_SIBLING_DATA;
		return 0;
	}
	if (!out->contained || !out->temp)
		return inputs_data(&out->data, arena, err);
	/* Only the runner's own folders are there for the post step too. */
	crypto_random_hex(name, sizeof name - 1);
	out->data = arena_printf(arena, "%s/slipway_%s", out->temp, name);
	return 0;
}

static const char *folder_of(const char *path, struct arena *arena)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && slash > path ? arena_memdup(arena, path, (size_t)(slash - path)) : NULL;
}

int workplace_find(struct workplace *out, const char *data, bool sibling, struct arena *arena,
		   struct err *err)
{
	struct stat st;

	*out = (struct workplace){
		.contained = inputs_in_action_container(),
		.sibling = sibling,
		.temp = inputs_variable("RUNNER_TEMP"),
		.output = inputs_variable("GITHUB_OUTPUT"),
		.state = inputs_variable("GITHUB_STATE"),
		.summary = inputs_variable("GITHUB_STEP_SUMMARY"),
		.debug = inputs_variable("RUNNER_DEBUG") != NULL,
	};
	out->files = folder_of(out->output, arena);
	if (stat(SOCKET, &st) == 0 && S_ISSOCK(st.st_mode))
		out->docker = SOCKET;
	if (find_workspace(out, arena, err))
		return -1;
	return choose_data(out, data, arena, err);
}

unsigned workplace_give_back(const struct workplace *workplace, int64_t since)
{
	const char *home = inputs_home();
	struct ownership to = {.since = since};
	unsigned changed;
	struct stat st;

	if (!workplace->contained || geteuid() != 0 || stat(workplace->workspace, &st) < 0)
		return 0;
	to.uid = st.st_uid;
	to.gid = st.st_gid;
	changed = ownership_give(workplace->workspace, &to);
	if (home && strncmp(home, "/github/", 8) == 0)
		changed += ownership_give(home, &to);
	return changed;
}
