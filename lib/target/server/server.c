/* Target server: the app runs as a process on this machine, behind an nginx of Slipway's own. */

#include <stddef.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "target/server/gateway.h"
#include "target/server/keeper.h"
#include "target/server/publish.h"
#include "target/server/release.h"
#include "target/server/settings.h"
#include "target/server/slot.h"
#include "target/server/stage.h"
#include "target/server/state.h"
#include "target/server/switch.h"
#include "target/target.h"

#define LOG_LINES 50

extern const struct target target_server;

static int valid_url(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct state_site site;

	return gateway_site(&site, text, NULL, "", arena, err);
}

static int valid_listen(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *const list[] = {text, NULL};
	struct state_site site;

	return gateway_site(&site, "http://localhost", list, "", arena, err);
}

static int valid_size(const char *text, struct err *err)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;

	if (digits > 0 && digits <= 9 && (!*unit || (strchr("kmgKMG", *unit) && !unit[1])))
		return 0;
	return err_set(err, ERR_USAGE, 0, "'%s': expected a size as 25m, 512k or 1g", text);
}

static int valid_cpus(const char *text, struct err *err)
{
	size_t whole = strspn(text, "0123456789");
	size_t rest = text[whole] == '.' ? 1 + strspn(text + whole + 1, "0123456789") : 0;

	if (whole > 0 && whole < 4 && rest != 1 && rest <= 4 && !text[whole + rest]
	    && strspn(text, "0.") != whole + rest)
		return 0;
	return err_set(err, ERR_USAGE, 0, "'%s': expected a number of processors as 0.5 or 2",
		       text);
}

static const char *const run_choices[] = {"process", "container", NULL};

static const struct field fields[] = {
	{
		.name = "url",
		.type = FIELD_TEXT,
		.at = offsetof(struct server_settings, url),
		.required = true,
		.valid = valid_url,
		.help = "where the app is reached: http://host or http://host:port",
	},
	{
		.name = "listen",
		.type = FIELD_LIST,
		.at = offsetof(struct server_settings, listen),
		.valid = valid_listen,
		.help = "address:port that the gateway listens on; left out: the url's port, on "
			"loopback when its host is localhost or below, else on all addresses",
	},
	{
		.name = "max-body",
		.type = FIELD_TEXT,
		.at = offsetof(struct server_settings, max_body),
		.fallback = "25m",
		.valid = valid_size,
		.help = "the largest request body that the gateway takes; 0: any",
	},
	{
		.name = "drain",
		.type = FIELD_SECONDS,
		.at = offsetof(struct server_settings, drain),
		.fallback = "30s",
		.min = 0,
		.max = 3600,
		.help = "how long the old version may go on with requests it has begun; "
			"connections still open then are cut",
	},
	{
		.name = "keep",
		.type = FIELD_COUNT,
		.at = offsetof(struct server_settings, keep),
		.fallback = "5",
		.min = 1,
		.max = 100,
		.help = "how many good versions to keep for a rollback, the live one among them",
	},
	{
		.name = "run",
		.type = FIELD_CHOICE,
		.at = offsetof(struct server_settings, run),
		.choices = run_choices,
		.help = "process: from the checkout, under runit; container: the image that "
			"`build: {dockerfile: …}` makes, by the Docker engine; left out: by "
			"whether "
			"the build makes an image",
	},
	{
		.name = "port",
		.type = FIELD_COUNT,
		.at = offsetof(struct server_settings, port),
		.fallback = "8080",
		.min = 1,
		.max = 65535,
		.help = "container: where the app listens in it, on all addresses; its `PORT`",
	},
	{
		.name = "memory",
		.type = FIELD_TEXT,
		.at = offsetof(struct server_settings, memory),
		.valid = valid_size,
		.help = "container: the most memory it may use, as 512m or 1g; left out: no limit",
	},
	{
		.name = "cpus",
		.type = FIELD_TEXT,
		.at = offsetof(struct server_settings, cpus),
		.valid = valid_cpus,
		.help = "container: how many processors it may keep busy, as 0.5 or 2; left out: "
			"no "
			"limit",
	},
	{
		.name = "pids",
		.type = FIELD_COUNT,
		.at = offsetof(struct server_settings, pids),
		.fallback = "512",
		.min = 1,
		.max = 1000000,
		.help = "container: how many processes and threads it may have",
	},
	{
		.name = "confined",
		.type = FIELD_FLAG,
		.at = offsetof(struct server_settings, confined),
		.fallback = "true",
		.help = "container: without capabilities, and none to be gained; `false` for an "
			"image that changes its user itself",
	},
	{0},
};

static int check_env(const char *const *env, struct err *err)
{
	for (size_t i = 0; env && env[i]; i++)
		if (!slot_env_is_valid(env[i]))
			return err_set(err, ERR_USAGE, 0,
				       "env: name '%.*s': expected letters, digits and '_', not "
				       "beginning with a digit",
				       (int)strcspn(env[i], "="), env[i]);
	return 0;
}

