#include "target/server/gateway_conf.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "target/server/nginx.h"

#define FILES_WANTED 8192

/* The workers run as whoever owns the data folder. Only a master that is root may (and must) say
 * so. */
static int add_user(struct buf *out, const char *data, bool container, struct err *err)
{
	const struct passwd *user;
	const struct group *group;
	struct stat info;

	if (geteuid() != 0 && !container)
		return 0;
	if (stat(data, &info) == -1)
		return err_errno(err, "%s", data);
	/* It is started as that user; other names than root's its image need not know. */
	if (container) {
		buf_adds(out, info.st_uid == 0 ? "user root root;\n" : "");
		return 0;
	}
	user = getpwuid(info.st_uid);
	group = getgrgid(info.st_gid);
	if (!user || !group)
		return err_set(err, ERR_USAGE, 0,
			       "%s belongs to user %u, group %u, which have no names; nginx needs "
			       "them (chown it to the user that slipwayd runs as)",
			       data, info.st_uid, info.st_gid);
	buf_addf(out, "user %s %s;\n", user->pw_name, group->gr_name);
	return 0;
}

static rlim_t files_allowed(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 1024;
	return limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
}

static int add_head(struct buf *out, const char *dir, const char *data, bool container,
		    struct err *err)
{
	rlim_t files = files_allowed();

	buf_addf(out,
		 "daemon off;\npid %s/nginx.pid;\nerror_log %s/error.log warn;\n"
		 "working_directory %s;\n",
		 dir, dir, dir);
	if (add_user(out, data, container, err) == -1)
		return -1;
	buf_addf(out,
		 "worker_processes auto;\nworker_rlimit_nofile %llu;\npcre_jit on;\n"
		 "events { worker_connections %llu; }\n",
		 (unsigned long long)files, (unsigned long long)files / 2);
	return 0;
}

static void add_http(struct buf *out, const char *dir)
{
	static const char *const kinds[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};

	buf_adds(out, "http {\naccess_log off;\nserver_tokens off;\ndefault_type text/plain;\n");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		buf_addf(out, "%s_temp_path %s/tmp_%s;\n", kinds[i], dir, kinds[i]);
	/* Only WebSockets may upgrade: a tunnel by "h2c" would pass by all that we set here. */
	buf_adds(out,
		 "server_names_hash_bucket_size 512;\nserver_names_hash_max_size 4096;\n"
		 "map $http_upgrade $slipway_upgrade { default \"\"; \"~*^websocket$\" websocket; "
		 "}\n"
		 "map $slipway_upgrade $slipway_connection { default close; websocket upgrade; }\n"
		 "proxy_http_version 1.1;\nproxy_next_upstream off;\nproxy_connect_timeout 10s;\n"
		 "proxy_send_timeout 300s;\nproxy_read_timeout 300s;\n"
		 "proxy_hide_header Slipway-Slot;\n");
}

/* Every name that a proxied app may trust is set here, never passed on from a stranger. */
static void add_headers(struct buf *out, const struct state_site *site)
{
	buf_addf(out,
		 "\tproxy_set_header Host %s;\n\tproxy_set_header X-Forwarded-Host %s;\n"
		 "\tproxy_set_header X-Forwarded-For $remote_addr;\n"
		 "\tproxy_set_header X-Real-IP $remote_addr;\n"
		 "\tproxy_set_header X-Forwarded-Proto $scheme;\n"
		 "\tproxy_set_header X-Forwarded-Port \"\";\n"
		 "\tproxy_set_header X-Forwarded-Prefix \"\";\n"
		 "\tproxy_set_header Forwarded \"\";\n\tproxy_set_header Proxy \"\";\n"
		 "\tproxy_set_header Upgrade $slipway_upgrade;\n"
		 "\tproxy_set_header Connection $slipway_connection;\n"
		 "\tadd_header Slipway-Slot $slipway_slot always;\n",
		 site->authority, site->authority);
}

static void add_choice(struct buf *out, const struct place *place, const char *dir)
{
	buf_addf(out,
		 "\tset $slipway_slot a;\n\tset $slipway_to app_%s_a;\n"
		 "\tif (-f %s/live/%s.b) { set $slipway_slot b; set $slipway_to app_%s_b; }\n"
		 "\tif (-f %s/live/%s.off) { return 503 \"nothing is live here\\n\"; }\n",
		 place->id, dir, place->id, place->id, dir, place->id);
}

