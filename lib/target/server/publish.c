#include "target/server/publish.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"
#include "target/server/container.h"
#include "target/server/gateway.h"
#include "target/server/look.h"
#include "target/server/portcheck.h"
#include "target/server/release.h"

#define POLL_MS      250
#define LOOK_SECONDS 5

/* ---- ports ---- */

struct ports {
	const struct site *site;
	struct arena *arena;
	const struct state *own;
};

static bool has_port(const struct state *state, int port)
{
	return state->port_a == port || state->port_b == port;
}

static bool is_taken(const void *self, int port)
{
	const struct ports *ports = self;
	const char *const *names = place_apps(ports->site, ports->arena);

	if (has_port(ports->own, port))
		return true;
	for (size_t i = 0; names[i]; i++) {
		struct place place;
		struct state state;
		struct err ignored;

		if (place_named(&place, ports->site, names[i], ports->arena, &ignored) == 0
		    && state_load(&state, &place, &ignored) == 0 && has_port(&state, port))
			return true;
	}
	return false;
}

/* A process that lost its runsv may still have the port: then it is ours to take away. */
static bool is_usable(const struct site *site, const char *dir, int port, struct err *err)
{
	if (slot_look(site, dir).supervised)
		return slot_listener(site, dir, port, NULL) != PORTCHECK_STRANGER;
	if (portcheck_can_bind(port))
		return true;
	if (slot_stop(site, dir, 0, err) == -1)
		return false;
	clock_sleep(site->clock, POLL_MS);
	return portcheck_can_bind(port);
}

int publish_choose_port(struct stage *stage, char slot, struct err *err)
{
	int *port = state_port(&stage->state, slot);
	const char *dir = place_slot(&stage->place, slot);
	struct ports ports = {stage->place.site, stage->place.arena, &stage->state};
	uint8_t digest[SHA256_SIZE];

	if (*port && is_usable(stage->place.site, dir, *port, err))
		return 0;
	sha256(dir, strlen(dir), digest);
	*port = portcheck_pick((unsigned)digest[0] << 8 | digest[1], is_taken, &ports);
	if (*port == 0)
		return err_set(err, ERR_LIMIT, 0, "no TCP port is free for the app");
	return 0;
}

/* A deployment before ours came to no end. What it put in traffic was never found good. */
static int undo_other(struct stage *stage, const struct deploy *deploy, struct err *err)
{
	struct state *state = &stage->state;

	deploy->site->say(deploy->site->self, "version %s was left half-deployed: undoing it",
			  state->next.version);
	if (state->shifted) {
		state->live = state->previous;
		if (gateway_switch(&stage->place, state->live.version ? state->live.slot : 0, err)
		    == -1)
			return -1;
	}
	if (stage_stop_slot(&stage->place, state->next.slot, err) == -1
	    || (!state_is_good(state, state->next.version)
		&& release_remove(&stage->place, state->next.version, false, err) == -1))
		return -1;
	state->next = state->previous = (struct state_run){0};
	state->next_site = (struct state_site){0};
	state->shifted = false;
	return 0;
}

/* Both from the start, so that the second deployment changes nothing in the configuration. */
static int choose_other_port(struct stage *stage, struct err *err)
{
	char other = stage->state.next.slot == 'a' ? 'b' : 'a';

	return *state_port(&stage->state, other) ? 0 : publish_choose_port(stage, other, err);
}

/* Take the free slot for our version, or find that we have it from an earlier try. */
static int reserve(struct stage *stage, const struct deploy *deploy, const char *version,
		   struct err *err)
{
	const struct server_settings *settings = stage_settings(deploy);
	struct state *state = &stage->state;
	bool again = stage_is_ours(&state->next, deploy);

