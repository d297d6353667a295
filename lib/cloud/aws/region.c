#include "cloud/aws/region.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "cloud/aws/machine.h"
#include "cloud/aws/profile.h"

/* Each partition's regions begin so. */
static const struct {
	const char *prefix, *partition, *domain;
} partitions[] = {
	{"cn-", "aws-cn", "amazonaws.com.cn"},      {"us-gov-", "aws-us-gov", "amazonaws.com"},
	{"us-isob-", "aws-iso-b", "sc2s.sgov.gov"}, {"us-iso-", "aws-iso", "c2s.ic.gov"},
	{"eusc-", "aws-eusc", "amazonaws.eu"},      {"", "aws", "amazonaws.com"},
};

const char *aws_region_domain(const char *region)
{
	size_t i = 0;

	while (!text_starts(region, partitions[i].prefix))
		i++;
	return partitions[i].domain;
}

const char *aws_region_partition(const char *region)
{
	size_t i = 0;

	while (!text_starts(region, partitions[i].prefix))
		i++;
	return partitions[i].partition;
}

static char *tidied(const char *text)
{
	size_t start = strspn(text, " \t\r\n"), size = strlen(text + start);
	char *copy;

	while (size > 0 && isspace((unsigned char)text[start + size - 1]))
		size--;
	copy = xmemdup(text + start, size);
	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static int take_region(char **out, const char *text, const char *from, struct err *err)
{
	autofree char *region = tidied(text);

	if (strchr(region, ' ') || aws_valid_region(region, err) < 0) {
		err_set(err, ERR_USAGE, 0, "'%.60s': expected a region, as eu-west-1", text);
		return err_within(err, "%s", from);
	}
	*out = take(region);
	return 0;
}

static void tell_conflict(const char *first, const char *second, const struct cloud_site *site)
{
	if (first && second && !text_same_nocase(first, second) && site->say)
		site->say(site->self,
			  "AWS_REGION is %s and AWS_DEFAULT_REGION is %s: using the first", first,
			  second);
}

static int from_profile(char **out, const struct aws_settings *settings,
			const struct cloud_site *site, struct err *err)
{
	cleanup(profiles_freep) struct profiles *profiles = NULL;
	const char *profile = profiles_chosen(settings->profile, site);
	const char *region;

	if (profiles_load(&profiles, site, err) < 0)
		return -1;
	region = profiles_get(profiles, profile, "region");
	return region ? take_region(out, region, "the profile's region", err) : 0;
}

int aws_region_find(char **out, const struct aws_settings *settings, const struct cloud_site *site,
		    struct err *err)
{
	const char *first = cloud_env(site, "AWS_REGION");
	const char *second = cloud_env(site, "AWS_DEFAULT_REGION");
	autofree char *found = NULL;
	int rc;

	*out = NULL;
	if (settings->region)
		return take_region(out, settings->region, "region", err);
	tell_conflict(first, second, site);
	if (first)
		return take_region(out, first, "AWS_REGION", err);
	if (second)
		return take_region(out, second, "AWS_DEFAULT_REGION", err);
	if (from_profile(out, settings, site, err) < 0)
		return -1;
	if (*out)
		return 0;
	rc = machine_region(&found, site, 0, err);
	if (rc == 0)
		return take_region(out, found, "the instance's region", err);
	if (rc < 0 && err->kind == ERR_CANCELLED)
		return -1;
	return err_set(err, ERR_USAGE, 0,
		       "no AWS region: set region, or AWS_REGION or AWS_DEFAULT_REGION in the "
		       "environment, or region in profile '%.60s'",
		       profiles_chosen(settings->profile, site));
}
