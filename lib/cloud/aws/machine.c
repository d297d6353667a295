#include "cloud/aws/machine.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "net/url.h"

#define CONTAINER_SECONDS  2
#define CONTAINER_TRIES    3
#define CONTAINER_PAUSE    200 /* milliseconds */
#define INSTANCE_SECONDS   1
#define ANSWER_LIMIT       (256 * 1024)
#define TOKEN_LIMIT        ((size_t)64 * 1024)
#define ECS_ADDRESS        "http://169.254.170.2"
#define INSTANCE_ADDRESS   "http://169.254.169.254"
#define INSTANCE_ADDRESS_6 "http://[fd00:ec2::254]"
#define ROLE_PATH          "/latest/meta-data/iam/security-credentials/"

/* One question to the machine. */
struct question {
	const struct cloud_site *site;
	const char *method, *header, *value; /* header may be NULL */
	char *url;                           /* taken */
	int64_t seconds, deadline;
};

static int ask(const struct question *question, struct http_response *response, struct err *err)
{
	const struct cloud_site *site = question->site;
	struct http_request request = {
		.method = question->method,
		.url = question->url,
		.timeout = question->seconds,
		.connect_timeout = question->seconds * 1000,
		.response_limit = ANSWER_LIMIT,
		.direct = true,
		.tick = site->tick,
		.self = site->self,
	};
	int rc = -1;

	if (question->header)
		http_request_header(&request, question->header, question->value);
	if (question->deadline && clock_ticks(site->clock) >= question->deadline)
		err_set(err, ERR_TRANSIENT, 0, "the time for it ran out");
	else
		rc = http_send(site->http, &request, response, err);
	http_request_free(&request);
	return rc;
}

/* {"AccessKeyId": …, "SecretAccessKey": …, "Token": …, "Expiration": …}, the same from both. */
static int read_credential(struct credential *out, const struct cloud_site *site,
			   const struct http_response *response, struct err *err)
{
	json_auto json_t *body = NULL;
	const char *id, *secret, *token, *expiration;

	if (json_parse(&body, buf_text(&response->body), response->body.size, err) < 0) {
		err->kind = ERR_REMOTE;
		return err_within(err, "its answer");
	}
	id = json_text(body, "AccessKeyId");
	secret = json_text(body, "SecretAccessKey");
	token = json_text(body, "Token");
	expiration = json_text(body, "Expiration");
	if (!id || !*id || !secret || !*secret)
		return err_set(err, ERR_AUTH, 0, "its answer has no keys (%.100s%s%.200s)",
			       json_text(body, "Code") ? json_text(body, "Code") : "no code",
			       json_text(body, "Message") ? ": " : "",
			       json_text(body, "Message") ? json_text(body, "Message") : "");
	out->id = xstrdup(id);
	out->secret = xstrdup(secret);
	out->token = token && *token ? xstrdup(token) : NULL;
	out->expires = cloud_time(expiration);
	cloud_mask(site, out->secret);
	cloud_mask(site, out->token);
	crypto_wipe((char *)(uintptr_t)secret, strlen(secret));
	return 0;
}

static void forget(struct http_response *response)
{
	if (response->body.data)
		crypto_wipe(response->body.data, response->body.size);
	http_response_free(response);
}

/* AWS's own list: anything else over http could be anyone's machine. */
static int check_full(const char *text, struct err *err)
{
	static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct url url;

	if (url_parse(&url, text, arena, err) < 0)
		return err_within(err, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (text_same(url.scheme, "https"))
		return 0;
	if (text_same(url.scheme, "http") && url_is_loopback(url.host))
		return 0;
	for (size_t i = 0; text_same(url.scheme, "http") && i < sizeof hosts / sizeof *hosts; i++)
		if (text_same(url.host, hosts[i]))
			return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI: '%.100s' is refused: expected https, or "
		"http to this machine or to the addresses of ECS and EKS",
		text);
}

