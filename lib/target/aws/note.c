#include "target/aws/note.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define NOTE_LIMIT (1024 * 1024)

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

/* {"fence": 7, "key": "12", "note": {…}}; an empty object when there is none, or it's broken. */
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
	if (fence == deploy->fence && text_same(json_text(json, "key"), deploy->key))
		return 0;
	if (!text_same(json_text(json, "key"), deploy->key))
		json_object_del(json, "note");
	json_object_set_new(json, "fence", json_integer(deploy->fence));
	json_object_set_new(json, "key", json_string(deploy->key));
	store(deploy, json);
	return 0;
}

json_t *note_read(const struct deploy *deploy)
{
	json_auto json_t *json = load(deploy);
	json_t *note = json_object_get(json, "note");

	if (!text_same(json_text(json, "key"), deploy->key) || !json_is_object(note))
		return json_object();
	return json_incref(note);
}

void note_write(struct deploy *deploy, json_t *note)
{
	json_auto json_t *json = load(deploy);

	json_object_set_new(json, "fence", json_integer(deploy->fence));
	json_object_set_new(json, "key", json_string(deploy->key));
	json_object_set(json, "note", note);
	store(deploy, json);
}
