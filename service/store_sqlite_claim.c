/* Claims: which deployment a worker may run next. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "service/store_sqlite.h"

/* The last resort: a worker gives up one that takes its workers down with it, at half of this. */
enum { LOSSES = 10 };

/* One that could be claimed, if its needs allow it. */
struct candidate {
	int64_t id;
	bool lost; /* it was running, and its lease ran out */
	int losses;
	const char *step, *repository, *environment, *commit, *needs;
};

enum verdict { GO, WAIT, NEVER };

/* What it takes to judge a candidate. */
struct court {
	struct sqlite *self;
	const struct candidate *candidate;
	struct arena *arena;
	struct buf why; /* of NEVER */
};

/* The needed service's deployments of the candidate's commit. */
struct tally {
	int64_t open, succeeded, ended, superseded;
};

static int read_numbers(struct sqlite *self, sqlite3_stmt *statement, int64_t *numbers, int count,
			struct err *err)
{
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	for (int i = 0; i < count; i++)
		numbers[i] = got ? sqlite3_column_int64(statement, i) : 0;
	sqlite_reset(statement);
	return 0;
}

static int tally_need(struct court *court, const char *need, struct tally *tally, struct err *err)
{
	static const char sql[] =
		"SELECT sum(state IN ('queued', 'running')), sum(state = 'succeeded'),"
		" sum(state IN ('failed', 'rolled_back', 'cancelled')), sum(state = 'superseded')"
		" FROM deployments WHERE repository = ?1 AND service = ?2 AND environment = ?3"
		" AND commit_id = ?4";
	const struct candidate *candidate = court->candidate;
	int64_t n[4];

	if (read_numbers(court->self,
			 sqlite_query(court->self, err, sql, "tttt", candidate->repository, need,
				      candidate->environment, candidate->commit),
			 n, 4, err)
	    < 0)
		return -1;
	*tally = (struct tally){.open = n[0], .succeeded = n[1], .ended = n[2], .superseded = n[3]};
	return 0;
}

/* The state of the need's newest deployment that wasn't superseded: of this commit, or (NULL) of
 * any. NULL when there is none. */
static int newest_state(struct court *court, const char *need, const char *commit,
			const char **state, struct err *err)
{
	static const char sql[] = "SELECT state FROM deployments WHERE repository = ?1 AND service "
				  "= ?2 AND environment = ?3"
				  " AND (?4 IS NULL OR commit_id = ?4) AND state <> 'superseded' "
				  "ORDER BY id DESC LIMIT 1";
	const struct candidate *candidate = court->candidate;
	sqlite3_stmt *statement = sqlite_query(court->self, err, sql, "tttt", candidate->repository,
					       need, candidate->environment, commit);
	int got;

	*state = NULL;
	if (!statement || (got = sqlite_next(court->self, statement, err)) < 0)
		return -1;
	if (got)
		*state = sqlite_text(statement, 0, court->arena);
	sqlite_reset(statement);
	return 0;
}

static int is_live(struct court *court, const char *need, bool *live, struct err *err)
{
	static const char sql[] = "SELECT count(*) FROM live WHERE repository = ?1 AND service = "
				  "?2 AND environment = ?3";
	const struct candidate *candidate = court->candidate;
	int64_t count;

	if (read_numbers(court->self,
			 sqlite_query(court->self, err, sql, "ttt", candidate->repository, need,
				      candidate->environment),
			 &count, 1, err)
	    < 0)
		return -1;
	*live = count > 0;
	return 0;
}

static enum verdict refuse(struct court *court, const char *need, const char *state)
{
	const char *what = strcmp(state, "rolled_back") == 0 ? "was rolled back"
			   : strcmp(state, "cancelled") == 0 ? "was cancelled"
							     : "failed";

	buf_addf(&court->why, "needs %s, which %s", need, what);
	return NEVER;
}

/* None of the need's deployments of this commit stands: wait for what is under way, and then what
 * is live counts; but when this commit's was superseded, its successor must have succeeded. */
static int judge_by_others(struct court *court, const char *need, bool superseded,
			   enum verdict *verdict, struct err *err)
{
	const char *state;
	bool live;

	if (newest_state(court, need, NULL, &state, err) < 0
	    || is_live(court, need, &live, err) < 0)
		return -1;
	if (state && (strcmp(state, "queued") == 0 || strcmp(state, "running") == 0))
		*verdict = WAIT;
	else if (superseded && state && strcmp(state, "succeeded") != 0)
		*verdict = refuse(court, need, state);
	else if (live)
		*verdict = GO;
	else {
		*verdict = NEVER;
		buf_addf(&court->why, "needs %s, which isn't live in %s: deploy it first", need,
			 court->candidate->environment);
	}
	return 0;
}

