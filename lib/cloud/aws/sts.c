#include "cloud/aws/sts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"
#include "cloud/aws/endpoint.h"
#include "cloud/aws/sigv4.h"
#include "cloud/xml.h"
#include "net/url.h"

#define VERSION        "2011-06-15"
#define GLOBAL_REGION  "us-east-1" /* how requests to the global endpoint are signed */
#define SECONDS        30
#define CONNECT_MILLIS 10000
#define ANSWER_LIMIT   (1024 * 1024)
#define BODY_LIMIT     ((size_t)256 * 1024)
#define TOKEN_LONGEST  20000

static void add_field(struct buf *form, const char *name, const char *value)
{
	buf_addf(form, "&%s=", name);
	url_encode(form, value, false);
}

static void begin_form(struct buf *form, const char *action)
{
	buf_addf(form, "Action=%s&Version=" VERSION, action);
}

static void wipe_form(struct buf *form)
{
	if (form->data)
		crypto_wipe(form->data, form->size);
	buf_free(form);
}

static void forget(struct http_response *response)
{
	if (response->body.data)
		crypto_wipe(response->body.data, response->body.size);
	http_response_free(response);
}

static int sign(const struct sts *sts, const struct credential *who, struct http_request *request,
		struct err *err)
{
	const struct sigv4 sigv4 = {
		.credential = who,
		.region = sts->region ? sts->region : GLOBAL_REGION,
		.service = aws_sts.signing,
		.now = clock_now(sts->site->clock) + sts->skew,
	};

	return sigv4_sign(&sigv4, request, err);
}

static int begin_request(const struct sts *sts, struct http_request *request,
			 const struct buf *form, struct err *err)
{
	int64_t left = sts->deadline - clock_ticks(sts->site->clock);
	char *address = NULL;

	if (sts->deadline && left <= 0)
		return err_set(err, ERR_TRANSIENT, 0, "the time for it ran out");
	if (aws_endpoint(&address, &aws_sts, sts->region, sts->settings, sts->site, err) < 0)
		return -1;
	*request = (struct http_request){
		.method = "POST",
		.url = xprintf("%s/", address),
		.body = form->data,
		.body_size = form->size,
		.timeout = sts->deadline && left < SECONDS * 1000 ? (left + 999) / 1000 : SECONDS,
		.connect_timeout = CONNECT_MILLIS,
		.response_limit = ANSWER_LIMIT,
		.tick = sts->site->tick,
		.self = sts->site->self,
		.ca_file = cloud_env(sts->site, "AWS_CA_BUNDLE"),
	};
	free(address);
	http_request_header(request, "Content-Type",
			    "application/x-www-form-urlencoded; charset=utf-8");
	http_request_header(request, "Accept", "text/xml");
	return 0;
}

/* Send it; who NULL: unsigned. A 2xx answer, or -1 with sts->error. */
static int exchange(struct sts *sts, const struct buf *form, const struct credential *who,
		    const char *what, struct http_response *response, struct err *err)
{
	for (bool corrected = false;; corrected = true) {
		struct http_request request = {0};
		int rc = begin_request(sts, &request, form, err);

		sts->error = (struct aws_error){0};
		if (rc == 0 && who)
			rc = sign(sts, who, &request, err);
		if (rc == 0)
			rc = http_send(sts->site->http, &request, response, err);
		http_request_free(&request);
		if (rc < 0)
			return err_within(err, "%s", what);
		if (response->status >= 200 && response->status <= 299)
			return 0;
		aws_error_read(&sts->error, response);
		if (who && !corrected && aws_error_verdict(&sts->error) == CLOUD_SKEWED
		    && cloud_skewed(sts->site, response, &sts->skew))
			continue;
		return aws_error_set(&sts->error, what, err);
	}
}

static int incomplete(const char *what, const char *lacks, struct err *err)
{
	return err_set(err, ERR_REMOTE, 0, "%s: the answer has no %s", what, lacks);
}

static int read_credential(const struct sts *sts, const struct http_response *response,
			   int64_t duration, const char *what, struct credential *out,
			   struct err *err)
{
	const char *text = buf_text(&response->body);
	size_t size = response->body.size;
	autofree char *expiration = xml_text_in(text, size, "Credentials", "Expiration");

