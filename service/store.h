#ifndef SERVICE_STORE_H
#define SERVICE_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "pipeline/pipeline.h"

/*
 * Where deliveries and deployments live. A call that returned 0 survives a power cut. Whatever must
 * be unique or exclusive is a constraint of the database, never a look before a write. Time comes
 * in, so that all back-ends mean the same by it: `now` is seconds since 1970 and is only shown to
 * people; leases are measured in ticks (see clock.h), so a clock that jumps can neither hold nor
 * lose one.
 */

/** Conditions that these calls return besides 0 and -1. */
enum { STORE_EMPTY = 1, STORE_LOST = 2, STORE_DUPLICATE = 3, STORE_CONFLICT = 4 };

struct instant {
	int64_t now, ticks;
};

struct delivery {
	const char *guid; /* X-GitHub-Delivery: the key that makes redelivery harmless */
	const char *hook, *event;
	const char *type;        /* content type: JSON or form */
	const char *body_sha256; /* hex; the same body under another guid is a replay */
	const void *body;        /* the raw bytes, or NULL and … */
	int body_fd;             /* … a descriptor that has `size` of them from its start */
	size_t size;
	int secret;     /* index of the secret that signed it, within its hook; -1: none did, it was
			   fetched from GitHub */
	bool duplicate; /* set by record: this guid was seen before */
	struct err err; /* set by record: why this one alone isn't recorded; ERR_NONE when it is */
};

/** What a delivery, or a person, asks for. */
struct order {
	const char *repository, *service, *environment, *commit, *ref;
	const char *needs; /* JSON array of the services it waits for, of the same commit; NULL */
	const char *cause; /* JSON: {"delivery": guid} or {"token": name, "idempotency_key": …} */
	const char *dedupe; /* unique: "push" of (repository, service, environment, commit) for a
			       delivery's; something of its own for a person's */
	bool revive;        /* rollback, to `version` or NULL */
	const char *version;
	const char *before; /* the push's `before`; NULL */
};

struct claim {
	int64_t deployment, fence; /* fence grows with every claim; every write says it */
	int tries;                 /* 1 the first time */
	int losses;                /* workers that died at this step, one after the other */
	enum step step;            /* where to go on */
	struct order order;
	struct progress progress; /* as advance stored it; all NULL the first time */
};

/** What GitHub should know of one deployment: the outbox. There is one for each deployment, made
 * with it. */
struct report {
	int64_t deployment;
	const char *repository, *service, *environment;
	const char *commit;                           /* NULL: not known yet (a rollback's) */
	const char *cause;                            /* JSON, as the order had it */
	const char *state, *step;                     /* the deployment's, now */
	const char *url, *version, *previous, *error; /* NULL until there is one */
	int64_t created_at, started_at, finished_at;  /* 0: not yet */
	const char *memo;                             /* what report_keep kept last; NULL */
	const char *last; /* the memo of the last one before it, of the same service and
			     environment, that succeeded; NULL */
	int tries;        /* how often it was put off since something was told */
};

enum report_mark {
	REPORT_MIDWAY, /* keep the memo; this state is still to be told */
	REPORT_TOLD,   /* this state and step are told: wait for the next */
	REPORT_CLOSED  /* nothing more is to be told, ever */
};

/** What to list. NULL and 0 mean any; newest first; `before` an id (deployments) or row
 * (deliveries). */
struct store_filter {
	const char *repository, *service, *environment, *state;
	int64_t limit, before;
};

struct store {
	/** Record a batch in one transaction with one fsync; marks the ones seen before, and the
	 * ones that can't be recorded through a fault of their own (the others are). -1: none was.
	 */
	int (*record)(struct store *store, struct delivery *batch, size_t count, int64_t now,
		      struct err *err);

	/** The oldest recorded delivery that isn't routed and isn't put off past now.ticks;
	 * STORE_EMPTY if none. Body in memory; `replay_of` is the guid of an earlier delivery with
	 * the same body, or NULL; `tries` how often it was put off. */
	int (*unrouted)(struct store *store, struct instant now, struct delivery *out,
			const char **replay_of, int *tries, struct arena *arena, struct err *err);

	/** Look at it again in so many milliseconds (the source couldn't be reached). */
	int (*put_off)(struct store *store, const char *guid, const char *why, int64_t until_ticks,
		       struct err *err);

	/**
	 * Turn it into `count` deployments, and mark it routed with the reason, in one transaction.
	 * An order whose dedupe exists already is skipped; an older queued one of its service and
	 * environment becomes superseded. `repository` may be NULL. `made` gets how many are new.
	 * The delivery's state is `deployed` when there is one, else `ignored`. STORE_DUPLICATE: it
	 * was routed before, nothing is done.
	 */
	int (*route)(struct store *store, const char *guid, const char *repository,
		     const struct order *orders, size_t count, const char *why, int64_t now,
		     size_t *made, struct err *err);

	/** It can't be routed, ever: its state is `failed`, with the reason. `repository` may be
	 * NULL. */
	int (*give_up)(struct store *store, const char *guid, const char *repository,
		       const char *why, struct err *err);

	/** A person's order: *id of the deployment. STORE_DUPLICATE: dedupe exists, *id is that
	 * one; and STORE_CONFLICT when it exists and asks for something else. */
	int (*order)(struct store *store, const struct order *order, int64_t now, int64_t *id,
		     struct err *err);

