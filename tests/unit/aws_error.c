#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cloud/aws/error.h"
#include "tap.h"

static struct aws_error error;
static struct err err;

static void read_answer(int status, const char *body, const char *name, const char *value)
{
	struct http_response response = {.status = status, .body = BUF_INIT(1000000)};
	struct http_header header = {xstrdup(name ? name : "Date"), xstrdup(value ? value : "x")};

	buf_adds(&response.body, body);
	response.headers = &header;
	response.header_count = 1;
	aws_error_read(&error, &response);
	buf_free(&response.body);
	free(header.name);
	free(header.value);
}

static void test_json(void)
{
	read_answer(400,
		    "{\"__type\":\"com.amazonaws.apprunner#InvalidStateException:http://x/\","
		    "\"Message\":\"Service cannot be updated in the current state: "
		    "OPERATION_IN_PROGRESS.\"}",
		    "x-amzn-RequestId", "id-1");
	same_str(error.code, "InvalidStateException", "JSON 1.0: the code without its namespace");
	same_str(error.message,
		 "Service cannot be updated in the current state: OPERATION_IN_PROGRESS.",
		 "its Message");
	same_str(error.request_id, "id-1", "its request id");
	same_int(error.status, 400, "its status");
	ok(aws_error_is(&error, "InvalidStateException") && aws_error_is(&error, "InvalidState")
		   && !aws_error_is(&error, "InvalidStat") && !aws_error_is(&error, "Exception"),
	   "asked by its code");
	ok(aws_error_set(&error, "apprunner: UpdateService", &err) < 0 && err.kind == ERR_CONFLICT
		   && err.code == 400,
	   "is a conflict");
	same_str(err.text,
		 "apprunner: UpdateService: InvalidStateException: Service cannot be updated in "
		 "the current state: OPERATION_IN_PROGRESS. (status 400, request id-1)",
		 "told whole");
	read_answer(403, "{\"message\":\"no\"}", "x-amzn-errortype",
		    "AccessDeniedException:http://internal.amazon.com/");
	same_str(error.code, "AccessDeniedException", "the code from the header");
	same_str(error.message, "no", "a message in lower case");
	read_answer(400, "{\"code\":\"A\\nB\\u0007C\",\"Message\":\"a\\nb\\u001bc\"}", NULL, NULL);
	same_str(error.code, "ABC", "a code with odd characters");
	same_str(error.message, "a b c", "a message on one line");
}

static void test_xml(void)
{
	read_answer(403,
		    "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/"
		    "2011-06-15/\">\n <Error><Type>Sender</Type><Code>AccessDenied</Code>\n"
		    " <Message>Not authorized to perform &quot;sts:X&quot; &lt;&#x26;&gt;</Message>"
		    "</Error>\n <RequestId>b25f48e8</RequestId></ErrorResponse>",
		    NULL, NULL);
	same_str(error.code, "AccessDenied", "aws edge 51: query XML: the code");
	same_str(error.message, "Not authorized to perform \"sts:X\" <&>",
		 "aws edge 51: entities are decoded");
	same_str(error.request_id, "b25f48e8", "its request id");
	ok(aws_error_set(&error, "x", &err) < 0 && err.kind == ERR_AUTH, "is about what we may do");
}

static void test_odd(void)
{
	static const char *const bodies[] = {
		"",
		"<html><body><h1>503 Service Unavailable</h1></body>",
		"{",
		"{\"__type\":",
		"{\"__type\":5,\"Message\":{}}",
		"[]",
		"null",
		"<ErrorResponse><Error><Code>",
		"Service Unavailable",
		"{\"__type\":\"#\",\"message\":\"\\ud83d\\ude00\"}",
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		read_answer(503, bodies[i], NULL, NULL);
		ok(*error.code == '\0' && aws_error_verdict(&error) == CLOUD_AGAIN,
		   i == 1 ? "aws edge 19: 503 with an HTML body"
			  : "aws edge 19, 20: 503 with an odd body");
	}
	(void)aws_error_set(&error, "x", &err);
	ok(err.kind == ERR_TRANSIENT && err.code == 503, "told as passing");
}