	if (!again) {
		if (state->next.version && undo_other(stage, deploy, err) == -1)
			return -1;
		if (stage_free_slot(stage, err) == -1)
			return -1;
		state->next = (struct state_run){.version = version, .key = deploy->key};
		state->next.slot = state->live.version && state->live.slot == 'a' ? 'b' : 'a';
	}
	if (gateway_site(&state->next_site, settings->url, settings->listen, settings->max_body,
			 deploy->arena, err)
		    == -1
	    || gateway_conflict(&stage->place, &state->next_site, err) == -1
	    || gateway_can_listen(&stage->place, &state->next_site, err) == -1
	    || publish_choose_port(stage, state->next.slot, err) == -1
	    || choose_other_port(stage, err) == -1)
		return -1;
	if (!state->live.version && gateway_switch(&stage->place, 0, err) == -1)
		return -1;
	return stage_save(stage, err);
}

/* What is more telling than "nothing answered": who has the port, or where the app listens instead.
 */
static void explain(const struct site *site, const char *dir, int port, struct err *err)
{
	struct portcheck_who who = {0};
	char text[128] = "";
	size_t used;

	switch (slot_listener(site, dir, port, &who)) {
	case PORTCHECK_STRANGER:
		snprintf(text, sizeof text, "; port %d belongs to %s (pid %d)", port,
			 who.pid ? who.name : "another process", (int)who.pid);
		break;
	case PORTCHECK_FREE:
		if (who.elsewhere)
			snprintf(text, sizeof text, "; it listens on port %d instead",
				 who.elsewhere);
		break;
	case PORTCHECK_OURS:
		if (container_is(dir))
			snprintf(text, sizeof text,
				 "; in a container the app must listen on 0.0.0.0, at its PORT");
		break;
	}
	used = strlen(err->text);
	snprintf(err->text + used, sizeof err->text - used, "%s", text);
}

/* Whole seconds for one look, so that it ends about when time is up. */
static int64_t look_seconds(int64_t left)
{
	int64_t seconds = left > 0 ? left / 1000 + 1 : 1;

	return seconds < LOOK_SECONDS ? seconds : LOOK_SECONDS;
}

/* Until it is healthy, gone, too late, or we are told to stop. */
static int wait_healthy(const struct deploy *deploy, const struct stage *stage, struct err *err)
{
	const struct site *site = deploy->site;
	const struct state_run *run = &stage->state.next;
	const char *dir = place_slot(&stage->place, run->slot);
	int port = run->slot == 'b' ? stage->state.port_b : stage->state.port_a;
	int64_t until = clock_ticks(site->clock) + deploy->app->health->timeout * 1000;

	for (;;) {
		int64_t left = until - clock_ticks(site->clock);

		if (site->tick && site->tick(site->self))
			return err_set(err, ERR_CANCELLED, 0, "stopped while waiting for health");
		if (stage_check_alive(stage, run, err) == -1) {
			explain(site, dir, port, err);
			return -1;
		}
		if (look_slot(deploy, &stage->state.next_site, dir, port, look_seconds(left), err)
		    == 0)
			return 0;
		if (left <= 0)
			break;
		clock_sleep(site->clock, POLL_MS);
	}
	err_within(err, "not healthy after %lld s", (long long)deploy->app->health->timeout);
	if (err->kind != ERR_CONFLICT) /* that says already who is there */
		explain(site, dir, port, err);
	look_add_log(err, &stage->place, run);
	err->kind = ERR_LIMIT;
	return -1;
}

/* Nothing to do when this deployment's version is live already: a try before this one came further.
 */
static int already_live(struct deploy *deploy, const struct stage *stage)
{
	const struct state *state = &stage->state;

	if (!stage_is_ours(&state->live, deploy))
		return 0;
	deploy->version = state->live.version;
	if (!deploy->previous)
		deploy->previous = state->previous.version;
	deploy->url = stage_settings(deploy)->url;
	return 1;
}

