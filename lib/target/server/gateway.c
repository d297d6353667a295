#include "target/server/gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/text.h"
#include "net/url.h"
#include "target/server/gateway_conf.h"
#include "target/server/nginx.h"
#include "target/server/portcheck.h"

#define CONF_LIMIT      (8 << 20)
#define LISTEN_TRIES    5
#define LISTEN_PAUSE_MS 200
#define STOP_GRACE      10

int gateway_check(const struct site *site, struct err *err)
{
	return nginx_check(&(struct nginx){.engine = site->engine}, err);
}

static bool has_ipv6_loopback(void)
{
	cleanup(buf_free) struct buf text = BUF_INIT(1 << 20);
	struct err ignored;

	return file_read("/proc/net/if_inet6", &text, &ignored) == 0
	       && strstr(buf_text(&text), "00000000000000000000000000000001 ");
}

static const char *const *default_listen(const char *host, int port, struct arena *arena)
{
	const char **list = arena_alloc(arena, 3 * sizeof *list);
	bool ipv6 = has_ipv6_loopback();

	if (url_is_loopback(host)) {
		list[0] = arena_printf(arena, "127.0.0.1:%d", port);
		list[1] = ipv6 ? arena_printf(arena, "[::1]:%d", port) : NULL;
	} else {
		list[0] = arena_printf(arena, "*:%d", port);
		list[1] = ipv6 ? arena_printf(arena, "[::]:%d", port) : NULL;
	}
	return list;
}

/* "address:port" with an IPv4 address, an IPv6 one in [], or *; nginx gets it as it is. */
static int check_listen(const char *text, struct arena *arena, struct err *err)
{
	const char *colon = strrchr(text, ':');
	char *address = arena_strdup(arena, text);
	struct in6_addr binary;
	int64_t port;

	if (!colon || text_number(colon + 1, 1, 65535, &port, err) == -1)
		return err_set(err, ERR_USAGE, 0,
			       "listen '%s': expected address:port with a port from 1 to 65535",
			       text);
	address[colon - text] = '\0';
	if (text_same(address, "*") || inet_pton(AF_INET, address, &binary) == 1)
		return 0;
	if (address[0] == '[' && text_ends(address, "]")) {
		address[strlen(address) - 1] = '\0';
		if (inet_pton(AF_INET6, address + 1, &binary) == 1)
			return 0;
	}
	return err_set(err, ERR_USAGE, 0,
		       "listen '%s': expected an address as 127.0.0.1:8080, [::1]:8080 or *:8080",
		       text);
}

static int check_url(const struct url *url, const char *text, struct err *err)
{
	if (text_same(url->scheme, "https"))
		return err_set(err, ERR_USAGE, 0,
			       "url '%s': target server doesn't terminate https yet; give the "
			       "http:// address that the proxy in front of it asks for",
			       text);
	if (!text_same(url->scheme, "http"))
		return err_set(err, ERR_USAGE, 0,
			       "url '%s': expected http://host or http://host:port", text);
	if (url->user || url->password || url->query || (url->path && strlen(url->path) > 1))
		return err_set(err, ERR_USAGE, 0,
			       "url '%s': expected nothing but http://host or http://host:port; an "
			       "app has the whole host",
			       text);
	if (!url->host || !*url->host || strlen(url->host) > 253
	    || strspn(url->host, "abcdefghijklmnopqrstuvwxyz0123456789.-:") != strlen(url->host))
		return err_set(err, ERR_USAGE, 0,
			       "url '%s': expected a host name of letters, digits, '.' and '-', or "
			       "an address",
			       text);
	return 0;
}

int gateway_site(struct state_site *out, const char *url, const char *const *listen,
		 const char *max_body, struct arena *arena, struct err *err)
{
	struct url parts;

	if (url_parse(&parts, url, arena, err) == -1)
		return err_within(err, "url");
	if (check_url(&parts, url, err) == -1)
		return -1;
	out->url = arena_strdup(arena, url);
	out->max_body = max_body;
	out->host = strchr(parts.host, ':') ? arena_printf(arena, "[%s]", parts.host) : parts.host;
	out->authority =
		parts.port == 80 ? out->host : arena_printf(arena, "%s:%d", out->host, parts.port);
	out->listen = listen && listen[0] ? listen : default_listen(parts.host, parts.port, arena);
	for (size_t i = 0; out->listen[i]; i++)
		if (check_listen(out->listen[i], arena, err) == -1)
			return -1;
	return 0;
}

/* Two apps with one host at one port, at whatever address: nobody could say which is meant. */
static bool overlap(const struct state_site *a, const struct state_site *b)
{
	if (!a->url || !b->url || !text_same(a->host, b->host))
		return false;
	for (size_t i = 0; a->listen[i]; i++)
		for (size_t j = 0; b->listen[j]; j++)
			if (text_same(strrchr(a->listen[i], ':'), strrchr(b->listen[j], ':')))
				return true;
	return false;
}

int gateway_conflict(const struct place *place, const struct state_site *site, struct err *err)
{
	const char *const *names = place_apps(place->site, place->arena);

	for (size_t i = 0; names[i]; i++) {
		struct place other;
		struct state state;

		if (text_same(names[i], place->app))
			continue;
		if (place_named(&other, place->site, names[i], place->arena, err) == -1
		    || state_load(&state, &other, err) == -1)
			return -1;
		if (overlap(site, &state.site) || overlap(site, &state.next_site))
			return err_set(err, ERR_CONFLICT, 0,
				       "url '%s': app '%s' has this host and port already; give "
				       "this one another",
				       site->url, names[i]);
	}
	return 0;
}

