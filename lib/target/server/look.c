#include "target/server/look.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "net/http.h"
#include "target/server/portcheck.h"
#include "target/server/slot.h"

#define LOG_LINES    3
#define LOG_TEXT_MAX 240

/* Ask for the health path. 0 with *slot the gateway's answer which slot it was ("" for none). */
static int ask(const struct deploy *deploy, const struct state_site *site, const char *address,
	       int64_t timeout, char slot[2], struct err *err)
{
	const struct health *health = deploy->app->health;
	struct http_request request = {.method = "GET", .timeout = timeout};
	struct http_response response = {0};
	const char *by;
	int result;

	request.url = xprintf("http://%s%s", address, health->path);
	http_request_header(&request, "Host", site->authority);
	/* One kept open would look like a client's to whoever waits until all are gone. */
	http_request_header(&request, "Connection", "close");
	result = http_send(deploy->site->http, &request, &response, err);
	by = result == 0 ? http_response_header(&response, "Slipway-Slot") : NULL;
	snprintf(slot, 2, "%s", by ? by : "");
	if (result == 0 && response.status != health->status)
		result = err_set(err, ERR_REMOTE, response.status, "%s answers %d, expected %lld",
				 health->path, response.status, (long long)health->status);
	http_request_free(&request);
	http_response_free(&response);
	return result;
}

int look_slot(const struct deploy *deploy, const struct state_site *site, const char *dir, int port,
	      int64_t timeout, struct err *err)
{
	autofree char *address = xprintf("127.0.0.1:%d", port);
	const struct site *local = deploy->site;
	struct portcheck_who who = {0};
	char slot[2];

	if (slot_listener(local, dir, port, NULL) == PORTCHECK_FREE)
		return err_set(err, ERR_TRANSIENT, 0,
			       "nothing listens on %s yet (the PORT in its environment)", address);
	if (ask(deploy, site, address, timeout, slot, err) == -1)
		return -1;
	/* After the answer: who listens now is who answered, or has started since. */
	if (slot_listener(local, dir, port, &who) == PORTCHECK_OURS)
		return 0;
	return err_set(err, ERR_CONFLICT, 0,
		       "%s is not the new version's: %s (pid %d) listens there", address,
		       who.pid ? who.name : "another process", (int)who.pid);
}

/* An address that the gateway listens on, as a client would write it. */
static const char *reachable(const char *listen, struct arena *arena)
{
	const char *port = strrchr(listen, ':');

	if (text_starts(listen, "*:") || text_starts(listen, "0.0.0.0:"))
		return arena_printf(arena, "127.0.0.1%s", port);
	if (text_starts(listen, "[::]:"))
		return arena_printf(arena, "[::1]%s", port);
	return listen;
}

int look_gateway(const struct deploy *deploy, const struct state_site *site, char slot,
		 int64_t timeout, struct err *err)
{
	const char *address = reachable(site->listen[0], deploy->arena);
	char by[2];

	if (ask(deploy, site, address, timeout, by, err) == -1)
		return err_within(err, "through the gateway at %s", address);
	if (by[0] == slot)
		return 0;
	return err_set(err, ERR_CONFLICT, 0,
		       "through the gateway at %s: slot '%s' answers, the new version is in '%c'",
		       address, by, slot);
}

/* The last `room` bytes of the lines, beginning with a whole word: half of one could be half of a
 * secret, which nobody would know as such. */
static char *tail(const struct buf *lines, size_t room)
{
	const char *text = buf_text(lines);
	size_t size = lines->size, from;

	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
		size--;
	from = size > room ? size - room : 0;
	while (from > 0 && from < size && text[from - 1] != '\n' && text[from - 1] != ' ')
		from++;
	return xprintf("%.*s", (int)(size - from), text + from);
}

static void make_one_line(char *text)
{
	bool plain = text_is_utf8(text, strlen(text));

	for (; *text; text++) {
		if ((unsigned char)*text < ' ')
			*text = *text == '\n' ? '|' : ' ';
		else if (!plain && (unsigned char)*text >= 0x7f)
			*text = '?';
	}
}

void look_add_log(struct err *err, const struct place *place, const struct state_run *run)
{
	static const char before[] = "; its last lines: ";
	cleanup(buf_free) struct buf lines = BUF_INIT(1 << 20);
	autofree char *text = NULL;
	size_t used = strlen(err->text), room;

	if (used + sizeof before >= sizeof err->text)
		return;
	room = sizeof err->text - used - sizeof before;
	slot_tail(place->site, place_slot(place, run->slot), place_log(place, run->version),
		  LOG_LINES, &lines);
	/* The end of it says most: a traceback's last line. */
	text = tail(&lines, room < LOG_TEXT_MAX ? room : LOG_TEXT_MAX);
	make_one_line(text);
	if (*text)
		snprintf(err->text + used, sizeof err->text - used, "%s%s", before, text);
}
