/* ECR: names, logging in, repositories, digests. */
#include "cloud/aws/ecr.h"

#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "cloud_play.h"

#define ECR         "https://api.ecr.eu-west-1.amazonaws.com/"
#define KEYS        "AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sec"
#define REST        NULL, NULL, NULL, NULL, NULL
#define WANTS(text) NULL, NULL, text, NULL, NULL
#define ERROR(code) "{\"__type\":\"" code "\",\"message\":\"m\"}"
#define HOST        "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
#define DIGEST      "sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea"
/* AWS:pa:ss+/=word */
#define TOKEN(expires, endpoint)                                                        \
	"{\"authorizationData\":[{\"authorizationToken\":\"QVdTOnBhOnNzKy89d29yZA==\"," \
	"\"expiresAt\":" expires ",\"proxyEndpoint\":\"" endpoint "\"}]}"
#define NOW 1795539900

static struct err err;
static struct aws_settings settings = {.region = "eu-west-1"};
static struct arena *arena;
static struct aws *aws;

static struct ecr *begin(void)
{
	hand.milliseconds = (int64_t)NOW * 1000;
	err = (struct err)ERR_INIT;
	if (aws_new(&aws, &settings, &site, &err) < 0)
		bail_out(err.text);
	return ecr_new(aws, &site);
}

static void end(struct ecr *ecr)
{
	ecr_free(ecr);
	aws_free(aws);
}

