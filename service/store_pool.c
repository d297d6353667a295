#include "service/store_pool.h"

#include <assert.h>
#include <pthread.h>

struct store_pool {
	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t given;
	char *url;
	struct store **idle;
	unsigned idle_count, open, most;
};

struct store_pool *store_pool_new(const char *url, unsigned most)
{
	struct store_pool *pool = xalloc(sizeof *pool);

	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->given, NULL);
	pool->url = xstrdup(url);
	pool->idle = xalloc(most * sizeof(struct store *));
	pool->most = most;
	return pool;
}

void store_pool_free(struct store_pool *pool)
{
	if (!pool)
		return;
	assert(pool->idle_count == pool->open);
	for (unsigned i = 0; i < pool->idle_count; i++)
		store_free(pool->idle[i]);
	pthread_cond_destroy(&pool->given);
	pthread_mutex_destroy(&pool->mutex);
	free(pool->idle);
	free(pool->url);
	free(pool);
}

static void closed(struct store_pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	pool->open--;
	pthread_cond_signal(&pool->given);
	pthread_mutex_unlock(&pool->mutex);
}

int store_pool_take(struct store_pool *pool, struct store **out, struct err *err)
{
	*out = NULL;
	pthread_mutex_lock(&pool->mutex);
	while (pool->idle_count == 0 && pool->open == pool->most)
		pthread_cond_wait(&pool->given, &pool->mutex);
	if (pool->idle_count > 0)
		*out = pool->idle[--pool->idle_count];
	else
		pool->open++;
	pthread_mutex_unlock(&pool->mutex);
	if (*out || store_open(out, pool->url, err) == 0)
		return 0;
	closed(pool);
	return -1;
}

void store_pool_give(struct store_pool *pool, struct store *store)
{
	pthread_mutex_lock(&pool->mutex);
	pool->idle[pool->idle_count++] = store;
	pthread_cond_signal(&pool->given);
	pthread_mutex_unlock(&pool->mutex);
}
