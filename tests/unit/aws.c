/* Calls: renewed, repeated, corrected, bounded. */
#include "cloud/aws/aws.h"

#include <string.h>

#include "base/json.h"
#include "cloud_play.h"

#define RUNNER      "https://apprunner.eu-west-1.amazonaws.com/"
#define STS         "https://sts.eu-west-1.amazonaws.com/"
#define KEYS        "AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sec"
#define REST        NULL, NULL, NULL, NULL, NULL
#define WANTS(text) NULL, NULL, text, NULL, NULL
#define ERROR(code) "{\"__type\":\"" code "\",\"Message\":\"m\"}"
#define ROLE        "arn:aws:iam::123456789012:role/deploy"
#define ASSUMED(id, until)                                                                      \
	"<R><Credentials><AccessKeyId>" id "</AccessKeyId><SecretAccessKey>s</SecretAccessKey>" \
	"<SessionToken>tok</SessionToken><Expiration>" until "</Expiration></Credentials></R>"
#define IDENTITY(account)                                                                  \
	"<R><GetCallerIdentityResult><Arn>arn:aws:sts::" account ":assumed-role/x/y</Arn>" \
	"<Account>" account "</Account></GetCallerIdentityResult></R>"

static struct err err;
static struct aws_settings settings;
static json_t *answer;

static struct aws *begin(void)
{
	struct aws *aws = NULL;

	settings.region = "eu-west-1";
	hand.milliseconds = INT64_C(1795539900) * 1000; /* 2026-11-24T17:05:00Z */
	if (aws_new(&aws, &settings, &site, &err) < 0)
		bail_out(err.text);
	return aws;
}

static int call_until(struct aws *aws, const char *operation, bool once, int64_t milliseconds)
{
	const struct aws_call call = {
		.service = &aws_apprunner,
		.operation = operation,
		.once = once,
		.deadline = milliseconds ? clock_ticks(site.clock) + milliseconds : 0,
	};

	json_decref(answer);
	answer = NULL;
	err = (struct err)ERR_INIT;
	return aws_call(aws, &call, &answer, &err);
}

static int call(struct aws *aws, const char *operation)
{
	return call_until(aws, operation, false, 0);
}

static void test_call(void)
{
	static const struct step steps[] = {
		{"POST", RUNNER, 200, "{\"Service\":{\"Status\":\"RUNNING\"},\"New\":[1]}",
		 WANTS("X-Amz-Target: AppRunner.DescribeService")},
		{"POST", RUNNER, 200, "{}", WANTS("Content-Type: application/x-amz-json-1.0")},
		{"POST", RUNNER, 200, "", REST},
		{"POST", RUNNER, 400, ERROR("a#InvalidStateException"), "x-amzn-RequestId", "r-9",
		 NULL, NULL, NULL},
		{"POST", "https://logs.eu-west-1.amazonaws.com/", 200, "{}",
		 WANTS("{\"limit\":5}")},
	};
	json_t *body = json_pack("{s:i}", "limit", 5);
	const struct aws_call logs = {
		.service = &aws_logs, .operation = "GetLogEvents", .body = body};
	cleanup(aws_freep) struct aws *aws = NULL;

	settings = (struct aws_settings){0};
	PLAY(steps, ENV(KEYS));
	aws = begin();
	same_str(aws_region(aws), "eu-west-1", "the region");
	same_int(call(aws, "DescribeService"), 0, "a call");
	same_str(json_text(answer, "Service.Status"), "RUNNING",
		 "aws edge 21: its answer, unknown members and all");
	ok(strstr(buf_text(&play.heads),
		  "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target,")
		   != NULL,
	   "what is signed");
	same_int(call(aws, "TagResource"), 0, "an empty object");
	same_int(call(aws, "TagResource"), 0, "aws edge 20: an empty body counts as one");
	ok(json_is_object(answer), "and gives an object");
	ok(call(aws, "UpdateService") < 0 && err.kind == ERR_CONFLICT && !answer, "refused");
	ok(aws_error_is(aws_last(aws), "InvalidState") && aws_last(aws)->status == 400
		   && text_same(aws_last(aws)->request_id, "r-9"),
	   "and asked by code");
	same_int(aws_call(aws, &logs, &answer, &err), 0, "another service");
	same_int(aws_last(aws)->status, 0, "the refusal is forgotten");
	ok(play.redirects == 0, "aws edge 53: no call follows redirects");
	same_int(hand.slept, 0, "nothing waits");
	played("its calls");
	json_decref(body);
}

