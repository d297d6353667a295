/* The process that faces the internet: the port, the webhooks' secrets, the tokens, and nothing
 * else. */
#include <sys/socket.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/log.h"
#include "service/api.h"
#include "service/hooks.h"
#include "service/roles.h"
#include "service/vitals.h"

#define STORES        8
#define LOOK_EVERY_MS 100
/* Bodies that are arriving; waiting calls and streams end at once. */
#define DRAIN_SECONDS 15

struct listener {
	struct arena *arena;
	struct metrics *metrics;
	struct writer *writer;
	struct store_pool *stores;
	struct auth *auth;
	struct hooks *hooks;
	struct api *api;
	struct vitals *vitals;
	struct route *routes;
	struct server *server;
};

/* In the order in which they may go: who uses another goes first. */
static void listener_end(struct listener *self)
{
	server_stop(self->server);
	free(self->routes);
	vitals_free(self->vitals);
	api_free(self->api);
	hooks_free(self->hooks);
	auth_free(self->auth);
	store_pool_free(self->stores);
	writer_free(self->writer);
	metrics_free(self->metrics);
	arena_free(self->arena);
}

/* The supervisor's socket when it gave us one. */
static int inherited_socket(void)
{
	int listening = 0;
	socklen_t size = sizeof listening;

	if (getsockopt(ROLE_SOCKET, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening)
		return 0;
	return ROLE_SOCKET;
}

static int serve(struct listener *self, const struct settings *settings, struct err *err)
{
	const struct server_options options = {
		.address = settings->listen,
		.listen_fd = inherited_socket(),
		.may = auth_may,
		.self = self->auth,
	};
	size_t count;

	self->routes =
		xalloc((settings->hooks.count + API_ROUTES + VITALS_ROUTES) * sizeof *self->routes);
	count = hooks_routes(self->hooks, self->routes);
	count += api_routes(self->api, self->routes + count);
	count += vitals_routes(self->vitals, self->routes + count);
	return server_start(&self->server, &options, self->routes, count, NULL, err);
}

/* The files that the listener goes on needing: the store, its secrets, and a source of randomness.
 */
static const char *const *needed_files(const struct settings *settings, struct arena *arena)
{
	const struct settings_hook *hooks = settings->hooks.items;
	const struct settings_token *tokens = settings->tokens.items;
	size_t count = 0, room = 5 + settings->tokens.count;
	const char **files;

	for (size_t i = 0; i < settings->hooks.count; i++)
		room += hooks[i].secrets.count;
	files = arena_alloc(arena, room * sizeof *files);
	files[count++] = arena_printf(arena, "%s/store", settings->data);
	files[count++] = "/dev/urandom";
	files[count++] = "/dev/null";
	files[count++] = "/proc/sys/kernel/random/boot_id";
	for (size_t i = 0; i < settings->tokens.count; i++)
		if (tokens[i].secret.file)
			files[count++] = tokens[i].secret.file;
	for (size_t i = 0; i < settings->hooks.count; i++) {
		const struct settings_secret *secrets = hooks[i].secrets.items;

		for (size_t j = 0; j < hooks[i].secrets.count; j++)
			if (secrets[j].secret.file)
				files[count++] = secrets[j].secret.file;
	}
	return files;
}

/* Before any thread: what a request could talk this process into must not be worth it. */
static int give_up_rights(const struct settings *settings, struct arena *arena, struct err *err)
{
	int got = confine_to(needed_files(settings, arena), err);

	if (got < 0)
		return -1;
	if (got == CONFINE_UNSUPPORTED)
		log_warn("this kernel has no Landlock: files are protected by their modes alone");
	return confine_no_children(err);
}

static int listener_begin(struct listener *self, const struct settings *settings, struct err *err)
{
	struct store *store;
	const char *url;

	self->arena = arena_new();
	url = settings_store(settings, self->arena);
	if (give_up_rights(settings, self->arena, err) < 0)
		return -1;
	self->metrics = metrics_new();
	if (store_open(&store, url, err) < 0)
		return -1;
	self->writer = writer_new(store, &clock_system);
	self->stores = store_pool_new(url, STORES);
	if (auth_new(&self->auth, settings, err) < 0
	    || hooks_new(&self->hooks, settings, self->writer, self->metrics, err) < 0)
		return -1;
	self->api = api_new(settings, self->stores, self->auth, &clock_system);
	self->vitals = vitals_new(settings, self->stores, self->metrics, &clock_system);
	return serve(self, settings, err);
}

int listener_main(const struct settings *settings, struct err *err)
{
	cleanup(listener_end) struct listener self = {0};

	if (listener_begin(&self, settings, err) < 0)
		return err_within(err, "listener");
	log_info("listening", "address", settings->listen);
	while (!role_stopping)
		clock_sleep(&clock_system, LOOK_EVERY_MS);
	server_drain(self.server, DRAIN_SECONDS);
	return 0;
}
