#ifndef SERVICE_BIND_H
#define SERVICE_BIND_H

#include "base/err.h"

/**
 * A socket that listens on "127.0.0.1:8080" or "[::1]:8080" (numeric only; port 0: any free one),
 * with close-on-exec and a backlog of 1,024. The descriptor is the caller's. -1: ERR_USAGE for an
 * address that isn't one, ERR_CONFLICT when somebody has it, ERR_SYSTEM otherwise.
 */
int bind_listen(const char *address, struct err *err);

#endif