	/** Take the oldest queued deployment (or running one whose lease ran out) whose service and
	 * environment has no other running, and whose needs are live; ends those whose needs failed
	 * as cancelled, and those that lost ten workers at one step as failed: a caller that looks
	 * at `losses` gives up sooner, and properly. STORE_EMPTY if none. */
	int (*claim)(struct store *store, const char *worker, struct instant now, int64_t lease_ms,
		     struct claim *out, struct arena *arena, struct err *err);

	/** Extend the lease; STORE_LOST if another worker has it now: stop. (Not flushed: another
	 * boot voids all leases anyway.) */
	int (*renew)(struct store *store, const struct claim *claim, int64_t until_ticks,
		     struct err *err);

	/** Save progress and extend the lease. STORE_LOST as above. */
	int (*advance)(struct store *store, const struct claim *claim, enum step next,
		       const struct progress *progress, int64_t until_ticks, struct err *err);

	/** End it. STORE_LOST as above. */
	int (*finish)(struct store *store, const struct claim *claim, const struct result *result,
		      int64_t now, struct err *err);

	/** A worker is known to be dead: its leases end now. */
	int (*release)(struct store *store, const char *worker, struct err *err);

	/** Append to the deployment's log. After 8 MiB the rest is dropped, with one line that says
	 * so. Not flushed: a power cut may take the last lines, a killed process doesn't.
	 * STORE_LOST as above. */
	int (*append_log)(struct store *store, const struct claim *claim, const char *bytes,
			  size_t size, struct err *err);

	/** Reading, for the API: JSON objects in the forms of interfaces.md, new references. A
	 * limit of 0 is 50, the most is 200. `log` appends at most `limit` bytes from that offset
	 * on, nothing at its end. */
	int (*deployments)(struct store *store, const struct store_filter *filter, json_t **list,
			   struct err *err);
	int (*deployment)(struct store *store, int64_t id, json_t **out,
			  struct err *err); /* ERR_ABSENT */
	int (*log)(struct store *store, int64_t id, int64_t offset, size_t limit, struct buf *out,
		   struct err *err);
	int (*deliveries)(struct store *store, const struct store_filter *filter, json_t **list,
			  struct err *err);
	int (*delivery)(struct store *store, const char *guid, json_t **out,
			struct err *err); /* ERR_ABSENT */

	/** The live (last succeeded, not superseded by a later success) commit; in the arena, NULL
	 * if none. */
	int (*live)(struct store *store, const char *repository, const char *service,
		    const char *environment, struct arena *arena, const char **commit,
		    const char **ref, struct err *err);

	/**
	 * A version that was good, in the arena, and its commit and ref: the one named, or
	 * (`wanted` NULL) the newest that was first deployed before what is live, so that going
	 * back twice goes back further. STORE_EMPTY when there is none.
	 */
	int (*good)(struct store *store, const struct order *about, const char *wanted,
		    struct arena *arena, struct order *out, struct err *err);

	/** The push whose `before` is this commit and that was routed already, same ref: the commit
	 * was replaced before it arrived. NULL if none; the newer commit otherwise, in the arena.
	 */
	int (*replaced)(struct store *store, const char *repository, const char *ref,
			const char *commit, struct arena *arena, const char **newer,
			struct err *err);

	/** When each secret of a hook signed last: `now` is the time; -1 for never. */
	int (*secret_used)(struct store *store, const char *hook, int secret, int64_t *last,
			   struct err *err);

	/** The report whose deployment has changed since it was told, that is put off least long;
	 * STORE_EMPTY if none. Not of deployments that ended before `oldest` (seconds since 1970):
	 * nobody waits for those any more. */
	int (*report)(struct store *store, struct instant now, int64_t oldest, struct report *out,
		      struct arena *arena, struct err *err);

	/** Keep the memo and how far `report` (as given out: the deployment may be further by now)
	 * has come. */
	int (*report_keep)(struct store *store, const struct report *report, const char *memo,
			   enum report_mark mark, struct err *err);

	/** Look at it again then; `why` NULL: nothing went wrong, so it counts as no try. */
	int (*report_put_off)(struct store *store, int64_t deployment, const char *why,
			      int64_t until_ticks, struct err *err);

	/** A word that no other store has, in the arena: for marks that must be ours. */
	int (*name)(struct store *store, struct arena *arena, const char **name, struct err *err);

	/** Up to which delivery (seconds since 1970) that webhook's were looked at; 0: never. */
	int (*fetched)(struct store *store, const char *hook, int64_t *until, struct err *err);
	int (*fetched_until)(struct store *store, const char *hook, int64_t until, struct err *err);

	/** Numbers for /metrics: {"deployments": {state: n}, "deliveries": {state: n}}. */
	int (*counts)(struct store *store, json_t **out, struct err *err);

	/** Does it take writes right now? */
	int (*ready)(struct store *store, struct err *err);

	/** Forget bodies and logs older than this, and deliveries 30 days older still (their guids
	 * are what dedupes); never a delivery that isn't routed. Only so much per call: STORE_EMPTY
	 * when nothing is left to forget. */
	int (*expire)(struct store *store, int64_t before, struct err *err);

	void (*free)(struct store *store);
};

/** "sqlite:///var/lib/slipway/slipway.db"; brings the schema up to date. One per thread. */
int store_open(struct store **out, const char *url, struct err *err) MUST_CHECK;
void store_free(struct store *store);
DEFINE_FREEP(struct store, store_free);

#endif