static bool has_port(const struct state_site *site, const char *listen)
{
	for (size_t i = 0; site->url && site->listen[i]; i++)
		if (text_same(strrchr(site->listen[i], ':'), strrchr(listen, ':')))
			return true;
	return false;
}

/* Then it is nginx that listens at the port, whatever the address. */
static bool is_in_use(const struct place *place, const char *listen)
{
	const char *const *names = place_apps(place->site, place->arena);

	for (size_t i = 0; names[i]; i++) {
		struct place app;
		struct state state;
		struct err ignored;

		if (place_named(&app, place->site, names[i], place->arena, &ignored) == 0
		    && state_load(&state, &app, &ignored) == 0
		    && (has_port(&state.site, listen) || has_port(&state.next_site, listen)))
			return true;
	}
	return false;
}

static int port_of(const char *listen)
{
	return (int)strtoul(strrchr(listen, ':') + 1, NULL, 10);
}

static const char *advice(int why)
{
	return why == EADDRINUSE
		       ? "; another program has that port: stop it, or give the app another"
	       : why == EACCES
		       ? "; ports below 1024 need CAP_NET_BIND_SERVICE (docs/targets/server.md)"
		       : "";
}

int gateway_can_listen(const struct place *place, const struct state_site *site, struct err *err)
{
	for (size_t i = 0; site->listen[i]; i++) {
		const char *listen = site->listen[i];
		struct portcheck_who who = {0};
		int why = is_in_use(place, listen) ? 0 : portcheck_listen(listen);

		/* An nginx of ours that is about to let go of it. */
		for (int try = 1; why == EADDRINUSE && try < LISTEN_TRIES; try++) {
			clock_sleep(place->site->clock, LISTEN_PAUSE_MS);
			why = portcheck_listen(listen);
		}
		if (why == EADDRINUSE)
			(void)portcheck_listener(port_of(listen), 0, &who);
		if (why)
			return err_set(err, ERR_REMOTE, why,
				       "the gateway can't listen on %s: %s%s%s%s", listen,
				       strerror(why), who.pid ? ", by " : "", who.name,
				       advice(why));
	}
	return 0;
}

static const char *marker(const struct place *place, const char *what)
{
	return arena_printf(place->arena, "%s/nginx/live/%s.%s", place->root, place->id, what);
}

static int mark(const char *path, struct err *err)
{
	return file_exists(path) ? 0 : file_write(path, "", 0, 0600, err);
}

static int unmark(const char *path, struct err *err)
{
	if (unlink(path) == -1 && errno != ENOENT)
		return err_errno(err, "%s", path);
	return 0;
}

int gateway_switch(const struct place *place, char slot, struct err *err)
{
	const char *off = marker(place, "off"), *b = marker(place, "b");

	if (slot == 0)
		return mark(off, err);
	/* From nothing to a slot: which one is settled before the door opens. */
	if ((slot == 'b' ? mark(b, err) : unmark(b, err)) == -1)
		return -1;
	return unmark(off, err);
}

char gateway_slot(const struct place *place)
{
	if (file_exists(marker(place, "off")))
		return 0;
	return file_exists(marker(place, "b")) ? 'b' : 'a';
}

static int load_apps(struct gateway_conf_app **out, size_t *count, const struct site *site,
		     struct arena *arena, struct err *err)
{
	const char *const *names = place_apps(site, arena);
	size_t all = 0;

	while (names[all])
		all++;
	*out = arena_alloc(arena, (all + 1) * sizeof **out);
	*count = 0;
	for (size_t i = 0; i < all; i++) {
		struct gateway_conf_app *app = &(*out)[*count];

		if (place_named(&app->place, site, names[i], arena, err) == -1
		    || state_load(&app->state, &app->place, err) == -1)
			return -1;
		if (app->state.site.url || app->state.next_site.url)
			++*count;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct gateway_conf_app *x = a, *y = b;

	return strcmp(x->place.app, y->place.app);
}

/* The folder's order changes; the configuration must not, for it would be reloaded. */
static int render(struct buf *text, char generation[17], size_t *count, const struct site *site,
		  struct arena *arena, struct err *err)
{
	struct gateway_conf_app *apps;

	if (load_apps(&apps, count, site, arena, err) == -1)
		return -1;
	qsort(apps, *count, sizeof *apps, by_name);
	return gateway_conf_write(text, site, apps, *count, generation, arena, err);
}

static struct nginx nginx_of(const struct site *site, const char *dir)
{
	return (struct nginx){
		.dir = dir, .http = site->http, .clock = site->clock, .engine = site->engine};
}

int gateway_apply(const struct site *site, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(buf_free) struct buf text = BUF_INIT(CONF_LIMIT);
	const char *dir = place_gateway(site, arena);
	const struct nginx nginx = nginx_of(site, dir);
	cleanup(file_close_at) int lock = -1;
	char generation[17];
	size_t count;

	if (file_make_dirs(dir, 0700, err) == -1)
		return -1;
	lock = nginx_lock(dir, site->clock, err);
	if (lock == -1 || render(&text, generation, &count, site, arena, err) == -1)
		return -1;
	if (count == 0)
		return nginx_stop(&nginx, STOP_GRACE, err);
	return nginx_run(&nginx, &text, generation, err);
}

int gateway_stop(const struct site *site, int64_t grace, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *dir = place_gateway(site, arena);
	const struct nginx nginx = nginx_of(site, dir);
	cleanup(file_close_at) int lock = -1;

	if (!file_exists(dir))
		return 0;
	lock = nginx_lock(dir, site->clock, err);
	if (lock == -1)
		return -1;
	return nginx_stop(&nginx, grace, err);
}