static void test_names(void)
{
	static const struct {
		const char *text, *account, *region, *repository, *tag, *digest;
	} good[] = {
		{HOST "/shop", "123456789012", "eu-west-1", "shop", NULL, NULL},
		{HOST "/acme/shop:1a2b", "123456789012", "eu-west-1", "acme/shop", "1a2b", NULL},
		{HOST "/a.b/c_d/e--f@" DIGEST, "123456789012", "eu-west-1", "a.b/c_d/e--f", NULL,
		 DIGEST},
		{HOST "/shop:x@" DIGEST, "123456789012", "eu-west-1", "shop", "x", DIGEST},
		{"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/ab:x", "123456789012",
		 "cn-north-1", "ab", "x", NULL},
		{"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/ab:x", "123456789012",
		 "us-east-1", "ab", "x", NULL},
		{"public.ecr.aws/a1b2/shop:x", NULL, NULL, "a1b2/shop", "x", NULL},
	};
	static const char *const bad[] = {
		HOST "/Shop:x",         HOST "/s",           HOST "/shop:",  HOST "/shop:.x",
		HOST "/shop@sha256:12", HOST "/shop@md5:12", HOST "/a//b:x", HOST "/-a:x",
		HOST "/a-/b_:x",        HOST "/a___b:x",     HOST "/a._b:x", HOST "/"};
	static const char *const others[] = {"nginx",
					     "docker.io/nginx:1",
					     "1234.dkr.ecr.eu-west-1.amazonaws.com/a:b",
					     HOST ".example.com/a:b",
					     "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn/a:b",
					     "public.ecr.aws.example/a/b"};
	struct ecr_name name;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ok(ecr_name_parse(&name, good[i].text, arena, &err) == 0
			   && text_same(name.account, good[i].account)
			   && text_same(name.region, good[i].region)
			   && text_same(name.repository, good[i].repository)
			   && text_same(name.tag, good[i].tag)
			   && text_same(name.digest, good[i].digest)
			   && name.is_public == !good[i].account,
		   good[i].text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(ecr_name_parse(&name, bad[i], arena, &err) == -1 && err.kind == ERR_USAGE,
		   bad[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		same_int(ecr_name_parse(&name, others[i], arena, &err), ECR_ELSEWHERE, others[i]);
	ok(strstr(err.text, "public.ecr.aws/ALIAS") != NULL, "what was expected is said");
}

static void test_login(void)
{
	static const struct step steps[] = {
		{"POST", ECR, 200, TOKEN("1795583100.5", "https://" HOST),
		 WANTS("X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken")},
		{"POST", ECR, 200, TOKEN("1795626300", "https://" HOST "/"), REST},
		{"POST", ECR, 200, TOKEN("1795626300", "http://127.0.0.1:5000"), REST},
	};
	const struct ecr_login *login;
	struct ecr *ecr;

	PLAY(steps, ENV(KEYS));
	ecr = begin();
	same_int(ecr_login(ecr, 0, &login, &err), 0, "logged in");
	same_str(login->username, "AWS", "the user");
	same_str(login->password, "pa:ss+/=word", "aws edge 50: split at the first colon");
	same_str(login->endpoint, "https://" HOST, "the registry");
	same_int(login->expires, 1795583100, "twelve hours");
	hand.milliseconds += INT64_C(39500) * 1000;
	same_int(ecr_login(ecr, 0, &login, &err), 0, "eleven hours later it is the same one");
	hand.milliseconds += INT64_C(200) * 1000;
	same_int(ecr_login(ecr, 0, &login, &err), 0,
		 "aws edge 50: a token is renewed before its twelve hours are over");
	same_str(login->endpoint, "https://" HOST, "an address with a slash at its end");
	ecr_forget(ecr);
	same_int(ecr_login(ecr, 0, &login, &err), 0, "forgotten: asked anew");
	same_str(login->endpoint, "http://127.0.0.1:5000", "plain http on loopback");
	end(ecr);
	played("one call for each");
}

static void test_odd_logins(void)
{
	static const struct step steps[] = {
		{"POST", ECR, 200, TOKEN("1", "http://" HOST), REST},
		{"POST", ECR, 200, TOKEN("1", "https://u@" HOST), REST},
		{"POST", ECR, 200, TOKEN("1", ""), REST},
		{"POST", ECR, 200, "{\"authorizationData\":[]}", REST},
		{"POST", ECR, 200, "{\"authorizationData\":[{\"authorizationToken\":\"QVdT\"}]}",
		 REST},
		{"POST", ECR, 200, "{\"authorizationData\":[{\"authorizationToken\":\"*\"}]}",
		 REST},
		{"POST", ECR, 200, "{\"authorizationData\":[{\"authorizationToken\":7}]}", REST},
		{"POST", ECR, 400, ERROR("AccessDeniedException"), REST},
	};
	static const char *const names[] = {"http to a stranger",
					    "a user in the address",
					    "no address",
					    "no token",
					    "no colon",
					    "no base64",
					    "a number"};
	const struct ecr_login *login;
	struct ecr *ecr;

	PLAY(steps, ENV(KEYS));
	ecr = begin();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ok(ecr_login(ecr, 0, &login, &err) == -1 && err.kind == ERR_REMOTE, names[i]);
	ok(ecr_login(ecr, 0, &login, &err) == -1 && err.kind == ERR_AUTH, "not allowed");
	end(ecr);
	played("each asked once");
}

#define REPOSITORY(mutability) \
	"{\"repositoryUri\":\"" HOST "/acme/shop\",\"imageTagMutability\":\"" mutability "\"}"

static void test_ensure(void)
{
	static const struct step steps[] = {
		{"POST", ECR, 200, "{\"repositories\":[" REPOSITORY("MUTABLE") "]}",
		 WANTS("{\"repositoryNames\":[\"acme/shop\"]}")},
		{"POST", ECR, 400, ERROR("RepositoryNotFoundException"), REST},
		{"POST", ECR, 200, "{\"repository\":" REPOSITORY("IMMUTABLE") "}",
		 WANTS("\"tags\":[{\"Key\":\"a\",\"Value\":\"b=c\"},{\"Key\":\"d\",\"Value\":\"\"}"
		       "]")},
		{"POST", ECR, 400, ERROR("RepositoryNotFoundException"), REST},
		{"POST", ECR, 400, ERROR("RepositoryAlreadyExistsException"), REST},
		{"POST", ECR, 200,
		 "{\"repositories\":[" REPOSITORY("IMMUTABLE_WITH_EXCLUSION") "]}", REST},
		{"POST", ECR, 400, ERROR("RepositoryNotFoundException"), REST},
		{"POST", ECR, 400, ERROR("LimitExceededException"), REST},
		{"POST", ECR, 200, "{\"repositories\":[]}", REST},
	};
	static const char *const tags[] = {"a=b=c", "d", NULL};
	struct ecr_repository wanted = {.name = "acme/shop", .immutable = true, .tags = tags};
	const char *uri = NULL;
	bool created, immutable;
	struct ecr *ecr;

	PLAY(steps, ENV(KEYS));
	ecr = begin();
	same_int(ecr_ensure(ecr, &wanted, 0, arena, &uri, &created, &immutable, &err), 0, "there");
	ok(!created && !immutable, "as it is, not as wanted");
	same_str(uri, HOST "/acme/shop", "its name");
	same_int(ecr_ensure(ecr, &wanted, 0, arena, &uri, &created, &immutable, &err), 0, "made");
	ok(created && immutable, "as wanted");
	same_int(ecr_ensure(ecr, &wanted, 0, arena, &uri, &created, &immutable, &err), 0,
		 "aws edge 50: made by somebody else at the same time");
	ok(!created && immutable, "not by us");
	ok(ecr_ensure(ecr, &wanted, 0, arena, NULL, NULL, NULL, &err) == -1
		   && err.kind == ERR_LIMIT,
	   "too many repositories");
	ok(ecr_ensure(ecr, &wanted, 0, arena, NULL, NULL, NULL, &err) == -1
		   && err.kind == ERR_REMOTE,
	   "an answer without a name");
	wanted.name = "Acme";
	ok(ecr_ensure(ecr, &wanted, 0, arena, NULL, NULL, NULL, &err) == -1
		   && err.kind == ERR_USAGE,
	   "a name that ECR doesn't take isn't asked for");
	end(ecr);
	played("its calls");
}

static void test_digest(void)
{
	static const struct step steps[] = {
		{"POST", ECR, 200, "{\"imageDetails\":[{\"imageDigest\":\"" DIGEST "\"}]}",
		 WANTS("\"imageIds\":[{\"imageTag\":\"1a2b\"}],\"registryId\":\"123456789012\"")},
		{"POST", ECR, 200, "{\"imageDetails\":[{\"imageDigest\":\"" DIGEST "\"}]}",
		 WANTS("\"imageIds\":[{\"imageTag\":\"latest\"}]")},
		{"POST", ECR, 200, "{\"imageDetails\":[{\"imageDigest\":\"" DIGEST "\"}]}",
		 WANTS("\"imageIds\":[{\"imageDigest\":\"" DIGEST "\"}]")},
		{"POST", ECR, 400, ERROR("ImageNotFoundException"), REST},
		{"POST", ECR, 400, ERROR("RepositoryNotFoundException"), REST},
		{"POST", ECR, 200, "{\"imageDetails\":[{\"imageDigest\":\"nonsense\"}]}", REST},
		{"POST", ECR, 200, "{}", REST},
	};
	struct ecr_name name = {
		.account = "123456789012", .repository = "acme/shop", .tag = "1a2b"};
	const char *digest = NULL;
	struct ecr *ecr;

	PLAY(steps, ENV(KEYS));
	ecr = begin();
	same_int(ecr_digest(ecr, &name, 0, arena, &digest, &err), 0, "by tag");
	same_str(digest, DIGEST, "its digest");
	name.tag = NULL;
	same_int(ecr_digest(ecr, &name, 0, arena, &digest, &err), 0, "without a tag: latest");
	name.digest = DIGEST;
	same_int(ecr_digest(ecr, &name, 0, arena, &digest, &err), 0, "by digest");
	ok(ecr_digest(ecr, &name, 0, arena, &digest, &err) == -1 && err.kind == ERR_ABSENT,
	   "no such image");
	ok(ecr_digest(ecr, &name, 0, arena, &digest, &err) == -1 && err.kind == ERR_ABSENT,
	   "no such repository");
	ok(ecr_digest(ecr, &name, 0, arena, &digest, &err) == -1 && err.kind == ERR_REMOTE,
	   "a digest that is none");
	ok(ecr_digest(ecr, &name, 0, arena, &digest, &err) == -1 && err.kind == ERR_REMOTE,
	   "an empty answer");
	end(ecr);
	played("its calls");
}

int main(void)
{
	arena = arena_new();
	test_names();
	test_login();
	test_odd_logins();
	test_ensure();
	test_digest();
	arena_free(arena);
	return tap_done();
}
