#ifndef TARGET_ECS_EXPRESS_API_H
#define TARGET_ECS_EXPRESS_API_H

#include "target/ecs_express/job.h"

/* ECS's operations as far as we use them.
 * https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html */

enum express_status {
	EXPRESS_ACTIVE,
	EXPRESS_DRAINING, /* being deleted, or a word that we don't know */
	EXPRESS_GONE      /* INACTIVE, or there is none */
};

enum express_state {
	EXPRESS_UNDERWAY,    /* also a word that we don't know, said once */
	EXPRESS_SUCCESSFUL,  /* the only one that is success */
	EXPRESS_STOPPED,     /* by somebody, or by a newer deployment */
	EXPRESS_ROLLED_BACK, /* the version before serves again */
	EXPRESS_STUCK_BACK   /* that failed too */
};

/** Call it; `body` is taken over. What changes something is sent once: see aws_call. */
int express_read(struct express *job, const char *operation, json_t *body, json_t **answer,
		 struct err *err) MUST_CHECK;
int express_change(struct express *job, const char *operation, json_t *body, json_t **answer,
		   struct err *err) MUST_CHECK;

/** Know where the service is or will be (its ARN), and describe it. job->service is NULL when there
 * is none. */
int express_find(struct express *job, struct err *err) MUST_CHECK;

/** Describe job->arn again. */
int express_describe(struct express *job, struct err *err) MUST_CHECK;

/** Of job->service. An unknown word is said once. */
enum express_status express_status(struct express *job);

/** What a deployment's status means. */
enum express_state express_state(struct express *job, const char *word);

/** The deployments after `before` ("": all that are listed), newest first: an array. Also an empty
 * one when there is no service. */
int express_after(struct express *job, const char *before, json_t **rows,
		  struct err *err) MUST_CHECK;

/** The newest deployment, as it's listed; *row NULL when there is none. New reference. */
int express_newest(struct express *job, json_t **row, struct err *err) MUST_CHECK;

/** Describe a deployment; *row NULL when ECS doesn't have it (yet). New reference. */
int express_deployment(struct express *job, const char *arn, json_t **row,
		       struct err *err) MUST_CHECK;

/** The image that a revision runs, "" when nobody says. In the arena. */
int express_revision_image(struct express *job, const char *revision, const char **image,
			   struct err *err) MUST_CHECK;

#endif
