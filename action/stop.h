#ifndef ACTION_STOP_H
#define ACTION_STOP_H

#include <signal.h>

/** How often SIGINT or SIGTERM came: once, stop in order; twice, at once. A third ends the process.
 */
extern volatile sig_atomic_t stop_count;

/** Count SIGINT and SIGTERM from here on. */
void stop_install(void);

#endif
