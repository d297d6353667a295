#ifndef CLOUD_AWS_ERROR_H
#define CLOUD_AWS_ERROR_H

#include <stdbool.h>

#include "base/err.h"
#include "cloud/session.h"
#include "net/http.h"

/** A refusal, whichever protocol it came in (JSON 1.0 and 1.1, query XML). */
struct aws_error {
	int status;         /* HTTP; 0: there was no answer */
	char code[128];     /* "InvalidStateException", without namespace; "" when it named none */
	char message[1024]; /* one line; "" when there was none */
	char request_id[128]; /* "" when there was none */
};

/** Read it from an answer that isn't 2xx. Anything may be in the body: HTML, nothing, half a text.
 */
void aws_error_read(struct aws_error *out, const struct http_response *response);

/** What that means for the next attempt. */
enum cloud_verdict aws_error_verdict(const struct aws_error *error);

/** Is it this code? With or without "Exception" at the end, in any case. */
bool aws_error_is(const struct aws_error *error, const char *code);

/** Set *err: "apprunner: CreateService: InvalidStateException: … (status 400, request 1-2-3)",
 * with a kind by code (AUTH, ABSENT, CONFLICT, LIMIT, TRANSIENT, USAGE, REMOTE). Returns -1. */
int aws_error_set(const struct aws_error *error, const char *what, struct err *err);

#endif
