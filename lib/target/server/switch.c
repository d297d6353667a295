#include "target/server/switch.h"

#include "base/text.h"
#include "target/server/gateway.h"
#include "target/server/look.h"
#include "target/server/portcheck.h"
#include "target/server/release.h"
#include "target/server/stage.h"

#define POLL_MS      250
#define LOOK_SECONDS 5
#define QUIET_LOOKS  4 /* a request chosen for the old slot may not have reached it yet */
#define PREVIOUS_MS  30000

int switch_shift(struct deploy *deploy, struct err *err)
{
	struct state *state;
	STAGE(stage);

	if (stage_begin(&stage, deploy, err) == -1)
		return -1;
	state = &stage.state;
	if (!stage_is_ours(&state->live, deploy)) {
		if (!stage_is_ours(&state->next, deploy))
			return err_set(err, ERR_CONFLICT, 0,
				       "version %s isn't the one that was published last",
				       deploy->version ? deploy->version : "?");
		if (stage_check_alive(&stage, &state->next, err) == -1)
			return -1;
		state->previous = state->live;
		state->live = state->next;
		state->shifted = true;
		/* Written before it is done: what is read after a crash is what shall be. */
		if (stage_save(&stage, err) == -1)
			return -1;
	}
	deploy->url = stage_settings(deploy)->url;
	return gateway_switch(&stage.place, state->live.slot, err);
}

int switch_probe(struct deploy *deploy, enum probe *probe, struct err *err)
{
	struct state_site site = {0};
	const struct state_run *live;
	const char *dir;
	STAGE(stage);

	*probe = PROBE_BAD;
	if (stage_begin(&stage, deploy, err) == -1)
		return -1;
	stage_end(&stage);
	live = &stage.state.live;
	if (!stage_is_ours(live, deploy)) {
		err_set(err, ERR_CONFLICT, 0, "version %s is not live; %s is",
			deploy->version ? deploy->version : "?",
			live->version ? live->version : "nothing");
		return 0;
	}
	dir = place_slot(&stage.place, live->slot);
	if (stage_check_alive(&stage, live, err) == -1)
		return 0;
	site = stage.state.next_site.url ? stage.state.next_site : stage.state.site;
	*probe = look_slot(deploy, &site, dir, *state_port(&stage.state, live->slot), LOOK_SECONDS,
			   err) == 0
				 && look_gateway(deploy, &site, live->slot, LOOK_SECONDS, err) == 0
			 ? PROBE_GOOD
			 : PROBE_WAITING;
	return 0;
}

/* Wait until nobody is connected to the slot's port any more. >0: time was up. */
static int drain(const struct site *site, int port, int64_t seconds, bool stoppable,
		 struct err *err)
{
	int64_t until = clock_ticks(site->clock) + seconds * 1000;
	unsigned quiet = 0, open;

	while (quiet < QUIET_LOOKS) {
		open = portcheck_connections(port);
		quiet = open ? 0 : quiet + 1;
		if (clock_ticks(site->clock) >= until && open) {
			site->say(site->self,
				  "%u connection%s to the old version still open after %lld s: cut",
				  open, open == 1 ? "" : "s", (long long)seconds);
			return 1;
		}
		if (site->tick && site->tick(site->self) && stoppable)
			return err_set(err, ERR_CANCELLED, 0,
				       "stopped while the old version ends its requests");
		clock_sleep(site->clock, POLL_MS);
	}
	return 0;
}

/* Have the version of before run again, should it have been lost meanwhile (a reboot). */
static int ensure_previous(const struct stage *stage, struct err *err)
{
	const struct state_run *previous = &stage->state.previous;
	struct clock *clock = stage->place.site->clock;
	const char *dir;
	int64_t until;
	int port;

	if (!previous->version)
		return 0;
	dir = place_slot(&stage->place, previous->slot);
	port = previous->slot == 'b' ? stage->state.port_b : stage->state.port_a;
	if (slot_resume(stage->place.site, dir, err) == -1)
		return -1;
	until = clock_ticks(clock) + PREVIOUS_MS;
	/* Too late is no reason to leave the bad version in traffic. */
	while (slot_listener(stage->place.site, dir, port, NULL) != PORTCHECK_OURS
	       && clock_ticks(clock) < until) {
		/* Keeps the lease; a rollback isn't stopped. */
		if (stage->place.site->tick)
			(void)stage->place.site->tick(stage->place.site->self);
		clock_sleep(clock, POLL_MS);
	}
	return 0;
}

static int give_back(struct stage *stage, struct err *err)
{
	struct state *state = &stage->state;

	if (ensure_previous(stage, err) == -1)
		return -1;
	state->live = state->previous;
	state->previous = (struct state_run){0};
	state->shifted = false;
	if (stage_save(stage, err) == -1)
		return -1;
	return gateway_switch(&stage->place, state->live.version ? state->live.slot : 0, err);
}

