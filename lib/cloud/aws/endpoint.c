#include "cloud/aws/endpoint.h"

#include <string.h>

#include "base/text.h"
#include "cloud/aws/region.h"
#include "net/url.h"

/* botocore's endpoints.json; nothing was added since App Runner takes no new customers. */
static const char *const apprunner_regions[] = {
	"us-east-1",      "us-east-2",      "us-west-2",      "ap-south-1",
	"ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1",
	"eu-west-1",      "eu-west-2",      "eu-west-3",      NULL};

const struct aws_service aws_apprunner = {
	.name = "App Runner",
	.host = "apprunner",
	.fips = "apprunner-fips",
	.signing = "apprunner",
	.target = "AppRunner",
	.json = "1.0",
	.env = "APPRUNNER",
	.regions = apprunner_regions,
};

const struct aws_service aws_ecs = {
	.name = "ECS",
	.host = "ecs",
	.fips = "ecs-fips",
	.signing = "ecs",
	.target = "AmazonEC2ContainerServiceV20141113",
	.json = "1.1",
	.env = "ECS",
};

const struct aws_service aws_ecr = {
	.name = "ECR",
	.host = "api.ecr",
	.fips = "ecr-fips",
	.signing = "ecr",
	.target = "AmazonEC2ContainerRegistry_V20150921",
	.json = "1.1",
	.env = "ECR",
};

const struct aws_service aws_ecr_public = {
	.name = "ECR Public",
	.host = "api.ecr-public",
	.signing = "ecr-public",
	.target = "SpencerFrontendService",
	.json = "1.1",
	.env = "ECR_PUBLIC",
	.region = "us-east-1",
};

const struct aws_service aws_logs = {
	.name = "CloudWatch Logs",
	.host = "logs",
	.fips = "logs-fips",
	.signing = "logs",
	.target = "Logs_20140328",
	.json = "1.1",
	.env = "CLOUDWATCH_LOGS",
};

const struct aws_service aws_sts = {
	.name = "STS",
	.host = "sts",
	.fips = "sts-fips",
	.signing = "sts",
	.env = "STS",
};

/* Requests carry a session token, and to STS a GitHub token: they don't travel in the clear. */
static int check_address(const char *text, bool anywhere, struct err *err)
{
	static const char *const domains[] = {".amazonaws.com", ".amazonaws.com.cn", ".api.aws",
					      ".amazonaws.eu", ".api.amazonwebservices.com.cn"};
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct url url;

	if (url_parse(&url, text, arena, err) < 0)
		return -1;
	if (url.user || url.query)
		return err_set(err, ERR_USAGE, 0,
			       "'%.200s': expected an address without a user or a query", text);
	if (url_is_loopback(url.host)
	    && (text_same(url.scheme, "http") || text_same(url.scheme, "https")))
		return 0;
	if (!text_same(url.scheme, "https"))
		return err_set(err, ERR_USAGE, 0,
			       "'%.200s': expected https:// (http:// only to this machine)", text);
	if (anywhere)
		return 0;
	for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
		if (text_ends(url.host, domains[i]))
			return 0;
	return err_set(err, ERR_USAGE, 0,
		       "'%.200s': expected an address within AWS's domains or of this machine; "
		       "others only by AWS_ENDPOINT_URL",
		       text);
}

int aws_valid_endpoint(const char *text, struct err *err)
{
	return check_address(text, false, err);
}

static int take_address(char **out, const char *name, const char *text, bool anywhere,
			struct err *err)
{
	size_t size;

	if (check_address(text, anywhere, err) < 0)
		return err_within(err, "%s", name);
	*out = xstrdup(text);
	size = strlen(*out);
	while (size > 0 && (*out)[size - 1] == '/')
		(*out)[--size] = '\0';
	return 0;
}

/* 1: an address was named; 0: none; -1. */
static int configured(char **out, const struct aws_service *service,
		      const struct aws_settings *settings, const struct cloud_site *site,
		      struct err *err)
{
	bool ignored = cloud_env_flag(site, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	autofree char *own = xprintf("AWS_ENDPOINT_URL_%s", service->env);
	const char *text = ignored ? NULL : cloud_env(site, own);

	if (text)
		return take_address(out, own, text, true, err) < 0 ? -1 : 1;
	if (settings && settings->endpoint_url)
		return take_address(out, "endpoint-url", settings->endpoint_url, false, err) < 0
			       ? -1
			       : 1;
	text = ignored ? NULL : cloud_env(site, "AWS_ENDPOINT_URL");
	if (text)
		return take_address(out, "AWS_ENDPOINT_URL", text, true, err) < 0 ? -1 : 1;
	return 0;
}

static int check_region(const struct aws_service *service, const char *region, struct err *err)
{
	cleanup(buf_free) struct buf list = BUF_INIT(4096);

	if (!service->regions || !region)
		return 0;
	for (const char *const *at = service->regions; *at; at++) {
		if (text_same(*at, region))
			return 0;
		buf_addf(&list, "%s%s", list.size ? ", " : "", *at);
	}
	return err_set(err, ERR_USAGE, 0, "region: %s is not available in '%s'; it is in %s",
		       service->name, region, buf_text(&list));
}

int aws_endpoint(char **out, const struct aws_service *service, const char *region,
		 const struct aws_settings *settings, const struct cloud_site *site,
		 struct err *err)
{
	const char *host = service->host;
	int rc = configured(out, service, settings, site, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (service->region)
		region = service->region;
	if (check_region(service, region, err) < 0)
		return -1;
	if (cloud_env_flag(site, "AWS_USE_FIPS_ENDPOINT")) {
		if (!service->fips || !region)
			return err_set(err, ERR_USAGE, 0,
				       "AWS_USE_FIPS_ENDPOINT is set, but %s has no FIPS endpoint",
				       service->name);
		host = service->fips;
	}
	*out = region ? xprintf("https://%s.%s.%s", host, region, aws_region_domain(region))
		      : xprintf("https://%s.amazonaws.com", host);
	return 0;
}