static void test_again(void)
{
	static const struct step steps[] = {
		{"POST", RUNNER, 503, "<html>\xff", REST},
		{"POST", RUNNER, 0, NULL, REST},
		{"POST", RUNNER, 200, "{\"Service\":", REST},
		{"POST", RUNNER, 500, ERROR("InternalServiceErrorException"), REST},
		{"POST", RUNNER, 200, "{\"a\":1}", REST},
		{"POST", RUNNER, 502, "", REST},
		{"POST", RUNNER, 502, "", REST},
		{"POST", RUNNER, 502, "", REST},
		{"POST", RUNNER, 502, "", REST},
		{"POST", RUNNER, 504, "", REST},
		{"POST", RUNNER, 200, "[]", REST},
		{"POST", RUNNER, 200, "nonsense", REST},
		{"POST", RUNNER, 200, "[]", REST},
		{"POST", RUNNER, 200, "{", REST},
		{"POST", RUNNER, 200, "{}x", REST},
	};
	cleanup(aws_freep) struct aws *aws = NULL;

	settings = (struct aws_settings){0};
	PLAY(steps, ENV(KEYS));
	aws = begin();
	same_int(call(aws, "ListServices"), 0,
		 "aws edge 19, 20: HTML, no answer, half an answer, then well");
	ok(hand.slept > 0 && hand.slept <= 500 + 1000 + 2000 + 4000, "with growing pauses");
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_TRANSIENT && err.code == 504,
	   "five attempts");
	ok(aws_last(aws)->status == 504, "the last one's status");
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_TRANSIENT
		   && strstr(err.text, "no JSON object") != NULL,
	   "aws edge 20: never JSON");
	played("its calls");
}

static void test_slow(void)
{
	static const struct step steps[] = {
		{"POST", RUNNER, 400, ERROR("ThrottlingException"), REST},
		{"POST", RUNNER, 429, "", "Retry-After", "30", NULL, NULL, NULL},
		{"POST", RUNNER, 200, "{}", REST},
		{"POST", RUNNER, 400, ERROR("ThrottlingException"), REST},
		{"POST", RUNNER, 200, "{}", REST},
		{"POST", RUNNER, 503, "", "Retry-After", "3600", NULL, NULL, NULL},
		{"POST", RUNNER, 429, "", "Retry-After", "20", NULL, NULL, NULL},
	};
	cleanup(aws_freep) struct aws *aws = NULL;
	int64_t before;

	settings = (struct aws_settings){0};
	PLAY(steps, ENV(KEYS));
	aws = begin();
	same_int(call(aws, "ListServices"), 0, "aws edge 18: throttled, then well");
	ok(hand.slept >= 30000 && hand.slept < 34000, "aws edge 18: Retry-After is honoured");
	same_int(call_until(aws, "CreateService", true, 0), 0,
		 "aws edge 18: throttled means not done: also a creation is sent again");
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_TRANSIENT, "an hour isn't waited for");
	before = hand.milliseconds;
	ok(call_until(aws, "ListServices", false, 10000) < 0 && err.kind == ERR_TRANSIENT
		   && hand.milliseconds - before < 10000,
	   "aws edge 18: nor past the deadline");
	played("its calls");
}

static void test_once(void)
{
	static const struct step steps[] = {
		{"POST", RUNNER, 0, NULL, REST},
		{"POST", RUNNER, 500, "", REST},
		{"POST", RUNNER, 200, "{\"Serv", REST},
		{"POST", RUNNER, 400, ERROR("InvalidRequestException"), REST},
	};
	cleanup(aws_freep) struct aws *aws = NULL;

	settings = (struct aws_settings){0};
	PLAY(steps, ENV(KEYS));
	aws = begin();
	same_int(call_until(aws, "CreateService", true, 0), AWS_UNKNOWN,
		 "aws edge 2: a creation whose answer is lost is not repeated");
	ok(err.kind == ERR_TRANSIENT && aws_last(aws)->status == 0, "and the loss is told");
	same_int(call_until(aws, "CreateService", true, 0), AWS_UNKNOWN, "nor after a 5xx");
	same_int(aws_last(aws)->status, 500, "which is told");
	same_int(call_until(aws, "CreateService", true, 0), AWS_UNKNOWN,
		 "nor after half an answer");
	same_int(call_until(aws, "CreateService", true, 0), -1, "a refusal is a refusal");
	same_int(hand.slept, 0, "none waits");
	played("its calls");
}

