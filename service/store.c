#include "service/store.h"

#include <string.h>

#include "service/store_kinds.h"

extern const struct store_kind store_sqlite;

const struct store_kind *const store_kinds[] = {&store_sqlite, NULL};

int store_open(struct store **out, const char *url, struct err *err)
{
	const char *rest = strstr(url, "://");

	*out = NULL;
	if (!rest)
		return err_set(
			err, ERR_USAGE, 0,
			"store '%s': expected a URL such as sqlite:///var/lib/slipway/slipway.db",
			url);
	for (size_t i = 0; store_kinds[i]; i++) {
		const char *scheme = store_kinds[i]->scheme;

		if (strlen(scheme) == (size_t)(rest - url)
		    && strncmp(url, scheme, strlen(scheme)) == 0)
			return store_kinds[i]->open(out, rest + 3, err);
	}
	/* Only the scheme is shown: what follows may hold a password. */
	return err_set(err, ERR_USAGE, 0,
		       "store: no back-end for '%.*s://…' in this program: expected sqlite://",
		       (int)(rest - url), url);
}

void store_free(struct store *store)
{
	if (store)
		store->free(store);
}
