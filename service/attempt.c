#include "service/attempt.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define DEATHS_MAX 10   /* far more than a machine that restarts now and then */
#define WAIT_MS    1000 /* doubled with each death */

/* "<deaths> <guid>\n" */
int attempt_open(struct attempt *attempt, const char *folder, struct err *err)
{
	autofree char *path = file_join(folder, "routing");
	char text[96], *guid;
	ssize_t size;

	*attempt = (struct attempt){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
	if (attempt->fd < 0)
		return err_errno(err, "open %s", path);
	size = pread(attempt->fd, text, sizeof text - 1, 0);
	text[size > 0 ? size : 0] = '\0';
	attempt->deaths = (int)strtol(text, &guid, 10);
	snprintf(attempt->guid, sizeof attempt->guid, "%s", guid + strspn(guid, " "));
	attempt->guid[strcspn(attempt->guid, " \n")] = '\0';
	return 0;
}

static void note(struct attempt *attempt, int deaths, const char *guid)
{
	char text[96];
	int size = snprintf(text, sizeof text, "%d %.71s\n", deaths, guid);

	/* The old text is at most as long as its room: the rest is filled with spaces. */
	memset(text + size, ' ', sizeof text - (size_t)size);
	(void)!pwrite(attempt->fd, text, sizeof text - 1, 0);
}

void attempt_begin(struct attempt *attempt, const char *guid)
{
	int deaths = strcmp(attempt->guid, guid) == 0 ? attempt->deaths + 1 : 1;

	note(attempt, deaths, guid);
}

void attempt_end(struct attempt *attempt)
{
	note(attempt, 0, "");
}

void attempt_close(struct attempt *attempt)
{
	file_close_at(&attempt->fd);
}

int attempt_settle(struct attempt *attempt, struct store *store, struct clock *clock,
		   struct err *err)
{
	char why[120];
	int rc, deaths = attempt->deaths;

	if (!attempt->guid[0])
		return 0;
	snprintf(why, sizeof why, "the router ended %d times while it read this delivery", deaths);
	log_warn(why, "guid", attempt->guid);
	rc = deaths >= DEATHS_MAX ? store->give_up(store, attempt->guid, NULL, why, err)
				  : store->put_off(store, attempt->guid, why,
						   clock_ticks(clock) + (WAIT_MS << deaths), err);
	/* ERR_ABSENT: it was settled just before the end. */
	return rc < 0 && err->kind != ERR_ABSENT ? -1 : 0;
}