static void test_long(void)
{
	cleanup(buf_free) struct buf body = BUF_INIT(100000);

	buf_adds(&body, "{\"__type\":\"X\",\"message\":\"");
	for (int i = 0; i < 2000; i++)
		buf_adds(&body, "é");
	buf_adds(&body, "\"}");
	read_answer(400, buf_text(&body), NULL, NULL);
	ok(strlen(error.message) > 900 && text_is_utf8(error.message, strlen(error.message)),
	   "a long message is cut between characters");
	(void)aws_error_set(&error, "x", &err);
	ok(strstr(err.text, "(status 400)") != NULL, "and the end of what is told isn't lost");
}

static void test_classes(void)
{
	static const struct {
		int status;
		const char *code;
		enum cloud_verdict verdict;
		enum err_kind kind;
	} classes[] = {
		{400, "ThrottlingException", CLOUD_SLOW, ERR_TRANSIENT},
		{400, "Throttling", CLOUD_SLOW, ERR_TRANSIENT},
		{400, "ThrottledException", CLOUD_SLOW, ERR_TRANSIENT},
		{400, "RequestThrottledException", CLOUD_SLOW, ERR_TRANSIENT},
		{400, "TooManyRequestsException", CLOUD_SLOW, ERR_TRANSIENT},
		{503, "SlowDown", CLOUD_SLOW, ERR_TRANSIENT},
		{400, "RequestLimitExceeded", CLOUD_SLOW, ERR_TRANSIENT},
		{500, "InternalServiceErrorException", CLOUD_AGAIN, ERR_TRANSIENT},
		{400, "RequestTimeoutException", CLOUD_AGAIN, ERR_TRANSIENT},
		{400, "IDPCommunicationError", CLOUD_AGAIN, ERR_TRANSIENT},
		{400, "InvalidSignatureException", CLOUD_SKEWED, ERR_AUTH},
		{403, "SignatureDoesNotMatch", CLOUD_SKEWED, ERR_AUTH},
		{400, "RequestExpired", CLOUD_SKEWED, ERR_AUTH},
		{400, "ExpiredTokenException", CLOUD_EXPIRED, ERR_AUTH},
		{403, "ExpiredToken", CLOUD_EXPIRED, ERR_AUTH},
		{400, "UnrecognizedClientException", CLOUD_REFUSED, ERR_AUTH},
		{403, "InvalidClientTokenId", CLOUD_REFUSED, ERR_AUTH},
		{400, "AccessDeniedException", CLOUD_REFUSED, ERR_AUTH},
		{400, "ResourceNotFoundException", CLOUD_REFUSED, ERR_ABSENT},
		{400, "RepositoryNotFoundException", CLOUD_REFUSED, ERR_ABSENT},
		{400, "ServiceQuotaExceededException", CLOUD_REFUSED, ERR_LIMIT},
		{400, "InvalidRequestException", CLOUD_REFUSED, ERR_REMOTE},
		{400, "InvalidParameterException", CLOUD_REFUSED, ERR_REMOTE},
	};

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		autofree char *body = xprintf("{\"__type\":\"%s\"}", classes[i].code);

		read_answer(classes[i].status, body, NULL, NULL);
		(void)aws_error_set(&error, "x", &err);
		ok(aws_error_verdict(&error) == classes[i].verdict && err.kind == classes[i].kind,
		   classes[i].code);
	}
	read_answer(429, "", NULL, NULL);
	ok(aws_error_verdict(&error) == CLOUD_SLOW, "429 without a code");
	read_answer(403, "", NULL, NULL);
	(void)aws_error_set(&error, "x", &err);
	ok(aws_error_verdict(&error) == CLOUD_REFUSED && err.kind == ERR_AUTH,
	   "403 without a code");
	read_answer(301, "", "Location", "https://evil.example/");
	ok(aws_error_verdict(&error) == CLOUD_REFUSED, "aws edge 53: a redirect is a refusal");
}

int main(void)
{
	test_json();
	test_xml();
	test_odd();
	test_long();
	test_classes();
	return tap_done();
}
