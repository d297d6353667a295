#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/archive.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"
#include "pipeline/git.h"
#include "pipeline/source.h"

/*
 * Two repositories: "shallow" has single commits, which is quick; "full" has history, and is made
 * when a comparison first asks for it. Once it's there, all is read from it. One that is shallow in
 * parts would say of some commits that they have no ancestors.
 */

#define REMOTE_TIMEOUT 900
#define LOCAL_TIMEOUT  300
#define FILES_LIMIT    (8 * 1024 * 1024) /* names of changed files; over it they are "unknown" */

struct git_source {
	struct source base;
	char *url, *cache, *user, *password;
	char *shallow, *full;
};

static struct git git_of(const struct git_source *self, const char *repository)
{
	return (struct git){self->cache, repository, self->url, self->user, self->password};
}

static int run(const struct git_source *self, const char *repository, const char *const *args,
	       struct buf *out, struct err *err)
{
	struct git git = git_of(self, repository);

	return git_run(&git, args, LOCAL_TIMEOUT, NULL, out, err);
}

static int run_quiet(const struct git_source *self, const char *repository, const char *const *args,
		     const struct source_tick *tick, struct err *err)
{
	cleanup(buf_free) struct buf out = BUF_INIT(64 * 1024);
	struct git git = git_of(self, repository);

	return git_run(&git, args, REMOTE_TIMEOUT, tick, &out, err);
}

static int check_commit(const char *commit, struct err *err)
{
	return text_is_commit(commit)
		       ? 0
		       : err_set(err, ERR_USAGE, 0, "'%.70s' is no commit (expected 40 hex digits)",
				 commit);
}

/* Where to look first: history, if we have any. */
static const char *repository_now(const struct git_source *self)
{
	autofree char *head = file_join(self->full, "HEAD");

	return file_exists(head) ? self->full : self->shallow;
}

static bool has_commit(const struct git_source *self, const char *repository, const char *commit)
{
	autofree char *name = xprintf("%s^{commit}", commit);
	const char *const args[] = {"cat-file", "-e", name, NULL};
	cleanup(buf_free) struct buf out = BUF_INIT(1000);
	struct err ignored = ERR_INIT;

	return run(self, repository, args, &out, &ignored) == 0;
}

/*
 * export-ignore would leave files out and export-subst change them: the whole tree is asked for, as
 * it is. info/attributes stands above the .gitattributes of the tree.
 */
static int init(const struct git_source *self, const char *repository, struct err *err)
{
	static const char attributes[] = "* -export-ignore -export-subst -filter\n";
	const char *const args[] = {
		"init", "--quiet", "--bare", "--template=", "--", repository, NULL};
	autofree char *folder = file_join(repository, "info");
	autofree char *file = file_join(repository, "info/attributes");

	if (file_exists(file))
		return 0;
	if (run_quiet(self, NULL, args, NULL, err) || file_make_dirs(folder, 0700, err)
	    || file_write(file, attributes, sizeof attributes - 1, 0600, err))
		return err_within(err, "make the cache %s", repository);
	return 0;
}

/* One process at a time; a long fetch by another may be cancelled like one of ours. */
static int lock(const struct git_source *self, const struct source_tick *tick, struct err *err)
{
	autofree char *path = file_join(self->cache, "lock");
	int64_t until = clock_ticks(&clock_system) + REMOTE_TIMEOUT * 1000;

	for (;;) {
		int fd = file_lock(path, false, err);

		if (fd >= 0 || err->kind != ERR_CONFLICT)
			return fd;
		if (tick && tick->tick && tick->tick(tick->self))
			return err_set(err, ERR_CANCELLED, 0, "cancelled while waiting for %s",
				       path);
		if (clock_ticks(&clock_system) > until)
			return err_set(err, ERR_TRANSIENT, 0,
				       "another process has held %s for %d s", path,
				       REMOTE_TIMEOUT);
		clock_sleep(&clock_system, 100);
	}
}

