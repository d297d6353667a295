#include "cloud/aws/ecr.h"

#include <ctype.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "cloud/aws/region.h"
#include "net/url.h"

#define MARGIN 3600 /* seconds: a push may take as long */

struct ecr {
	struct aws *aws;
	const struct cloud_site *site;
	char *password, *username, *endpoint;
	struct ecr_login login;
};

/* ---- names ---- */

static bool is_word(char c)
{
	return islower((unsigned char)c) || isdigit((unsigned char)c);
}

int ecr_valid_repository(const char *text, struct err *err)
{
	size_t size = strlen(text);
	bool good = size >= 2 && size <= 256 && is_word(text[0]) && is_word(text[size - 1]);

	for (size_t i = 0; good && i < size; i++) {
		const char *gap = text + i;
		size_t run = strspn(gap, "._-/");

		if (!is_word(*gap) && run == 0)
			good = false;
		/* Dashes in a row are fine, two underscores too; else one between words. */
		if (run > 1 && !(run == 2 && strncmp(gap, "__", 2) == 0) && strspn(gap, "-") != run)
			good = false;
		i += run ? run - 1 : 0;
	}
	if (good)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "repository '%.256s' (expected 2 to 256 lower-case letters and digits, with "
		       "single . _ - / between them, as 'acme/shop')",
		       text);
}

/* "123456789012.dkr.ecr.eu-west-1.amazonaws.com"; false when it isn't one. */
static bool private_registry(struct ecr_name *name, struct arena *arena)
{
	static const char *const middles[] = {".dkr.ecr.", ".dkr.ecr-fips."};
	const char *registry = name->registry, *rest = NULL;

	for (size_t i = 0; i < 2 && !rest; i++)
		if (strspn(registry, "0123456789") == 12 && text_starts(registry + 12, middles[i]))
			rest = registry + 12 + strlen(middles[i]);
	if (!rest || !strchr(rest, '.'))
		return false;
	name->account = arena_memdup(arena, registry, 12);
	name->region = arena_memdup(arena, rest, strcspn(rest, "."));
	return *name->region && text_same(strchr(rest, '.') + 1, aws_region_domain(name->region));
}

static bool is_digest(const char *text)
{
	uint8_t bytes[SHA256_SIZE];

	return text_starts(text, "sha256:")
	       && hex_decode(text + 7, strlen(text + 7), bytes, sizeof bytes);
}

