#ifndef TARGET_AWS_DIFF_H
#define TARGET_AWS_DIFF_H

#include <jansson.h>

#include "base/buf.h"

/* What AWS has and what it would be sent, setting by setting. */

/** How one member is called in slipway.yml. */
struct diff_name {
	const char *path, *setting; /* "primaryContainer.image", "image"; a NULL path ends a list */
};

struct diff_kind {
	const struct diff_name *names;
	const char *env, *secrets; /* members whose values aren't shown, names only */
};

/** Append "cpu: 1024 -> 2048" for each that differs, a line each. */
void diff_print(const struct diff_kind *kind, const json_t *live, const json_t *merged,
		struct buf *out);

#endif
