#include "action/commit.h"

#include <string.h>

#include "action/inputs.h"
#include "base/child.h"
#include "base/crypto.h"
#include "base/text.h"

#define PATH "/usr/local/bin:/usr/bin:/bin"

/* What a git command says, without the newline at its end; false when it fails. */
static bool git(const char *folder, const char *const *argv, struct buf *out)
{
	const char *home = inputs_home();
	autofree char *home_entry = xprintf("HOME=%s", home ? home : "/nonexistent");
	const char *const env[] = {"PATH=" PATH, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", home_entry,
				   NULL};
	const struct child child = {.argv = argv, .env = env, .dir = folder, .timeout = 30};
	struct err err = ERR_INIT;

	if (child_capture(&child, out, &err))
		return false;
	if (out->size > 0 && out->data[out->size - 1] == '\n')
		out->data[--out->size] = '\0';
	return true;
}

void commit_of(struct commit *out, const char *folder, struct arena *arena)
{
	/* A folder's own configuration could name a program as its fsmonitor. */
	static const char *const head[] = {
		"git", "-c", "core.fsmonitor=false", "rev-parse", "--verify", "HEAD", NULL};
	static const char *const status[] = {
		"git", "-c", "core.fsmonitor=false", "status", "--porcelain", "--", ".", NULL};
	cleanup(buf_free) struct buf text = BUF_INIT(1024);
	cleanup(buf_free) struct buf changes = BUF_INIT(1024 * 1024);
	char made[41];

	*out = (struct commit){0};
	if (git(folder, head, &text) && text_is_commit(buf_text(&text))) {
		out->id = arena_strdup(arena, text.data);
		out->known = true;
		out->dirty = !git(folder, status, &changes) || changes.size > 0;
		return;
	}
	crypto_random_hex(made, 40);
	out->id = arena_strdup(arena, made);
}
