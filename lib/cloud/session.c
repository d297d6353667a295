#include "cloud/session.h"

#include <assert.h>
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"

#define TRIES          5
#define RENEW_EARLY    300   /* seconds before a credential's end */
#define RENEW_PAUSE    60000 /* milliseconds between two logins that nothing forces */
#define PAUSE          500   /* milliseconds, doubled with every attempt */
#define SLOW_PAUSE     1500
#define LONGEST_PAUSE  20000
#define LONGEST_ASKED  90000 /* a Retry-After over this is the caller's to wait for */
#define SECONDS        60    /* for one attempt, when the request names none */
#define CONNECT_MILLIS 10000

struct session {
	const struct cloud *cloud;
	void *self;
	const struct cloud_site *site;
	struct credential credential;
	int64_t skew;       /* seconds that the other side's clock is ahead */
	int64_t renew_next; /* ticks: not before, unless the old one is of no use */
};

struct session *session_new(const struct cloud *cloud, void *self, const struct cloud_site *site)
{
	struct session *session = xalloc(sizeof *session);

	session->cloud = cloud;
	session->self = self;
	session->site = site;
	return session;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	credential_clear(&session->credential);
	free(session);
}

static int64_t now(const struct session *session)
{
	return clock_now(session->site->clock) + session->skew;
}

static bool ends_within(const struct session *session, int64_t seconds)
{
	const struct credential *credential = &session->credential;

	return credential->expires && credential->expires - seconds <= now(session);
}

static int login(struct session *session, int64_t deadline, struct err *err)
{
	struct credential fresh = {0};

	session->renew_next = clock_ticks(session->site->clock) + RENEW_PAUSE;
	if (session->cloud->login(session->self, deadline, &fresh, err) < 0) {
		credential_clear(&fresh);
		return err_within(err, "log in to %s", session->cloud->name);
	}
	credential_clear(&session->credential);
	session->credential = fresh;
	return 0;
}

int session_credential(struct session *session, int64_t deadline, const struct credential **out,
		       struct err *err)
{
	bool usable = session->credential.id && !ends_within(session, 0);

	*out = &session->credential;
	if (usable
	    && (!ends_within(session, RENEW_EARLY)
		|| clock_ticks(session->site->clock) < session->renew_next))
		return 0;
	if (login(session, deadline, err) == 0)
		return 0;
	return usable && err->kind != ERR_CANCELLED ? 0 : -1;
}

/* Retry-After in milliseconds; -1 when the answer names none. A date is as good as none. */
static int64_t asked_pause(const struct http_response *response)
{
	const char *millis = http_response_header(response, "x-amz-retry-after");
	const char *seconds = http_response_header(response, "Retry-After");
	struct err ignored;
	int64_t number;

	if (millis && text_number(millis, 0, INT32_MAX, &number, &ignored) == 0)
		return number;
	if (seconds && text_number(seconds, 0, INT32_MAX, &number, &ignored) == 0)
		return number * 1000;
	return -1;
}

/* Between half of it and all of it, so that many of us don't come back at once. */
static int64_t jittered(int64_t pause)
{
	uint32_t random;

	crypto_random(&random, sizeof random);
	return pause / 2 + (int64_t)random % (pause / 2 + 1);
}

static int64_t pause_before(unsigned attempt, enum cloud_verdict verdict,
			    const struct http_response *response)
{
	int64_t asked = asked_pause(response);
	int64_t pause = verdict == CLOUD_SLOW ? SLOW_PAUSE : PAUSE;

	pause <<= attempt < 8 ? attempt - 1 : 7;
	pause = jittered(pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE);
	return asked > pause ? asked : pause;
}

static int time_is_up(const struct session_try *how, struct err *err)
{
	return err_set(err, ERR_TRANSIENT, 0, "%s: the time for it ran out", how->what);
}

/* Not longer than until the deadline, in whole seconds, at least one. */
static void limit_time(const struct session *session, struct http_request *request,
		       const struct session_try *how, int64_t timeout)
{
	int64_t left = how->deadline - clock_ticks(session->site->clock);

	request->timeout = timeout;
	if (how->deadline && left < timeout * 1000)
		request->timeout = left > 1000 ? left / 1000 : 1;
	request->redirects = 0;
	request->once = how->once;
	if (!request->connect_timeout)
		request->connect_timeout = CONNECT_MILLIS;
	request->tick = session->site->tick;
	request->self = session->site->self;
}

/* One attempt: 0 with the answer's verdict, or -1 without an answer. */
static int attempt(struct session *session, struct http_request *request,
		   const struct session_try *how, struct http_response *response,
		   enum cloud_verdict *verdict, struct err *err)
{
	const struct credential *credential;