static int check_run(const struct server_settings *settings, const struct app *app, struct err *err)
{
	bool has_start = app->start && app->start[0] && app->start[0][0];

	if (settings->run == SERVER_RUN_CONTAINER && !app->image)
		return err_set(err, ERR_USAGE, 0,
			       "run: container needs an image: 'build: {dockerfile: Dockerfile}'");
	if (settings->run == SERVER_RUN_PROCESS && app->image)
		return err_set(err, ERR_USAGE, 0,
			       "the build makes an image, which run: process can't run; leave out "
			       "run:, or build with 'build: {run: …}'");
	if (!has_start && !app->image)
		return err_set(err, ERR_USAGE, 0,
			       "target server runs the app as a process: set start:, as in "
			       "'start: [gunicorn, shop:app]'");
	if (has_start && app->start[0][0] == '-')
		return err_set(err, ERR_USAGE, 0, "start: '%s' is no program's name",
			       app->start[0]);
	return 0;
}

static int check(const void *at, const struct app *app, struct err *err)
{
	const struct server_settings *settings = at;
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct state_site site;

	if (check_run(settings, app, err) == -1)
		return -1;
	if (check_env(app->env, err) == -1)
		return -1;
	return gateway_site(&site, settings->url, settings->listen, settings->max_body, arena, err);
}

static int ready(const struct site *site, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (place_check(site, err) == -1)
		return -1;
	/* Which of the two an app needs isn't known here; publish looks again. */
	if (slot_check(site, false, err) == -1 && slot_check(site, true, &ignored) == -1)
		return -1;
	return gateway_check(site, err);
}

static const char *folder(const struct deploy *deploy)
{
	struct place place;
	struct err ignored;

	if (place_of(&place, deploy->site, deploy->app, deploy->arena, &ignored) == -1)
		return NULL;
	if (deploy->version && release_is_version(deploy->version))
		return place_release(&place, deploy->version);
	return place_release(&place, release_version(deploy));
}

static int logs(struct deploy *deploy, struct buf *out, struct err *err)
{
	const struct state_run *run;
	struct state state;
	struct place place;

	if (place_of(&place, deploy->site, deploy->app, deploy->arena, err) == -1)
		return -1;
	if (!deploy->version || !release_is_version(deploy->version)
	    || state_load(&state, &place, err) == -1)
		return 0;
	run = text_same(state.next.version, deploy->version) ? &state.next : &state.live;
	if (text_same(run->version, deploy->version))
		slot_tail(deploy->site, place_slot(&place, run->slot),
			  place_log(&place, deploy->version), LOG_LINES, out);
	return 0;
}

static void plan_listen(const struct state_site *site, struct buf *out)
{
	buf_addf(out, "answer for %s at", site->url);
	for (size_t i = 0; site->listen[i]; i++)
		buf_addf(out, "%s %s", i ? " and" : "", site->listen[i]);
	buf_adds(out, ", through nginx\n");
}

static int plan(const struct deploy *deploy, struct buf *out, struct err *err)
{
	const struct server_settings *settings = deploy->settings;
	struct state_site site;
	struct place place;
	struct state state;
	bool container;
	char slot;

	if (place_of(&place, deploy->site, deploy->app, deploy->arena, err) == -1
	    || state_load(&state, &place, err) == -1
	    || gateway_site(&site, settings->url, settings->listen, settings->max_body,
			    deploy->arena, err)
		       == -1)
		return -1;
	slot = state.live.version && state.live.slot == 'a' ? 'b' : 'a';
	container = stage_wants_container(deploy);
	buf_adds(out, container ? "run the image as a container" : "run");
	for (size_t i = 0; deploy->app->start && deploy->app->start[i]; i++)
		buf_addf(out, " %s", deploy->app->start[i]);
	buf_addf(out, " in slot %c%s\n", slot, container ? "" : ", under runsv");
	plan_listen(&site, out);
	if (state.live.version)
		buf_addf(out, "version %s is live now, in slot %c\n", state.live.version,
			 state.live.slot);
	else
		buf_adds(out, "nothing is live now\n");
	buf_addf(out, "keep the last %lld good versions\n", (long long)settings->keep);
	return 0;
}

/* One app's trouble doesn't keep the others down; the first is told. */
static int each_app(const struct site *site,
		    int (*each)(const struct site *site, const char *app, struct err *err),
		    struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *const *names = place_apps(site, arena);
	struct err one;
	int result = 0;

	for (size_t i = 0; names[i]; i++) {
		if (each(site, names[i], &one) == 0)
			continue;
		if (result == 0)
			*err = one;
		if (result == 0)
			result = err_within(err, "app %s", names[i]);
	}
	return result;
}

static int restore(const struct site *site, struct err *err)
{
	autofree char *root = file_join(site->data, "server");
	struct err one;
	int result;

	if (!file_exists(root))
		return 0;
	result = each_app(site, keeper_restore, err);
	if (gateway_apply(site, result ? &one : err) == -1)
		return -1;
	return result;
}

static int down(const struct site *site, struct err *err)
{
	struct err one;
	int stopped = gateway_stop(site, 10, err);
	int result = each_app(site, keeper_down, stopped ? &one : err);

	return stopped ? stopped : result;
}

const struct target target_server = {
	.name = "server",
	.summary = "a process on this machine, supervised by runit, behind nginx",
	.fields = fields,
	.settings_size = sizeof(struct server_settings),
	.here = true,
	.check = check,
	.ready = ready,
	.folder = folder,
	.publish = publish_new,
	.revive = publish_again,
	.shift = switch_shift,
	.probe = switch_probe,
	.rollback = switch_rollback,
	.retire = switch_retire,
	.logs = logs,
	.plan = plan,
	.restore = restore,
	.down = down,
};
