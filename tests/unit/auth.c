/* Bearer tokens: whose they are, what they may. */
#include "service/auth.h"

#include "tap.h"

int main(void)
{
	static const char *const all[] = {"read", "redeploy", "rollback", NULL};
	static const char *const some[] = {"read", NULL};
	static const char *const open[] = {"metrics", NULL};
	struct settings_token tokens[] = {
		{.name = "ops", .secret = {.text = "ops-token"}, .may = all},
		{.name = "viewer", .secret = {.text = "viewer-token"}, .may = some},
	};
	struct settings settings = {.tokens = {.items = tokens, .count = 2}, .anonymous = open};
	static char huge[5000] = "Bearer ";
	struct auth *auth = NULL;
	struct err err = ERR_INIT;

	if (auth_new(&auth, &settings, &err) < 0)
		bail_out(err.text);
	same_str(auth_who(auth, "Bearer ops-token"), "ops", "a token is known");
	same_str(auth_who(auth, "bearer viewer-token"), "viewer", "the scheme in any case");
	same_str(auth_who(auth, NULL), NULL, "no header is nobody");
	same_str(auth_who(auth, ""), NULL, "an empty one");
	same_str(auth_who(auth, "Bearer "), NULL, "an empty token");
	same_str(auth_who(auth, "Bearer ops-toke"), NULL, "a prefix");
	same_str(auth_who(auth, "Bearer ops-token2"), NULL, "more than the token");
	same_str(auth_who(auth, "Bearer  ops-token"), NULL, "another space");
	same_str(auth_who(auth, "Basic ops-token"), NULL, "another scheme");
	same_str(auth_who(auth, "ops-token"), NULL, "no scheme");
	memset(huge + 7, 'x', sizeof huge - 8);
	same_str(auth_who(auth, huge), NULL, "a huge token");
	same_int(auth_decide(auth, "Bearer ops-token", RIGHT_ROLLBACK), 0, "a right it has");
	same_int(auth_decide(auth, "Bearer viewer-token", RIGHT_READ), 0, "another's too");
	same_int(auth_decide(auth, "Bearer viewer-token", RIGHT_REDEPLOY), 403,
		 "a right it lacks is 403");
	same_int(auth_decide(auth, "Bearer x", RIGHT_READ), 401, "an unknown token is 401");
	same_int(auth_decide(auth, NULL, RIGHT_READ), 401, "none is 401");
	same_int(auth_decide(auth, NULL, RIGHT_METRICS), 0, "anonymous may what it may");
	same_int(auth_decide(auth, "Bearer x", RIGHT_METRICS), 0, "with a wrong token too");
	auth_free(auth);
	settings.anonymous = NULL;
	tokens[1].secret.text = "";
	same_int(auth_new(&auth, &settings, &err), -1, "an empty secret is refused");
	ok(strstr(err.text, "token viewer"), "and its token named");
	return tap_done();
}
