#include "cloud/aws/aws.h"

#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "cloud/aws/credentials.h"
#include "cloud/aws/region.h"
#include "cloud/aws/sigv4.h"
#include "cloud/session.h"

#define BODY_LIMIT     ((size_t)16 * 1024 * 1024)
#define IDENTITY_TRIES 4
#define IDENTITY_PAUSE 500 /* milliseconds, doubled with every attempt */

struct aws {
	const struct aws_settings *settings;
	const struct cloud_site *site;
	struct session *session;
	char *region;
	struct aws_error last;
	json_t *answer; /* of the last call, on its way out */
	struct sts_identity identity;
	bool identified;
};

/* Who is this, asked until somebody answers. */
static int ask_identity(struct aws *aws, const struct credential *who, int64_t deadline,
			struct err *err)
{
	struct sts sts = {.site = aws->site,
			  .settings = aws->settings,
			  .region = aws->region,
			  .deadline = deadline};
	int64_t pause = IDENTITY_PAUSE;

	for (unsigned i = 1; sts_identity(&sts, who, &aws->identity, err) < 0; i++, pause *= 2) {
		int64_t until = clock_ticks(aws->site->clock) + pause;

		if (err->kind != ERR_TRANSIENT || i == IDENTITY_TRIES
		    || (deadline && until >= deadline))
			return -1;
		if (cloud_wait(aws->site, until, err) < 0)
			return -1;
	}
	aws->identified = true;
	if (aws->settings->mask_account_id)
		cloud_mask(aws->site, aws->identity.account);
	return 0;
}

static int check_account(const struct aws *aws, struct err *err)
{
	const char *const *allowed = aws->settings->allowed_account_ids;

	for (size_t i = 0; allowed && allowed[i]; i++)
		if (text_same(allowed[i], aws->identity.account))
			return 0;
	return err_set(err, ERR_AUTH, 0,
		       "the credentials are of account %s, which allowed-account-ids doesn't name",
		       aws->settings->mask_account_id ? "***" : aws->identity.account);
}

/* Every new credential is looked at: another role may be another account. */
static int login(void *self, int64_t deadline, struct credential *out, struct err *err)
{
	struct aws *aws = self;
	bool guarded = aws->settings->allowed_account_ids && *aws->settings->allowed_account_ids;

	if (aws_credentials_find(out, aws->settings, aws->region, aws->site, deadline, err) < 0)
		return -1;
	aws->identified = false;
	if ((guarded || aws->settings->mask_account_id)
	    && ask_identity(aws, out, deadline, err) < 0)
		return -1;
	return guarded ? check_account(aws, err) : 0;
}

static int sign(void *self, const void *service_, const struct credential *credential, int64_t now,
		struct http_request *request, struct err *err)
{
	const struct aws_service *service = service_;
	const struct aws *aws = self;
	const struct sigv4 sigv4 = {
		.credential = credential,
		.region = service->region ? service->region : aws->region,
		.service = service->signing,
		.now = now,
		.hash_header = true,
	};

	return sigv4_sign(&sigv4, request, err);
}

/* An answer without a text is as good as {}. */
static json_t *read_answer(const struct http_response *response)
{
	const char *text = buf_text(&response->body);
	size_t size = response->body.size;
	json_auto json_t *answer = NULL;
	struct err ignored;

	if (strspn(text, " \t\r\n") == size)
		return json_object();
	if (json_parse(&answer, text, size, &ignored) < 0 || !json_is_object(answer))
		return NULL;
	return take(answer);
}

static void forget_answer(struct aws *aws)
{
	json_decref(aws->answer);
	aws->answer = NULL;
	aws->last = (struct aws_error){0};
}

/* Half an answer is a broken connection that nobody noticed. */
static enum cloud_verdict judge(void *self, const struct http_response *response)
{
	struct aws *aws = self;

	forget_answer(aws);
	if (response->status < 200 || response->status > 299) {
		aws_error_read(&aws->last, response);
		return aws_error_verdict(&aws->last);
	}
	aws->answer = read_answer(response);
	return aws->answer ? CLOUD_DONE : CLOUD_AGAIN;
}

static const struct cloud cloud_aws = {
	.name = "aws",
	.login = login,
	.sign = sign,
	.judge = judge,
};

int aws_new(struct aws **out, const struct aws_settings *settings, const struct cloud_site *site,
	    struct err *err)
{
	cleanup(aws_freep) struct aws *aws = xalloc(sizeof *aws);

	*out = NULL;
	aws->settings = settings;
	aws->site = site;
	if (aws_settings_check(settings, err) < 0
	    || aws_region_find(&aws->region, settings, site, err) < 0)
		return -1;
	aws->session = session_new(&cloud_aws, aws, site);
	*out = take(aws);
	return 0;
}

void aws_free(struct aws *aws)
{
	if (!aws)
		return;
	session_free(aws->session);
	json_decref(aws->answer);
	free(aws->region);
	free(aws);
}

const char *aws_region(const struct aws *aws)
{
	return aws->region;
}

