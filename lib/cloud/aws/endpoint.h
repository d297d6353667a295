#ifndef CLOUD_AWS_ENDPOINT_H
#define CLOUD_AWS_ENDPOINT_H

#include "base/mem.h"
#include "cloud/aws/settings.h"
#include "cloud/cloud.h"

/** An AWS service, as its model says. */
struct aws_service {
	const char *name;           /* for people: "App Runner" */
	const char *host;           /* "apprunner": HOST.REGION.amazonaws.com */
	const char *fips;           /* "apprunner-fips" */
	const char *signing;        /* "apprunner" */
	const char *target;         /* "AppRunner": X-Amz-Target is TARGET.Operation; NULL: query */
	const char *json;           /* "1.0", "1.1" */
	const char *env;            /* "APPRUNNER": AWS_ENDPOINT_URL_APPRUNNER */
	const char *region;         /* the only one where it is; NULL: the caller's */
	const char *const *regions; /* where it exists; NULL: everywhere, or not known */
};

extern const struct aws_service aws_apprunner, aws_ecs, aws_ecr, aws_ecr_public, aws_logs, aws_sts;

/** "https://apprunner.eu-west-1.amazonaws.com", without a '/' at its end; the caller frees. In this
 * order: AWS_ENDPOINT_URL_<SERVICE>, the setting, AWS_ENDPOINT_URL (the environment's only unless
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS), computed (AWS_USE_FIPS_ENDPOINT honoured). region NULL:
 * the global one, where there is one. ERR_USAGE: http to what isn't loopback, or a region that the
 * service isn't in. */
int aws_endpoint(char **out, const struct aws_service *service, const char *region,
		 const struct aws_settings *settings, const struct cloud_site *site,
		 struct err *err) MUST_CHECK;

#endif