/* A fetch tells the server what is here already by refs alone, and without one gets all of history
 * again. 256 names that are used again and again keep the latest of every branch. */
static int fetch_one(const struct git_source *self, const char *repository, const char *commit,
		     const struct source_tick *tick, struct err *err)
{
	bool deep = text_same(repository, self->full);
	autofree char *kept = xprintf("+%s:refs/slipway/kept/%.2s", commit, commit);
	const char *const args[] = {"fetch",
				    "--quiet",
				    "--no-tags",
				    "--no-write-fetch-head",
				    deep ? "--no-recurse-submodules" : "--depth=1",
				    "--",
				    self->url,
				    kept,
				    NULL};

	return run_quiet(self, repository, args, tick, err);
}

/* For a server that gives nothing but what its refs name. */
static int fetch_all(const struct git_source *self, const char *repository,
		     const struct source_tick *tick, struct err *err)
{
	const char *const args[] = {"fetch",
				    "--quiet",
				    "--no-tags",
				    "--no-write-fetch-head",
				    "--prune",
				    "--",
				    self->url,
				    "+refs/heads/*:refs/slipway/heads/*",
				    "+refs/tags/*:refs/slipway/tags/*",
				    NULL};

	return run_quiet(self, repository, args, tick, err);
}

static int fetch_any(const struct git_source *self, const char *repository, const char *commit,
		     const struct source_tick *tick, struct err *err)
{
	if (init(self, repository, err))
		return -1;
	if (fetch_one(self, repository, commit, tick, err) == 0)
		return 0;
	if (err->kind != ERR_ABSENT && err->kind != ERR_REMOTE)
		return -1;
	if (fetch_all(self, repository, tick, err))
		return -1;
	if (has_commit(self, repository, commit))
		return 0;
	return err_set(err, ERR_ABSENT, 0, "the repository has no commit %s", commit);
}

/* Get the commit (in `full`: and its history) if it isn't there. */
static int want(const struct git_source *self, const char *repository, const char *commit,
		const struct source_tick *tick, struct err *err)
{
	struct git git = git_of(self, repository);
	cleanup(file_close_at) int held = -1;

	if (check_commit(commit, err) || git_check_url(self->url, err) || git_prepare(&git, err))
		return -1;
	if (has_commit(self, repository, commit))
		return 0;
	held = lock(self, tick, err);
	if (held < 0)
		return -1;
	if (has_commit(self, repository, commit)
	    || fetch_any(self, repository, commit, tick, err) == 0)
		return 0;
	/* What a killed git leaves behind (a lock file, half an object) would be in the way for
	 * ever. */
	if (err->kind == ERR_REMOTE && file_remove_tree(repository, err) == 0
	    && fetch_any(self, repository, commit, tick, err) == 0)
		return 0;
	return err_within(err, "fetch %.12s from %s", commit, self->url);
}

/* The tree as a tar, in a file without a name: there is one name for it, so that a killed process
 * leaves at most one behind. Returns a descriptor, or -1. */
static int export(const struct git_source *self, const char *repository, const char *commit,
		  const struct source_tick *tick, struct err *err)
{
	autofree char *path = file_join(self->cache, "checkout.tar");
	autofree char *output = xprintf("--output=%s", path);
	const char *const args[] = {"archive", "--format=tar", output, commit, NULL};
	cleanup(file_close_at) int held = lock(self, tick, err);
	int fd, failed;

	if (held < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, "make %s", path);
	failed = run_quiet(self, repository, args, tick, err);
	unlink(path);
	if (!failed)
		return fd;
	close(fd);
	return -1;
}

static int fetch(struct source *source, const char *commit, const char *folder,
		 const struct source_tick *tick, struct err *err)
{
	const struct git_source *self = (struct git_source *)source;
	const char *repository = repository_now(self);
	struct archive_limits limits = archive_limits_source;
	cleanup(file_close_at) int fd = -1;

	if (want(self, repository, commit, tick, err))
		return -1;
	limits.strip = 0;
	limits.ratio = INT64_MAX; /* it is no compressed one */
	fd = export(self, repository, commit, tick, err);
	if (fd < 0 || archive_unpack(fd, folder, &limits, err))
		return err_within(err, "check out %.12s", commit);
	return 0;
}

