#ifndef CLOUD_AWS_AWS_H
#define CLOUD_AWS_AWS_H

#include <jansson.h>

#include "cloud/aws/endpoint.h"
#include "cloud/aws/error.h"
#include "cloud/aws/settings.h"
#include "cloud/aws/sts.h"
#include "cloud/cloud.h"

/** AWS in one region, logged in. All that a target sees of AWS. Not for two threads at once. */
struct aws;

/** No network unless the region must be asked of the machine. Settings and site are borrowed and
 * must outlive it. ERR_USAGE: no region, a setting that can't be. */
int aws_new(struct aws **out, const struct aws_settings *settings, const struct cloud_site *site,
	    struct err *err) MUST_CHECK;
void aws_free(struct aws *aws); /* wipes */
DEFINE_FREEP(struct aws, aws_free);

/** "eu-west-1". Borrowed. */
const char *aws_region(const struct aws *aws);

/** One operation of a JSON service. */
struct aws_call {
	const struct aws_service *service; /* &aws_apprunner */
	const char *operation;             /* "CreateService" */
	json_t *body;                      /* borrowed; NULL: {} */
	/** Not idempotent (creates something): sent again only when it surely wasn't done. */
	bool once;
	int64_t deadline; /* in the clock's ticks; 0: none */
	int64_t timeout;  /* seconds for one attempt; 0: 60 */
	unsigned tries;   /* 0: AWS_MAX_ATTEMPTS, else 5 */
};

/** aws_call: `once`, and nobody knows whether it was done (the connection was lost, or a 5xx): look
 * before you ask again. *err is set, aws_last() too. */
#define AWS_UNKNOWN 1

/**
 * Call it. *answer is the caller's (an object; {} for an empty answer), NULL on failure. Logs in
 * before the first call, renews, retries, corrects the clock: see session.h. Nothing
 * is ever sent to an account that allowed-account-ids doesn't name. Failed: *err tells kind, code,
 * message, status and request id; aws_last() has them one by one. ERR_TRANSIENT: attempts or time
 * ran out (err->code: the last status).
 */
int aws_call(struct aws *aws, const struct aws_call *call, json_t **answer,
	     struct err *err) MUST_CHECK;

/** How the last call was refused. status 0: it wasn't, or there was no answer. */
const struct aws_error *aws_last(const struct aws *aws);

/** Who we are (asked once). Borrowed. */
int aws_identity(struct aws *aws, int64_t deadline, const struct sts_identity **out,
		 struct err *err) MUST_CHECK;

#endif
