#include "action/commit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "action/inputs.h"
#include "base/child.h"
#include "base/crypto.h"
#include "base/file.h"
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

/* A small file of git's, without its last newline; NULL. In the arena. */
static const char *git_file(const char *git, const char *name, struct arena *arena)
{
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024);
	cleanup(file_close_at) int fd = -1;
	struct err err = ERR_INIT;
	char piece[4096];
	ssize_t got;

	/* A link or a ".." in a branch's name leads nowhere. */
	fd = file_open_beneath(git, name, O_RDONLY | O_NOFOLLOW, 0, &err);
	while (fd >= 0 && (got = read(fd, piece, sizeof piece)) > 0)
		buf_add(&text, piece, (size_t)got);
	while (text.size > 0
	       && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
		text.data[--text.size] = '\0';
	return text.size > 0 && !buf_full(&text) ? arena_strdup(arena, text.data) : NULL;
}

/* "<id> refs/heads/main", a line each. */
static const char *packed_ref(const char *git, const char *ref, struct arena *arena)
{
	const char *text = git_file(git, "packed-refs", arena);

	for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n') {
		size_t id = strcspn(text, " \n"), name = strlen(ref);

		if (text[id] == ' ' && strncmp(text + id + 1, ref, name) == 0
		    && strchr("\r\n", text[id + 1 + name]))
			return arena_memdup(arena, text, id);
	}
	return NULL;
}

static const char *head_of(const char *git, struct arena *arena)
{
	const char *head = git_file(git, "HEAD", arena), *id;

	if (!head || !text_starts(head, "ref: "))
		return head && text_is_commit(head) ? head : NULL;
	head += strlen("ref: ");
	if (!text_starts(head, "refs/"))
		return NULL;
	id = git_file(git, head, arena);
	if (!id)
		id = packed_ref(git, head, arena);
	return id && text_is_commit(id) ? id : NULL;
}

const char *commit_head(const char *folder, const char *top, struct arena *arena)
{
	char *at = arena_strdup(arena, folder);

	while (text_starts(at, top)) {
		const char *id = head_of(arena_printf(arena, "%s/.git", at), arena);
		char *slash = strrchr(at, '/');

		if (id)
			return id;
		if (!slash || slash == at)
			break;
		*slash = '\0';
	}
	return NULL;
}
