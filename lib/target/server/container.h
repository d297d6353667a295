#ifndef TARGET_SERVER_CONTAINER_H
#define TARGET_SERVER_CONTAINER_H

#include "target/server/slot.h"

/*
 * A slot that holds a container of the Docker engine. The engine starts it again when it ends and
 * after a reboot ("unless-stopped"). What it was made of stands in the slot's folder, so that one
 * that somebody removed can be made again. Functions as in slot.h.
 */

/** Is there an engine, and does it answer? */
int container_check(const struct site *site, struct err *err) MUST_CHECK;

/** Was it a container that the slot was last given? */
bool container_is(const char *dir);

/** As slot_start(), slot_resume(). */
int container_start(const struct site *site, const char *dir, const struct slot_command *command,
		    struct err *err) MUST_CHECK;
int container_resume(const struct site *site, const char *dir, struct err *err) MUST_CHECK;

/** It is removed; what it was made of stays. */
int container_stop(const struct site *site, const char *dir, int64_t grace,
		   struct err *err) MUST_CHECK;

/** The slot isn't a container's any more. */
int container_forget(const char *dir, struct err *err) MUST_CHECK;

/** As slot_look(), slot_listener(), slot_tail(). */
struct slot_status container_look(const struct site *site, const char *dir);
enum portcheck container_listener(const struct site *site, const char *dir, int port,
				  struct portcheck_who *who);
void container_tail(const struct site *site, const char *dir, unsigned lines, struct buf *out);

#endif
