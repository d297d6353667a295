#ifndef SERVICE_WRITER_H
#define SERVICE_WRITER_H

#include "service/store.h"

/*
 * Group commit. Threads hand deliveries to one writer thread, which commits whatever has come
 * together with one fsync, and then lets them all go.
 */
struct writer;

/** Takes over the store. */
struct writer *writer_new(struct store *store, struct clock *clock);

/** Block until the delivery is on disk (0; delivery->duplicate says whether it was there before) or
 * can't be recorded (-1). ERR_LIMIT when more than `waiting` (1,024) already wait. Any thread. */
int writer_record(struct writer *writer, struct delivery *delivery, struct err *err) MUST_CHECK;

void writer_free(struct writer *writer); /* ends after what was handed over is committed */

#endif
