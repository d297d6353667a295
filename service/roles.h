#ifndef SERVICE_ROLES_H
#define SERVICE_ROLES_H

#include <signal.h>
#include <stdbool.h>

#include "service/settings.h"

/*
 * slipwayd's processes. The supervisor starts the others (the same program with a role's name),
 * restarts what dies, and holds nothing itself.
 *
 *   role        holds                            may not have
 *   supervisor  the settings' text, the socket   any secret
 *   listener    webhook secrets, API tokens,     the App key or token, deploy secrets, children
 *               the port, the store
 *   router      the App key or token, the store  a listening socket, webhook and deploy secrets
 *   courier     the App key or token, the store  a listening socket, webhook and deploy secrets
 *   worker      deploy secrets, the App key or   a listening socket, webhook secrets
 *               token, the store
 *
 * A role is told by its command line who it is; descriptor ROLE_SETTINGS holds the text of the
 * settings as the supervisor checked them, so that an edit which nobody asked to load can't reach a
 * restarted role.
 *
 * No role outlives its supervisor, however that ended: the next one starts roles of the same names,
 * and two of a name would each take the other's work for what a dead one left.
 */

enum { ROLE_SETTINGS = 3, ROLE_SOCKET = 4 };

/** Set by SIGTERM and SIGINT: end when what you are at is done. */
extern volatile sig_atomic_t role_stopping;

/** Make SIGTERM and SIGINT set role_stopping, and a lost pipe an error instead of a signal. */
void role_catch_signals(void);

/** Be killed when the supervisor with this process id ends. -1 (ERR_CONFLICT) when it is gone
 * already. */
int role_stay_under(const char *pid, struct err *err) MUST_CHECK;

/**
 * Run until SIGTERM: start the roles, restart them with back-off when they die, read the file again
 * at SIGHUP (all or nothing). 0 after an orderly end; -1 when it can't start (bad settings, port or
 * data folder taken).
 */
int supervisor_main(const struct settings *settings, struct err *err) MUST_CHECK;

/** One role, from start to its orderly end at role_stopping. -1 makes the supervisor start it
 * again. */
int listener_main(const struct settings *settings, struct err *err) MUST_CHECK;
int router_main(const struct settings *settings, struct err *err) MUST_CHECK;
int courier_main(const struct settings *settings, struct err *err) MUST_CHECK;

/** Do the settings give the courier anything to do? */
bool courier_is_wanted(const struct settings *settings);

/** Takes deployments one at a time; returns after one that ran, so that its memory goes with the
 * process. */
int worker_main(const struct settings *settings, const char *name, struct err *err) MUST_CHECK;

#endif
