/* Stores under several processes: claims raced for, and writers killed at any moment. STORE_KILLS
 * says how many. */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "contract/store.h"

enum { GROUPS = 4, DEPLOYMENTS = 160, PROCESSES = 4 };

/* Seen by all processes. */
struct shared {
	atomic_llong ticks;
	atomic_int held[GROUPS];              /* by how many workers that still believe in it */
	atomic_llong fence[DEPLOYMENTS + 1];  /* the last claim of each deployment */
	atomic_int finished[DEPLOYMENTS + 1]; /* how often its end was accepted */
	atomic_int two_at_once, old_fence, not_lost, errors, lost_seen;
	atomic_llong recorded;
};

static struct shared *share(void)
{
	void *memory = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		bail_out("mmap");
	return memory;
}

static pid_t start(void (*run)(struct shared *shared, const char *url, unsigned seed),
		   struct shared *shared, const char *url, unsigned seed)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run(shared, url, seed);
		_exit(0);
	}
	return pid;
}

/* Let go without a word, as a worker does that stalls; later every write of it must be refused if
 * another took over. */
static void abandon(struct shared *shared, struct store *store, const struct claim *claim,
		    int group)
{
	struct progress progress = {.version = "v"};
	struct err err;

	atomic_fetch_sub(&shared->held[group], 1);
	if (store->renew(store, claim, 0, &err) != 0)
		atomic_fetch_add(&shared->errors, 1);
	for (int i = 0; i < 50 && atomic_load(&shared->fence[claim->deployment]) == claim->fence;
	     i++)
		usleep(200);
	if (atomic_load(&shared->fence[claim->deployment]) == claim->fence)
		return;
	atomic_fetch_add(&shared->lost_seen, 1);
	if (store->renew(store, claim, 1 << 30, &err) != STORE_LOST
	    || store->advance(store, claim, STEP_TEST, &progress, 1 << 30, &err) != STORE_LOST
	    || store->append_log(store, claim, "x", 1, &err) != STORE_LOST
	    || finish_one(store, claim, OUTCOME_LIVE) != STORE_LOST)
		atomic_fetch_add(&shared->not_lost, 1);
}

/* A step further counts as life: a deployment isn't given up for being abandoned often. */
static int go_on(struct store *store, const struct claim *claim)
{
	struct progress progress = {.version = "v"};
	struct err err;

	return store->advance(store, claim, claim->step == STEP_BUILD ? STEP_TEST : STEP_BUILD,
			      &progress, 1 << 30, &err);
}

static void work_on(struct shared *shared, struct store *store, const struct claim *claim,
		    unsigned *seed)
{
	int group = claim->order.service[1] - '0';

	if (atomic_fetch_add(&shared->held[group], 1) != 0)
		atomic_fetch_add(&shared->two_at_once, 1);
	if (atomic_exchange(&shared->fence[claim->deployment], claim->fence) >= claim->fence)
		atomic_fetch_add(&shared->old_fence, 1);
	if (go_on(store, claim) != 0)
		atomic_fetch_add(&shared->errors, 1);
	if (rand_r(seed) % 3 == 0) {
		abandon(shared, store, claim, group);
		return;
	}
	atomic_fetch_sub(&shared->held[group], 1);
	if (finish_one(store, claim, OUTCOME_LIVE) == 0)
		atomic_fetch_add(&shared->finished[claim->deployment], 1);
	else
		atomic_fetch_add(&shared->errors, 1);
}

static int claim_next(struct store *store, struct claim *claim, struct arena *arena)
{
	struct err err;

	return store->claim(store, "w", (struct instant){1, 1}, 1 << 20, claim, arena, &err);
}

static void claimer(struct shared *shared, const char *url, unsigned seed)
{
	struct store *store = open_or_bail(url);
	int idle = 0;

	while (idle < 200) {
		struct arena *arena = arena_new();
		struct claim claim;
		int got = claim_next(store, &claim, arena);

		if (got < 0)
			atomic_fetch_add(&shared->errors, 1);
		idle = got == 0 ? 0 : idle + 1;
		if (got == 0)
			work_on(shared, store, &claim, &seed);
		else
			usleep(500);
		arena_free(arena);
	}
	store_free(store);
}

static void order_all(struct store *store)
{
	struct arena *arena = arena_new();

	/* Four services; each round leaves one queued per service, and claims of the others go on
	 * meanwhile. */
	for (int i = 0; i < DEPLOYMENTS; i++) {
		struct order order = an_order(arena_printf(arena, "s%d", i % GROUPS), "c",
					      arena_printf(arena, "%d", i));

		order_one(store, order);
		usleep(1500);
	}
	arena_free(arena);
}