static int judge_need(struct court *court, const char *need, enum verdict *verdict, struct err *err)
{
	struct tally tally;
	const char *state;

	if (tally_need(court, need, &tally, err) < 0)
		return -1;
	if (tally.open)
		*verdict = WAIT;
	else if (tally.succeeded)
		*verdict = GO;
	else if (!tally.ended)
		return judge_by_others(court, need, tally.superseded > 0, verdict, err);
	else if (newest_state(court, need, court->candidate->commit, &state, err) < 0)
		return -1;
	else
		*verdict = refuse(court, need, state);
	return 0;
}

static int judge(struct court *court, enum verdict *verdict, struct err *err)
{
	json_auto json_t *needs = NULL;
	json_t *need;
	size_t i;

	*verdict = GO;
	/* One that was running had its needs already. */
	if (!court->candidate->needs || court->candidate->lost)
		return 0;
	needs = json_loads(court->candidate->needs, 0, NULL);
	json_array_foreach(needs, i, need)
	{
		enum verdict one = GO;

		if (json_is_string(need)
		    && judge_need(court, json_string_value(need), &one, err) < 0)
			return -1;
		if (one > *verdict)
			*verdict = one;
		if (one == NEVER)
			break;
	}
	return 0;
}

static int end(struct sqlite *self, int64_t id, const char *state, const char *why, int64_t now,
	       struct err *err)
{
	static const char sql[] =
		"UPDATE deployments SET state = ?2, error = ?3, finished_at = ?4, lease = 0"
		" WHERE id = ?1";

	return sqlite_run(self, err, sql, "itti", id, state, why, now) < 0 ? -1 : 0;
}

/* The next one after `after` that has a free place, or whose worker lost it. STORE_EMPTY at the
 * end. */
static int next_candidate(struct sqlite *self, int64_t after, int64_t ticks, struct candidate *out,
			  struct arena *arena, struct err *err)
{
	static const char sql[] =
		"SELECT id, state = 'running', losses, step, repository, environment, commit_id, "
		"needs"
		" FROM deployments d WHERE id > ?1 AND ((state = 'running' AND lease <= ?2)"
		" OR (state = 'queued' AND NOT EXISTS (SELECT 1 FROM deployments r WHERE r.state = "
		"'running'"
		" AND r.repository = d.repository AND r.service = d.service"
		" AND r.environment = d.environment))) ORDER BY id LIMIT 1";
	sqlite3_stmt *statement = sqlite_query(self, err, sql, "ii", after, ticks);
	int got;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	if (!got)
		return STORE_EMPTY;
	*out = (struct candidate){
		.id = sqlite3_column_int64(statement, 0),
		.lost = sqlite3_column_int(statement, 1) != 0,
		.losses = sqlite3_column_int(statement, 2),
		.step = sqlite_text(statement, 3, arena),
		.repository = sqlite_text(statement, 4, arena),
		.environment = sqlite_text(statement, 5, arena),
		.commit = sqlite_text(statement, 6, arena),
		.needs = sqlite_text(statement, 7, arena),
	};
	sqlite_reset(statement);
	return 0;
}

static int give_up_lost(struct court *court, int64_t now, struct err *err)
{
	buf_addf(&court->why,
		 "%s: its worker died %d times in a row at this step, so it isn't tried again: see "
		 "the log, and "
		 "whether memory ran out",
		 court->candidate->step, LOSSES);
	return end(court->self, court->candidate->id, "failed", buf_text(&court->why), now, err);
}

/* May it go? Those that never can are ended here. */
static int consider(struct sqlite *self, const struct candidate *candidate, int64_t now,
		    enum verdict *verdict, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct court court = {
		.self = self, .candidate = candidate, .arena = arena, .why = BUF_INIT(400)};
	int result;

	if (candidate->lost && candidate->losses + 1 >= LOSSES) {
		*verdict = NEVER;
		result = give_up_lost(&court, now, err);
	} else {
		result = judge(&court, verdict, err);
		if (result == 0 && *verdict == NEVER)
			result = end(self, candidate->id, "cancelled", buf_text(&court.why), now,
				     err);
	}
	buf_free(&court.why);
	return result;
}

static int next_fence(struct sqlite *self, int64_t *fence, struct err *err)
{
	static const char grow[] = "UPDATE meta SET fence = fence + 1";
	static const char sql[] = "SELECT fence FROM meta";

	if (sqlite_run(self, err, grow, "") < 0)
		return -1;
	return read_numbers(self, sqlite_query(self, err, sql, ""), fence, 1, err);
}