/* 0 with *url, MACHINE_NONE, or -1. */
static int container_url(char **url, const struct cloud_site *site, struct err *err)
{
	const char *relative = cloud_env(site, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = cloud_env(site, "AWS_CONTAINER_CREDENTIALS_FULL_URI");

	if (relative && *relative != '/')
		return err_set(err, ERR_USAGE, 0,
			       "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '%.100s': expected a path "
			       "that begins with '/'",
			       relative);
	if (relative) {
		*url = xprintf(ECS_ADDRESS "%s", relative);
		return 0;
	}
	if (!full)
		return MACHINE_NONE;
	if (check_full(full, err) < 0)
		return -1;
	*url = xstrdup(full);
	return 0;
}

/* The Authorization to show, NULL when none is asked for; the caller wipes and frees. */
static int container_token(char **out, const struct cloud_site *site, struct err *err)
{
	const char *path = cloud_env(site, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = cloud_env(site, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	cleanup(buf_free) struct buf file = BUF_INIT(TOKEN_LIMIT);

	*out = NULL;
	if (path) {
		if (file_read(path, &file, err) < 0) {
			err->kind = ERR_USAGE;
			return err_within(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
		}
		while (file.size > 0 && isspace((unsigned char)file.data[file.size - 1]))
			file.data[--file.size] = '\0';
		text = buf_text(&file);
	}
	if (text && (strlen(text) == 0 || strpbrk(text, "\r\n")))
		return err_set(err, ERR_USAGE, 0,
			       "the container's authorization token is empty or has a line break "
			       "in it");
	*out = xstrdup(text);
	if (file.data)
		crypto_wipe(file.data, file.size);
	return 0;
}

static int ask_container(struct credential *out, const struct question *question, struct err *err)
{
	struct http_response response = {0};
	int rc = ask(question, &response, err);

	if (rc == 0 && response.status != 200)
		rc = err_set(err, response.status >= 500 ? ERR_TRANSIENT : ERR_AUTH,
			     response.status, "status %d", response.status);
	else if (rc == 0)
		rc = read_credential(out, question->site, &response, err);
	forget(&response);
	return rc;
}

int machine_container(struct credential *out, const struct cloud_site *site, int64_t deadline,
		      struct err *err)
{
	struct question question = {
		.site = site, .method = "GET", .seconds = CONTAINER_SECONDS, .deadline = deadline};
	autofree char *url = NULL;
	char *token = NULL;
	int rc = container_url(&url, site, err);

	if (rc != 0)
		return rc;
	if (container_token(&token, site, err) < 0)
		return -1;
	cloud_mask(site, token);
	if (token) {
		question.header = "Authorization";
		question.value = token;
	}
	for (unsigned i = 1;; i++) {
		question.url = xstrdup(url);
		rc = ask_container(out, &question, err);
		if (rc == 0 || err->kind != ERR_TRANSIENT || i == CONTAINER_TRIES)
			break;
		if (cloud_wait(site, clock_ticks(site->clock) + CONTAINER_PAUSE, err) < 0)
			break;
	}
	crypto_wipe_text(token);
	free(token);
	out->source = "the container's role";
	return rc < 0 ? err_within(err, "ask for the container's credentials") : 0;
}

static bool is_link_local(const char *host)
{
	struct in_addr four;

	return (text_starts(host, "169.254.") && inet_pton(AF_INET, host, &four) == 1)
	       || text_same(host, "fd00:ec2::254");
}

static int instance_address(char **out, const struct cloud_site *site, struct err *err)
{
	const char *named = cloud_env(site, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = cloud_env(site, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct url url;
	size_t size;

	if (!named) {
		*out = xstrdup(mode && text_same_nocase(mode, "IPv6") ? INSTANCE_ADDRESS_6
								      : INSTANCE_ADDRESS);
		return 0;
	}
	if (url_parse(&url, named, arena, err) < 0)
		return err_within(err, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	if (!text_same(url.scheme, "http")
	    || (!url_is_loopback(url.host) && !is_link_local(url.host)))
		return err_set(
			err, ERR_USAGE, 0,
			"AWS_EC2_METADATA_SERVICE_ENDPOINT: '%.100s': expected an address of "
			"this machine or a link-local one",
			named);
	*out = xstrdup(named);
	size = strlen(*out);
	while (size > 0 && (*out)[size - 1] == '/')
		(*out)[--size] = '\0';
	return 0;
}

/* A visit to the instance's metadata: where, and with which token. */
struct visit {
	const struct cloud_site *site;
	char *address, *token;
	int64_t deadline;
};

static void visit_end(struct visit *visit)
{
	crypto_wipe_text(visit->token);
	free(visit->token);
	free(visit->address);
}

static int none(const char *why, struct err *err)
{
	err_set(err, ERR_ABSENT, 0, "%s", why);
	return MACHINE_NONE;
}

/* Whoever answers a PUT of this path with a token is EC2; other clouds have other things at the
 * same address, and most machines nothing. */
static int visit_begin(struct visit *visit, struct err *err)
{
	struct question question = {.site = visit->site,
				    .method = "PUT",
				    .header = "X-aws-ec2-metadata-token-ttl-seconds",
				    .value = "21600",
				    .seconds = INSTANCE_SECONDS,
				    .deadline = visit->deadline};
	struct http_response response = {0};
	int rc;

	if (cloud_env_flag(visit->site, "AWS_EC2_METADATA_DISABLED"))
		return none("AWS_EC2_METADATA_DISABLED", err);
	if (instance_address(&visit->address, visit->site, err) < 0)
		return -1;
	question.url = xprintf("%s/latest/api/token", visit->address);
	rc = ask(&question, &response, err);
	if (rc < 0)
		rc = err->kind == ERR_CANCELLED ? -1 : none("no EC2 instance", err);
	else if (response.status != 200 || response.body.size == 0
		 || strpbrk(buf_text(&response.body), "\r\n <{"))
		rc = none("no EC2 instance", err);
	else
		visit->token = xstrdup(buf_text(&response.body));
	forget(&response);
	return rc;
}

static int visit_get(const struct visit *visit, const char *path, struct http_response *response,
		     struct err *err)
{
	struct question question = {.site = visit->site,
				    .method = "GET",
				    .url = xprintf("%s%s", visit->address, path),
				    .header = "X-aws-ec2-metadata-token",
				    .value = visit->token,
				    .seconds = INSTANCE_SECONDS,
				    .deadline = visit->deadline};

	if (ask(&question, response, err) < 0)
		return -1;
	if (response->status == 200)
		return 0;
	return err_set(err, response->status == 404 ? ERR_ABSENT : ERR_TRANSIENT, response->status,
		       "status %d", response->status);
}

/* The name of the instance's role: one path segment; the caller frees. */
static int instance_role(char **out, const struct visit *visit, struct err *err)
{
	struct http_response response = {0};
	int rc = visit_get(visit, ROLE_PATH, &response, err);
	size_t size;

	if (rc < 0 && err->kind == ERR_ABSENT) {
		http_response_free(&response);
		return none("the EC2 instance has no role", err);
	}
	size = strcspn(buf_text(&response.body), "\r\n/? ");
	if (rc == 0 && (size == 0 || size > 128))
		rc = err_set(err, ERR_REMOTE, 0, "it named no role");
	else if (rc == 0)
		*out = xmemdup(response.body.data, size);
	http_response_free(&response);
	return rc;
}

static int instance_credential(struct credential *out, const struct visit *visit, struct err *err)
{
	struct http_response response = {0};
	autofree char *role = NULL, *path = NULL;
	int rc = instance_role(&role, visit, err);

	if (rc != 0)
		return rc;
	path = xprintf(ROLE_PATH "%s", role);
	rc = visit_get(visit, path, &response, err);
	if (rc == 0)
		rc = read_credential(out, visit->site, &response, err);
	out->source = "the EC2 instance's role";
	forget(&response);
	return rc;
}

int machine_instance(struct credential *out, const struct cloud_site *site, int64_t deadline,
		     struct err *err)
{
	cleanup(visit_end) struct visit visit = {.site = site, .deadline = deadline};
	int rc = visit_begin(&visit, err);

	if (rc == 0)
		rc = instance_credential(out, &visit, err);
	return rc < 0 ? err_within(err, "ask for the instance's credentials") : rc;
}

int machine_region(char **out, const struct cloud_site *site, int64_t deadline, struct err *err)
{
	cleanup(visit_end) struct visit visit = {.site = site, .deadline = deadline};
	struct http_response response = {0};
	int rc = visit_begin(&visit, err);

	if (rc != 0)
		return rc;
	rc = visit_get(&visit, "/latest/meta-data/placement/region", &response, err);
	if (rc == 0)
		*out = buf_take(&response.body);
	http_response_free(&response);
	return rc < 0 ? err_within(err, "ask for the instance's region") : 0;
}
