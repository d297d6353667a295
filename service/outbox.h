#ifndef SERVICE_OUTBOX_H
#define SERVICE_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "github/api.h"
#include "service/store.h"

/*
 * Tells GitHub about deployments: what is still to be told is the difference between a deployment
 * and its report in the store. Nothing is told twice: what is about to be sent is kept first, and
 * who finds it kept looks at GitHub before sending it. Deployments never wait for any of this.
 */
struct outbox {
	struct store *store;
	struct github *github; /* with a patience that doesn't wait */
	struct clock *clock;
	bool deployments, statuses, checks; /* as what */
	const char *link; /* where people reach the service: "https://deploy.example"; NULL */
	const char *name; /* the store's */
	int64_t pace;     /* milliseconds from one change to the next; GitHub asks for 1,000 */
	int64_t progress; /* milliseconds that a step lasts before it is worth telling */
	int64_t next;     /* ticks before which nothing is sent; 0 at first */
	char complained[sizeof((struct err *)0)->text]; /* the last refusal: logged once */
};

/** Tell one thing, if there is one and its time has come. 0; STORE_EMPTY: nothing to do now; -1:
 * the store fails. */
int outbox_step(struct outbox *outbox, struct err *err) MUST_CHECK;

#endif
