/* The parts of target server: who has a port, what is kept, which urls are taken, one process. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "scratch.h"
#include "target/server/gateway.h"
#include "target/server/place.h"
#include "target/server/portcheck.h"
#include "target/server/process.h"
#include "target/server/state.h"

static int listen_on(const char *address, int family, int *port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr *at = family == AF_INET ? (void *)&v4 : (void *)&v6;
	socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int off = 0;

	v4.sin_port = v6.sin6_port = htons((uint16_t)*port);
	if (family == AF_INET)
		inet_pton(AF_INET, address, &v4.sin_addr);
	else
		inet_pton(AF_INET6, address, &v6.sin6_addr);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (fd == -1 || bind(fd, at, size) == -1 || listen(fd, 8) == -1) {
		file_close_at(&fd);
		return -1;
	}
	getsockname(fd, at, &size);
	*port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

static void ports(void)
{
	struct portcheck_who who;
	int port = 0, other = 0;
	int fd = listen_on("127.0.0.1", AF_INET, &port);

	same_int(portcheck_listener(port, getpid(), &who), PORTCHECK_OURS, "a listener of ours");
	same_int(portcheck_listener(port, getppid(), NULL), PORTCHECK_OURS, "one below its parent");
	same_int(portcheck_listener(port, 0, &who), PORTCHECK_STRANGER,
		 "nobody is ours: a stranger");
	same_int(who.pid, getpid(), "with its number");
	ok(!portcheck_can_bind(port), "nobody else can have it");
	char address[32];
	snprintf(address, sizeof address, "127.0.0.1:%d", port);
	same_int(portcheck_listen(address), EADDRINUSE, "not at this address");
	snprintf(address, sizeof address, "*:%d", port);
	same_int(portcheck_listen(address), EADDRINUSE, "nor at all of them");
	same_int(portcheck_listen("192.0.2.1:8"), EADDRNOTAVAIL, "an address of another machine");
	same_int(portcheck_listen("127.0.0.1:0"), 0, "any port");
	same_int(portcheck_listen("nowhere:80"), EINVAL, "no address");
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	same_int((int)portcheck_connections(port), 0, "no connection");
	ok(connect(client, (struct sockaddr *)&at, sizeof at) == 0, "connect");
	same_int((int)portcheck_connections(port), 1, "one, though it isn't accepted yet");
	close(client);
	close(fd);
	same_int(portcheck_listener(port, getpid(), &who), PORTCHECK_FREE, "nobody, once closed");

	fd = listen_on("0.0.0.0", AF_INET, &other);
	same_int(portcheck_listener(other, getpid(), NULL), PORTCHECK_OURS, "on all addresses");
	close(fd);
	other = 0;
	fd = listen_on("::", AF_INET6, &other);
	if (fd == -1)
		skip("on all of IPv6", "no IPv6 here");
	else
		same_int(portcheck_listener(other, getpid(), NULL), PORTCHECK_OURS,
			 "on all of IPv6");
	file_close_at(&fd);
	other = 0;
	fd = listen_on("127.0.0.2", AF_INET, &other);
	same_int(portcheck_listener(other, getpid(), NULL), PORTCHECK_FREE,
		 "another loopback address doesn't answer at 127.0.0.1");
	close(fd);
	other = portcheck_pick(17, NULL, NULL);
	ok(other > 0 && portcheck_can_bind(other), "a free port is found");
}

/* 127.0.0.1 goes before all addresses: a stranger there answers, whatever we listen on. */
static void nearer_listener(void)
{
	int port = 0, all = -1, ready[2];
	struct portcheck_who who;

	ok(pipe(ready) == 0, "a pipe");
	pid_t pid = fork();
	if (pid == 0) {
		int fd = listen_on("127.0.0.1", AF_INET, &port);

		if (fd == -1 || write(ready[1], &port, sizeof port) == -1)
			_exit(1);
		pause();
		_exit(0);
	}
	ok(read(ready[0], &port, sizeof port) == sizeof port, "a stranger listens");
	all = listen_on("::", AF_INET6, &port);
	if (all == -1) {
		skip("nearer listener", "can't listen beside it here");
	} else {
		same_int(portcheck_listener(port, pid, NULL), PORTCHECK_OURS, "the nearer answers");
		(void)portcheck_listener(port, 1 << 22, &who);
		same_int(who.pid, pid, "and is who is named");
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	file_close_at(&all);
	close(ready[0]);
	close(ready[1]);
}

static const char *goods(const struct state *state, struct arena *arena)
{
	const char *out = "";

	for (size_t i = 0; state->good[i]; i++)
		out = arena_printf(arena, "%s%s ", out, state->good[i]);
	return out;
}

static void states(struct arena *arena, const struct place *place)
{
	struct state state, again;
	struct err err = ERR_INIT;
	static const char *const listen[] = {"127.0.0.1:80", "[::1]:80", NULL};

	same_int(state_load(&state, place, &err), 0, "no state yet is an empty one");
	ok(!state.live.version && !state.good[0] && state.port_a == 0, "with nothing in it");
	state_add_good(&state, "z", NULL, arena);
	state_add_good(&state, "b", "z", arena);
	same_str(goods(&state, arena), "z b ", "the latest comes last");
	state_add_good(&state, "z", "b", arena);
	same_str(goods(&state, arena), "z b ", "one that is brought back keeps its place");
	state_add_good(&state, "a", "z", arena);
	same_str(goods(&state, arena), "b z a ", "what was rolled back from isn't the one before");
	state_drop_good(&state, "b");
	same_str(goods(&state, arena), "z a ", "one less");
	state.live = (struct state_run){"a", "key", 'b'};
	state.fence = INT64_C(1) << 40;
	state.port_b = 20001;
	state.shifted = true;
	state.site = (struct state_site){"http://x", "x", "x:8", listen, "1m"};
	same_int(state_save(&state, place, &err), 0, "save");
	same_int(state_load(&again, place, &err), 0, "load");
	ok(again.fence == state.fence && again.port_b == 20001 && again.shifted,
	   "numbers are kept");
	same_str(again.live.version, "a", "and what is live");
	same_int(again.live.slot, 'b', "and where");
	ok(!again.next.version && !again.next_site.url, "and what isn't there");
	same_str(again.site.listen[1], "[::1]:80", "and where it is reached");
	same_str(goods(&again, arena), "z a ", "and what was good");

	int lock = state_lock(place, 0, &err);
	ok(lock != -1, "lock");
	same_int(state_lock(place, 0, &err), -1, "it is held");
	same_int(err.kind, ERR_CONFLICT, "and that is said");
	file_close_at(&lock);
	lock = state_lock(place, 1, &err);
	ok(lock != -1, "and let go");
	file_close_at(&lock);
	ok(file_write(arena_printf(arena, "%s/app.json", place->dir), "{\"live\"", 7, 0600, &err)
		   == 0,
	   "damage it");
	same_int(state_load(&again, place, &err), -1, "a damaged one isn't taken for an empty one");
}

static void takes(struct arena *arena, const char *url, const char *authority, const char *listen)
{
	struct state_site site = {0};
	struct err err = ERR_INIT;

	if (!same_int(gateway_site(&site, url, NULL, "1m", arena, &err), 0, url)) {
		tap_note("%s", err.text);
		return;
	}
	same_str(site.authority, authority, "its Host");
	same_str(site.listen[0], listen, "where it listens");
}

static void refuses(struct arena *arena, const char *url, const char *listen, const char *why)
{
	const char *const list[] = {listen, NULL};
	struct state_site site = {0};
	struct err err = ERR_INIT;

	same_int(gateway_site(&site, url, listen ? list : NULL, "1m", arena, &err), -1,
		 listen ? listen : url);
	if (!ok(strstr(err.text, why) != NULL, why))
		tap_note("%s", err.text);
}

static void urls(struct arena *arena)
{
	takes(arena, "http://shop.localhost:8080", "shop.localhost:8080", "127.0.0.1:8080");
	takes(arena, "http://shop.localhost:8080/", "shop.localhost:8080", "127.0.0.1:8080");
	takes(arena, "http://shop.example", "shop.example", "*:80");
	takes(arena, "http://[::1]:81", "[::1]:81", "127.0.0.1:81");
	refuses(arena, "https://shop.example", NULL, "doesn't terminate https yet");
	refuses(arena, "ftp://shop.example", NULL, "expected http://");
	refuses(arena, "http://shop.example/path", NULL, "an app has the whole host");
	refuses(arena, "http://a@shop.example", NULL, "nothing but");
	refuses(arena, "http://shop.example?q", NULL, "nothing but");
	refuses(arena, "http://shop;evil/", NULL, "url");
	refuses(arena, "http://{evil}", NULL, "url");
	refuses(arena, "http://x", "127.0.0.1", "expected address:port");
	refuses(arena, "http://x", "127.0.0.1:0", "expected address:port");
	refuses(arena, "http://x", "localhost:80", "expected an address");
	refuses(arena, "http://x", "[::1;]:80", "expected an address");
	refuses(arena, "http://x", "127.0.0.1:80;", "expected address:port");
}

static void places(struct arena *arena)
{
	struct app app = {.repository = "acme/shop", .service = "web", .environment = "prod"};
	struct app long_app = app;
	struct site site = {.data = "/var/lib/slipway"};
	struct err err = ERR_INIT;
	struct place place;
	char name[200];

	same_int(place_of(&place, &site, &app, arena, &err), 0, "a place");
	same_str(place.app, "acme+shop+web+prod", "is named after its app");
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	long_app.environment = name;
	same_int(place_of(&place, &site, &long_app, arena, &err), 0, "a long name");
	ok(strlen(place.app) <= 120, "is cut");
	site.data = "/var/lib/slip way";
	same_int(place_of(&place, &site, &app, arena, &err), -1,
		 "a blank in the data folder's path");
	site.data = "var/lib";
	same_int(place_of(&place, &site, &app, arena, &err), -1, "a relative one");
	name[0] = '/';
	site.data = name;
	same_int(place_of(&place, &site, &app, arena, &err), -1, "one too long for a socket");
}

static bool answers(const char *log, const char *text)
{
	for (int i = 0; i < 100; i++) {
		cleanup(buf_free) struct buf lines = BUF_INIT(65536);

		process_tail(log, 3, &lines);
		if (strstr(buf_text(&lines), text))
			return true;
		clock_sleep(&clock_system, 50);
	}
	return false;
}

static void slots(struct arena *arena)
{
	static const char *const stubborn[] = {
		"sh", "-c", "trap '' TERM; echo up; sleep 300 & wait; wait", NULL};
	static const char *const ends[] = {"sh", "-c", "printf '1\\n2\\n3\\n4\\nlast\\n'; exit 7",
					   NULL};
	const char *dir = arena_strdup(arena, scratch("slot")),
		   *log = arena_strdup(arena, scratch("log"));
	struct slot_command command = {
		.argv = stubborn, .folder = "/tmp", .log = log, .port = 20000};
	struct err err = ERR_INIT;

	same_int(process_resume(dir, &clock_system, &err), SLOT_EMPTY,
		 "nothing was started here yet");
	same_int(process_stop(dir, 1, &clock_system, &err), 0, "nothing to stop either");
	if (!same_int(process_start(dir, &command, &clock_system, &err), 0, "start"))
		tap_note("%s", err.text);
	ok(answers(log, "up"), "it runs, and its output is kept");
	pid_t pid = process_look(dir).pid;
	ok(pid > 0, "it has a number");
	same_int(process_start(dir, &command, &clock_system, &err), 0, "start again");
	same_int(process_look(dir).pid, pid, "is the same process");
	same_int(process_look(dir).exits, 0, "that never ended");
	int64_t before = clock_ticks(&clock_system);
	same_int(process_stop(dir, 1, &clock_system, &err), 0, "stop one that ignores SIGTERM");
	ok(clock_ticks(&clock_system) - before < 8000, "within seconds");
	ok(!process_look(dir).supervised, "it is gone");
	same_int(process_resume(dir, &clock_system, &err), 0, "resume");
	ok(process_look(dir).supervised, "it is there again");
	same_int(process_look(dir).exits, 0, "and what was is forgotten");
	same_int(process_stop(dir, 1, &clock_system, &err), 0, "stop it again");
	command.argv = ends;
	same_int(process_start(dir, &command, &clock_system, &err), 0,
		 "another command in its place");
	ok(answers(log, "3\n4\nlast\n"), "the last lines, without time stamps");
	for (int i = 0; i < 60 && process_look(dir).exits == 0; i++)
		clock_sleep(&clock_system, 50);
	same_str(process_look(dir).last, "exited with status 7", "how it ended is known");
	same_int(process_stop(dir, 1, &clock_system, &err), 0, "stop");
	ok(slot_env_is_valid("A_1=x") && slot_env_is_valid("_=") && !slot_env_is_valid("1A=x")
		   && !slot_env_is_valid("A-B=x") && !slot_env_is_valid("A")
		   && !slot_env_is_valid("=x") && !slot_env_is_valid("A;x=1"),
	   "names that a shell can export");
}

int main(void)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct app app = {.service = "web", .environment = "prod"};
	struct site site = {.clock = &clock_system};
	struct err err = ERR_INIT;
	struct place place;

	scratch_begin();
	site.data = scratch_folder;
	ports();
	nearer_listener();
	ok(place_of(&place, &site, &app, arena, &err) == 0 && place_make(&place, &err) == 0,
	   "a place");
	states(arena, &place);
	urls(arena);
	places(arena);
	slots(arena);
	return tap_done();
}