static void claims_under_contention(const char *scheme)
{
	struct shared *shared = share();
	struct store *store;
	struct place place;
	pid_t pids[PROCESSES];
	int once = 0, superseded = 0, other = 0;

	place_make(&place, scheme);
	store_free(open_or_bail(place.url));
	for (unsigned i = 0; i < PROCESSES; i++)
		pids[i] = start(claimer, shared, place.url, i + 1);
	store = open_or_bail(place.url);
	order_all(store);
	for (int i = 0; i < PROCESSES; i++)
		waitpid(pids[i], NULL, 0);
	for (int i = 1; i <= DEPLOYMENTS; i++) {
		const char *state = deployment_field(store, i, "state");

		if (strcmp(state, "succeeded") == 0 && shared->finished[i] == 1)
			once++;
		else if (strcmp(state, "superseded") == 0 && shared->finished[i] == 0)
			superseded++;
		else
			tap_note("deployment %d is %s, ended %d times", i, state,
				 shared->finished[i] + other++);
	}
	tap_note("%d ended once, %d superseded, %d leases lost", once, superseded,
		 shared->lost_seen);
	same_int(shared->two_at_once, 0, "never two at once of one service and environment");
	same_int(shared->old_fence, 0, "fences only grow");
	same_int(shared->not_lost, 0, "a lost claim is told so by every call");
	ok(shared->lost_seen > 0, "some claims were lost");
	same_int(shared->errors, 0, "nothing failed");
	same_int(other, 0, "each deployment ended once or was superseded");
	store_free(store);
	place_remove(&place);
	munmap(shared, sizeof *shared);
}

/* Records batches and notes, only after each commit, how far it came. */
static void recorder(struct shared *shared, const char *url, unsigned seed)
{
	struct store *store = open_or_bail(url);
	struct err err;

	for (;;) {
		struct delivery batch[20];
		char guids[20][32];
		size_t count = 1 + (size_t)rand_r(&seed) % 20;
		long long first = atomic_load(&shared->recorded);

		for (size_t i = 0; i < count; i++) {
			snprintf(guids[i], sizeof guids[i], "guid-%lld", first + (long long)i);
			batch[i] = a_delivery(guids[i], "a body of some bytes");
		}
		if (store->record(store, batch, count, 1, &err) < 0) {
			tap_note("%s", err.text);
			atomic_fetch_add(&shared->errors, 1);
			_exit(1);
		}
		atomic_store(&shared->recorded, first + (long long)count);
	}
}

/* How many of the recorded are there, with their bodies. */
static long long count_recorded(const char *url, long long from, long long until)
{
	struct store *store = open_or_bail(url);
	long long there = 0;

	for (long long i = from; i < until; i++) {
		char guid[32];

		snprintf(guid, sizeof guid, "guid-%lld", i);
		there += strcmp(delivery_field(store, guid, "state"), "received") == 0;
	}
	store_free(store);
	return there;
}

static void killed_writers(const char *scheme, int kills)
{
	struct shared *shared = share();
	struct place place;
	unsigned seed = (unsigned)getpid();
	long long checked = 0, missing = 0;

	place_make(&place, scheme);
	store_free(open_or_bail(place.url));
	for (int i = 0; i < kills; i++) {
		pid_t pid = start(recorder, shared, place.url, (unsigned)rand_r(&seed));
		long long recorded;

		usleep((useconds_t)(1000 + rand_r(&seed) % 20000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (i % 50 && i != kills - 1)
			continue;
		recorded = atomic_load(&shared->recorded);
		missing += recorded - checked - count_recorded(place.url, checked, recorded);
		checked = recorded;
	}
	tap_note("%d kills, %lld recorded", kills, checked);
	missing += checked - count_recorded(place.url, 0, checked);
	ok(checked > kills, "deliveries were recorded");
	same_int(missing, 0, "everything reported as recorded is there");
	same_int(shared->errors, 0, "nothing failed");
	place_remove(&place);
	munmap(shared, sizeof *shared);
}

int main(void)
{
	const char *kills = getenv("STORE_KILLS");

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t k = 0; store_kinds[k]; k++) {
		claims_under_contention(store_kinds[k]->scheme);
		killed_writers(store_kinds[k]->scheme, kills ? (int)strtol(kills, NULL, 10) : 100);
	}
	return tap_done();
}
