#include "image/engine_progress.h"

#include <string.h>

#include "base/text.h"

static void say_line(void *self, const char *line, size_t size)
{
	struct engine_progress *progress = self;
	static const char built[] = "Successfully built ";

	if (!progress->id && size > strlen(built) && memcmp(line, built, strlen(built)) == 0)
		progress->id = xmemdup(line + strlen(built), size - strlen(built));
	engine_say(progress->engine, line, size);
}

static void replace(char **at, const char *text)
{
	if (!text)
		return;
	free(*at);
	*at = xstrdup(text);
}

/* "Downloading 3%" a hundred times over tells nobody anything. */
static void say_status(struct engine_progress *progress, const json_t *message)
{
	const char *status = json_text(message, "status"), *id = json_text(message, "id");

	if (!status || json_object_size(json_object_get(message, "progressDetail")) > 0)
		return;
	engine_sayf(progress->engine, "%s%s%s", id ? id : "", id ? ": " : "", status);
}

static int take_message(void *self, json_t *message, struct err *err)
{
	struct engine_progress *progress = self;
	const char *text = json_text(message, "stream"), *error = json_text(message, "error");

	(void)err;
	if (text)
		lines_add(&progress->lines, text, strlen(text));
	say_status(progress, message);
	replace(&progress->id, json_text(message, "aux.ID"));
	replace(&progress->digest, json_text(message, "aux.Digest"));
	if (!error)
		error = json_text(message, "errorDetail.message");
	replace(&progress->error, error);
	return 0;
}

void engine_progress_begin(struct engine_progress *progress, struct engine *engine)
{
	*progress = (struct engine_progress){.engine = engine};
	json_stream_begin(&progress->stream, take_message, progress);
	lines_begin(&progress->lines, say_line, progress);
}

int engine_progress_add(void *self, const void *bytes, size_t size, struct err *err)
{
	struct engine_progress *progress = self;

	return json_stream_add(&progress->stream, bytes, size, err);
}

static enum err_kind kind_of(const char *error)
{
	static const struct {
		enum err_kind kind;
		const char *text;
	} table[] = {
		{ERR_CONFLICT, "immutable"},
		{ERR_CONFLICT, "tag invalid"},
		{ERR_ABSENT, "name unknown"},
		{ERR_ABSENT, "does not exist"},
		{ERR_ABSENT, "manifest unknown"},
		{ERR_ABSENT, "not found"},
		{ERR_AUTH, "unauthorized"},
		{ERR_AUTH, "authentication required"},
		{ERR_AUTH, "no basic auth credentials"},
		{ERR_AUTH, "denied"},
		{ERR_AUTH, "authorization token has expired"},
		{ERR_TRANSIENT, "toomanyrequests"},
		{ERR_TRANSIENT, "too many requests"},
		{ERR_TRANSIENT, "timeout"},
		{ERR_TRANSIENT, "timed out"},
		{ERR_TRANSIENT, "connection re"}, /* reset, refused */
		{ERR_TRANSIENT, "broken pipe"},
		{ERR_TRANSIENT, "unexpected eof"},
		{ERR_TRANSIENT, ": eof"},
		{ERR_TRANSIENT, "http status: 5"},
		{ERR_TRANSIENT, "server error"},
		{ERR_TRANSIENT, "service unavailable"},
		{ERR_TRANSIENT, "bad gateway"},
		{ERR_TRANSIENT, "temporary failure"},
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcasestr(error, table[i].text))
			return table[i].kind;
	return ERR_REMOTE;
}

int engine_progress_end(struct engine_progress *progress, struct err *err)
{
	lines_end(&progress->lines);
	if (progress->error)
		return err_set(err, kind_of(progress->error), 0, "%.400s", progress->error);
	return json_stream_end(&progress->stream, err);
}

void engine_progress_free(struct engine_progress *progress)
{
	lines_end(&progress->lines);
	json_stream_free(&progress->stream);
	free(progress->error);
	free(progress->id);
	free(progress->digest);
}