static void test_skew(void)
{
	static const struct step steps[] = {
		{"POST", RUNNER, 400, ERROR("InvalidSignatureException"), "Date",
		 "Tue, 24 Nov 2026 17:15:00 GMT", NULL, NULL, NULL},
		{"POST", RUNNER, 200, "{}", WANTS("X-Amz-Date: 20261124T171500Z")},
		{"POST", RUNNER, 200, "{}", WANTS("X-Amz-Date: 20261124T171500Z")},
		{"POST", RUNNER, 403, ERROR("SignatureDoesNotMatch"), "Date",
		 "Tue, 24 Nov 2026 16:55:00 GMT", NULL, NULL, NULL},
		{"POST", RUNNER, 200, "{}", WANTS("X-Amz-Date: 20261124T165500Z")},
		{"POST", RUNNER, 403, ERROR("SignatureDoesNotMatch"), "Date",
		 "Tue, 24 Nov 2026 16:55:01 GMT", NULL, NULL, NULL},
		{"POST", RUNNER, 403, ERROR("SignatureDoesNotMatch"), REST},
		{"POST", RUNNER, 403, ERROR("RequestExpired"), "Date", "yesterday", NULL, NULL,
		 NULL},
	};
	cleanup(aws_freep) struct aws *aws = NULL;

	settings = (struct aws_settings){0};
	PLAY(steps, ENV(KEYS));
	aws = begin();
	same_int(call(aws, "ListServices"), 0, "aws edge 22: our clock is 10 minutes slow");
	same_int(call(aws, "ListServices"), 0, "aws edge 22: works for the rest");
	ok(strstr(buf_text(&play.said), " 600 seconds slow") != NULL, "aws edge 22: and is said");
	same_int(call_until(aws, "CreateService", true, 0), 0,
		 "aws edge 22: now 10 minutes fast, also for a creation");
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_AUTH,
	   "aws edge 22: with the right time it's the secret that is wrong");
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_AUTH, "aws edge 22: no Date");
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_AUTH, "aws edge 22: no usable Date");
	same_int(hand.slept, 0, "none waits");
	played("its calls");
}

static void test_expiry(void)
{
	static const struct step steps[] = {
		{"POST", STS, 200, ASSUMED("ONE", "2026-11-24T18:05:00Z"), WANTS("jwt-1-")},
		{"POST", RUNNER, 200, "{}", WANTS("Credential=ONE/")},
		{"POST", RUNNER, 400, ERROR("ExpiredTokenException"), WANTS("Credential=ONE/")},
		{"POST", STS, 200, ASSUMED("TWO", "2026-11-24T18:05:00Z"), WANTS("jwt-2-")},
		{"POST", RUNNER, 200, "{}", WANTS("Credential=TWO/")},
		{"POST", RUNNER, 200, "{}", WANTS("Credential=TWO/")},
		/* within five minutes of its end */
		{"POST", STS, 200, ASSUMED("THREE", "2026-11-24T19:05:00Z"), WANTS("jwt-3-")},
		{"POST", RUNNER, 200, "{}", WANTS("Credential=THREE/")},
		/* the renewal fails: the old one is good to its end */
		{"POST", STS, 400, "<Error><Code>ValidationError</Code></Error>", WANTS("jwt-4-")},
		{"POST", RUNNER, 200, "{}", WANTS("Credential=THREE/")},
		{"POST", RUNNER, 200, "{}", WANTS("Credential=THREE/")},
		{"POST", STS, 400, "<Error><Code>ValidationError</Code></Error>", WANTS("jwt-5-")},
		/* renewed, and refused again */
		{"POST", STS, 200, ASSUMED("FOUR", "2026-11-24T20:05:00Z"), WANTS("jwt-6-")},
		{"POST", RUNNER, 400, ERROR("ExpiredTokenException"), WANTS("Credential=FOUR/")},
		{"POST", STS, 200, ASSUMED("FIVE", "2026-11-24T20:05:00Z"), WANTS("jwt-7-")},
		{"POST", RUNNER, 400, ERROR("ExpiredTokenException"), WANTS("Credential=FIVE/")},
	};
	cleanup(aws_freep) struct aws *aws = NULL;

	settings = (struct aws_settings){.role_to_assume = ROLE};
	PLAY(steps, NULL);
	site.id_token = play_token;
	aws = begin();
	same_int(call(aws, "ListServices"), 0, "logged in by the first call");
	same_int(call(aws, "ListServices"), 0, "aws edge 23: expired early: renewed at once");
	hand.milliseconds += 54 * 60 * 1000;
	same_int(call(aws, "ListServices"), 0, "not renewed before its time");
	hand.milliseconds += 61 * 1000;
	same_int(call(aws, "ListServices"), 0, "aws edge 23: renewed five minutes before its end");
	hand.milliseconds += 3600 * 1000;
	same_int(call(aws, "ListServices"), 0, "a renewal that fails: the old one is used");
	same_int(call(aws, "ListServices"), 0, "and not renewed with every call");
	hand.milliseconds += 300 * 1000;
	ok(call(aws, "ListServices") < 0 && strstr(err.text, "ValidationError") != NULL,
	   "aws edge 23: at its end it's an error");
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_AUTH
		   && strstr(err.text, "ExpiredToken") != NULL,
	   "aws edge 23: renewed once, not for ever");
	played("its calls");
}

