#ifndef SERVICE_SELECTION_H
#define SERVICE_SELECTION_H

#include "pipeline/project.h"
#include "pipeline/source.h"
#include "service/routing.h"
#include "service/store.h"

/* From "this event may deploy to production" to the orders: which services, and why not the others.
 */

struct selection_input {
	const struct event *event;
	const struct routing_verdict *verdict;
	const struct project *project; /* as it stands at `commit` */
	const char *repository, *guid;
	const char *commit; /* what would be deployed: the event's, or the one that replaced it */
	struct source *source;
	struct store *store;
};

struct selection {
	struct order *orders; /* in the arena */
	size_t count;
	const char *why; /* one line for a person, whatever the count */
};

/** -1 when the source or the store fails. */
int selection_make(struct selection *out, const struct selection_input *input, struct arena *arena,
		   struct err *err) MUST_CHECK;

#endif
