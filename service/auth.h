#ifndef SERVICE_AUTH_H
#define SERVICE_AUTH_H

#include "service/server.h"
#include "service/settings.h"

/* Who may do what: bearer tokens, each with its rights, and what needs no token. */
struct auth;

/** Reads the tokens' secrets; keeps only keyed digests of them. */
int auth_new(struct auth **out, const struct settings *settings, struct err *err) MUST_CHECK;
void auth_free(struct auth *auth);
DEFINE_FREEP(struct auth, auth_free);

/**
 * Whose is this value of an Authorization header? The token's name, or NULL for none, a malformed
 * or an unknown one (NULL is a fine argument). Takes the same time for every token of the same
 * length.
 */
const char *auth_who(const struct auth *auth, const char *authorization);

/** For server_options.may; `self` is the auth. */
bool auth_may(void *self, const struct server_request *request, enum right right,
	      struct reply *reply);

/** The decision alone: 0, 401 or 403. */
int auth_decide(const struct auth *auth, const char *authorization, enum right right);

#endif
