#ifndef CLOUD_AWS_REGION_H
#define CLOUD_AWS_REGION_H

#include "cloud/aws/settings.h"
#include "cloud/cloud.h"

/** The region: the setting, AWS_REGION, AWS_DEFAULT_REGION, the profile's, then (when the machine
 * is on EC2) the instance's. Spaces around it are dropped, upper case made lower. The caller frees.
 * ERR_USAGE, with the ways to say it, when there is none; never a default. When AWS_REGION and
 * AWS_DEFAULT_REGION differ, that is said. */
int aws_region_find(char **out, const struct aws_settings *settings, const struct cloud_site *site,
		    struct err *err) MUST_CHECK;

/** "amazonaws.com", or the partition's own: "amazonaws.com.cn" for cn-*. */
const char *aws_region_domain(const char *region);

/** "aws", "aws-cn", "aws-us-gov": the second part of the region's ARNs. */
const char *aws_region_partition(const char *region);

#endif
