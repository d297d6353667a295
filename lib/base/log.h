#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/*
 * The program's own log: one line per event on stderr, as logfmt
 *     2026-11-24T13:45:00Z info listener: delivery recorded guid=… event=push
 * or as JSON. Whoever handles an error logs it; whoever returns it doesn't. Values are escaped, so
 * text from outside can't forge a line. One write(2) per line, so processes don't mix.
 */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/** Set once in main(), before threads. `who` is the role ("listener"); it must stay valid. */
void log_setup(const char *who, enum log_level level, bool json);

/** Pairs of key and value (const char *; a NULL value is left out) up to a NULL key. */
void log_write(enum log_level level, const char *what, ...) __attribute__((sentinel));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__, (const char *)0)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__, (const char *)0)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__, (const char *)0)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__, (const char *)0)

#endif
