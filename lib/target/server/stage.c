#include "target/server/stage.h"

#include "base/file.h"
#include "base/text.h"
#include "target/server/look.h"

#define LOCK_SECONDS 30
#define STOP_GRACE   10

void stage_end(struct stage *stage)
{
	file_close_at(&stage->lock);
}

int stage_save(const struct stage *stage, struct err *err)
{
	return state_save(&stage->state, &stage->place, err);
}

/* Whoever has claimed the deployment (or one after it) since then is the one who may go on. */
int stage_begin(struct stage *stage, const struct deploy *deploy, struct err *err)
{
	stage->lock = -1;
	if (place_of(&stage->place, deploy->site, deploy->app, deploy->arena, err) == -1
	    || place_make(&stage->place, err) == -1)
		return -1;
	stage->lock = state_lock(&stage->place, LOCK_SECONDS, err);
	if (stage->lock == -1 || state_load(&stage->state, &stage->place, err) == -1)
		return -1;
	if (stage->state.fence > deploy->fence)
		return err_set(err, ERR_CONFLICT, 0,
			       "another worker has this app now (its claim %lld, ours %lld)",
			       (long long)stage->state.fence, (long long)deploy->fence);
	stage->state.fence = deploy->fence;
	return 0;
}

const struct server_settings *stage_settings(const struct deploy *deploy)
{
	return deploy->settings;
}

bool stage_is_ours(const struct state_run *run, const struct deploy *deploy)
{
	return run->version && text_same(run->key, deploy->key);
}

int stage_stop_slot(const struct place *place, char slot, struct err *err)
{
	return slot_stop(place->site, place_slot(place, slot), STOP_GRACE, err);
}

int stage_free_slot(struct stage *stage, struct err *err)
{
	struct state *state = &stage->state;

	if (!state->leaving.version)
		return 0;
	if (stage_stop_slot(&stage->place, state->leaving.slot, err) == -1)
		return -1;
	state->leaving = (struct state_run){0};
	return 0;
}

bool stage_wants_container(const struct deploy *deploy)
{
	const struct server_settings *settings = stage_settings(deploy);

	return settings->run == SERVER_RUN_CONTAINER || (settings->run < 0 && deploy->app->image);
}

int stage_check_alive(const struct stage *stage, const struct state_run *run, struct err *err)
{
	const char *dir = place_slot(&stage->place, run->slot);
	struct slot_status status = slot_look(stage->place.site, dir);

	if (status.exits > 0) {
		err_set(err, ERR_REMOTE, 0, "the app %s", status.last);
		look_add_log(err, &stage->place, run);
		return -1;
	}
	if (!status.supervised)
		return err_set(
			err, ERR_REMOTE, 0,
			"the app is gone: somebody ended its runsv, or removed its container");
	return 0;
}
