#include "service/selection.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define REASON_LIMIT 2000

struct selecting {
	const struct selection_input *input;
	struct selection *out;
	struct arena *arena;
	const char *const *files; /* what the push changed; NULL: as if everything */
	bool candidates;          /* some service has one of the environments */
	struct buf deploys, unchanged, newer;
};

/** One service in one environment, under consideration. */
struct candidate {
	const struct routing_choice *choice;
	const struct project_service *service;
};

static bool names(const char *const *list, const char *name)
{
	for (; list && *list; list++)
		if (text_same(*list, name))
			return true;
	return false;
}

/* What isn't there to compare with (a commit that a forced push took away) says nothing. */
static int compare(struct selecting *self, const char *base, const char *head,
		   enum relation *relation, const char *const **files, struct err *err)
{
	struct source *source = self->input->source;

	*relation = RELATION_UNKNOWN;
	*files = NULL;
	if (source->compare(source, base, head, self->arena, relation, files, err) == 0)
		return 0;
	if (err->kind != ERR_ABSENT)
		return -1;
	*relation = RELATION_UNKNOWN;
	*files = NULL;
	return 0;
}

/* As in a workflow, path filters are for branches. A push that takes commits away changes more than
 * a list of files shows: everything counts as changed then. */
static int find_files(struct selecting *self, struct err *err)
{
	const struct event *event = self->input->event;
	enum relation relation;

	if (event->kind != EVENT_PUSH || !event->branch || !event->commit)
		return 0;
	if (event->paths_known) {
		self->files = event->paths;
		return 0;
	}
	if (compare(self, event->before, event->commit, &relation, &self->files, err) < 0)
		return -1;
	if (relation != RELATION_AHEAD && relation != RELATION_SAME)
		self->files = NULL;
	return 0;
}

static void note(struct buf *list, const struct candidate *candidate)
{
	buf_addf(list, "%s%s to %s", list->size ? ", " : "", candidate->service->name,
		 candidate->choice->environment);
}

static bool concerns(const struct candidate *candidate, const char *const *files)
{
	if (!files)
		return true;
	if (candidate->choice->paths && !routing_any_matches(candidate->choice->paths, files))
		return false;
	return project_concerns(candidate->service, files);
}

/* The commit of the newest deployment in that state; NULL when there is none. */
static int find_open(struct selecting *self, const struct candidate *candidate, const char *state,
		     const char **commit, struct err *err)
{
	const struct store_filter filter = {
		.repository = self->input->repository,
		.service = candidate->service->name,
		.environment = candidate->choice->environment,
		.state = state,
		.limit = 1,
	};
	struct store *store = self->input->store;
	json_auto json_t *list = NULL;

	*commit = NULL;
	if (store->deployments(store, &filter, &list, err) < 0)
		return -1;
	*commit = arena_strdup(
		self->arena,
		json_text(json_array_get(json_object_get(list, "deployments"), 0), "commit"));
	return 0;
}

/* What is live, or on its way to be, in the order in which it would win. */
static int find_others(struct selecting *self, const struct candidate *candidate,
		       const char *commits[3], struct err *err)
{
	struct store *store = self->input->store;
	const char *ref;

	if (find_open(self, candidate, "queued", &commits[0], err) < 0
	    || find_open(self, candidate, "running", &commits[1], err) < 0)
		return -1;
	return store->live(store, self->input->repository, candidate->service->name,
			   candidate->choice->environment, self->arena, &commits[2], &ref, err);
}

/* *take false: something newer is there already, or (after a workflow) nothing of the service has
 * changed since what is live. An event never goes back; a person may. */
static int weigh(struct selecting *self, const struct candidate *candidate, bool *take,
		 struct err *err)
{
	static const char *const states[] = {"is queued", "is being deployed", "is live"};
	const char *others[3];

	*take = false;
	if (find_others(self, candidate, others, err) < 0)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		enum relation relation;
		const char *const *files;

		if (!others[i] || text_same(others[i], self->input->commit))
			continue;
		if (compare(self, others[i], self->input->commit, &relation, &files, err) < 0)
			return -1;
		if (relation == RELATION_BEHIND) {
			note(&self->newer, candidate);
			buf_addf(&self->newer, " (%.12s %s)", others[i], states[i]);
			return 0;
		}
		if (i == 2 && relation == RELATION_AHEAD
		    && self->input->event->kind == EVENT_WORKFLOW_RUN
		    && !concerns(candidate, files)) {
			note(&self->unchanged, candidate);
			return 0;
		}
	}
	*take = true;
	return 0;
}

/* JSON list of the services that it waits for; those without the environment are never there. */
static const char *needs_of(struct selecting *self, const struct candidate *candidate)
{
	const char *const *need = candidate->service->needs;
	json_auto json_t *list = json_array();
	cleanup(buf_free) struct buf text = BUF_INIT(65536);

	for (; need && *need; need++) {
		const struct project_service *other = project_service(self->input->project, *need);

		if (other && project_environment(other, candidate->choice->environment))
			json_array_append_new(list, json_string(*need));
	}
	if (json_array_size(list) == 0)
		return NULL;
	buf_add_json(&text, list);
	return arena_strdup(self->arena, buf_text(&text));
}

