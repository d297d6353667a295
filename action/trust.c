#include "action/trust.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

/* The repository that the code comes from: NULL when the fork was deleted. */
static const char *home_of(const struct trust *trust)
{
	if (json_at(trust->payload, "workflow_run"))
		return json_text(trust->payload, "workflow_run.head_repository.full_name");
	return json_text(trust->payload, "pull_request.head.repo.full_name");
}

const char *trust_stranger(const struct trust *trust, struct arena *arena)
{
	bool pull = json_at(trust->payload, "pull_request") != NULL;
	bool run = json_at(trust->payload, "workflow_run") != NULL;
	const char *home = trust->payload ? home_of(trust) : NULL;
	bool fork = (pull || run) && (!home || !text_same_nocase(home, trust->repository));

	if (fork)
		return arena_printf(arena, "a %s from the fork %s",
				    pull ? "pull request" : "workflow run",
				    home ? home : "(deleted)");
	if (text_same(trust->event, "pull_request_target"))
		return "pull_request_target, which gives any pull request this workflow's rights";
	/* A pull request whose payload can't be seen is nobody's we know. */
	if (!trust->payload && trust->event && text_starts(trust->event, "pull_request"))
		return "a pull request of which GITHUB_EVENT_PATH doesn't say where it comes from";
	return NULL;
}

static bool is_plain_path(const char *path)
{
	return *path && *path != '/' && !strstr(path, "..")
	       && strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
			  == strlen(path);
}

int trust_check(const struct trust *trust, struct arena *arena, const char **base, struct err *err)
{
	const char *stranger = trust_stranger(trust, arena);
	const char *commit;

	*base = NULL;
	if (!stranger)
		return 0;
	if (!trust->allow)
		return err_set(err, ERR_USAGE, 0,
			       "this is %s; its code would run here with your rights: deploy from "
			       "`push` instead, or set input 'allow-forks: true' if you mean it",
			       stranger);
	commit = json_text(trust->payload, "pull_request.base.sha");
	/* A workflow_run says which branch it is of only for itself: the one we are started from.
	 */
	if (!commit)
		commit = json_text(trust->payload, "repository.default_branch");
	if (!commit || !is_plain_path(commit))
		return err_set(
			err, ERR_USAGE, 0,
			"this is %s, and the event names no base whose project file could be "
			"used",
			stranger);
	*base = arena_strdup(arena, commit);
	return 0;
}

/* GitHub cuts base64 into lines. */
static char *decode(const char *text, size_t *size)
{
	autofree char *flat = xstrdup(text);
	char *end = flat;

	for (const char *at = flat; *at; at++)
		if (*at != '\n' && *at != '\r')
			*end++ = *at;
	*end = '\0';
	return base64_decode(flat, size);
}

int trust_config(struct github *github, const char *repository, const char *path, const char *base,
		 struct arena *arena, const char **text, struct err *err)
{
	autofree char *call = NULL;
	autofree char *bytes = NULL;
	json_auto json_t *answer = NULL;
	const char *content;
	size_t size = 0;

	if (!is_plain_path(path))
		return err_set(err, ERR_USAGE, 0,
			       "read '%s' at the base: expected a plain path in the repository",
			       path);
	call = xprintf("/repos/%s/contents/%s?ref=%s", repository, path, base);
	if (github_get(github, repository, call, &answer, err)) {
		if (err->kind == ERR_ABSENT || err->kind == ERR_AUTH)
			err->kind = ERR_USAGE;
		return err_within(
			err,
			"read %s at the base %.12s (it needs input 'token' with `contents: "
			"read`)",
			path, base);
	}
	content = json_text(answer, "content");
	bytes = content && text_same(json_text(answer, "encoding"), "base64")
			? decode(content, &size)
			: NULL;
	if (!bytes || memchr(bytes, '\0', size))
		return err_set(err, ERR_REMOTE, 0, "read %s at the base %.12s: GitHub sent no text",
			       path, base);
	*text = arena_memdup(arena, bytes, size);
	return 0;
}
