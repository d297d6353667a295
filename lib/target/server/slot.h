#ifndef TARGET_SERVER_SLOT_H
#define TARGET_SERVER_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "target/server/portcheck.h"
#include "target/target.h"

/*
 * A place for one running version: `dir`, and in it either a process under runsv (process.h) or a
 * container of the Docker engine (container.h). Which of the two, the folder itself tells; what
 * holds for both is here.
 */

struct slot_command {
	const char *const *argv; /* NULL: the image's own */
	const char *const *env;  /* "NAME=value"; values may hold any byte but NUL */
	const char *folder;      /* where it starts; of no use to a container */
	const char *log;         /* folder for what it writes; a container's is the engine's */
	int port;                /* where it is reached; a process has it as PORT */

	const char *image; /* the engine's name of it; NULL: a process */
	int64_t inside;    /* the port within the container: its PORT */
	int64_t memory;    /* bytes; 0: no limit */
	int64_t cpus;      /* thousandths; 0: no limit */
	int64_t pids;      /* 0: no limit */
	bool confined;     /* no capabilities */
};

struct slot_status {
	bool supervised; /* somebody starts it again when it ends */
	pid_t pid;       /* of the process; 0: not running at the moment, or a container */
	unsigned exits;  /* how often it ended since slot_start() */
	char last[64];   /* how it last did: "exited with status 3", "was killed by signal 9" */
};

/** Could it hold a process (or a container)? The message names what is missing. */
int slot_check(const struct site *site, bool container, struct err *err) MUST_CHECK;

/** Is `text` a NAME=value whose name a shell can export? */
bool slot_env_is_valid(const char *text);

/**
 * Have it running in `dir`. 0 also when the same command runs there already; another one is
 * stopped first, and whatever it left behind is killed.
 */
int slot_start(const struct site *site, const char *dir, const struct slot_command *command,
	       struct err *err) MUST_CHECK;

/** Start what was last given to slot_start, when it isn't there. >0 (SLOT_EMPTY): nothing was. */
int slot_resume(const struct site *site, const char *dir, struct err *err) MUST_CHECK;
enum { SLOT_EMPTY = 1 };

/** SIGTERM, SIGKILL after `grace` seconds; nobody starts it again. Fine when none runs. */
int slot_stop(const struct site *site, const char *dir, int64_t grace, struct err *err) MUST_CHECK;

/** How it is just now. */
struct slot_status slot_look(const struct site *site, const char *dir);

/** Who answers at 127.0.0.1:port: nobody, this slot, or another? `who` may be NULL. */
enum portcheck slot_listener(const struct site *site, const char *dir, int port,
			     struct portcheck_who *who);

/** Append the last lines that it wrote (a process's from the folder `log`). */
void slot_tail(const struct site *site, const char *dir, const char *log, unsigned lines,
	       struct buf *out);

#endif
