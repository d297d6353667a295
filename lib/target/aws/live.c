#include "target/aws/live.h"

#include <string.h>

#include "cloud/cloud.h"
#include "net/http.h"

#define ASK_SECONDS 10

/* Who needs a bundle to reach AWS (a proxy that looks into TLS) needs it here too. */
static const char *ca_file(const struct site *site)
{
	const struct cloud_site cloud = {.env = site->env};

	return cloud_env(&cloud, "AWS_CA_BUNDLE");
}

int aws_live_ask(const struct site *site, const struct health *health, const char *url,
		 struct err *err)
{
	struct http_request request = {
		.method = "GET",
		.timeout = ASK_SECONDS,
		.tick = site->tick,
		.self = site->self,
		.ca_file = ca_file(site),
	};
	struct http_response response = {0};
	int result;

	request.url = xprintf("%s%s", url, health->path);
	result = http_send(site->http, &request, &response, err);
	if (result)
		err_within(err, "GET %s%s", url, health->path);
	else if (response.status != health->status)
		result = err_set(err, ERR_TRANSIENT, response.status,
				 "GET %s%s answered %d, expected %lld", url, health->path,
				 response.status, (long long)health->status);
	http_request_free(&request);
	http_response_free(&response);
	if (result && err->kind != ERR_CANCELLED)
		err->kind = ERR_TRANSIENT;
	return result;
}

const char *aws_live_version(const struct deploy *deploy)
{
	const char *commit = deploy->artifact->commit;

	return arena_printf(deploy->arena, "%.12s-%s", commit ? commit : "by-hand", deploy->key);
}

const char *aws_live_label(const char *image)
{
	const char *slash = image ? strrchr(image, '/') : NULL;
	const char *rest = slash ? slash : image;
	const char *digest = rest ? strstr(rest, "@sha256:") : NULL;
	const char *tag = rest ? strchr(rest, ':') : NULL;

	return digest ? digest + 1 : tag ? tag + 1 : image;
}
