/* One call of lib/cloud/aws, with the environment as it is, for the tests with a stand-in:
 *     aws SERVICE OPERATION [JSON] [OPTION=VALUE …]     SERVICE: apprunner, ecs, ecr, logs; sts:
 * who we are role=ARN, external-id=, accounts=ID, once=1, deadline=MILLISECONDS, tries=,
 * repeat=COUNT (the same call so many times in one session), pause=MILLISECONDS between them. The
 * answer goes to stdout, a line each; what is said and what is masked to stderr. Status 1 with
 * "KIND: text" for an error, 2 with "UNKNOWN: text". */
#include "cloud/aws/aws.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "github/oidc.h"

static struct cloud_site site;

static const char *option(char **args, const char *name, const char *fallback)
{
	size_t size = strlen(name);

	for (; *args; args++)
		if (strncmp(*args, name, size) == 0 && (*args)[size] == '=')
			return *args + size + 1;
	return fallback;
}

static int64_t number(char **args, const char *name, int64_t fallback)
{
	const char *text = option(args, name, NULL);

	return text ? strtoll(text, NULL, 10) : fallback;
}

static void mask(void *self, const char *secret)
{
	(void)self;
	fprintf(stderr, "mask: %s\n", secret);
}

__attribute__((format(printf, 2, 3))) static void say(void *self, const char *fmt, ...)
{
	va_list args;

	(void)self;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

static int id_token(void *self, const char *audience, char **token, struct err *err)
{
	const struct oidc oidc = {
		.url = getenv("ACTIONS_ID_TOKEN_REQUEST_URL"),
		.token = getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
		.http = site.http,
		.clock = site.clock,
	};

	(void)self;
	return oidc_token(&oidc, audience, token, err);
}

static int failed(int rc, const struct err *err)
{
	printf("%s: %s\n", rc > 0 ? "UNKNOWN" : err_kind_name(err->kind), err->text);
	return rc > 0 ? 2 : 1;
}

static int who(struct aws *aws, char **args, struct err *err)
{
	const struct sts_identity *identity;
	int64_t deadline = number(args, "deadline", 0);

	if (deadline)
		deadline += clock_ticks(site.clock);
	if (aws_identity(aws, deadline, &identity, err) < 0)
		return -1;
	printf("%s %s\n", identity->account, identity->arn);
	return 0;
}

static const struct aws_service *service_of(const char *name)
{
	static const struct aws_service *const all[] = {&aws_apprunner, &aws_ecs, &aws_ecr,
							&aws_logs};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (text_same(all[i]->signing, name))
			return all[i];
	return NULL;
}

static int call(struct aws *aws, char **args, json_t *body, struct err *err)
{
	struct aws_call call = {
		.service = service_of(args[0]),
		.operation = args[1],
		.body = body,
		.once = number(args, "once", 0) != 0,
		.deadline = number(args, "deadline", 0),
		.tries = (unsigned)number(args, "tries", 0),
	};
	cleanup(buf_free) struct buf text = BUF_INIT(1000000);
	json_auto json_t *answer = NULL;
	int rc;

	if (!call.service)
		return err_set(err, ERR_USAGE, 0, "no such service '%s'", args[0]);
	if (call.deadline)
		call.deadline += clock_ticks(site.clock);
	rc = aws_call(aws, &call, &answer, err);
	if (rc != 0)
		return rc;
	buf_add_json(&text, answer);
	puts(buf_text(&text));
	fflush(stdout);
	return 0;
}

static int run(char **args, struct err *err)
{
	const char *const accounts[] = {option(args, "accounts", NULL), NULL};
	const struct aws_settings settings = {
		.role_to_assume = option(args, "role", NULL),
		.role_external_id = option(args, "external-id", NULL),
		.allowed_account_ids = accounts,
	};
	cleanup(aws_freep) struct aws *aws = NULL;
	json_auto json_t *body = NULL;
	int64_t repeat = number(args, "repeat", 1);
	int rc = 0;

	if (args[1] && args[2] && args[2][0] == '{'
	    && json_parse(&body, args[2], strlen(args[2]), err) < 0)
		return -1;
	if (aws_new(&aws, &settings, &site, err) < 0)
		return -1;
	for (int64_t i = 0; rc == 0 && i < repeat; i++) {
		if (i > 0)
			clock_sleep(site.clock, number(args, "pause", 0));
		rc = text_same(args[0], "sts") ? who(aws, args, err) : call(aws, args, body, err);
	}
	return rc;
}

int main(int argc, char **argv)
{
	cleanup(http_freep) struct http *http = NULL;
	struct err err = ERR_INIT;
	int rc;

	if (argc < 3)
		return 64;
	signal(SIGPIPE, SIG_IGN);
	if (http_curl_new(&http, "slipway-test", &err) < 0)
		return failed(-1, &err);
	site = (struct cloud_site){
		.http = http,
		.clock = &clock_system,
		.env = (const char *const *)environ,
		.mask = mask,
		.say = say,
	};
	if (getenv("ACTIONS_ID_TOKEN_REQUEST_URL"))
		site.id_token = id_token;
	rc = run(argv + 1, &err);
	return rc == 0 ? 0 : failed(rc, &err);
}