const struct aws_error *aws_last(const struct aws *aws)
{
	return &aws->last;
}

int aws_identity(struct aws *aws, int64_t deadline, const struct sts_identity **out,
		 struct err *err)
{
	const struct credential *credential;

	*out = &aws->identity;
	if (session_credential(aws->session, deadline, &credential, err) < 0)
		return -1;
	return aws->identified ? 0 : ask_identity(aws, credential, deadline, err);
}

static int begin_request(struct aws *aws, const struct aws_call *call, struct buf *body,
			 struct http_request *request, struct err *err)
{
	autofree char *address = NULL, *type = NULL, *target = NULL;

	if (aws_endpoint(&address, call->service, aws->region, aws->settings, aws->site, err) < 0)
		return -1;
	if (call->body)
		buf_add_json(body, call->body);
	else
		buf_adds(body, "{}");
	if (buf_full(body))
		return err_set(err, ERR_LIMIT, 0, "the request is over %zu bytes", BODY_LIMIT);
	*request = (struct http_request){
		.method = "POST",
		.url = xprintf("%s/", address),
		.body = body->data,
		.body_size = body->size,
		.timeout = call->timeout,
		.ca_file = cloud_env(aws->site, "AWS_CA_BUNDLE"),
	};
	type = xprintf("application/x-amz-json-%s", call->service->json);
	target = xprintf("%s.%s", call->service->target, call->operation);
	http_request_header(request, "Content-Type", type);
	http_request_header(request, "X-Amz-Target", target);
	return 0;
}

/* Without an answer: is it that there is no such host? */
static void explain_host(const struct aws *aws, const struct aws_call *call, struct err *err)
{
	if (strstr(err->text, "resolve host"))
		(void)err_within(err, "is %s in region '%s'?", call->service->name, aws->region);
}

/* Nobody can renew what was put into the environment. */
static int explain_expired(struct aws *aws, const char *what, struct err *err)
{
	const struct credential *credential;
	struct err ignored = ERR_INIT;

	if (!aws_error_is(&aws->last, "ExpiredToken")
	    || session_credential(aws->session, 0, &credential, &ignored) < 0 || !credential->fixed)
		return -1;
	return err_set(
		err, ERR_AUTH, aws->last.status,
		"%s: %s: the credentials from %s have expired, and we can't renew them (status "
		"%d, request %s)",
		what, aws->last.code, credential->source, aws->last.status,
		*aws->last.request_id ? aws->last.request_id : "unknown");
}

/* What the session's outcome means to the caller. */
static int finish(struct aws *aws, const struct aws_call *call, int sent,
		  enum cloud_verdict verdict, const struct http_response *response,
		  const char *what, struct err *err)
{
	bool refused = verdict == CLOUD_REFUSED || verdict == CLOUD_AGAIN || verdict == CLOUD_SLOW;

	if (sent == 0 && verdict == CLOUD_DONE)
		return 0;
	if (response->status == 0)
		aws->last = (struct aws_error){0};
	if (err->kind == ERR_CANCELLED)
		return -1;
	if (response->status == 0)
		explain_host(aws, call, err);
	else if (response->status <= 299)
		err_set(err, ERR_TRANSIENT, response->status,
			"%s: the answer is no JSON object (status %d, %zu bytes)", what,
			response->status, response->body.size);
	else if (refused)
		(void)aws_error_set(&aws->last, what, err);
	if (sent == 0)
		(void)explain_expired(aws, what, err);
	return sent == SESSION_UNKNOWN ? AWS_UNKNOWN : -1;
}

/* AWS's own variable; the first attempt counts. */
static unsigned tries(const struct aws *aws, const struct aws_call *call)
{
	const char *text = cloud_env(aws->site, "AWS_MAX_ATTEMPTS");
	struct err ignored;
	int64_t number;

	if (call->tries || !text || text_number(text, 1, 20, &number, &ignored) < 0)
		return call->tries;
	return (unsigned)number;
}

int aws_call(struct aws *aws, const struct aws_call *call, json_t **answer, struct err *err)
{
	cleanup(buf_free) struct buf body = BUF_INIT(BODY_LIMIT);
	autofree char *what = xprintf("%s: %s", call->service->signing, call->operation);
	const struct session_try how = {
		.service = call->service,
		.what = what,
		.once = call->once,
		.deadline = call->deadline,
		.tries = tries(aws, call),
	};
	struct http_request request = {0};
	struct http_response response = {0};
	enum cloud_verdict verdict = CLOUD_REFUSED;
	int rc;

	*answer = NULL;
	forget_answer(aws);
	err->kind = ERR_NONE;
	rc = begin_request(aws, call, &body, &request, err);
	if (rc < 0) {
		rc = err_within(err, "%s", what);
	} else {
		rc = session_send(aws->session, &request, &how, &response, &verdict, err);
		rc = finish(aws, call, rc, verdict, &response, what, err);
	}
	if (rc == 0)
		*answer = take(aws->answer);
	if (body.data)
		crypto_wipe(body.data, body.size);
	http_request_free(&request);
	http_response_free(&response);
	return rc;
}
