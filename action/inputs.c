#include "action/inputs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"

static const char *get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static int read_one(const char **out, const char *name, struct arena *arena, struct err *err)
{
	const char *file_name = arena_printf(arena, "%s_FILE", name);
	const struct secret secret = {.file = get(file_name)};
	char *text = NULL;

	*out = get(name);
	if (*out || !secret.file)
		return 0;
	if (secret_read(&secret, &text, err))
		return err_within(err, "%s", file_name);
	*out = arena_strdup(arena, text);
	crypto_wipe_text(text);
	free(text);
	return 0;
}

int inputs_secrets(const struct field_pair **out, const char *const *names, struct arena *arena,
		   struct err *err)
{
	size_t count = 0, set = 0;
	struct field_pair *pairs;

	while (names && names[count])
		count++;
	pairs = arena_alloc(arena, (count + 1) * sizeof *pairs);
	for (size_t i = 0; i < count; i++) {
		const char *value = NULL;

		if (read_one(&value, names[i], arena, err))
			return -1;
		if (value)
			pairs[set++] = (struct field_pair){names[i], value};
	}
	*out = pairs;
	return 0;
}

int inputs_data(const char **out, struct arena *arena, struct err *err)
{
	const char *state = get("XDG_STATE_HOME"), *home = get("HOME");

	if (state && *state == '/')
		*out = arena_printf(arena, "%s/slipway", state);
	else if (home && *home == '/')
		*out = arena_printf(arena, "%s/.local/state/slipway", home);
	else
		return err_set(err, ERR_USAGE, 0,
			       "neither XDG_STATE_HOME nor HOME says where releases may be kept; "
			       "give --data FOLDER");
	return 0;
}

const char *inputs_action(const char *name)
{
	char variable[64] = "INPUT_";
	size_t size = strlen(variable);

	for (; *name && size < sizeof variable - 1; name++)
		variable[size++] = *name == ' ' ? '_' : (char)toupper((unsigned char)*name);
	return get(variable);
}

bool inputs_in_action_container(void)
{
	/* Where the runner mounts the workspace; outside of a container it is the runner's own. */
	const char *workspace = get("GITHUB_WORKSPACE");

	return workspace && strcmp(workspace, "/github/workspace") == 0;
}

const char *inputs_variable(const char *name)
{
	return get(name);
}

const char *const *inputs_environment(void)
{
	return (const char *const *)environ;
}

const char *inputs_home(void)
{
	return get("HOME");
}

const char *inputs_docker_host(void)
{
	return get("DOCKER_HOST");
}

bool inputs_terminal_can_draw(void)
{
	const char *term = get("TERM");

	return term && strcmp(term, "dumb") != 0;
}

bool inputs_want_colour(void)
{
	return !get("NO_COLOR");
}