	out->id = xml_text_in(text, size, "Credentials", "AccessKeyId");
	out->secret = xml_text_in(text, size, "Credentials", "SecretAccessKey");
	out->token = xml_text_in(text, size, "Credentials", "SessionToken");
	if (!out->id || !*out->id || !out->secret || !*out->secret || !out->token || !*out->token) {
		credential_clear(out);
		return incomplete(what, "credentials", err);
	}
	out->expires = cloud_time(expiration);
	if (out->expires == 0)
		out->expires = clock_now(sts->site->clock) + sts->skew + duration;
	cloud_mask(sts->site, out->secret);
	cloud_mask(sts->site, out->token);
	return 0;
}

/* STS takes [\w+=,.@-]{2,64}; refs and run ids hold more. */
static void add_session_name(struct buf *form, const char *name)
{
	char text[65];
	size_t size = 0;

	for (; *name && size + 1 < sizeof text; name++)
		text[size++] =
			isalnum((unsigned char)*name) || strchr("_+=,.@-", *name) ? *name : '-';
	while (size < 2)
		text[size++] = '-';
	text[size] = '\0';
	add_field(form, "RoleSessionName", text);
}

static void add_role(struct buf *form, const struct sts_role *role)
{
	char seconds[32];

	snprintf(seconds, sizeof seconds, "%lld", (long long)role->duration);
	add_field(form, "RoleArn", role->arn);
	add_session_name(form, role->session_name);
	add_field(form, "DurationSeconds", seconds);
}

int sts_assume_with_token(struct sts *sts, const struct sts_role *role, const char *token,
			  struct credential *out, struct err *err)
{
	static const char what[] = "sts: AssumeRoleWithWebIdentity";
	cleanup(wipe_form) struct buf form = BUF_INIT(BODY_LIMIT);
	struct http_response response = {0};
	int rc;

	if (strlen(token) < 4 || strlen(token) > TOKEN_LONGEST)
		return err_set(err, ERR_USAGE, 0,
			       "%s: the identity token has %zu bytes, expected 4 to %d", what,
			       strlen(token), TOKEN_LONGEST);
	begin_form(&form, "AssumeRoleWithWebIdentity");
	add_role(&form, role);
	add_field(&form, "WebIdentityToken", token);
	rc = exchange(sts, &form, NULL, what, &response, err);
	if (rc == 0)
		rc = read_credential(sts, &response, role->duration, what, out, err);
	forget(&response);
	return rc;
}

int sts_assume(struct sts *sts, const struct sts_role *role, const struct credential *who,
	       struct credential *out, struct err *err)
{
	static const char what[] = "sts: AssumeRole";
	cleanup(wipe_form) struct buf form = BUF_INIT(BODY_LIMIT);
	struct http_response response = {0};
	int rc;

	begin_form(&form, "AssumeRole");
	add_role(&form, role);
	if (role->external_id)
		add_field(&form, "ExternalId", role->external_id);
	rc = exchange(sts, &form, who, what, &response, err);
	if (rc == 0)
		rc = read_credential(sts, &response, role->duration, what, out, err);
	forget(&response);
	return rc;
}

int sts_identity(struct sts *sts, const struct credential *who, struct sts_identity *out,
		 struct err *err)
{
	static const char what[] = "sts: GetCallerIdentity";
	cleanup(wipe_form) struct buf form = BUF_INIT(BODY_LIMIT);
	autofree char *account = NULL, *arn = NULL;
	struct http_response response = {0};
	int rc;

	begin_form(&form, "GetCallerIdentity");
	rc = exchange(sts, &form, who, what, &response, err);
	if (rc == 0) {
		const char *text = buf_text(&response.body);

		account = xml_text(text, response.body.size, "Account");
		arn = xml_text(text, response.body.size, "Arn");
	}
	http_response_free(&response);
	if (rc < 0)
		return -1;
	if (!account || strlen(account) != 12 || strspn(account, "0123456789") != 12)
		return incomplete(what, "account", err);
	snprintf(out->account, sizeof out->account, "%s", account);
	snprintf(out->arn, sizeof out->arn, "%s", arn ? arn : "");
	return 0;
}