static int take_it(struct sqlite *self, const struct candidate *candidate, const char *worker,
		   struct instant now, int64_t lease_ms, struct err *err)
{
	static const char sql[] =
		"UPDATE deployments SET state = 'running', worker = ?2, fence = ?3, lease = ?4, "
		"tries = tries + 1,"
		" losses = losses + ?5, started_at = coalesce(started_at, ?6) WHERE id = ?1";
	int64_t fence;

	if (next_fence(self, &fence, err) < 0)
		return -1;
	return sqlite_run(self, err, sql, "itiiii", candidate->id, worker, fence,
			  now.ticks + lease_ms, (int64_t)candidate->lost, now.now)
			       < 0
		       ? -1
		       : 0;
}

static int read_claim(struct sqlite *self, int64_t id, struct claim *out, struct arena *arena,
		      struct err *err)
{
	static const char sql[] =
		"SELECT fence, tries, step, repository, service, environment, commit_id, ref, "
		"needs, cause,"
		" dedupe, revive, wanted, before, version, previous, url, memo, folder, target,"
		" built, image, facts, losses"
		" FROM deployments WHERE id = ?1";
	cleanup(sqlite_reset_at) sqlite3_stmt *statement = sqlite_query(self, err, sql, "i", id);
	const char *text[23];
	int got, step;

	if (!statement || (got = sqlite_next(self, statement, err)) < 0)
		return -1;
	assert(got);
	for (int i = 2; i < 23; i++)
		text[i] = sqlite_text(statement, i, arena);
	step = step_find(text[2]);
	if (step < 0)
		return err_set(err, ERR_SYSTEM, 0,
			       "%s: deployment %lld stands at '%s', which is no step", self->path,
			       (long long)id, text[2]);
	*out = (struct claim){
		.deployment = id,
		.fence = sqlite3_column_int64(statement, 0),
		.tries = sqlite3_column_int(statement, 1),
		.losses = sqlite3_column_int(statement, 23),
		.step = (enum step)step,
		.order = {.repository = text[3],
			  .service = text[4],
			  .environment = text[5],
			  .commit = text[6],
			  .ref = text[7],
			  .needs = text[8],
			  .cause = text[9],
			  .dedupe = text[10],
			  .revive = sqlite3_column_int(statement, 11) != 0,
			  .version = text[12],
			  .before = text[13]},
		.progress = {.version = text[14],
			     .previous = text[15],
			     .url = text[16],
			     .memo = text[17],
			     .folder = text[18],
			     .target = text[19],
			     .built = text[20],
			     .image = text[21],
			     .facts = text[22]},
	};
	return 0;
}

/* *id is the one to claim, 0 when there is none. */
static int choose(struct sqlite *self, const char *worker, struct instant now, int64_t lease_ms,
		  int64_t *id, struct err *err)
{
	cleanup(arena_freep) struct arena *scratch = arena_new();
	struct candidate candidate = {.id = 0};
	int got;

	*id = 0;
	while ((got = next_candidate(self, candidate.id, now.ticks, &candidate, scratch, err))
	       == 0) {
		enum verdict verdict;

		if (consider(self, &candidate, now.now, &verdict, err) < 0)
			return -1;
		if (verdict != GO)
			continue;
		*id = candidate.id;
		return take_it(self, &candidate, worker, now, lease_ms, err);
	}
	return got < 0 ? -1 : 0;
}

/* Workers ask often; a look first leaves the lock to those who write. */
static int anything(struct sqlite *self, int64_t ticks, struct err *err)
{
	cleanup(arena_freep) struct arena *scratch = arena_new();
	struct candidate unused;

	return next_candidate(self, 0, ticks, &unused, scratch, err);
}

int sqlite_claim(struct store *store, const char *worker, struct instant now, int64_t lease_ms,
		 struct claim *out, struct arena *arena, struct err *err)
{
	struct sqlite *self = sqlite_of(store);
	int64_t id = 0;
	int result = anything(self, now.ticks, err);

	if (result)
		return result;
	if (sqlite_begin(self, false, err) < 0)
		return err_within(err, "claim a deployment");
	result = choose(self, worker, now, lease_ms, &id, err);
	if (result == 0 && id)
		result = read_claim(self, id, out, arena, err);
	if (sqlite_end(self, result, err) < 0)
		return err_within(err, "claim a deployment");
	return id ? 0 : STORE_EMPTY;
}