	http_response_free(response);
	if (session_credential(session, how->deadline, &credential, err) < 0)
		return -1;
	if (session->cloud->sign(session->self, how->service, credential, now(session), request,
				 err)
	    < 0)
		return err_within(err, "%s", how->what);
	if (how->deadline && clock_ticks(session->site->clock) >= how->deadline)
		return time_is_up(how, err);
	*verdict = CLOUD_AGAIN;
	if (http_send(session->site->http, request, response, err) < 0) {
		http_response_free(response);
		/* What curl calls our mistake never left. */
		return err->kind == ERR_USAGE ? -1 : 1;
	}
	*verdict = session->cloud->judge(session->self, response);
	return 0;
}

/* Can what was refused be put right? Each way once. */
struct repairs {
	bool renewed, corrected;
};

static bool correct_clock(struct session *session, const struct http_response *response)
{
	const struct cloud_site *site = session->site;

	if (!cloud_skewed(site, response, &session->skew))
		return false;
	if (site->say)
		site->say(site->self, "this machine's clock is %lld seconds %s; signing with %s's",
			  (long long)llabs(session->skew), session->skew > 0 ? "slow" : "fast",
			  session->cloud->name);
	return true;
}

/* 1: put right, send again at once; 0: no; -1: *err. */
static int repair(struct session *session, const struct session_try *how,
		  const struct http_response *response, enum cloud_verdict *verdict,
		  struct repairs *done, struct err *err)
{
	if (*verdict == CLOUD_SKEWED && !done->corrected) {
		done->corrected = true;
		if (correct_clock(session, response))
			return 1;
	}
	if (*verdict == CLOUD_EXPIRED && !done->renewed && !session->credential.fixed) {
		done->renewed = true;
		return login(session, how->deadline, err) < 0 ? -1 : 1;
	}
	if (*verdict == CLOUD_SKEWED || *verdict == CLOUD_EXPIRED)
		*verdict = CLOUD_REFUSED;
	return 0;
}

/* After an attempt that may be repeated: 0 when it's time for the next, -1 with *err. */
static int wait_for_next(struct session *session, const struct session_try *how, unsigned attempts,
			 enum cloud_verdict verdict, const struct http_response *response,
			 struct err *err)
{
	unsigned tries = how->tries ? how->tries : TRIES;
	int64_t pause = pause_before(attempts, verdict, response);
	int64_t until = clock_ticks(session->site->clock) + pause;

	/* Without an answer *err says why already. */
	if (attempts >= tries || pause > LONGEST_ASKED || (how->deadline && until >= how->deadline))
		return response->status == 0
			       ? -1
			       : err_set(err, ERR_TRANSIENT, response->status,
					 "%s: status %d after %u attempt%s", how->what,
					 response->status, attempts, attempts == 1 ? "" : "s");
	return cloud_wait(session->site, until, err);
}

int session_send(struct session *session, struct http_request *request,
		 const struct session_try *how, struct http_response *response,
		 enum cloud_verdict *verdict, struct err *err)
{
	const int64_t timeout = request->timeout > 0 ? request->timeout : SECONDS;
	struct repairs repairs = {0};
	const struct cloud_site *site = session->site;

	for (unsigned attempts = 1;; attempts++) {
		int sent, repaired;

		if (site->tick && site->tick(site->self))
			return err_set(err, ERR_CANCELLED, 0, "%s: cancelled", how->what);
		if (how->deadline && clock_ticks(site->clock) >= how->deadline)
			return time_is_up(how, err);
		limit_time(session, request, how, timeout);
		sent = attempt(session, request, how, response, verdict, err);
		if (sent < 0)
			return -1;
		if (sent > 0 && err->kind != ERR_CANCELLED && how->once)
			return SESSION_UNKNOWN;
		if (sent > 0 && err->kind != ERR_TRANSIENT)
			return -1;
		repaired = sent == 0 ? repair(session, how, response, verdict, &repairs, err) : 0;
		if (repaired < 0)
			return -1;
		if (repaired > 0) {
			attempts--;
			continue;
		}
		if (*verdict == CLOUD_DONE || *verdict == CLOUD_REFUSED)
			return 0;
		if (*verdict == CLOUD_AGAIN && how->once) {
			err_set(err, ERR_TRANSIENT, response->status, "%s: status %d", how->what,
				response->status);
			return SESSION_UNKNOWN;
		}
		if (wait_for_next(session, how, attempts, *verdict, response, err) < 0)
			return -1;
	}
}
