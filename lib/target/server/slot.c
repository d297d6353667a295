#include "target/server/slot.h"

#include <ctype.h>

#include "target/server/container.h"
#include "target/server/process.h"

int slot_check(const struct site *site, bool container, struct err *err)
{
	return container ? container_check(site, err) : process_check(err);
}

bool slot_env_is_valid(const char *text)
{
	const char *c = text;

	if (!isalpha((unsigned char)*c) && *c != '_')
		return false;
	while (isalnum((unsigned char)*c) || *c == '_')
		c++;
	return *c == '=';
}

/* What the slot held before may have been of the other kind. */
int slot_start(const struct site *site, const char *dir, const struct slot_command *command,
	       struct err *err)
{
	if (command->image)
		return process_stop(dir, 10, site->clock, err) == -1
				       || container_start(site, dir, command, err) == -1
			       ? -1
			       : 0;
	if (container_is(dir)
	    && (container_stop(site, dir, 10, err) == -1 || container_forget(dir, err) == -1))
		return -1;
	return process_start(dir, command, site->clock, err);
}

int slot_resume(const struct site *site, const char *dir, struct err *err)
{
	return container_is(dir) ? container_resume(site, dir, err)
				 : process_resume(dir, site->clock, err);
}

int slot_stop(const struct site *site, const char *dir, int64_t grace, struct err *err)
{
	return container_is(dir) ? container_stop(site, dir, grace, err)
				 : process_stop(dir, grace, site->clock, err);
}

struct slot_status slot_look(const struct site *site, const char *dir)
{
	return container_is(dir) ? container_look(site, dir) : process_look(dir);
}

enum portcheck slot_listener(const struct site *site, const char *dir, int port,
			     struct portcheck_who *who)
{
	return container_is(dir) ? container_listener(site, dir, port, who)
				 : portcheck_listener(port, process_look(dir).pid, who);
}

void slot_tail(const struct site *site, const char *dir, const char *log, unsigned lines,
	       struct buf *out)
{
	if (container_is(dir))
		container_tail(site, dir, lines, out);
	else
		process_tail(log, lines, out);
}
