#ifndef TARGET_APP_RUNNER_API_H
#define TARGET_APP_RUNNER_API_H

#include "target/app_runner/job.h"

/* App Runner's operations as far as we use them.
 * https://docs.aws.amazon.com/apprunner/latest/api/API_Operations.html */

enum api_status {
	API_RUNNING,
	API_BUSY, /* OPERATION_IN_PROGRESS, or a word that we don't know */
	API_PAUSED,
	API_CREATE_FAILED,
	API_DELETE_FAILED,
	API_GONE /* DELETED, or there is none */
};

/** Call it; `body` is taken over. What changes something is sent once: see aws_call. */
int api_read(struct job *job, const char *operation, json_t *body, json_t **answer,
	     struct err *err) MUST_CHECK;
int api_change(struct job *job, const char *operation, json_t *body, json_t **answer,
	       struct err *err) MUST_CHECK;

/** Look for the service (by ARN, else by name) and describe it: job->service and job->arn. They
 * are NULL when there is none. */
int api_find(struct job *job, struct err *err) MUST_CHECK;

/** Describe job->arn again. */
int api_describe(struct job *job, struct err *err) MUST_CHECK;

/** Of job->service. An unknown word is said once. */
enum api_status api_status(struct job *job);

/** Go through the operations of job->arn, newest first, until `look` says not 0. */
int api_operations(struct job *job, int (*look)(void *self, const json_t *operation), void *self,
		   struct err *err) MUST_CHECK;

/** The id of the newest operation, "" when there is none. In the arena. */
int api_newest(struct job *job, const char **id, struct err *err) MUST_CHECK;

/** The first operation of that type (NULL: any) that came after `before`; *id is NULL when there is
 * none (yet). */
int api_after(struct job *job, const char *before, const char *type, const char **id,
	      struct err *err) MUST_CHECK;

/** The state of an operation, "" when the list doesn't have it (yet). In the arena. */
int api_operation(struct job *job, const char *id, const char **status, struct err *err) MUST_CHECK;

/** The service is busy with something: the refusal of a change. */
bool api_is_busy(struct job *job);

#endif
