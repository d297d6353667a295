#ifndef TARGET_SERVER_KEEPER_H
#define TARGET_SERVER_KEEPER_H

#include "base/err.h"
#include "target/target.h"

/** Bring one app back: its live slot's process, its marker, its port. A deployment that is at it
 * just now is left alone. */
int keeper_restore(const struct site *site, const char *app, struct err *err) MUST_CHECK;

/** Stop one app's processes, without forgetting them. */
int keeper_down(const struct site *site, const char *app, struct err *err) MUST_CHECK;

#endif
