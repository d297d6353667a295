#include "service/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tap.h"

/* A store that only records, slowly when told so, and counts. */
struct fake {
	struct store store;
	atomic_int records, deliveries, largest;
	atomic_bool held, fails, freed;
	int64_t now;
};

static int fake_record(struct store *store, struct delivery *batch, size_t count, int64_t now,
		       struct err *err)
{
	struct fake *fake = (struct fake *)store;

	fake->now = now;
	atomic_fetch_add(&fake->records, 1);
	atomic_fetch_add(&fake->deliveries, (int)count);
	if ((int)count > atomic_load(&fake->largest))
		atomic_store(&fake->largest, (int)count);
	while (atomic_load(&fake->held))
		usleep(500);
	if (atomic_load(&fake->fails))
		return err_set(err, ERR_SYSTEM, 28, "the disk is full");
	for (size_t i = 0; i < count; i++) {
		batch[i].err.kind = ERR_NONE;
		batch[i].duplicate = strcmp(batch[i].guid, "twice") == 0;
		if (strcmp(batch[i].guid, "bad") == 0)
			err_set(&batch[i].err, ERR_SYSTEM, 5, "its spool file can't be read");
	}
	return 0;
}

static void fake_free(struct store *store)
{
	atomic_store(&((struct fake *)store)->freed, true);
}

static int64_t fixed_now(struct clock *clock)
{
	(void)clock;
	return 1234;
}

static struct clock fixed = {.now = fixed_now};

struct caller {
	struct writer *writer;
	struct delivery delivery;
	struct err err;
	int result;
	atomic_bool done;
	pthread_t thread;
};

static void *call(void *self)
{
	struct caller *caller = self;

	caller->result = writer_record(caller->writer, &caller->delivery, &caller->err);
	atomic_store(&caller->done, true);
	return NULL;
}

static void start(struct caller *caller, struct writer *writer, const char *guid)
{
	*caller = (struct caller){.writer = writer, .delivery = {.guid = guid, .size = 10}};
	if (pthread_create(&caller->thread, NULL, call, caller) != 0)
		bail_out("pthread_create");
}

static int end(struct caller *caller)
{
	pthread_join(caller->thread, NULL);
	return caller->result;
}

static struct fake new_fake(void)
{
	return (struct fake){.store = {.record = fake_record, .free = fake_free}};
}

static void wait_until_at_least(atomic_int *number, int least)
{
	while (atomic_load(number) < least)
		usleep(500);
}

static void one_and_what_it_says(void)
{
	struct fake fake = new_fake();
	struct writer *writer = writer_new(&fake.store, &fixed);
	struct delivery once = {.guid = "once"}, twice = {.guid = "twice"}, bad = {.guid = "bad"};
	struct err err = ERR_INIT;

	same_int(writer_record(writer, &once, &err), 0, "one is recorded");
	ok(!once.duplicate, "as new");
	same_int(fake.now, 1234, "at the clock's time");
	same_int(writer_record(writer, &twice, &err), 0, "one that was there");
	ok(twice.duplicate, "is a duplicate");
	same_int(writer_record(writer, &bad, &err), -1, "one with a fault of its own fails");
	same_str(err.text, "its spool file can't be read", "with its own error");
	atomic_store(&fake.fails, true);
	same_int(writer_record(writer, &twice, &err), -1, "when the store fails");
	same_str(err.text, "the disk is full", "the store's error");
	ok(!twice.duplicate, "and it isn't said to be a duplicate");
	atomic_store(&fake.fails, false);
	same_int(writer_record(writer, &once, &err), 0, "it goes on after that");
	writer_free(writer);
	ok(fake.freed, "the store is freed");
}

static void batches(void)
{
	enum { CALLERS = 40 };
	struct fake fake = new_fake();
	struct caller callers[CALLERS];
	struct writer *writer;
	int done = 0, failed = 0;

	atomic_store(&fake.held, true);
	writer = writer_new(&fake.store, &fixed);
	start(&callers[0], writer, "first");
	wait_until_at_least(&fake.deliveries, 1);
	for (int i = 1; i < CALLERS; i++)
		start(&callers[i], writer, i == 7 ? "bad" : "g");
	usleep(100000);
	for (int i = 0; i < CALLERS; i++)
		done += atomic_load(&callers[i].done);
	same_int(done, 0, "nobody is let go before the commit");
	atomic_store(&fake.held, false);
	for (int i = 0; i < CALLERS; i++)
		failed += end(&callers[i]) != 0;
	same_int(failed, 1, "all but the bad one are recorded");
	same_int(callers[7].result, -1, "which fails alone");
	same_int(fake.deliveries, CALLERS, "each once");
	ok(fake.records <= 4 && fake.largest >= CALLERS - 5, "those that waited went together");
	writer_free(writer);
}

static void limit(void)
{
	enum { CALLERS = 1025 };
	struct fake fake = new_fake();
	struct caller *callers = xalloc(CALLERS * sizeof *callers);
	struct delivery late = {.guid = "late"};
	struct writer *writer;
	struct err err = ERR_INIT;
	int failed = 0, got;

	atomic_store(&fake.held, true);
	writer = writer_new(&fake.store, &fixed);
	start(&callers[0], writer, "first");
	wait_until_at_least(&fake.deliveries, 1);
	for (int i = 1; i < CALLERS; i++)
		start(&callers[i], writer, "g");
	usleep(300000);
	got = writer_record(writer, &late, &err);
	same_int(got, -1, "more than 1,024 don't wait");
	same_int((intmax_t)err.kind, ERR_LIMIT, "that is a limit");
	atomic_store(&fake.held, false);
	for (int i = 0; i < CALLERS; i++)
		failed += end(&callers[i]) != 0;
	same_int(failed, 0, "the others are recorded");
	same_int(fake.largest, 256, "in batches of at most 256");
	writer_free(writer);
	free(callers);
}

static void ends_after_what_was_handed_over(void)
{
	struct fake fake = new_fake();
	struct caller callers[10];
	struct writer *writer;
	int failed = 0;

	atomic_store(&fake.held, true);
	writer = writer_new(&fake.store, &fixed);
	for (int i = 0; i < 10; i++)
		start(&callers[i], writer, "g");
	usleep(100000);
	atomic_store(&fake.held, false);
	writer_free(writer);
	for (int i = 0; i < 10; i++)
		failed += end(&callers[i]) != 0;
	same_int(failed, 0, "writer_free commits what was handed over");
	same_int(fake.deliveries, 10, "all of it");
	ok(fake.freed, "before the store is freed");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	one_and_what_it_says();
	batches();
	limit();
	ends_after_what_was_handed_over();
	return tap_done();
}