static void test_fixed(void)
{
	static const struct step steps[] = {
		{"POST", RUNNER, 400, ERROR("ExpiredTokenException"), REST}};
	cleanup(aws_freep) struct aws *aws = NULL;

	settings = (struct aws_settings){0};
	PLAY(steps, ENV(KEYS, "AWS_SESSION_TOKEN=t"));
	aws = begin();
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_AUTH, "aws edge 23: keys that expired");
	ok(strstr(err.text, "the credentials from AWS_ACCESS_KEY_ID in the environment have "
			    "expired, and we can't renew them")
		   != NULL,
	   "aws edge 23: said clearly");
	played("its calls");
}

static void test_accounts(void)
{
	static const char *const allowed[] = {"111111111111", "123456789012", NULL};
	static const struct step steps[] = {
		{"POST", STS, 200, IDENTITY("123456789012"), WANTS("Action=GetCallerIdentity")},
		{"POST", RUNNER, 200, "{}", REST},
	};
	static const struct step other[] = {{"POST", STS, 200, IDENTITY("999999999999"), REST}};
	static const struct step retried[] = {
		{"POST", STS, 503, "<html>", REST},
		{"POST", STS, 0, NULL, REST},
		{"POST", STS, 200, IDENTITY("123456789012"), REST},
	};
	const struct sts_identity *who;
	struct aws *aws;

	settings = (struct aws_settings){.allowed_account_ids = allowed, .mask_account_id = true};
	PLAY(steps, ENV(KEYS));
	aws = begin();
	same_int(call(aws, "ListServices"), 0, "an account that is allowed");
	ok(was_masked("123456789012"), "masked when asked for");
	same_int(aws_identity(aws, 0, &who, &err), 0, "who we are is known already");
	same_str(who->account, "123456789012", "the account");
	played("its calls");
	aws_free(aws);
	settings.mask_account_id = false;
	PLAY(other, ENV(KEYS));
	aws = begin();
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_AUTH
		   && strstr(err.text, "allowed-account-ids") != NULL,
	   "another account: nothing is sent to it");
	played("its calls");
	aws_free(aws);
	settings = (struct aws_settings){0};
	PLAY(retried, ENV(KEYS));
	aws = begin();
	same_int(aws_identity(aws, 0, &who, &err), 0, "asked until somebody answers");
	same_str(who->arn, "arn:aws:sts::123456789012:assumed-role/x/y", "the ARN");
	played("its calls");
	aws_free(aws);
}

static void test_bounds(void)
{
	static const struct step steps[] = {
		{"POST", RUNNER, 503, "", REST},
		{"POST", RUNNER, 503, "", REST},
		{"POST", RUNNER, 503, "", REST},
		{"POST", RUNNER, 503, "", REST},
	};
	static const struct step half[] = {{"POST", RUNNER, 200, "{", REST}};
	static const struct step redirect[] = {
		{"POST", RUNNER, 307, "", "Location", "https://evil.example/", NULL, NULL, NULL}};
	cleanup(aws_freep) struct aws *aws = NULL;
	int64_t start;

	settings = (struct aws_settings){0};
	PLAY(steps, ENV(KEYS));
	aws = begin();
	play.took = 3000;
	start = hand.milliseconds;
	ok(call_until(aws, "ListServices", false, 10000) < 0 && err.kind == ERR_TRANSIENT,
	   "the deadline ends it");
	ok(hand.milliseconds - start <= 13000, "in time");
	ok(play.timeouts <= 10, "no request may take longer than is left");
	play.took = 0;
	ok(call_until(aws, "ListServices", false, -1) < 0 && err.kind == ERR_TRANSIENT,
	   "a deadline that passed: nothing is sent");
	play.ticks = 2;
	play.at = 3;
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_CANCELLED, "cancelled while it waits");
	ok(!play.wrong, "its calls");
	PLAY(half, ENV(KEYS));
	play.ticks = 2;
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_CANCELLED,
	   "cancelled after half an answer is cancelled");
	PLAY(steps, ENV(KEYS, "AWS_MAX_ATTEMPTS=2"));
	ok(call(aws, "ListServices") < 0 && play.at == 2 && strstr(err.text, "status 503"),
	   "AWS_MAX_ATTEMPTS");
	PLAY(redirect, ENV(KEYS));
	ok(call(aws, "ListServices") < 0 && err.kind == ERR_REMOTE && err.code == 307,
	   "aws edge 53: a redirect is an error, and nothing goes to where it points");
	played("its calls");
}

int main(void)
{
	play_begin(NULL, 0, NULL);
	test_call();
	test_again();
	test_slow();
	test_once();
	test_skew();
	test_expiry();
	test_fixed();
	test_accounts();
	test_bounds();
	json_decref(answer);
	play_end();
	return tap_done();
}