static void add_server(struct buf *out, const struct place *place, const struct state_site *site,
		       const char *dir)
{
	buf_adds(out, "server {\n");
	for (size_t i = 0; site->listen[i]; i++)
		buf_addf(out, "\tlisten %s;\n", site->listen[i]);
	buf_addf(out, "\tserver_name %s;\n\tclient_max_body_size %s;\n", site->host,
		 site->max_body);
	add_headers(out, site);
	add_choice(out, place, dir);
	buf_adds(out, "\tlocation / { proxy_pass http://$slipway_to; error_page 502 = @again; }\n");
	/* A request whose body took long to arrive may have been meant for a slot that stopped
	 * meanwhile. It goes to the live one if not a byte of it was sent. */
	buf_adds(out, "\tlocation @again {\n\tset $slipway_was $slipway_slot;\n");
	add_choice(out, place, dir);
	buf_adds(out, "\tset $slipway_moved \"$slipway_was$slipway_slot$upstream_bytes_sent\";\n"
		      "\tif ($slipway_moved !~ \"^(ab|ba)0$\") { return 502; }\n"
		      "\tproxy_pass http://$slipway_to;\n\t}\n}\n");
}

static bool same_place(const struct state_site *a, const struct state_site *b)
{
	size_t i = 0;

	if (!text_same(a->host, b->host))
		return false;
	while (a->listen[i] && text_same(a->listen[i], b->listen[i]))
		i++;
	return !a->listen[i] && !b->listen[i];
}

static void add_app(struct buf *out, const struct gateway_conf_app *app, const char *dir)
{
	const struct state *state = &app->state;
	const struct state_site *next = &state->next_site;

	/* A port that isn't chosen yet: nothing is there, and marker files say so. */
	buf_addf(out, "# %s\n", app->place.app);
	buf_addf(out, "upstream app_%s_a { server 127.0.0.1:%d; }\n", app->place.id,
		 state->port_a ? state->port_a : 1);
	buf_addf(out, "upstream app_%s_b { server 127.0.0.1:%d; }\n", app->place.id,
		 state->port_b ? state->port_b : 1);
	/* While a version with another url is on its way both hosts lead to the app. */
	if (state->site.url && !(next->url && same_place(&state->site, next)))
		add_server(out, &app->place, &state->site, dir);
	if (next->url)
		add_server(out, &app->place, next, dir);
}

struct addresses {
	const char **list;
	size_t count, room;
};

static void add_address(struct addresses *addresses, const char *address, struct arena *arena)
{
	for (size_t i = 0; i < addresses->count; i++)
		if (text_same(addresses->list[i], address))
			return;
	if (addresses->count == addresses->room) {
		size_t room = 2 * addresses->room + 8;
		const char **more = arena_alloc(arena, room * sizeof *more);

		if (addresses->count)
			memcpy(more, addresses->list, addresses->count * sizeof *more);
		addresses->list = more;
		addresses->room = room;
	}
	addresses->list[addresses->count++] = address;
}

/* A request for a host that nobody claims must not reach whichever app comes first. */
static void add_default(struct buf *out, const struct gateway_conf_app *apps, size_t count,
			struct arena *arena)
{
	struct addresses all = {0};

	for (size_t i = 0; i < count; i++) {
		const struct state_site *sites[] = {&apps[i].state.site, &apps[i].state.next_site};

		for (size_t j = 0; j < 2; j++)
			for (size_t k = 0; sites[j]->url && sites[j]->listen[k]; k++)
				add_address(&all, sites[j]->listen[k], arena);
	}
	if (all.count == 0)
		return;
	buf_adds(out, "server {\n");
	for (size_t i = 0; i < all.count; i++)
		buf_addf(out, "\tlisten %s default_server;\n", all.list[i]);
	buf_adds(out, "\tserver_name _;\n\treturn 404 \"no app has this host name\\n\";\n}\n");
}

int gateway_conf_write(struct buf *out, const struct site *site,
		       const struct gateway_conf_app *apps, size_t count, char generation[17],
		       struct arena *arena, struct err *err)
{
	const char *dir = place_gateway(site, arena);
	const struct nginx nginx = {.dir = dir, .clock = site->clock, .engine = site->engine};
	char hex[SHA256_HEX_SIZE];

	buf_adds(out, "# Written by slipway: a change is lost with the next one of its own.\n");
	if (add_head(out, dir, site->data, nginx_is_container(&nginx), err) == -1)
		return -1;
	add_http(out, dir);
	add_default(out, apps, count, arena);
	for (size_t i = 0; i < count; i++)
		add_app(out, &apps[i], dir);
	if (buf_full(out))
		return err_set(err, ERR_LIMIT, 0, "the gateway's configuration is over %zu bytes",
			       out->limit);
	sha256_hex(out->data, out->size, hex);
	memcpy(generation, hex, 16);
	generation[16] = '\0';
	buf_addf(out,
		 "server {\n\tlisten unix:%s/control.sock;\n\tkeepalive_timeout 0;\n"
		 "\tlocation = /generation { return 200 \"%s\"; }\n"
		 "\tlocation / { return 404; }\n}\n}\n",
		 dir, generation);
	return 0;
}
