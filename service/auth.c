#include "service/auth.h"

#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/text.h"

/* Longer ones are nobody's. */
#define TOKEN_MAX 1024

static const char *const right_names[RIGHT_COUNT] = {
	[RIGHT_READ] = "read",
	[RIGHT_METRICS] = "metrics",
	[RIGHT_REDEPLOY] = "redeploy",
	[RIGHT_ROLLBACK] = "rollback",
};

struct token {
	char *name;
	uint8_t digest[SHA256_SIZE];
	unsigned rights; /* a bit each */
};

struct auth {
	struct hmac_key *key; /* of this process: what is compared can't be known outside */
	struct token *tokens;
	size_t count;
	unsigned anonymous;
};

static void digest_of(const struct auth *auth, const char *text, uint8_t out[SHA256_SIZE])
{
	struct hmac *hmac = hmac_begin(auth->key);

	hmac_add(hmac, text, strlen(text));
	hmac_end(hmac, out);
}

static unsigned rights_of(const char *const *names)
{
	unsigned rights = 0;

	for (; names && *names; names++)
		for (unsigned right = 0; right < RIGHT_COUNT; right++)
			if (right_names[right] && strcmp(right_names[right], *names) == 0)
				rights |= 1U << right;
	return rights;
}

static int read_token(struct auth *auth, const struct settings_token *settings, struct err *err)
{
	struct token *token = &auth->tokens[auth->count];
	char *text;

	if (secret_read(&settings->secret, &text, err) < 0)
		return err_within(err, "token %s", settings->name);
	digest_of(auth, text, token->digest);
	crypto_wipe_text(text);
	free(text);
	token->name = xstrdup(settings->name);
	token->rights = rights_of(settings->may);
	auth->count++;
	return 0;
}

int auth_new(struct auth **out, const struct settings *settings, struct err *err)
{
	const struct settings_token *tokens = settings->tokens.items;
	cleanup(auth_freep) struct auth *auth = xalloc(sizeof *auth);
	uint8_t secret[SHA256_SIZE];

	crypto_random(secret, sizeof secret);
	auth->key = hmac_key_new(secret, sizeof secret);
	crypto_wipe(secret, sizeof secret);
	auth->anonymous = rights_of(settings->anonymous);
	auth->tokens = xalloc((settings->tokens.count + 1) * sizeof *auth->tokens); /* find() */
	for (size_t i = 0; i < settings->tokens.count; i++)
		if (read_token(auth, &tokens[i], err) < 0)
			return -1;
	*out = take(auth);
	return 0;
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	for (size_t i = 0; i < auth->count; i++)
		free(auth->tokens[i].name);
	free(auth->tokens);
	hmac_key_free(auth->key);
	free(auth);
}

/* The token after "Bearer ", or NULL (RFC 6750, section 2.1). */
static const char *bearer(const char *authorization)
{
	if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
		return NULL;
	authorization += 7;
	return *authorization && strnlen(authorization, TOKEN_MAX + 1) <= TOKEN_MAX ? authorization
										    : NULL;
}

/* The token that was given, or the one after the last, which has no name: by the same instructions.
 */
static const struct token *find(const struct auth *auth, const char *authorization)
{
	const char *given = bearer(authorization);
	size_t found = auth->count;
	uint8_t digest[SHA256_SIZE];

	if (!given)
		return &auth->tokens[auth->count];
	digest_of(auth, given, digest);
	for (size_t i = 0; i < auth->count; i++)
		found = crypto_choose(crypto_same(digest, auth->tokens[i].digest, sizeof digest), i,
				      found);
	return &auth->tokens[found];
}

const char *auth_who(const struct auth *auth, const char *authorization)
{
	return find(auth, authorization)->name;
}

int auth_decide(const struct auth *auth, const char *authorization, enum right right)
{
	const struct token *token;

	if (auth->anonymous >> right & 1)
		return 0;
	token = find(auth, authorization);
	if (!token->name)
		return 401;
	return token->rights >> right & 1 ? 0 : 403;
}

bool auth_may(void *self, const struct server_request *request, enum right right,
	      struct reply *reply)
{
	const char *authorization = call_header(request, "Authorization");
	int status = auth_decide(self, authorization, right);

	if (status == 0)
		return true;
	if (status == 403) {
		reply_problem(reply, 403, "Forbidden", "the token lacks the right '%s'",
			      right_names[right]);
		return false;
	}
	reply_problem(reply, 401, "Unauthorized", "a bearer token with the right '%s' is needed",
		      right_names[right]);
	reply->headers[0][0] = "WWW-Authenticate";
	reply->headers[0][1] = authorization ? "Bearer error=\"invalid_token\"" : "Bearer";
	return false;
}
