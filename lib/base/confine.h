#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Give up rights that this process (and its children) will not need. None of it can be taken back,
 * and none needs root. Landlock (landlock(7), Linux 5.13) and seccomp (seccomp(2)).
 */

/** Can files be hidden here: has the kernel Landlock, and may we use it? */
bool confine_can_hide(void);

/** Conditions besides 0 and -1. */
enum { CONFINE_UNSUPPORTED = 1 };

/** No new processes and no other programs from here on: fork and exec fail with EPERM, threads go
 * on. */
int confine_no_children(struct err *err) MUST_CHECK;

/** Only these folders and files can be read and written from here on (NULL-ended, absolute); what
 * is open stays open. CONFINE_UNSUPPORTED on a kernel without Landlock. */
int confine_to(const char *const *folders, struct err *err) MUST_CHECK;

/**
 * The files and folders in `hidden` can't be opened from here on, except for those in `shown` (each
 * NULL-ended, absolute, links resolved); everything else that exists now beside them stays as it
 * is. CONFINE_UNSUPPORTED as above.
 */
int confine_hide(const char *const *hidden, const char *const *shown, struct err *err) MUST_CHECK;

/** Of root's rights keep those that building and installing software needs; what looks into other
 * processes and the kernel, mounts, or makes devices is gone, for programs started later too. Does
 * nothing when we aren't root. */
void confine_root(void);

/** Other processes of our user can't read our memory or our environment, and no core is dumped. */
void confine_memory(void);

#endif