/* The commit of exactly this ref among ls-remote's lines ("<id>\t<ref>\n"). */
static const char *find_ref(const char *lines, const char *prefix, const char *ref,
			    const char *suffix, struct arena *arena)
{
	const char *name = arena_printf(arena, "\t%s%s%s\n", prefix, ref, suffix);
	const char *at = strstr(lines, name), *from = at;

	while (from && from > lines && from[-1] != '\n')
		from--;
	return at ? arena_memdup(arena, from, (size_t)(at - from)) : NULL;
}

static int resolve(struct source *source, const char *ref, struct arena *arena, const char **commit,
		   struct err *err)
{
	const struct git_source *self = (struct git_source *)source;
	static const char *const tries[][2] = {{"", "^{}"},
					       {"", ""},
					       {"refs/heads/", ""},
					       {"refs/tags/", "^{}"},
					       {"refs/tags/", ""}};
	cleanup(buf_free) struct buf out = BUF_INIT(4 * 1024 * 1024);
	struct git git = git_of(self, NULL);
	const char *peeled = arena_printf(arena, "%s^{}", ref);

	*commit = text_is_commit(ref) ? arena_strdup(arena, ref) : NULL;
	if (*commit)
		return 0;
	if (!text_is_ref(ref))
		return err_set(err, ERR_USAGE, 0, "'%.80s' is no name of a branch or tag", ref);
	if (git_check_url(self->url, err) || git_prepare(&git, err)
	    || git_run(&git,
		       (const char *const[]){"ls-remote", "--quiet", "--", self->url, ref, peeled,
					     NULL},
		       LOCAL_TIMEOUT, NULL, &out, err))
		return err_within(err, "look up %s in %s", ref, self->url);
	for (size_t i = 0; i < sizeof tries / sizeof *tries && !*commit; i++)
		*commit = find_ref(buf_text(&out), tries[i][0], ref, tries[i][1], arena);
	if (!*commit)
		return err_set(err, ERR_ABSENT, 0, "%s has no branch or tag '%s'", self->url, ref);
	return check_commit(*commit, err);
}

