#include "target/ecs_express/hint.h"

#include <string.h>

static const struct {
	const char *code, *text; /* either may be NULL; text: in ECS's message */
	const char *hint;
} hints[] = {
	{NULL, "iam:PassRole",
	 "the role that deploys may not hand this one on: allow iam:PassRole for it "
	 "(docs/targets/ecs-express.md)"},
	{"AccessDeniedException", NULL,
	 "docs/targets/ecs-express.md has the policy that the deploying role needs"},
	{"ClusterNotFoundException", NULL,
	 "make the cluster first: aws ecs create-cluster --cluster-name NAME"},
	{NULL, "default VPC", "there is no default VPC with public subnets: give subnets"},
	{NULL, "No Fargate configuration", "cpu and memory go together in some pairs only"},
	{"PlatformTaskDefinitionIncompatibilityException", NULL,
	 "cpu, memory and architecture don't go together"},
	{NULL, "service linked role",
	 "somebody must make it once: aws iam create-service-linked-role --aws-service-name "
	 "ecs.amazonaws.com"},
	{"LimitExceededException", NULL, "delete what nobody needs, or ask for a higher quota"},
};

void express_hint(struct express *job, struct err *err)
{
	const struct aws_error *last = aws_last(job->aws);
	struct err before = *err;

	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
		if (hints[i].code && !aws_error_is(last, hints[i].code))
			continue;
		if (hints[i].text && !strstr(last->message, hints[i].text))
			continue;
		err_set(err, before.kind, before.code, "%.330s; %s", before.text, hints[i].hint);
		return;
	}
}
