#ifndef IMAGE_ENGINE_SELF_H
#define IMAGE_ENGINE_SELF_H

#include "base/mem.h"

/** A container's id (64 hex digits) in /proc/self/mountinfo: the folder that the engine mounts
 * hostname, hosts and resolv.conf from. NULL. In the arena. */
const char *engine_self_in_mounts(const char *mountinfo, struct arena *arena);

/** The same in /proc/self/cgroup: version 1, and version 2 without a namespace of its own. */
const char *engine_self_in_cgroup(const char *cgroup, struct arena *arena);

#endif
