#include <stdlib.h>

#include "base/file.h"
#include "pipeline/source.h"

struct folder_source {
	struct source base;
	char *folder;
};

static int fetch(struct source *source, const char *commit, const char *folder,
		 const struct source_tick *tick, struct err *err)
{
	static const char *const skip[] = {".git", NULL};
	struct folder_source *self = (struct folder_source *)source;

	(void)commit, (void)tick;
	if (file_copy_tree(self->folder, folder, skip, err))
		return err_within(err, "copy the folder %s", self->folder);
	return 0;
}

static int no_commits(const struct source *source, const char *what, struct err *err)
{
	return err_set(err, ERR_USAGE, 0, "%s: the source is the folder %s, which has no commits",
		       what, ((const struct folder_source *)source)->folder);
}

static int resolve(struct source *source, const char *ref, struct arena *arena, const char **commit,
		   struct err *err)
{
	(void)ref, (void)arena;
	*commit = NULL;
	return no_commits(source, "find a commit", err);
}

static int read_file(struct source *source, const char *commit, const char *path, struct buf *out,
		     struct err *err)
{
	(void)commit, (void)path, (void)out;
	return no_commits(source, "read a file at a commit", err);
}

static int compare(struct source *source, const char *base, const char *head, struct arena *arena,
		   enum relation *relation, const char *const **files, struct err *err)
{
	(void)base, (void)head, (void)arena;
	*relation = RELATION_UNKNOWN;
	*files = NULL;
	return no_commits(source, "compare commits", err);
}

static void free_folder(struct source *source)
{
	struct folder_source *self = (struct folder_source *)source;

	free(self->folder);
	free(self);
}

struct source *source_folder_new(const char *folder)
{
	struct folder_source *self = xalloc(sizeof *self);

	self->base = (struct source){fetch, resolve, read_file, compare, free_folder};
	self->folder = xstrdup(folder);
	return &self->base;
}