static bool is_plain_path(const char *path)
{
	for (const char *part = path;; part++) {
		size_t size = strcspn(part, "/");

		if (size == 0 || (size == 1 && *part == '.')
		    || (size == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		part += size;
		if (*part == '\0')
			return true;
	}
}

/* "<mode> blob <id>\t<path>\0" */
static int find_blob(const struct git_source *self, const char *repository, const char *commit,
		     const char *path, char id[65], struct err *err)
{
	const char *const args[] = {"ls-tree", "-z", "--full-tree", commit, "--", path, NULL};
	cleanup(buf_free) struct buf out = BUF_INIT(64 * 1024);
	const char *text;

	if (run(self, repository, args, &out, err))
		return -1;
	text = buf_text(&out);
	if (out.size == 0)
		return err_set(err, ERR_ABSENT, 0, "there is no %s in %.12s", path, commit);
	if (!text_starts(text, "100") || strncmp(text + 6, " blob ", 6) != 0
	    || strcspn(text + 12, "\t") > 64)
		return err_set(err, ERR_USAGE, 0, "%s in %.12s is no file but a folder or a link",
			       path, commit);
	snprintf(id, 65, "%.*s", (int)strcspn(text + 12, "\t"), text + 12);
	return 0;
}

static int read_file(struct source *source, const char *commit, const char *path, struct buf *out,
		     struct err *err)
{
	const struct git_source *self = (struct git_source *)source;
	const char *repository = repository_now(self);
	char id[65];

	if (!is_plain_path(path))
		return err_set(err, ERR_USAGE, 0, "'%s' is no path within a repository", path);
	if (want(self, repository, commit, NULL, err)
	    || find_blob(self, repository, commit, path, id, err))
		return -1;
	return run(self, repository, (const char *const[]){"cat-file", "blob", id, NULL}, out, err);
}

/* 1: it is, 0: it isn't, -1: failed. */
static int is_ancestor(const struct git_source *self, const char *old, const char *new,
		       struct err *err)
{
	const char *const args[] = {"merge-base", "--is-ancestor", old, new, NULL};
	cleanup(buf_free) struct buf out = BUF_INIT(1000);

	if (run(self, self->full, args, &out, err) == 0)
		return 1;
	return err->kind == ERR_REMOTE && err->code == 1 ? 0 : -1;
}

static int relate(const struct git_source *self, const char *base, const char *head,
		  enum relation *relation, struct err *err)
{
	int ahead, behind;

	if (text_same(base, head)) {
		*relation = RELATION_SAME;
		return 0;
	}
	ahead = is_ancestor(self, base, head, err);
	behind = ahead == 0 ? is_ancestor(self, head, base, err) : 0;
	if (ahead < 0 || behind < 0)
		return -1;
	*relation = ahead ? RELATION_AHEAD : behind ? RELATION_BEHIND : RELATION_DIVERGED;
	return 0;
}

static const char *const *split_names(const struct buf *names, struct arena *arena)
{
	const char *text = arena_memdup(arena, buf_text(names), names->size);
	const char **list;
	size_t count = 0;

	for (size_t i = 0; i < names->size; i++)
		count += text[i] == '\0';
	list = arena_alloc(arena, (count + 1) * sizeof *list);
	for (size_t i = 0; i < count; i++, text += strlen(text) + 1)
		list[i] = text;
	return list;
}

static int changed_files(const struct git_source *self, const char *base, const char *head,
			 struct arena *arena, const char *const **files, struct err *err)
{
	/* Alone, a commit is compared with its first parent, or with nothing if it has none. */
	const char *const args[] = {"diff-tree",
				    "-r",
				    "-z",
				    "--root",
				    "--no-commit-id",
				    "--name-only",
				    "--no-renames",
				    base ? base : "--diff-merges=first-parent",
				    head,
				    "--",
				    NULL};
	cleanup(buf_free) struct buf out = BUF_INIT(FILES_LIMIT);

	if (run(self, self->full, args, &out, err) == 0)
		*files = split_names(&out, arena);
	else if (err->kind != ERR_LIMIT)
		return -1;
	return 0;
}

static int compare(struct source *source, const char *base, const char *head, struct arena *arena,
		   enum relation *relation, const char *const **files, struct err *err)
{
	const struct git_source *self = (struct git_source *)source;

	*relation = RELATION_UNKNOWN;
	*files = NULL;
	if ((base && check_commit(base, err)) || want(self, self->full, head, NULL, err))
		return -1;
	if (base && want(self, self->full, base, NULL, err))
		return err->kind == ERR_ABSENT ? 0 : -1;
	*relation = RELATION_AHEAD;
	if (base && relate(self, base, head, relation, err))
		return err_within(err, "compare %.12s with %.12s", head, base);
	return changed_files(self, base, head, arena, files, err);
}

static void free_git(struct source *source)
{
	struct git_source *self = (struct git_source *)source;

	crypto_wipe_text(self->password);
	free(self->password);
	free(self->user);
	free(self->url);
	free(self->cache);
	free(self->shallow);
	free(self->full);
	free(self);
}

struct source *source_git_new(const char *url, const char *cache, const char *user,
			      const char *password)
{
	struct git_source *self = xalloc(sizeof *self);

	self->base = (struct source){fetch, resolve, read_file, compare, free_git};
	self->url = xstrdup(url);
	self->cache = xstrdup(cache);
	self->user = xstrdup(user);
	self->password = xstrdup(password);
	self->shallow = file_join(cache, "shallow.git");
	self->full = file_join(cache, "full.git");
	return &self->base;
}
