#include "target/server/keeper.h"

#include "base/file.h"
#include "target/server/gateway.h"
#include "target/server/publish.h"
#include "target/server/release.h"
#include "target/server/stage.h"

#define LOCK_SECONDS 30

/* After a reboot a stranger may have the live slot's port. Then the app moves to another. */
static int move_port(struct stage *stage, struct err *err)
{
	struct state *state = &stage->state;
	const struct state_run *live = &state->live;
	const char *dir = place_slot(&stage->place, live->slot);
	int old = *state_port(state, live->slot);
	struct slot_command command = {.log = place_log(&stage->place, live->version)};
	struct release release;

	if (publish_choose_port(stage, live->slot, err) == -1)
		return -1;
	command.port = *state_port(state, live->slot);
	if (command.port == old)
		return 0;
	if (release_load(&release, &stage->place, live->version, err) == -1
	    || stage_save(stage, err) == -1)
		return -1;
	command.argv = release.start;
	command.env = release.env;
	command.folder = release.folder;
	release_limits(&release, &command);
	return slot_start(stage->place.site, dir, &command, err);
}

static int revive_slot(const struct stage *stage, const struct state_run *run, struct err *err)
{
	if (!run->version)
		return 0;
	return slot_resume(stage->place.site, place_slot(&stage->place, run->slot), err) == -1 ? -1
											       : 0;
}

int keeper_restore(const struct site *site, const char *app, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const struct state *state;
	char slot;
	STAGE(stage);

	if (place_named(&stage.place, site, app, arena, err) == -1)
		return -1;
	stage.lock = state_lock(&stage.place, 0, err);
	if (stage.lock == -1)
		return err->kind == ERR_CONFLICT ? 0 : -1; /* a deployment is at it */
	if (state_load(&stage.state, &stage.place, err) == -1)
		return -1;
	state = &stage.state;
	slot = state->live.version ? state->live.slot : 0;
	if ((state->site.url || state->next_site.url) && gateway_slot(&stage.place) != slot
	    && (file_make_dirs(arena_printf(arena, "%s/nginx/live", stage.place.root), 0700, err)
			== -1
		|| gateway_switch(&stage.place, slot, err) == -1))
		return -1;
	if (!state->live.version)
		return 0;
	if (move_port(&stage, err) == -1)
		return -1;
	if (revive_slot(&stage, &state->live, err) == -1)
		return -1;
	return revive_slot(&stage, &state->previous, err);
}

int keeper_down(const struct site *site, const char *app, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	STAGE(stage);

	if (place_named(&stage.place, site, app, arena, err) == -1)
		return -1;
	stage.lock = state_lock(&stage.place, LOCK_SECONDS, err);
	if (stage.lock == -1)
		return -1;
	return stage_stop_slot(&stage.place, 'a', err) == -1
			       || stage_stop_slot(&stage.place, 'b', err) == -1
		       ? -1
		       : 0;
}
