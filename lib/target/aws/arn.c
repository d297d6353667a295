#include "target/aws/arn.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

#define PARTS 6

int arn_parse(struct arn *out, const char *text, struct arena *arena, struct err *err)
{
	char *copy = arena_strdup(arena, text), *part[PARTS];

	for (int i = 0; i < PARTS; i++) {
		part[i] = copy;
		copy = i < PARTS - 1 && copy ? strchr(copy, ':') : NULL;
		if (copy)
			*copy++ = '\0';
	}
	if (!part[PARTS - 1] || !text_same(part[0], "arn") || !text_starts(part[1], "aws")
	    || !*part[2] || !*part[PARTS - 1])
		return err_set(err, ERR_USAGE, 0,
			       "'%.80s' is no ARN: expected arn:aws:service:region:account:name",
			       text);
	*out = (struct arn){part[1], part[2], part[3], part[4], part[5]};
	return 0;
}

/* IAM's have no region; all others that a person may name here have one. */
static bool is_complete(const struct arn *arn, const char *service)
{
	bool iam = strcmp(service, "iam") == 0;

	return strlen(arn->account) == 12 && strspn(arn->account, "0123456789") == 12
	       && (iam ? !*arn->region : *arn->region != '\0');
}

int arn_check(const char *text, const char *service, const char *resource, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	bool iam = strcmp(service, "iam") == 0;
	struct arn arn;

	if (arn_parse(&arn, text, arena, err) == 0 && text_same(arn.service, service)
	    && text_starts(arn.resource, resource) && arn.resource[strlen(resource)]
	    && is_complete(&arn, service) && !strpbrk(text, " \t\r\n"))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected an ARN as arn:aws:%s:%s:123456789012:%s…, "
		       "found '%.100s'",
		       service, iam ? "" : "eu-west-1", resource, text);
}

bool arn_is_secret(const char *text)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct err ignored = ERR_INIT;
	struct arn arn;

	if (strpbrk(text, " \t\r\n") || arn_parse(&arn, text, arena, &ignored))
		return false;
	if (!is_complete(&arn, arn.service))
		return false;
	return (text_same(arn.service, "secretsmanager") && text_starts(arn.resource, "secret:"))
	       || (text_same(arn.service, "ssm") && text_starts(arn.resource, "parameter/"));
}
