#include "service/writer.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

enum {
	WAITING = 1024,
	BATCH = 256,
	/* Bytes of bodies after which a batch is closed, so that no one waits for many large ones.
	 */
	BATCH_BYTES = 8 * 1024 * 1024
};

/* One thread's delivery, on that thread's stack. */
struct ticket {
	struct delivery *delivery;
	struct ticket *next;
	pthread_cond_t over;
	bool done;
	int result;
	struct err err;
};

struct writer {
	struct store *store;
	struct clock *clock;
	pthread_t thread;
	pthread_mutex_t lock; /* for all below */
	pthread_cond_t arrived, left;
	struct ticket *first, **last;
	size_t waiting; /* for the writer to take them */
	size_t inside;  /* in writer_record() */
	bool stopping;
};

/* What the writer's thread works on. */
struct batch {
	struct ticket *tickets[BATCH];
	struct delivery deliveries[BATCH];
	size_t count;
};

/* Blocks until there is something, or the end: false. */
static bool next_batch(struct writer *writer, struct batch *batch)
{
	size_t bytes = 0;

	batch->count = 0;
	pthread_mutex_lock(&writer->lock);
	while (!writer->first && !writer->stopping)
		pthread_cond_wait(&writer->arrived, &writer->lock);
	while (writer->first && batch->count < BATCH && bytes < BATCH_BYTES) {
		struct ticket *ticket = writer->first;

		writer->first = ticket->next;
		bytes += ticket->delivery->size;
		batch->deliveries[batch->count] = *ticket->delivery;
		batch->tickets[batch->count++] = ticket;
	}
	if (!writer->first)
		writer->last = &writer->first;
	writer->waiting -= batch->count;
	pthread_mutex_unlock(&writer->lock);
	return batch->count > 0;
}

static void let_go(struct writer *writer, struct batch *batch, int result, const struct err *err)
{
	pthread_mutex_lock(&writer->lock);
	for (size_t i = 0; i < batch->count; i++) {
		struct ticket *ticket = batch->tickets[i];
		const struct err *own = result < 0 ? err : &batch->deliveries[i].err;

		ticket->delivery->duplicate = result == 0 && batch->deliveries[i].duplicate;
		ticket->result = own->kind == ERR_NONE ? 0 : -1;
		if (ticket->result < 0)
			ticket->err = *own;
		ticket->done = true;
		pthread_cond_signal(&ticket->over);
	}
	pthread_mutex_unlock(&writer->lock);
}

static void *work(void *self)
{
	struct writer *writer = self;
	struct batch *batch = xalloc(sizeof *batch);

	while (next_batch(writer, batch)) {
		struct err err = ERR_INIT;
		int result = writer->store->record(writer->store, batch->deliveries, batch->count,
						   clock_now(writer->clock), &err);

		let_go(writer, batch, result, &err);
	}
	free(batch);
	return NULL;
}

struct writer *writer_new(struct store *store, struct clock *clock)
{
	struct writer *writer = xalloc(sizeof *writer);
	int failed;

	writer->store = store;
	writer->clock = clock;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->arrived, NULL);
	pthread_cond_init(&writer->left, NULL);
	failed = pthread_create(&writer->thread, NULL, work, writer);
	assert(!failed); /* as with memory: a machine that can't start one thread can't serve */
	return writer;
}

/* Waits for its turn; the lock is held. */
static void wait_for_commit(struct writer *writer, struct ticket *ticket)
{
	pthread_cond_init(&ticket->over, NULL);
	*writer->last = ticket;
	writer->last = &ticket->next;
	writer->waiting++;
	pthread_cond_signal(&writer->arrived);
	while (!ticket->done)
		pthread_cond_wait(&ticket->over, &writer->lock);
}

int writer_record(struct writer *writer, struct delivery *delivery, struct err *err)
{
	struct ticket ticket = {.delivery = delivery};
	bool full;

	delivery->err.kind = ERR_NONE;
	pthread_mutex_lock(&writer->lock);
	full = writer->waiting >= WAITING;
	writer->inside++;
	if (!full)
		wait_for_commit(writer, &ticket);
	if (--writer->inside == 0)
		pthread_cond_signal(&writer->left);
	pthread_mutex_unlock(&writer->lock);
	if (full)
		return err_set(err, ERR_LIMIT, 0,
			       "record delivery %s: %d already wait for the disk", delivery->guid,
			       WAITING);
	pthread_cond_destroy(&ticket.over);
	if (ticket.result < 0)
		*err = ticket.err;
	return ticket.result;
}

void writer_free(struct writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	pthread_cond_signal(&writer->arrived);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	pthread_mutex_lock(&writer->lock);
	while (writer->inside)
		pthread_cond_wait(&writer->left, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_destroy(&writer->arrived);
	pthread_cond_destroy(&writer->left);
	pthread_mutex_destroy(&writer->lock);
	store_free(writer->store);
	free(writer);
}
