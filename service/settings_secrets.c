#include "service/settings_secrets.h"

#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"

enum { SHORTEST = 8, SHORT = 16 };

struct warning {
	const char *text;
	struct warning *next;
};

struct check {
	struct settings *settings;
	struct arena *arena;
	struct mistakes *mistakes;
	struct warning *first, **last;
	size_t warnings;
	bool in_place; /* a secret stands in the settings' file itself */
};

static void warn(struct check *check, const char *text)
{
	struct warning *warning = arena_alloc(check->arena, sizeof *warning);

	warning->text = text;
	*check->last = warning;
	check->last = &warning->next;
	check->warnings++;
}

/* Anybody may try these as often as they like, so they must not be guessable. */
static void check_length(struct check *check, const char *what, const char *value,
			 const char *pointer)
{
	size_t size = strlen(value);

	if (size < SHORTEST)
		mistakes_add(check->mistakes, pointer,
			     "%s has %zu bytes and could be guessed; expected at least %d (such as "
			     "the output of 'openssl rand -hex 32')",
			     what, size, SHORTEST);
	else if (size < SHORT)
		warn(check, arena_printf(check->arena,
					 "%s has only %zu bytes; 16 or more are hard to guess",
					 what, size));
}

static bool is_given(const struct secret *secret)
{
	return secret->text || secret->file;
}

/* The value, to be wiped and freed; NULL when there is none (said already). */
static char *open_secret(struct check *check, const struct secret *secret, const char *pointer)
{
	struct err err = ERR_INIT;
	char *value;

	if (!is_given(secret))
		return NULL;
	check->in_place |= secret->text != NULL;
	if (secret_read(secret, &value, &err) < 0) {
		mistakes_add(check->mistakes, pointer, "%s", err.text);
		return NULL;
	}
	if (secret->file && file_is_exposed(secret->file))
		warn(check,
		     arena_printf(check->arena,
				  "secret file %s is open to others than its owner; chmod 600",
				  secret->file));
	return value;
}

static void close_secret(char *value)
{
	crypto_wipe_text(value);
	free(value);
}

/* One that deployments use. The listener reads the settings too, and must not come by it. */
static void check_apart(struct check *check, const struct secret *secret, const char *pointer)
{
	if (secret->text)
		mistakes_add(
			check->mistakes, pointer,
			"a secret of deployments stands in the settings themselves, which the "
			"process that faces the internet reads too; put it in a file of its own: "
			"{file: NAME}");
}

static void check_plain(struct check *check, const struct secret *secret, const char *pointer)
{
	check_apart(check, secret, pointer);
	close_secret(open_secret(check, secret, pointer));
}

static void check_hooks(struct check *check)
{
	const struct settings_hook *hooks = check->settings->hooks.items;

	for (size_t i = 0; i < check->settings->hooks.count; i++) {
		const struct settings_secret *secrets = hooks[i].secrets.items;

		for (size_t j = 0; j < hooks[i].secrets.count; j++) {
			autofree char *at = xprintf("/hooks/%zu/secrets/%zu", i, j);
			char *value = open_secret(check, &secrets[j].secret, at);

			if (value)
				check_length(check, "a hook's secret", value, at);
			close_secret(value);
		}
	}
}

/* Two tokens of the same value: nobody could tell which one it is, and what it may. */
static void check_tokens(struct check *check)
{
	const struct settings_token *tokens = check->settings->tokens.items;
	size_t count = check->settings->tokens.count;
	autofree uint8_t *digests = xalloc((count + 1) * SHA256_SIZE);

	for (size_t i = 0; i < count; i++) {
		autofree char *at = xprintf("/tokens/%zu/secret", i);
		char *value = open_secret(check, &tokens[i].secret, at);
		uint8_t *digest = digests + i * SHA256_SIZE;

		if (!value) {
			crypto_random(digest, SHA256_SIZE);
			continue;
		}
		check_length(check, "a token", value, at);
		sha256(value, strlen(value), digest);
		close_secret(value);
		for (size_t j = 0; j < i; j++)
			if (memcmp(digest, digests + j * SHA256_SIZE, SHA256_SIZE) == 0)
				mistakes_add(
					check->mistakes, at,
					"token '%s' is the same as token '%s'; give each its own",
					tokens[i].name, tokens[j].name);
	}
}

static void check_github(struct check *check)
{
	const struct settings_github *github = check->settings->github;
	static const char pointer[] = "/github/app/key";
	char *key = NULL;

	if (!github)
		return;
	check_plain(check, &github->token, "/github/token");
	if (github->app)
		check_apart(check, &github->app->key, pointer);
	if (github->app)
		key = open_secret(check, &github->app->key, pointer);
	if (key && !(strstr(key, "-----BEGIN ") && strstr(key, "PRIVATE KEY-----")))
		mistakes_add(
			check->mistakes, pointer,
			"'key': expected the App's private key (-----BEGIN RSA PRIVATE KEY-----), "
			"found something else in the file");
	close_secret(key);
}

static void check_repositories(struct check *check)
{
	const struct settings_repository *list = check->settings->repositories.items;

	for (size_t i = 0; i < check->settings->repositories.count; i++) {
		const struct settings_value *values = list[i].secrets.items;
		autofree char *at = yaml_pointer("/repositories", list[i].name);
		autofree char *password = xprintf("%s/source/password", at);

		check_plain(check, &list[i].git_password, password);
		for (size_t j = 0; j < list[i].secrets.count; j++) {
			autofree char *secret = xprintf("%s/secrets/%s", at, values[j].name);

			check_plain(check, &values[j].value, secret);
		}
	}
}

static const char *const *list_of(const struct check *check)
{
	const char **list = arena_alloc(check->arena, (check->warnings + 1) * sizeof *list);
	size_t count = 0;

	for (const struct warning *warning = check->first; warning; warning = warning->next)
		list[count++] = warning->text;
	return list;
}

void settings_check_secrets(struct settings *settings, struct arena *arena,
			    struct mistakes *mistakes)
{
	struct check check = {.settings = settings, .arena = arena, .mistakes = mistakes};

	check.last = &check.first;
	check_hooks(&check);
	check_tokens(&check);
	check_github(&check);
	check_repositories(&check);
	if (check.in_place && file_is_exposed(settings->file))
		warn(&check, arena_printf(arena,
					  "%s holds secrets and is open to others than its owner; "
					  "chmod 600",
					  settings->file));
	settings->warnings = list_of(&check);
}