/* Ours is in no traffic: stop it, and forget it. */
static int clear_away(struct deploy *deploy, bool had_traffic, struct err *err)
{
	struct state_run run;
	STAGE(stage);

	if (stage_begin(&stage, deploy, err) == -1)
		return -1;
	run = stage.state.next;
	/* Refused before it had a slot: the checkout is there all the same. */
	if (!stage_is_ours(&run, deploy))
		return release_forget(&stage.place, &stage.state, deploy->version, err);
	stage_end(&stage);
	if (had_traffic
	    && drain(deploy->site, *state_port(&stage.state, run.slot),
		     stage_settings(deploy)->drain, false, err)
		       == -1)
		return -1;
	if (stage_begin(&stage, deploy, err) == -1)
		return -1;
	if (!stage_is_ours(&stage.state.next, deploy))
		return 0;
	if (stage_stop_slot(&stage.place, run.slot, err) == -1)
		return -1;
	/* Before it is forgotten, so that a crash in between leaves it for the next try. */
	if (!state_is_good(&stage.state, run.version)
	    && release_remove(&stage.place, run.version, false, err) == -1)
		return -1;
	stage.state.next = (struct state_run){0};
	stage.state.next_site = (struct state_site){0};
	if (stage_save(&stage, err) == -1)
		return -1;
	stage_end(&stage);
	return gateway_apply(deploy->site, err);
}

int switch_rollback(struct deploy *deploy, struct err *err)
{
	bool had_traffic = false;
	STAGE(stage);

	if (stage_begin(&stage, deploy, err) == -1)
		return -1;
	if (stage_is_ours(&stage.state.live, deploy)) {
		if (!stage.state.shifted)
			return err_set(err, ERR_CONFLICT, 0,
				       "version %s was found good already; roll back to another",
				       stage.state.live.version);
		had_traffic = true;
		if (give_back(&stage, err) == -1)
			return -1;
	}
	/* A crash between saving and switching: the marker follows what was saved. */
	if (gateway_switch(&stage.place, stage.state.live.version ? stage.state.live.slot : 0, err)
	    == -1)
		return -1;
	stage_end(&stage);
	return clear_away(deploy, had_traffic, err);
}

/* Note that ours is good; the one before it leaves. */
static int confirm(struct stage *stage, const struct deploy *deploy, struct err *err)
{
	struct state *state = &stage->state;

	if (!stage_is_ours(&state->live, deploy))
		return err_set(err, ERR_CONFLICT, 0, "version %s is not live; %s is",
			       deploy->version ? deploy->version : "?",
			       state->live.version ? state->live.version : "nothing");
	if (!state->shifted)
		return 0; /* an earlier try came this far */
	state_add_good(state, state->live.version, state->previous.version, stage->place.arena);
	state->leaving = state->previous;
	state->previous = state->next = (struct state_run){0};
	state->site = state->next_site;
	state->next_site = (struct state_site){0};
	state->shifted = false;
	return stage_save(stage, err);
}

static int let_go(struct deploy *deploy, struct err *err)
{
	struct state_run old;
	STAGE(stage);

	if (stage_begin(&stage, deploy, err) == -1)
		return -1;
	old = stage.state.leaving;
	if (!old.version)
		return 0;
	stage_end(&stage);
	if (drain(deploy->site, *state_port(&stage.state, old.slot), stage_settings(deploy)->drain,
		  true, err)
	    == -1)
		return -1;
	if (stage_begin(&stage, deploy, err) == -1)
		return -1;
	if (!text_same(stage.state.leaving.key, old.key))
		return 0;
	if (stage_free_slot(&stage, err) == -1)
		return -1;
	return stage_save(&stage, err);
}

/* Releases beyond those to keep, the oldest first; never the live one. */
static int prune(struct deploy *deploy, struct err *err)
{
	struct state *state;
	size_t keep = (size_t)stage_settings(deploy)->keep;
	STAGE(stage);

	if (stage_begin(&stage, deploy, err) == -1)
		return -1;
	state = &stage.state;
	while (state_good_count(state) > keep) {
		const char *oldest = state->good[0];

		if (text_same(oldest, state->live.version))
			break;
		if (release_remove(&stage.place, oldest, true, err) == -1)
			return -1;
		state_drop_good(state, oldest);
	}
	return stage_save(&stage, err) == -1 ? -1 : release_sweep(&stage.place, state, err);
}

int switch_retire(struct deploy *deploy, struct err *err)
{
	STAGE(stage);

	if (stage_begin(&stage, deploy, err) == -1 || confirm(&stage, deploy, err) == -1)
		return -1;
	stage_end(&stage);
	/* The url that only the version before had is let go with it. */
	if (gateway_apply(deploy->site, err) == -1 || let_go(deploy, err) == -1)
		return -1;
	return prune(deploy, err);
}
