#include "github/checks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "net/url.h"

/* Limits of GitHub's API: https://docs.github.com/rest/checks/runs */
#define OUTPUT_BYTES 65535
#define ANNOTATIONS  50
#define MESSAGE      (64 * 1024 - 1)
#define TITLE        255
#define DESCRIPTION  140
#define LOOK         100

static const char cut_note[] = "\n\n…the rest was left out: it is longer than GitHub takes.\n";

/* As JSON, cut to so many bytes; NULL for NULL. What isn't UTF-8 (a tool's output) is shown as
 * question marks: it mustn't cost the rest. */
static json_t *text_of(const char *text, size_t bytes, size_t characters)
{
	size_t size = text ? text_fit(text, bytes, characters) : 0;
	json_t *json = text ? json_stringn(text, size) : NULL;
	autofree char *copy = NULL;

	if (json || !text)
		return json;
	copy = xmemdup(text, size);
	for (char *at = copy; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return json_stringn(copy, size);
}

static json_t *output_text(const char *text)
{
	size_t room = OUTPUT_BYTES - sizeof cut_note;
	autofree char *cut = NULL;

	if (!text || strlen(text) <= OUTPUT_BYTES)
		return text_of(text, OUTPUT_BYTES, 0);
	cut = xprintf("%.*s%s", (int)text_fit(text, room, 0), text, cut_note);
	return text_of(cut, OUTPUT_BYTES, 0);
}

static json_t *annotation_of(const struct checks_annotation *one)
{
	static const char *const levels[] = {
		[CHECKS_NOTICE] = "notice",
		[CHECKS_WARNING] = "warning",
		[CHECKS_FAILURE] = "failure",
	};
	int64_t start = one->start_line > 0 ? one->start_line : 1;
	int64_t end = one->end_line >= start ? one->end_line : start;
	json_t *json = json_pack("{s:o*, s:I, s:I, s:s, s:o*, s:o*}", "path",
				 text_of(one->path, SIZE_MAX, 0), "start_line", (json_int_t)start,
				 "end_line", (json_int_t)end, "annotation_level",
				 levels[one->level], "message", text_of(one->message, MESSAGE, 0),
				 "title", text_of(one->title, SIZE_MAX, TITLE));

	if (start != end || one->start_column <= 0)
		return json;
	json_object_set_new(json, "start_column", json_integer(one->start_column));
	json_object_set_new(json, "end_column",
			    json_integer(one->end_column >= one->start_column ? one->end_column
									      : one->start_column));
	return json;
}

/* The run's output with the annotations from `first` on, as many as one request takes. */
static json_t *output_of(const struct checks_run *run, size_t first)
{
	json_t *output, *annotations = json_array();

	for (size_t i = first; i < run->annotation_count && i < first + ANNOTATIONS; i++)
		json_array_append_new(annotations, annotation_of(&run->annotations[i]));
	output = json_pack("{s:o, s:o*, s:o*, s:o}", "title", text_of(run->title, SIZE_MAX, TITLE),
			   "summary", output_text(run->summary ? run->summary : run->title), "text",
			   output_text(run->text), "annotations", annotations);
	return output;
}

static void set(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_string(text));
}

static json_t *body_of(const struct checks_run *run, size_t first)
{
	json_t *body = json_object();

	set(body, "name", run->name);
	set(body, "external_id", run->external_id);
	set(body, "details_url", run->details_url);
	set(body, "status", run->status);
	set(body, "conclusion", run->conclusion);
	if (run->title)
		json_object_set_new(body, "output", output_of(run, first));
	return body;
}

static int send(struct github *github, const struct checks_run *run, const char *method,
		const char *path, const json_t *body, int64_t *id, struct err *err)
{
	const struct github_call call = {.method = method,
					 .path = path,
					 .repository = run->repository,
					 .body = body,
					 .what = text_same(method, "POST") ? "create a check run"
									   : "update a check run"};
	struct github_answer answer;
	int rc = github_send(github, &call, &answer, err);

	if (id)
		*id = json_integer_at(answer.json, "id", 0);
	if (rc == 0 && id && *id <= 0)
		rc = err_set(err, ERR_REMOTE, answer.status,
			     "github: create a check run: the answer has no id");
	github_answer_free(&answer);
	return rc;
}

