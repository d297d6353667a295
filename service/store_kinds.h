#ifndef SERVICE_STORE_KINDS_H
#define SERVICE_STORE_KINDS_H

#include "service/store.h"

/** A back-end: one row of the registry, found by the scheme of the store's URL. */
struct store_kind {
	const char *scheme; /* "sqlite" */
	/** `rest` is what follows "scheme://". */
	int (*open)(struct store **out, const char *rest, struct err *err);
};

extern const struct store_kind *const store_kinds[]; /* NULL-ended */

#endif