static bool is_tag(const char *text)
{
	static const char after[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t size = strspn(text, after);

	return size > 0 && size <= 128 && text[size] == '\0' && !strchr(".-", *text);
}

static int elsewhere(const char *text, struct err *err)
{
	err_set(err, ERR_USAGE, 0,
		"image '%.200s' is in no registry of AWS (expected "
		"123456789012.dkr.ecr.REGION.amazonaws.com/NAME:TAG or public.ecr.aws/ALIAS/"
		"NAME:TAG): copy it to ECR, or let slipway build it",
		text);
	return ECR_ELSEWHERE;
}

int ecr_name_parse(struct ecr_name *out, const char *text, struct arena *arena, struct err *err)
{
	char *copy = arena_strdup(arena, text), *slash = strchr(copy, '/'), *at, *colon;

	*out = (struct ecr_name){0};
	if (!slash)
		return elsewhere(text, err);
	*slash = '\0';
	out->registry = copy;
	out->repository = slash + 1;
	out->is_public = text_same(copy, "public.ecr.aws");
	if (!out->is_public && !private_registry(out, arena))
		return elsewhere(text, err);
	at = strchr(slash + 1, '@');
	if (at) {
		*at = '\0';
		out->digest = at + 1;
	}
	colon = strchr(slash + 1, ':');
	if (colon) {
		*colon = '\0';
		out->tag = colon + 1;
	}
	if (out->digest && !is_digest(out->digest))
		return err_set(err, ERR_USAGE, 0,
			       "image '%.300s': the digest '%.80s' isn't one (expected sha256: and "
			       "64 hex digits)",
			       text, out->digest);
	if (out->tag && !is_tag(out->tag))
		return err_set(err, ERR_USAGE, 0,
			       "image '%.300s': the tag '%.130s' isn't one (expected at most 128 "
			       "letters, digits, _ . -)",
			       text, out->tag);
	if (ecr_valid_repository(out->repository, err))
		return err_within(err, "image '%.200s'", text);
	return 0;
}

/* ---- logging in ---- */

struct ecr *ecr_new(struct aws *aws, const struct cloud_site *site)
{
	struct ecr *ecr = xalloc(sizeof *ecr);

	ecr->aws = aws;
	ecr->site = site;
	return ecr;
}

void ecr_forget(struct ecr *ecr)
{
	crypto_wipe_text(ecr->password);
	free(ecr->password);
	free(ecr->username);
	free(ecr->endpoint);
	ecr->password = ecr->username = ecr->endpoint = NULL;
	ecr->login = (struct ecr_login){0};
}

void ecr_free(struct ecr *ecr)
{
	if (!ecr)
		return;
	ecr_forget(ecr);
	free(ecr);
}

static int call(struct ecr *ecr, const char *operation, json_t *body, int64_t deadline,
		json_t **answer, struct err *err)
{
	const struct aws_call call = {
		.service = &aws_ecr,
		.operation = operation,
		.body = body,
		.deadline = deadline,
	};

	return aws_call(ecr->aws, &call, answer, err);
}

/* The token is "AWS:" and a password that may itself have colons, in base64, of any length. */
static int take_token(struct ecr *ecr, const char *token, struct err *err)
{
	size_t size = 0;
	char *pair = base64_decode(token, &size), *colon;

	cloud_mask(ecr->site, token);
	colon = pair ? memchr(pair, ':', size) : NULL;
	if (!colon || colon == pair || colon[1] == '\0' || memchr(pair, '\0', size)) {
		if (pair)
			crypto_wipe(pair, size);
		free(pair);
		return err_set(err, ERR_REMOTE, 0,
			       "ecr: GetAuthorizationToken: the token can't be read (expected "
			       "base64 of user:password)");
	}
	*colon = '\0';
	ecr->username = xstrdup(pair);
	ecr->password = xstrdup(colon + 1);
	crypto_wipe(pair, size);
	free(pair);
	cloud_mask(ecr->site, ecr->password);
	return 0;
}

static int take_endpoint(struct ecr *ecr, const char *endpoint, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct url url;

	if (url_parse(&url, endpoint ? endpoint : "", arena, err) || url.user || url.query
	    || strlen(url.path) > 1
	    || !(text_same(url.scheme, "https")
		 || (text_same(url.scheme, "http") && url_is_loopback(url.host))))
		return err_set(
			err, ERR_REMOTE, 0,
			"ecr: GetAuthorizationToken: the registry's address '%.200s' can't be "
			"used (expected https://HOST)",
			endpoint ? endpoint : "");
	ecr->endpoint = xstrdup(endpoint);
	ecr->endpoint[strcspn(ecr->endpoint, ":") + 3
		      + strcspn(strstr(ecr->endpoint, "://") + 3, "/")] = '\0';
	return 0;
}

static int ask_login(struct ecr *ecr, int64_t deadline, struct err *err)
{
	json_auto json_t *answer = NULL;
	const json_t *data, *expires;
	const char *token;

	if (call(ecr, "GetAuthorizationToken", NULL, deadline, &answer, err))
		return -1;
	data = json_array_get(json_object_get(answer, "authorizationData"), 0);
	token = json_text(data, "authorizationToken");
	if (!token)
		return err_set(err, ERR_REMOTE, 0, "ecr: GetAuthorizationToken: no token in it");
	if (take_token(ecr, token, err)
	    || take_endpoint(ecr, json_text(data, "proxyEndpoint"), err)) {
		ecr_forget(ecr);
		return -1;
	}
	expires = json_object_get(data, "expiresAt");
	ecr->login = (struct ecr_login){
		.username = ecr->username,
		.password = ecr->password,
		.endpoint = ecr->endpoint,
		.expires = json_is_number(expires) ? (int64_t)json_number_value(expires) : 0,
	};
	return 0;
}

int ecr_login(struct ecr *ecr, int64_t deadline, const struct ecr_login **out, struct err *err)
{
	*out = &ecr->login;
	if (ecr->password && clock_now(ecr->site->clock) < ecr->login.expires - MARGIN)
		return 0;
	ecr_forget(ecr);
	return ask_login(ecr, deadline, err);
}

/* ---- repositories ---- */

/* 1: there is none. */
static int describe_repository(struct ecr *ecr, const char *name, int64_t deadline, json_t **out,
			       struct err *err)
{
	json_auto json_t *body = json_pack("{s:[s]}", "repositoryNames", name);
	json_auto json_t *answer = NULL;
	int status = call(ecr, "DescribeRepositories", body, deadline, &answer, err);

	if (status && aws_error_is(aws_last(ecr->aws), "RepositoryNotFoundException"))
		return 1;
	if (status)
		return -1;
	*out = json_incref(json_array_get(json_object_get(answer, "repositories"), 0));
	if (!json_text(*out, "repositoryUri"))
		return err_set(err, ERR_REMOTE, 0,
			       "ecr: DescribeRepositories: no repositoryUri in the answer");
	return 0;
}

static json_t *creation(const struct ecr_repository *wanted)
{
	json_t *body = json_pack("{s:s, s:s, s:{s:b}}", "repositoryName", wanted->name,
				 "imageTagMutability", wanted->immutable ? "IMMUTABLE" : "MUTABLE",
				 "imageScanningConfiguration", "scanOnPush", wanted->scan);
	json_t *tags = json_array();

	for (size_t i = 0; wanted->tags && wanted->tags[i]; i++) {
		const char *tag = wanted->tags[i];
		size_t key = strcspn(tag, "=");

		json_array_append_new(tags, json_pack("{s:s%, s:s}", "Key", tag, key, "Value",
						      tag[key] ? tag + key + 1 : ""));
	}
	if (json_array_size(tags) > 0)
		json_object_set(body, "tags", tags);
	json_decref(tags);
	return body;
}

/* Somebody else's creation at the same time is as good as ours. */
static int create(struct ecr *ecr, const struct ecr_repository *wanted, int64_t deadline,
		  json_t **out, bool *created, struct err *err)
{
	json_auto json_t *body = creation(wanted), *answer = NULL;
	int status = call(ecr, "CreateRepository", body, deadline, &answer, err);

	if (status && aws_error_is(aws_last(ecr->aws), "RepositoryAlreadyExistsException")) {
		if (describe_repository(ecr, wanted->name, deadline, out, err) == 0)
			return 0;
		return err_within(err, "repository '%s' is there and isn't", wanted->name);
	}
	if (status)
		return -1;
	*out = json_incref(json_object_get(answer, "repository"));
	if (!json_text(*out, "repositoryUri"))
		return err_set(err, ERR_REMOTE, 0,
			       "ecr: CreateRepository: no repositoryUri in the answer");
	*created = true;
	return 0;
}

int ecr_ensure(struct ecr *ecr, const struct ecr_repository *wanted, int64_t deadline,
	       struct arena *arena, const char **uri, bool *created, bool *immutable,
	       struct err *err)
{
	json_auto json_t *repository = NULL;
	const char *mutability;
	bool made = false;
	int status;

	if (ecr_valid_repository(wanted->name, err))
		return -1;
	status = describe_repository(ecr, wanted->name, deadline, &repository, err);
	/* Who may create but not look is told by the creation that it is there. */
	if (status == 1)
		status = create(ecr, wanted, deadline, &repository, &made, err);
	if (status)
		return err_within(err, "repository '%s'", wanted->name);
	mutability = json_text(repository, "imageTagMutability");
	if (uri)
		*uri = arena_strdup(arena, json_text(repository, "repositoryUri"));
	if (created)
		*created = made;
	if (immutable)
		*immutable = mutability && text_starts(mutability, "IMMUTABLE");
	return 0;
}

/* ---- images ---- */

int ecr_digest(struct ecr *ecr, const struct ecr_name *name, int64_t deadline, struct arena *arena,
	       const char **digest, struct err *err)
{
	const char *tag = name->tag ? name->tag : "latest";
	json_auto json_t *body = json_pack("{s:s, s:[{s:s}]}", "repositoryName", name->repository,
					   "imageIds", name->digest ? "imageDigest" : "imageTag",
					   name->digest ? name->digest : tag);
	json_auto json_t *answer = NULL;
	const struct aws_error *last = aws_last(ecr->aws);
	const char *found;

	if (name->account)
		json_object_set_new(body, "registryId", json_string(name->account));
	if (call(ecr, "DescribeImages", body, deadline, &answer, err)) {
		if (aws_error_is(last, "ImageNotFoundException")
		    || aws_error_is(last, "RepositoryNotFoundException"))
			return err_set(err, ERR_ABSENT, last->status,
				       "there is no image %.200s%s%s in ECR's %s: %.150s",
				       name->repository, name->digest ? "@" : ":",
				       name->digest ? name->digest : tag,
				       name->region ? name->region : aws_region(ecr->aws),
				       last->message);
		return -1;
	}
	found = json_text(json_array_get(json_object_get(answer, "imageDetails"), 0),
			  "imageDigest");
	if (!found || !is_digest(found))
		return err_set(err, ERR_REMOTE, 0,
			       "ecr: DescribeImages: no imageDigest in the answer");
	*digest = arena_strdup(arena, found);
	return 0;
}