/* Annotations are added to those that are there; the rest is replaced by the same. */
static int send_updates(struct github *github, int64_t id, const struct checks_run *run,
			size_t first, struct err *err)
{
	autofree char *path = xprintf("/repos/%s/check-runs/%" PRId64, run->repository, id);

	do {
		json_auto json_t *body = body_of(run, first);

		if (send(github, run, "PATCH", path, body, NULL, err) < 0)
			return -1;
		first += ANNOTATIONS;
	} while (run->title && first < run->annotation_count);
	return 0;
}

int checks_create(struct github *github, const struct checks_run *run, int64_t *id, struct err *err)
{
	autofree char *path = xprintf("/repos/%s/check-runs", run->repository);
	json_auto json_t *body = body_of(run, 0);

	json_object_set_new(body, "head_sha", json_string(run->commit));
	if (send(github, run, "POST", path, body, id, err) < 0)
		return -1;
	if (!run->title || run->annotation_count <= ANNOTATIONS)
		return 0;
	return send_updates(github, *id, run, ANNOTATIONS, err);
}

int checks_update(struct github *github, int64_t id, const struct checks_run *run, struct err *err)
{
	return send_updates(github, id, run, 0, err);
}

int checks_find(struct github *github, const struct checks_run *like, int64_t *id, struct err *err)
{
	cleanup(buf_free) struct buf path = BUF_INIT(8192);
	json_auto json_t *answer = NULL;
	const json_t *one;
	size_t i;

	*id = 0;
	buf_addf(&path, "/repos/%s/commits/%s/check-runs?filter=all&per_page=%d&check_name=",
		 like->repository, like->commit, LOOK);
	url_encode(&path, like->name, false);
	if (github_get(github, like->repository, buf_text(&path), &answer, err) < 0)
		return -1;
	json_array_foreach(json_object_get(answer, "check_runs"), i, one)
	{
		if (text_same(json_text(one, "external_id"), like->external_id)) {
			*id = json_integer_at(one, "id", 0);
			break;
		}
	}
	return 0;
}

int checks_post_status(struct github *github, const struct checks_commit_status *status,
		       struct err *err)
{
	autofree char *path = xprintf("/repos/%s/statuses/%s", status->repository, status->commit);
	json_auto json_t *body =
		json_pack("{s:s, s:s, s:o*}", "state", status->state, "context", status->context,
			  "description", text_of(status->description, SIZE_MAX, DESCRIPTION));
	const struct github_call call = {.method = "POST",
					 .path = path,
					 .repository = status->repository,
					 .body = body,
					 .what = "set a commit's status"};
	struct github_answer answer;
	int rc;

	set(body, "target_url", status->target_url);
	rc = github_send(github, &call, &answer, err);
	github_answer_free(&answer);
	return rc;
}

/* GitHub lists them newest first. */
int checks_status_is(struct github *github, const struct checks_commit_status *status, bool *is,
		     struct err *err)
{
	autofree char *path = xprintf("/repos/%s/commits/%s/statuses?per_page=100",
				      status->repository, status->commit);
	json_auto json_t *list = NULL, *description = NULL;
	const json_t *one;
	size_t i;

	*is = false;
	if (github_get(github, status->repository, path, &list, err) < 0)
		return -1;
	description =
		text_of(status->description ? status->description : "", SIZE_MAX, DESCRIPTION);
	json_array_foreach(list, i, one)
	{
		const char *said = json_text(one, "description");

		if (!text_same_nocase(json_text(one, "context"), status->context))
			continue;
		*is = text_same(json_text(one, "state"), status->state)
		      && text_same(said ? said : "", json_string_value(description));
		return 0;
	}
	return 0;
}
