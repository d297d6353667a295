#include "action/unprivileged.h"

#include <assert.h>
#include <grp.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "action/ownership.h"
#include "base/confine.h"
#include "base/text.h"

enum { NOBODY = 65534, MOST_WORDS = 64 };

void unprivileged_user(struct unprivileged *out, const char *workspace)
{
	struct stat st;

	out->drop = geteuid() == 0;
	out->uid = NOBODY;
	out->gid = NOBODY;
	if (stat(workspace, &st) == 0 && st.st_uid != 0) {
		out->uid = st.st_uid;
		out->gid = st.st_gid ? st.st_gid : NOBODY;
	}
}

const char *const *unprivileged_launcher(const struct unprivileged *to, struct arena *arena,
					 struct err *err)
{
	const char **words = arena_alloc(arena, (MOST_WORDS + 1) * sizeof *words);
	char self[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
	size_t at = 0;

	if (size < 0) {
		err_errno(err, "find our own program");
		return NULL;
	}
	self[size] = '\0';
	words[at++] = arena_strdup(arena, self);
	words[at++] = "confined";
	if (to->drop) {
		words[at++] = "--user";
		words[at++] = arena_printf(arena, "%u:%u", (unsigned)to->uid, (unsigned)to->gid);
	}
	if (to->within) {
		words[at++] = "--within";
		words[at++] = to->within;
	}
	for (size_t i = 0; to->hidden && to->hidden[i] && at + 2 < MOST_WORDS; i++) {
		words[at++] = "--hide";
		words[at++] = to->hidden[i];
	}
	return words;
}

/* What the words say. */
struct order {
	const char *hidden[MOST_WORDS + 1], *shown[MOST_WORDS + 1];
	size_t hidden_count, shown_count;
	const char *within;
	uid_t uid;
	gid_t gid;
	bool drop;
	char **program;
};

static int read_user(struct order *order, const char *text, struct err *err)
{
	char *end = NULL;
	unsigned long uid = strtoul(text, &end, 10), gid = 0;

	/* Only we write these words. */
	if (*end == ':')
		gid = strtoul(end + 1, &end, 10);
	if (uid == 0 || gid == 0 || *end || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return err_set(err, ERR_USAGE, 0, "confined: '%s' is no user", text);
	order->uid = (uid_t)uid;
	order->gid = (gid_t)gid;
	order->drop = true;
	return 0;
}

static void add_path(const char **list, size_t *count, const char *path, struct arena *arena)
{
	char real[PATH_MAX];

	if (*count < MOST_WORDS && realpath(path, real))
		list[(*count)++] = arena_strdup(arena, real);
}

static int read_words(struct order *order, char **words, struct arena *arena, struct err *err)
{
	for (; words[0] && strcmp(words[0], "--") != 0; words += 2) {
		if (!words[1])
			return err_set(err, ERR_USAGE, 0, "confined: '%s' needs a value", words[0]);
		if (strcmp(words[0], "--hide") == 0)
			add_path(order->hidden, &order->hidden_count, words[1], arena);
		else if (strcmp(words[0], "--show") == 0)
			add_path(order->shown, &order->shown_count, words[1], arena);
		else if (strcmp(words[0], "--within") == 0)
			order->within = words[1];
		else if (strcmp(words[0], "--user") != 0)
			return err_set(err, ERR_USAGE, 0, "confined: '%s' isn't understood",
				       words[0]);
		else if (read_user(order, words[1], err))
			return -1;
	}
	if (!words[0] || !words[1])
		return err_set(err, ERR_USAGE, 0, "confined: no program is named");
	order->program = words + 1;
	return 0;
}

/* The user may pass through our folders, and see nothing of what else is in them. */
static void open_way(const char *within, const char *shown, struct arena *arena)
{
	char *path = arena_strdup(arena, shown);
	char real[PATH_MAX];
	size_t size;

	if (!within || !realpath(within, real) || !text_starts(shown, real))
		return;
	size = strlen(real);
	for (char *slash = path + size; slash; slash = strchr(slash + 1, '/')) {
		char kept = *slash;
		struct stat st;

		*slash = '\0';
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
			chmod(path, (st.st_mode & 07777) | 0111);
		*slash = kept;
		if (!kept)
			break;
	}
}

static int become(const struct order *order, struct err *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(order->gid, order->gid, order->gid) < 0
	    || setresuid(order->uid, order->uid, order->uid) < 0)
		return err_errno(err, "become user %u", (unsigned)order->uid);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(err, "give up new rights");
	return 0;
}

int unprivileged_exec(char **words, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct order order = {0};

	if (read_words(&order, words, arena, err))
		return -1;
	for (size_t i = 0; order.drop && i < order.shown_count; i++) {
		open_way(order.within, order.shown[i], arena);
		ownership_give(order.shown[i],
			       &(struct ownership){.uid = order.uid, .gid = order.gid});
	}
	/* Where the kernel, or the container's seccomp profile, has no Landlock the guard (guard.h)
	 * has made the files unreadable for that user. */
	if (order.hidden_count > 0 && confine_hide(order.hidden, order.shown, err) < 0)
		return -1;
	confine_root();
	if (order.drop && become(&order, err))
		return -1;
	assert(order.program); /* read_words */
	execvp(order.program[0], order.program);
	return err_errno(err, "start %s", order.program[0]);
}
