#include "action/annotations.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "action/places.h"
#include "base/file.h"
#include "base/text.h"

enum { MOST = 9, MOST_UNSURE = 9 };

struct item {
	char *message, *title, *file;
	unsigned line, column;
};

struct list {
	struct item items[MOST];
	unsigned count, more;
};

struct annotations {
	struct annotations_options options;
	char *folder, *root, *path;
	struct places places;
	struct list kinds[WORKFLOW_KINDS];
	struct list unsure; /* of the step under way */
};

static void item_free(struct item *item)
{
	free(item->message);
	free(item->title);
	free(item->file);
	*item = (struct item){0};
}

static void list_clear(struct list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		item_free(&list->items[i]);
	*list = (struct list){0};
}

static bool same(const struct item *item, const struct workflow_annotation *other)
{
	return text_same(item->file, other->file) && item->line == other->line
	       && text_same(item->message, other->message);
}

static void list_add(struct list *list, const struct workflow_annotation *new)
{
	for (unsigned i = 0; i < list->count; i++)
		if (same(&list->items[i], new))
			return;
	if (list->count == MOST) {
		list->more++;
		return;
	}
	list->items[list->count++] = (struct item){.message = xstrdup(new->message),
						   .title = xstrdup(new->title),
						   .file = xstrdup(new->file),
						   .line = new->line,
						   .column = new->column};
}

static bool is_file(const struct annotations *annotations, const char *path)
{
	autofree char *whole = file_join(annotations->options.workspace, path);
	struct stat st;

	if (annotations->options.exists)
		return annotations->options.exists(annotations->options.self, path);
	return lstat(whole, &st) == 0 && S_ISREG(st.st_mode);
}

/* Without "." and "..", NULL when it leads out; the caller frees. */
static char *normal(const char *path)
{
	char *out = xalloc(strlen(path) + 2), *end = out;

	for (size_t size; *path; path += size + (path[size] == '/')) {
		size = strcspn(path, "/");
		if (size == 0 || (size == 1 && *path == '.'))
			continue;
		if (size == 2 && strncmp(path, "..", 2) == 0) {
			if (end == out)
				return free(out), NULL;
			while (end > out && *--end != '/')
				;
			*end = '\0';
			continue;
		}
		if (end > out)
			*end++ = '/';
		memcpy(end, path, size);
		end += size;
		*end = '\0';
	}
	return out;
}

/* What of an absolute path lies below the folder; NULL. */
static const char *below(const char *folder, const char *path)
{
	size_t size = folder ? strlen(folder) : 0;

	return size > 0 && strncmp(folder, path, size) == 0 && path[size] == '/' ? path + size + 1
										 : NULL;
}

/* A tool's name of a file as the workspace has it; NULL when it hasn't. The caller frees. */
static char *in_workspace(const struct annotations *annotations, const char *name)
{
	const char *root = annotations->root ? annotations->root : ".", *rest;
	autofree char *path = NULL, *clean = NULL;

	if (text_starts(name, "file://"))
		name += strlen("file://");
	if (*name != '/')
		path = xprintf("%s/%s/%s", root, annotations->path ? annotations->path : ".", name);
	else if ((rest = below(annotations->folder, name)))
		path = file_join(root, rest);
	else if ((rest = below(annotations->options.workspace, name)))
		path = xstrdup(rest);
	clean = path ? normal(path) : NULL;
	return clean && is_file(annotations, clean) ? take(clean) : NULL;
}

static void found(void *self, const struct place *place)
{
	struct annotations *annotations = self;
	autofree char *file = in_workspace(annotations, place->file);
	const struct workflow_annotation new = {.message = place->message,
						.file = file,
						.line = place->line,
						.column = place->column};

	if (!file)
		return;
	if (place->kind == PLACE_UNSURE)
		list_add(&annotations->unsure, &new);
	else
		list_add(&annotations->kinds[place->kind == PLACE_ERROR     ? WORKFLOW_ERROR
					     : place->kind == PLACE_WARNING ? WORKFLOW_WARNING
									    : WORKFLOW_NOTICE],
			 &new);
}

void annotations_line(struct annotations *annotations, const char *line, size_t size)
{
	places_line(&annotations->places, line, size);
}

void annotations_step(struct annotations *annotations, bool failed)
{
	struct list *unsure = &annotations->unsure;

	places_end(&annotations->places);
	for (unsigned i = 0; failed && i < unsure->count; i++) {
		const struct item *item = &unsure->items[i];

		list_add(&annotations->kinds[WORKFLOW_ERROR],
			 &(struct workflow_annotation){.message = item->message,
						       .file = item->file,
						       .line = item->line,
						       .column = item->column});
	}
	if (failed)
		annotations->kinds[WORKFLOW_ERROR].more += unsure->more;
	list_clear(unsure);
}

void annotations_from(struct annotations *annotations, const char *folder, const char *root,
		      const char *path)
{
	free(annotations->folder);
	free(annotations->root);
	annotations->root = xstrdup(root);
	free(annotations->path);
	annotations->folder = xstrdup(folder);
	annotations->path = xstrdup(path);
}

void annotations_add(struct annotations *annotations, const struct workflow_annotation *own)
{
	struct list *list = &annotations->kinds[own->kind];

	if (list->count == MOST) {
		item_free(&list->items[0]);
		memmove(list->items, list->items + 1, (MOST - 1) * sizeof *list->items);
		list->count--;
		list->more++;
	}
	list_add(list, own);
}

static void print_list(struct list *list, enum workflow_kind kind, struct workflow *workflow)
{
	for (unsigned i = 0; i < list->count; i++) {
		const struct item *item = &list->items[i];
		bool last = i + 1 == list->count && list->more > 0;
		autofree char *more =
			last ? xprintf("%s\n… and %u more", item->message, list->more) : NULL;

		workflow_annotate(workflow, &(struct workflow_annotation){
						    .kind = kind,
						    .message = more ? more : item->message,
						    .title = item->title,
						    .file = item->file,
						    .line = item->line,
						    .column = item->column});
	}
	list_clear(list);
}

void annotations_print(struct annotations *annotations, struct workflow *workflow)
{
	for (int kind = 0; kind < WORKFLOW_KINDS; kind++)
		print_list(&annotations->kinds[kind], (enum workflow_kind)kind, workflow);
}

struct annotations *annotations_new(const struct annotations_options *options)
{
	struct annotations *annotations = xalloc(sizeof *annotations);

	annotations->options = *options;
	places_begin(&annotations->places, found, annotations);
	return annotations;
}

void annotations_free(struct annotations *annotations)
{
	if (!annotations)
		return;
	for (int kind = 0; kind < WORKFLOW_KINDS; kind++)
		list_clear(&annotations->kinds[kind]);
	list_clear(&annotations->unsure);
	free(annotations->folder);
	free(annotations->root);
	free(annotations->path);
	free(annotations);
}