static void add_order(struct selecting *self, const struct candidate *candidate)
{
	const struct selection_input *input = self->input;
	const char *service = candidate->service->name;
	const char *environment = candidate->choice->environment;
	json_auto json_t *cause = json_pack("{s:s}", "delivery", input->guid);
	cleanup(buf_free) struct buf text = BUF_INIT(4096);

	buf_add_json(&text, cause);
	self->out->orders[self->out->count++] = (struct order){
		.repository = input->repository,
		.service = service,
		.environment = environment,
		.commit = input->commit,
		.ref = input->event->ref,
		.needs = needs_of(self, candidate),
		.cause = arena_strdup(self->arena, buf_text(&text)),
		.dedupe = arena_printf(self->arena, "push:%s:%s:%s:%s", input->repository, service,
				       environment, input->commit),
		.before = input->event->kind == EVENT_PUSH ? input->event->before : NULL,
	};
	note(&self->deploys, candidate);
}

/* Two rules may choose the same. */
static bool is_ordered(const struct selecting *self, const struct candidate *candidate)
{
	for (size_t i = 0; i < self->out->count; i++)
		if (text_same(self->out->orders[i].service, candidate->service->name)
		    && text_same(self->out->orders[i].environment, candidate->choice->environment))
			return true;
	return false;
}

static int consider(struct selecting *self, const struct candidate *candidate, struct err *err)
{
	bool take;

	if (!project_environment(candidate->service, candidate->choice->environment)
	    || (candidate->choice->services
		&& !names(candidate->choice->services, candidate->service->name)))
		return 0;
	self->candidates = true;
	if (is_ordered(self, candidate))
		return 0;
	if (!concerns(candidate, self->files)) {
		note(&self->unchanged, candidate);
		return 0;
	}
	if (weigh(self, candidate, &take, err) < 0)
		return -1;
	if (take)
		add_order(self, candidate);
	return 0;
}

static int consider_all(struct selecting *self, struct err *err)
{
	const struct routing_verdict *verdict = self->input->verdict;
	const struct project *project = self->input->project;

	self->out->orders = arena_alloc(self->arena, (verdict->count * project->service_count + 1)
							     * sizeof *self->out->orders);
	for (size_t i = 0; i < verdict->count; i++)
		for (size_t j = 0; j < project->service_count; j++) {
			const struct candidate candidate = {&verdict->choices[i],
							    &project->services[j]};

			if (consider(self, &candidate, err) < 0)
				return -1;
		}
	return 0;
}

static void explain_none(struct selecting *self, struct buf *text)
{
	const struct routing_verdict *verdict = self->input->verdict;

	buf_adds(text, "; no service that the rules allow has the environment ");
	for (size_t i = 0; i < verdict->count; i++)
		buf_addf(text, "%s%s", i ? " or " : "", verdict->choices[i].environment);
}

static const char *explain(struct selecting *self)
{
	cleanup(buf_free) struct buf text = BUF_INIT(65536);

	buf_adds(&text, self->input->verdict->why);
	if (self->input->event->commit
	    && !text_same(self->input->event->commit, self->input->commit))
		buf_addf(&text, "; %.12s was replaced by %.12s before this arrived",
			 self->input->event->commit, self->input->commit);
	if (self->deploys.size)
		buf_addf(&text, "; %.12s: %s", self->input->commit, buf_text(&self->deploys));
	if (self->unchanged.size)
		buf_addf(&text, "; none of its files changed: %s", buf_text(&self->unchanged));
	if (self->newer.size)
		buf_addf(&text, "; newer already: %s", buf_text(&self->newer));
	if (!self->candidates)
		explain_none(self, &text);
	return arena_printf(self->arena, "%.*s%s", REASON_LIMIT, buf_text(&text),
			    text.size > REASON_LIMIT ? "…" : "");
}

/* GitHub's own deployment waits for news of it; two can't share one. */
static void note_asked(struct selecting *self)
{
	int64_t asked = self->input->event->deployment;
	json_auto json_t *cause = NULL;
	cleanup(buf_free) struct buf text = BUF_INIT(4096);

	if (asked <= 0 || self->out->count != 1)
		return;
	cause = json_pack("{s:s, s:I}", "delivery", self->input->guid, "github_deployment",
			  (json_int_t)asked);
	buf_add_json(&text, cause);
	self->out->orders[0].cause = arena_strdup(self->arena, buf_text(&text));
}

int selection_make(struct selection *out, const struct selection_input *input, struct arena *arena,
		   struct err *err)
{
	struct selecting self = {
		.input = input,
		.out = out,
		.arena = arena,
		.deploys = BUF_INIT(16384),
		.unchanged = BUF_INIT(16384),
		.newer = BUF_INIT(16384),
	};
	int rc;

	*out = (struct selection){0};
	rc = find_files(&self, err);
	if (rc == 0)
		rc = consider_all(&self, err);
	if (rc == 0)
		out->why = explain(&self);
	note_asked(&self);
	buf_free(&self.deploys);
	buf_free(&self.unchanged);
	buf_free(&self.newer);
	return rc;
}
