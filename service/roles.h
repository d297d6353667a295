#ifndef SERVICE_ROLES_H
#define SERVICE_ROLES_H

#include <signal.h>

#include "service/settings.h"

/*
 * slipwayd's processes. The supervisor starts the others (the same program with a role's name), restarts
 * what dies, and holds nothing itself.
 *
 *   role        holds                                            may not have
 *   supervisor  nothing but the settings' text                   secrets, sockets
 *   listener    webhook secrets, API tokens, the port, the store cloud credentials, the App key, children
 *   router      the App key or token, the store                  a listening socket, deploy secrets
 *   worker      deploy secrets, the App key or token, the store  a listening socket
 */

/** Set by SIGTERM and SIGINT: end when what you are at is done. */
extern volatile sig_atomic_t role_stopping;

int supervisor_main(const struct settings *settings, struct err *err) MUST_CHECK;
int listener_main(const struct settings *settings, struct err *err) MUST_CHECK;
int router_main(const struct settings *settings, struct err *err) MUST_CHECK;
int worker_main(const struct settings *settings, const char *name, struct err *err) MUST_CHECK;

#endif
