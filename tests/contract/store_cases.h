/* Runs cases over every row of the store registry, each with a fresh store. */
#ifndef TESTS_CONTRACT_STORE_CASES_H
#define TESTS_CONTRACT_STORE_CASES_H
#include "contract/store.h"

struct store_case {
	const char *name;
	void (*run)(struct store *store);
};

static struct arena *arena; /* for what the cases read; one per case */

static inline size_t route(struct store *store, const char *guid, const struct order *orders,
			   size_t count, int *got)
{
	struct err err = ERR_INIT;
	size_t made;

	*got = store->route(store, guid, "acme/shop", orders, count, "push to main", 1500, &made,
			    &err);
	if (*got < 0)
		tap_note("%s", err.text);
	return made;
}

static inline int run_cases(const struct store_case *cases, size_t count)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t k = 0; store_kinds[k]; k++)
		for (size_t i = 0; i < count; i++) {
			struct place place;
			struct store *store;

			printf("# %s: %s\n", store_kinds[k]->scheme, cases[i].name);
			place_make(&place, store_kinds[k]->scheme);
			store = open_or_bail(place.url);
			arena = arena_new();
			cases[i].run(store);
			store_free(store);
			arena_free(arena);
			place_remove(&place);
		}
	return tap_done();
}

#endif
