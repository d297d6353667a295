#include "service/sources.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/archive.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "github/api.h"
#include "net/url.h"
#include "service/login.h"

/* GitHub lists this many files of a commit on a page. */
#define COMMIT_FILES 300

struct github_source {
	struct source source;
	struct github *github;
	char *repository, *data;
};

static struct github_source *self_of(struct source *source)
{
	return (struct github_source *)source;
}

/* A file without a name: it goes with the descriptor. */
static int open_download(const char *data, struct err *err)
{
	autofree char *path = file_join(data, "download-XXXXXX");
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, "make a file for the download in %s", data);
	unlink(path);
	return fd;
}

static int stop_asked(const struct source_tick *tick, struct err *err)
{
	if (tick && tick->tick && tick->tick(tick->self) != 0)
		return err_set(err, ERR_CANCELLED, 0, "fetch: stopped");
	return 0;
}

static int github_source_fetch(struct source *source, const char *commit, const char *folder,
			       const struct source_tick *tick, struct err *err)
{
	struct github_source *self = self_of(source);
	cleanup(file_close_at) int fd = open_download(self->data, err);

	if (fd < 0 || stop_asked(tick, err) < 0
	    || github_tarball(self->github, self->repository, commit, fd, err) < 0
	    || stop_asked(tick, err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(err, "read the download");
	if (archive_unpack(fd, folder, &archive_limits_source, err) < 0)
		return err_within(err, "unpack %s at %.12s", self->repository, commit);
	return 0;
}

static int github_source_resolve(struct source *source, const char *ref, struct arena *arena,
				 const char **commit, struct err *err)
{
	struct github_source *self = self_of(source);
	autofree char *found = NULL;

	if (github_resolve(self->github, self->repository, ref, &found, err) < 0)
		return -1;
	*commit = arena_strdup(arena, found);
	return 0;
}

/* The API breaks base64 into lines. */
static int decode_content(const json_t *answer, const char *path, struct buf *out, struct err *err)
{
	const char *content = json_text(answer, "content");
	autofree char *joined = NULL, *bytes = NULL;
	size_t size = 0;

	if (!text_same(json_text(answer, "type"), "file"))
		return err_set(err, ERR_USAGE, 0, "%s is not a regular file", path);
	if (!content || !text_same(json_text(answer, "encoding"), "base64"))
		return err_set(err, ERR_LIMIT, 0, "%s is larger than 1 MiB", path);
	joined = xalloc(strlen(content) + 1);
	for (const char *at = content; *at; at++)
		if (*at != '\n' && *at != '\r')
			joined[size++] = *at;
	bytes = base64_decode(joined, &size);
	if (!bytes)
		return err_set(err, ERR_REMOTE, 0, "%s: GitHub's answer is not base64", path);
	buf_add(out, bytes, size);
	if (buf_full(out))
		return err_set(err, ERR_LIMIT, 0, "%s is larger than %zu bytes", path, out->limit);
	return 0;
}

static int github_source_read(struct source *source, const char *commit, const char *path,
			      struct buf *out, struct err *err)
{
	struct github_source *self = self_of(source);
	cleanup(buf_free) struct buf request = BUF_INIT(8192);
	json_auto json_t *answer = NULL;

	buf_addf(&request, "/repos/%s/contents/", self->repository);
	url_encode(&request, path, true);
	buf_addf(&request, "?ref=%s", commit);
	if (buf_full(&request))
		return err_set(err, ERR_USAGE, 0, "the path %.40s… is too long", path);
	if (github_get(self->github, self->repository, buf_text(&request), &answer, err) < 0) {
		/* An event may come before all of GitHub's API has heard of its commit. */
		if (err->kind == ERR_ABSENT && strstr(err->text, "No commit found"))
			err->kind = ERR_TRANSIENT;
		return -1;
	}
	return decode_content(answer, path, out, err);
}

/* The commit itself tells what it changes against its first parent. */
static int compare_with_parent(struct github_source *self, const char *head, struct arena *arena,
			       enum relation *relation, const char *const **files, struct err *err)
{
	autofree char *path = xprintf("/repos/%s/commits/%s", self->repository, head);
	json_auto json_t *answer = NULL;
	const json_t *list, *file;
	const char **names;
	size_t i, used = 0;

	if (github_get(self->github, self->repository, path, &answer, err) < 0)
		return -1;
	list = json_object_get(answer, "files");
	*relation = RELATION_AHEAD;
	if (!json_is_array(list) || json_array_size(list) >= COMMIT_FILES)
		return 0;
	names = arena_alloc(arena, (2 * json_array_size(list) + 1) * sizeof *names);
	json_array_foreach(list, i, file)
	{
		const char *both[] = {json_text(file, "filename"),
				      json_text(file, "previous_filename")};

		for (size_t j = 0; j < 2; j++)
			if (both[j])
				names[used++] = arena_strdup(arena, both[j]);
	}
	*files = names;
	return 0;
}

/* Where the two have diverged, GitHub lists the files against what they had in common: not what
 * changes by going from one to the other. */
static int github_source_compare(struct source *source, const char *base, const char *head,
				 struct arena *arena, enum relation *relation,
				 const char *const **files, struct err *err)
{
	static const enum relation relations[] = {
		[GITHUB_IDENTICAL] = RELATION_SAME,
		[GITHUB_AHEAD] = RELATION_AHEAD,
		[GITHUB_BEHIND] = RELATION_BEHIND,
		[GITHUB_DIVERGED] = RELATION_DIVERGED,
	};
	struct github_source *self = self_of(source);
	enum github_relation found;
	const char *const *listed;
	bool complete;

	*relation = RELATION_UNKNOWN;
	*files = NULL;
	if (!base)
		return compare_with_parent(self, head, arena, relation, files, err);
	if (github_compare(self->github, self->repository, base, head, arena, &found, &listed,
			   &complete, err)
	    < 0)
		return -1;
	*relation = relations[found];
	if (complete && (found == GITHUB_AHEAD || found == GITHUB_IDENTICAL))
		*files = listed;
	return 0;
}

static void github_source_free(struct source *source)
{
	struct github_source *self = self_of(source);

	github_free(self->github);
	free(self->repository);
	free(self->data);
	free(self);
}

static int secret_is_set(const struct secret *secret)
{
	return secret->text || secret->file;
}

static int open_github(struct source **out, const struct settings *settings, const char *repository,
		       struct http *http, struct err *err)
{
	struct github *github;
	struct github_source *self;

	if (login_open(&github, settings, http, err) < 0)
		return -1;
	self = xalloc(sizeof *self);
	self->source = (struct source){
		.fetch = github_source_fetch,
		.resolve = github_source_resolve,
		.read = github_source_read,
		.compare = github_source_compare,
		.free = github_source_free,
	};
	self->github = github;
	self->repository = xstrdup(repository);
	self->data = xstrdup(settings->data);
	*out = &self->source;
	return 0;
}

/* Names come from the settings and were checked: acme/shop's objects are in git/acme/shop. */
static int open_git(struct source **out, const struct settings *settings,
		    const struct settings_repository *repository, struct err *err)
{
	autofree char *cache = xprintf("%s/git/%s", settings->data, repository->name);
	char *password = NULL;

	if (secret_is_set(&repository->git_password)
	    && secret_read(&repository->git_password, &password, err) < 0)
		return err_within(err, "the git password of %s", repository->name);
	if (file_make_dirs(cache, 0700, err) < 0) {
		crypto_wipe_text(password);
		free(password);
		return -1;
	}
	*out = source_git_new(repository->git, cache, repository->git_user, password);
	crypto_wipe_text(password);
	free(password);
	return 0;
}

int sources_open(struct source **out, const struct settings *settings,
		 const struct settings_repository *repository, struct http *http, struct err *err)
{
	*out = NULL;
	return repository->git ? open_git(out, settings, repository, err)
			       : open_github(out, settings, repository->name, http, err);
}
