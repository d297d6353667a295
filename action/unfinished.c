#include "action/unfinished.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

static char *path_of(const char *data)
{
	return file_join(data, "unfinished.json");
}

static json_t *progress_json(const struct progress *progress)
{
	return json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*}", "version",
			 progress->version, "previous", progress->previous, "url", progress->url,
			 "memo", progress->memo, "folder", progress->folder, "target",
			 progress->target, "built", progress->built, "image", progress->image,
			 "facts", progress->facts);
}

int unfinished_write(const char *data, const struct unfinished *unfinished, struct err *err)
{
	autofree char *path = path_of(data);
	cleanup(buf_free) struct buf text = BUF_INIT(4 * 1024 * 1024);
	json_auto json_t *json = json_pack(
		"{s:s, s:s, s:s*, s:s*, s:s, s:s, s:I, s:b, s:s, s:I, s:o*}", "service",
		unfinished->service, "environment", unfinished->environment, "commit",
		unfinished->commit, "config", unfinished->config, "work", unfinished->work, "job",
		unfinished->job, "fence", (json_int_t)unfinished->fence, "revive",
		(int)unfinished->revive, "step", step_name(unfinished->step), "deployment",
		(json_int_t)unfinished->deployment, "progress",
		progress_json(&unfinished->progress));

	if (!json)
		return err_set(err, ERR_USAGE, 0, "keep the progress: it is not UTF-8 text");
	buf_add_json(&text, json);
	return file_write(path, buf_text(&text), text.size, 0600, err);
}

static void read_progress(struct progress *out, const json_t *json, struct arena *arena)
{
	*out = (struct progress){
		.version = arena_strdup(arena, json_text(json, "version")),
		.previous = arena_strdup(arena, json_text(json, "previous")),
		.url = arena_strdup(arena, json_text(json, "url")),
		.memo = arena_strdup(arena, json_text(json, "memo")),
		.folder = arena_strdup(arena, json_text(json, "folder")),
		.target = arena_strdup(arena, json_text(json, "target")),
		.built = arena_strdup(arena, json_text(json, "built")),
		.image = arena_strdup(arena, json_text(json, "image")),
		.facts = arena_strdup(arena, json_text(json, "facts")),
	};
}

int unfinished_read(struct unfinished *out, const char *data, struct arena *arena, struct err *err)
{
	autofree char *path = path_of(data);
	cleanup(buf_free) struct buf text = BUF_INIT(4 * 1024 * 1024);
	json_auto json_t *json = NULL;
	const char *step;

	if (!file_exists(path))
		return UNFINISHED_NONE;
	if (file_read(path, &text, err) || json_parse(&json, text.data, text.size, err))
		return err_within(err, "read %s", path);
	step = json_text(json, "step");
	*out = (struct unfinished){
		.service = arena_strdup(arena, json_text(json, "service")),
		.environment = arena_strdup(arena, json_text(json, "environment")),
		.commit = arena_strdup(arena, json_text(json, "commit")),
		.config = arena_strdup(arena, json_text(json, "config")),
		.work = arena_strdup(arena, json_text(json, "work")),
		.job = arena_strdup(arena, json_text(json, "job")),
		.fence = json_integer_at(json, "fence", 0),
		.revive = json_flag(json, "revive"),
		.deployment = json_integer_at(json, "deployment", 0),
	};
	read_progress(&out->progress, json_at(json, "progress"), arena);
	if (!out->service || !out->environment || !out->work || !out->job || !step
	    || step_find(step) < 0)
		return err_set(err, ERR_REMOTE, 0, "read %s: it isn't whole", path);
	out->step = (enum step)step_find(step);
	return 0;
}

void unfinished_forget(const char *data)
{
	autofree char *path = path_of(data);

	unlink(path);
}
