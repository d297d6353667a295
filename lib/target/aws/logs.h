#ifndef TARGET_AWS_LOGS_H
#define TARGET_AWS_LOGS_H

#include "base/buf.h"
#include "cloud/aws/aws.h"
#include "target/target.h"

/*
 * The last lines in CloudWatch Logs, for a failure's report. They come late, so that an empty
 * answer is asked for again for up to a minute; but a report never becomes a second failure.
 */
struct aws_logs {
	struct aws *aws;
	const struct site *site;
	const char *group;  /* "/aws/apprunner/shop/<id>/service" */
	const char *stream; /* its name; NULL: the one that was written to last */
	unsigned lines;
	int64_t wait; /* seconds to wait for late lines; 0: ask once */
};

/** Append them, a line each. 0 also when there are none. ERR_ABSENT: no such group or stream;
 * ERR_AUTH: not allowed. */
int aws_logs_tail(const struct aws_logs *logs, struct buf *out, struct err *err) MUST_CHECK;

/** Where a person reads the group in the console. In the arena. */
const char *aws_logs_link(const struct aws_logs *logs, struct arena *arena);

#endif