static int run_release(struct deploy *deploy, const struct stage *stage,
		       const struct release *release, struct err *err)
{
	const struct state_run *run = &stage->state.next;
	struct slot_command command = {
		.argv = release->start,
		.env = release->env,
		.folder = release->folder,
		.log = place_log(&stage->place, run->version),
		.port = run->slot == 'b' ? stage->state.port_b : stage->state.port_a,
	};

	deploy->site->say(deploy->site->self, "starting version %s in slot %c, on port %d",
			  run->version, run->slot, command.port);
	release_limits(release, &command);
	return slot_start(deploy->site, place_slot(&stage->place, run->slot), &command, err);
}

/* The part that a new version and one from before have in common. */
static int bring_up(struct deploy *deploy, const struct stage *stage, const struct release *release,
		    struct err *err)
{
	if (gateway_apply(deploy->site, err) == -1 || run_release(deploy, stage, release, err) == -1
	    || wait_healthy(deploy, stage, err) == -1)
		return -1;
	deploy->site->say(deploy->site->self, "version %s is healthy", deploy->version);
	return 0;
}

static void fill(struct deploy *deploy, const struct stage *stage)
{
	deploy->version = stage->state.next.version;
	deploy->previous =
		stage->state.shifted ? stage->state.previous.version : stage->state.live.version;
	deploy->url = stage_settings(deploy)->url;
}

int publish_new(struct deploy *deploy, struct err *err)
{
	const char *version = release_version(deploy);
	struct release release;
	STAGE(stage);

	deploy->version = version;
	if (slot_check(deploy->site, stage_wants_container(deploy), err) == -1
	    || gateway_check(deploy->site, err) == -1 || stage_begin(&stage, deploy, err) == -1)
		return -1;
	if (already_live(deploy, &stage))
		return 0;
	if (reserve(&stage, deploy, version, err) == -1)
		return -1;
	fill(deploy, &stage);
	stage_end(&stage);
	if (release_make(&release, &stage.place, version, deploy, err) == -1)
		return -1;
	return bring_up(deploy, &stage, &release, err);
}

/* The good version that came before the live one; NULL when none is kept. */
static const char *version_before(const struct state *state)
{
	const char *before = NULL;

	for (size_t i = 0; state->good[i]; i++) {
		if (text_same(state->good[i], state->live.version))
			return before;
		before = state->good[i];
	}
	return before;
}

static int choose_version(const struct deploy *deploy, const struct stage *stage,
			  const char **version, struct err *err)
{
	const struct state *state = &stage->state;

	*version = stage_is_ours(&state->next, deploy) ? state->next.version
		   : deploy->version                   ? deploy->version
						       : version_before(state);
	if (!*version)
		return err_set(err, ERR_ABSENT, 0,
			       "app '%s' has no good version before the live one",
			       stage->place.app);
	if (!state_is_good(state, *version))
		return err_set(err, ERR_ABSENT, 0,
			       "app '%s' has no good version '%s' (any more); GET /v1/deployments "
			       "lists them",
			       stage->place.app, *version);
	if (text_same(*version, state->live.version))
		return err_set(err, ERR_ABSENT, 0, "version '%s' is live already", *version);
	return 0;
}

int publish_again(struct deploy *deploy, struct err *err)
{
	const char *version = NULL;
	struct release release;
	STAGE(stage);

	if (gateway_check(deploy->site, err) == -1 || stage_begin(&stage, deploy, err) == -1)
		return -1;
	if (already_live(deploy, &stage))
		return 0;
	if (choose_version(deploy, &stage, &version, err) == -1
	    || release_load(&release, &stage.place, version, err) == -1
	    || reserve(&stage, deploy, version, err) == -1)
		return -1;
	/* It runs with today's values: a password that was changed since must not come back. */
	if (deploy->app->env)
		release.env = deploy->app->env;
	if (release_note(&release, &stage.place, version, err) == -1)
		return -1;
	fill(deploy, &stage);
	stage_end(&stage);
	return bring_up(deploy, &stage, &release, err);
}
