#include "cloud/aws/error.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "cloud/xml.h"

#define SHOWN 300 /* bytes of a message in an error's text */

/* Copy one line's worth of a text that somebody else wrote: control characters become spaces, and
 * it's cut between characters. */
static void copy_line(char *out, size_t room, const char *text)
{
	size_t size = 0;

	for (; *text && size + 1 < room; text++)
		out[size++] = (unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text;
	out[size] = '\0';
	while (size > 0 && !text_is_utf8(out, size))
		out[--size] = '\0';
}

/* "com.amazonaws.apprunner#InvalidStateException:http://…" says InvalidStateException. */
static void copy_code(struct aws_error *out, const char *text)
{
	const char *hash = strchr(text, '#');
	size_t size = 0;

	text = hash ? hash + 1 : text;
	for (; *text && *text != ':' && size + 1 < sizeof out->code; text++)
		if (isalnum((unsigned char)*text) || strchr("._-", *text))
			out->code[size++] = *text;
	out->code[size] = '\0';
}

static void read_json(struct aws_error *out, const char *text, size_t size)
{
	static const char *const codes[] = {"__type", "code", "Code"};
	static const char *const messages[] = {"Message", "message", "errorMessage"};
	json_auto json_t *body = NULL;
	struct err ignored = ERR_INIT;

	if (json_parse(&body, text, size, &ignored) < 0 || !json_is_object(body))
		return;
	for (size_t i = 0; i < 3 && !*out->code; i++)
		if (json_text(body, codes[i]))
			copy_code(out, json_text(body, codes[i]));
	for (size_t i = 0; i < 3 && !*out->message; i++)
		if (json_text(body, messages[i]))
			copy_line(out->message, sizeof out->message, json_text(body, messages[i]));
}

static void read_xml(struct aws_error *out, const char *text, size_t size)
{
	autofree char *code = xml_text_in(text, size, "Error", "Code");
	autofree char *message = xml_text_in(text, size, "Error", "Message");
	autofree char *id = xml_text(text, size, "RequestId");

	if (code)
		copy_code(out, code);
	if (message)
		copy_line(out->message, sizeof out->message, message);
	if (id && !*out->request_id)
		copy_line(out->request_id, sizeof out->request_id, id);
}

void aws_error_read(struct aws_error *out, const struct http_response *response)
{
	static const char *const ids[] = {"x-amzn-RequestId", "x-amz-request-id",
					  "x-amzn-request-id"};
	const char *text = buf_text(&response->body);
	const char *type = http_response_header(response, "x-amzn-errortype");
	size_t size = response->body.size, start = strspn(text, " \t\r\n");

	*out = (struct aws_error){.status = response->status};
	for (size_t i = 0; i < 3 && !*out->request_id; i++)
		if (http_response_header(response, ids[i]))
			copy_line(out->request_id, sizeof out->request_id,
				  http_response_header(response, ids[i]));
	if (type)
		copy_code(out, type);
	if (text[start] == '{')
		read_json(out, text, size);
	else if (text[start] == '<')
		read_xml(out, text, size);
}

bool aws_error_is(const struct aws_error *error, const char *code)
{
	static const char tail[] = "Exception";
	size_t have = strlen(error->code), want = strlen(code);

	if (have > strlen(tail) && text_same_nocase(error->code + have - strlen(tail), tail))
		have -= strlen(tail);
	if (want > strlen(tail) && text_same_nocase(code + want - strlen(tail), tail))
		want -= strlen(tail);
	return have == want && have > 0 && strncasecmp(error->code, code, have) == 0;
}

static bool is_any(const struct aws_error *error, const char *const *codes)
{
	for (; *codes; codes++)
		if (aws_error_is(error, *codes))
			return true;
	return false;
}

/* botocore's and the SDKs' lists; "Exception" at the end makes no difference. */
static const char *const slow[] = {"Throttling",
				   "Throttled",
				   "ThrottledRequest",
				   "RequestThrottled",
				   "TooManyRequests",
				   "RequestLimitExceeded",
				   "BandwidthLimitExceeded",
				   "ProvisionedThroughputExceeded",
				   "TransactionInProgress",
				   "PriorRequestNotComplete",
				   "EC2Throttled",
				   "SlowDown",
				   NULL};
static const char *const again[] = {"RequestTimeout",
				    "IDPCommunicationError",
				    "InternalError",
				    "InternalFailure",
				    "InternalServer",
				    "InternalServerError",
				    "InternalServiceError",
				    "InternalService",
				    "ServiceUnavailable",
				    "Server",
				    NULL};
static const char *const skewed[] = {"RequestExpired",
				     "RequestInTheFuture",
				     "RequestTimeTooSkewed",
				     "InvalidSignature",
				     "SignatureDoesNotMatch",
				     "AuthFailure",
				     NULL};
static const char *const expired[] = {"ExpiredToken", "TokenRefreshRequired", NULL};
static const char *const denied[] = {"AccessDenied",
				     "UnrecognizedClient",
				     "InvalidClientTokenId",
				     "MissingAuthenticationToken",
				     "IncompleteSignature",
				     "InvalidIdentityToken",
				     "IDPRejectedClaim",
				     "RegionDisabled",
				     "OptInRequired",
				     "SubscriptionRequired",
				     "NotAuthorized",
				     "UnauthorizedOperation",
				     NULL};
static const char *const absent[] = {"ResourceNotFound", "RepositoryNotFound",
				     "ImageNotFound",    "ServiceNotFound",
				     "ClusterNotFound",  "RepositoryPolicyNotFound",
				     "LayersNotFound",   "NoSuchEntity",
				     "ServiceNotActive", NULL};
static const char *const conflict[] = {"InvalidState",
				       "RepositoryAlreadyExists",
				       "ImageAlreadyExists",
				       "ImageTagAlreadyExists",
				       "ResourceAlreadyExists",
				       "ResourceInUse",
				       "Conflict",
				       "OperationAborted",
				       "UpdateInProgress",
				       NULL};
static const char *const limit[] = {"ServiceQuotaExceeded", "LimitExceeded",        "TooManyTags",
				    "QuotaExceeded",        "PackedPolicyTooLarge", NULL};

enum cloud_verdict aws_error_verdict(const struct aws_error *error)
{
	if (error->status >= 200 && error->status <= 299)
		return CLOUD_DONE;
	if (is_any(error, expired))
		return CLOUD_EXPIRED;
	if (is_any(error, slow) || error->status == 429)
		return CLOUD_SLOW;
	if (is_any(error, skewed))
		return CLOUD_SKEWED;
	if (is_any(error, again) || error->status == 408
	    || (error->status >= 500 && error->status != 501 && error->status != 505))
		return CLOUD_AGAIN;
	return CLOUD_REFUSED;
}

static enum err_kind kind_of(const struct aws_error *error)
{
	enum cloud_verdict verdict = aws_error_verdict(error);

	if (verdict == CLOUD_SLOW || verdict == CLOUD_AGAIN)
		return ERR_TRANSIENT;
	if (verdict == CLOUD_EXPIRED || verdict == CLOUD_SKEWED || is_any(error, denied))
		return ERR_AUTH;
	if (is_any(error, absent))
		return ERR_ABSENT;
	if (is_any(error, conflict))
		return ERR_CONFLICT;
	if (is_any(error, limit))
		return ERR_LIMIT;
	if (!*error->code && (error->status == 401 || error->status == 403))
		return ERR_AUTH;
	return ERR_REMOTE;
}

int aws_error_set(const struct aws_error *error, const char *what, struct err *err)
{
	char message[SHOWN];

	/* The request's id stands behind it, and must not be cut off. */
	copy_line(message, sizeof message, error->message);
	return err_set(err, kind_of(error), error->status, "%s: %s%s%s (status %d%s%.64s)", what,
		       *error->code ? error->code : "refused", *message ? ": " : "", message,
		       error->status, *error->request_id ? ", request " : "", error->request_id);
}
