#include "target/aws/note.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define NOTE_LIMIT (4 * 1024 * 1024)
#define KEPT       4
#define MEMO_LIMIT (1024 * 1024)

static char *folder_of(const struct site *site)
{
	return xprintf("%s/aws", site->data);
}

/* "acme+shop+web+production.json": no two apps share it, none leaves the folder. */
static char *path_of(const struct deploy *deploy)
{
	const struct app *app = deploy->app;
	autofree char *name = xprintf("%s+%s+%s", app->repository ? app->repository : "by-hand",
				      app->service, app->environment);

	for (char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("+-_.", *at))
			*at = '+';
	return xprintf("%s/aws/%s.json", deploy->site->data, name);
}

/* {"fence": 7, "notes": {"12": {…}}}; an empty object when there is none, or it's broken. */
static json_t *load(const struct deploy *deploy)
{
	cleanup(buf_free) struct buf text = BUF_INIT(NOTE_LIMIT);
	autofree char *path = path_of(deploy);
	json_t *json = NULL;
	struct err ignored = ERR_INIT;

	if (!deploy->site->data || !file_exists(path) || file_read(path, &text, &ignored)
	    || json_parse(&json, buf_text(&text), text.size, &ignored))
		return json_object();
	if (json_is_object(json))
		return json;
	json_decref(json);
	return json_object();
}

static void store(struct deploy *deploy, const json_t *json)
{
	cleanup(buf_free) struct buf text = BUF_INIT(NOTE_LIMIT);
	autofree char *folder = folder_of(deploy->site);
	autofree char *path = path_of(deploy);
	struct err err = ERR_INIT;

	if (!deploy->site->data)
		return;
	buf_add_json(&text, json);
	if (file_make_dirs(folder, 0700, &err)
	    || file_write(path, buf_text(&text), text.size, 0600, &err))
		deploy->site->say(deploy->site->self,
				  "warning: can't note what was begun (%s); should this process be "
				  "killed now, the next one looks at AWS only",
				  err.text);
}

/* Of the deployments before ours a few are kept: one may still be taken up by its own key. */
static void forget_old(json_t *notes)
{
	while (json_object_size(notes) > KEPT)
		json_object_del(notes, json_object_iter_key(json_object_iter(notes)));
}

int note_claim(struct deploy *deploy, struct err *err)
{
	json_auto json_t *json = load(deploy);
	int64_t fence = json_integer_at(json, "fence", -1);

	if (fence > deploy->fence)
		return err_set(
			err, ERR_CONFLICT, 0,
			"a newer deployment of service '%s' has taken over (claim %lld, ours "
			"is %lld)",
			deploy->app->service, (long long)fence, (long long)deploy->fence);
	if (fence == deploy->fence)
		return 0;
	json_object_set_new(json, "fence", json_integer(deploy->fence));
	store(deploy, json);
	return 0;
}

/* The note is the newer of the two, when the folder outlived the worker that wrote it. */
json_t *note_read(const struct deploy *deploy)
{
	json_auto json_t *json = load(deploy);
	json_t *note = json_object_get(json_object_get(json, "notes"), deploy->key);
	const char *memo = deploy->memo;
	struct err ignored = ERR_INIT;

	if (json_object_size(note) > 0)
		return json_incref(note);
	if (memo && json_parse(&note, memo, strlen(memo), &ignored) == 0)
		return note;
	return json_object();
}

void note_write(struct deploy *deploy, json_t *note)
{
	cleanup(buf_free) struct buf text = BUF_INIT(MEMO_LIMIT);
	json_auto json_t *json = load(deploy);
	json_t *notes = json_object_get(json, "notes");

	if (!json_is_object(notes)) {
		notes = json_object();
		json_object_set_new(json, "notes", notes);
	}
	json_object_set(notes, deploy->key, note);
	forget_old(notes);
	store(deploy, json);
	buf_add_json(&text, note);
	deploy->memo = arena_strdup(deploy->arena, buf_text(&text));
}

void note_set(json_t *note, const char *name, const char *value)
{
	if (value)
		json_object_set_new(note, name, json_string(value));
	else
		json_object_del(note, name);
}
