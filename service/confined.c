#include "service/confined.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/confine.h"

/* Grows as words are added; NULL-ended by the zeroed room behind them. */
struct words {
	const char **items;
	size_t count, room;
	struct arena *arena;
};

static void words_add(struct words *words, const char *word)
{
	if (words->count + 1 >= words->room) {
		size_t room = words->room ? words->room * 2 : 64;
		const char **items = arena_alloc(words->arena, room * sizeof *items);

		if (words->count > 0)
			memcpy(items, words->items, words->count * sizeof *items);
		words->items = items;
		words->room = room;
	}
	words->items[words->count++] = word;
}

static void hide(struct words *words, const char *path)
{
	char real[PATH_MAX];

	if (!path || !realpath(path, real))
		return;
	words_add(words, "--hide");
	words_add(words, arena_strdup(words->arena, real));
}

static void hide_hooks_and_tokens(struct words *words, const struct settings *settings)
{
	const struct settings_hook *hooks = settings->hooks.items;
	const struct settings_token *tokens = settings->tokens.items;

	for (size_t i = 0; i < settings->hooks.count; i++) {
		const struct settings_secret *secrets = hooks[i].secrets.items;

		for (size_t j = 0; j < hooks[i].secrets.count; j++)
			hide(words, secrets[j].secret.file);
	}
	for (size_t i = 0; i < settings->tokens.count; i++)
		hide(words, tokens[i].secret.file);
	hide(words, settings->github->token.file);
	if (settings->github->app)
		hide(words, settings->github->app->key.file);
}

static void hide_repositories(struct words *words, const struct settings *settings)
{
	const struct settings_repository *repositories = settings->repositories.items;

	for (size_t i = 0; i < settings->repositories.count; i++) {
		const struct settings_value *values = repositories[i].secrets.items;

		hide(words, repositories[i].git_password.file);
		for (size_t j = 0; j < repositories[i].secrets.count; j++)
			hide(words, values[j].value.file);
	}
}

const char *const *confined_launcher(const struct settings *settings, struct arena *arena,
				     struct err *err)
{
	struct words words = {.arena = arena};
	char self[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);

	if (size < 0) {
		err_errno(err, "find our own program");
		return NULL;
	}
	self[size] = '\0';
	words_add(&words, arena_strdup(arena, self));
	words_add(&words, "confined");
	hide(&words, settings->file);
	hide(&words, settings->data);
	hide_hooks_and_tokens(&words, settings);
	hide_repositories(&words, settings);
	return words.items;
}

int confined_exec(char **words, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct words hidden = {.arena = arena}, shown = {.arena = arena};
	char real[PATH_MAX];

	words_add(&hidden, "");
	words_add(&shown, "");
	for (; words[0] && strcmp(words[0], "--") != 0; words += 2) {
		struct words *list = strcmp(words[0], "--hide") == 0   ? &hidden
				     : strcmp(words[0], "--show") == 0 ? &shown
								       : NULL;

		if (!list || !words[1])
			return err_set(err, ERR_USAGE, 0, "confined: '%s' isn't understood",
				       words[0]);
		if (realpath(words[1], real))
			words_add(list, arena_strdup(arena, real));
	}
	if (!words[0] || !words[1])
		return err_set(err, ERR_USAGE, 0, "confined: no program is named");
	/* Without Landlock (a kernel before 5.13) the modes of the files are all there is:
	 * docs/security.md. */
	if (confine_hide(hidden.items + 1, shown.items + 1, err) < 0)
		return -1;
	confine_root();
	execvp(words[1], words + 1);
	return err_errno(err, "start %s", words[1]);
}
