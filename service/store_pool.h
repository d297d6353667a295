#ifndef SERVICE_STORE_POOL_H
#define SERVICE_STORE_POOL_H

#include "service/store.h"

/* A store is one thread's at a time; connections' threads come and go. So a few opened stores are
 * lent. */
struct store_pool;

/** At most so many, opened when they are first needed. */
struct store_pool *store_pool_new(const char *url, unsigned most);

/** After all were given back. */
void store_pool_free(struct store_pool *pool);
DEFINE_FREEP(struct store_pool, store_pool_free);

/** Borrow one; waits until one is free. */
int store_pool_take(struct store_pool *pool, struct store **out, struct err *err) MUST_CHECK;
void store_pool_give(struct store_pool *pool, struct store *store);

#endif
