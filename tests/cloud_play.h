/* cloud_play.h: a cloud that plays a script: each request must be the next of it. */
#ifndef CLOUD_PLAY_H
#define CLOUD_PLAY_H
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "cloud/cloud.h"
#include "hand.h"
#include "tap.h"

struct step {
	const char *method, *url; /* the end of the URL */
	int status;               /* 0: no answer: the connection fails */
	const char *body;
	const char *header, *value;   /* of the answer; may be NULL */
	const char *wants;            /* must be in the request's body or headers; may be NULL */
	const char *header2, *value2; /* may be NULL */
};

static struct play {
	struct http http;
	const struct step *steps;
	size_t count, at;
	bool wrong;
	int64_t took;                 /* milliseconds that each request takes */
	int64_t timeouts;             /* the longest of the requests', seconds */
	int ticks;                    /* how many more looks until it is cancelled; < 0: never */
	unsigned redirects, indirect; /* requests that would follow, or use a proxy */
	unsigned tokens;
	struct buf heads, masked, said; /* of the last request: "name: value\n"; "secret\n" */
} play;

static struct hand hand = HAND_INIT;

static inline void play_headers(struct http_response *response, const char *name, const char *value)
{
	if (!name)
		return;
	response->headers =
		xresize(response->headers, response->header_count + 1, sizeof *response->headers);
	response->headers[response->header_count].name = xstrdup(name);
	response->headers[response->header_count++].value = xstrdup(value);
}

static inline bool play_fits(const struct step *step, const struct http_request *request)
{
	cleanup(buf_free) struct buf body = BUF_INIT(1000000);

	if (strcmp(step->method, request->method) != 0 || !text_ends(request->url, step->url))
		return false;
	if (request->body_size > 0)
		buf_add(&body, request->body, request->body_size);
	return !step->wants || strstr(buf_text(&body), step->wants)
	       || strstr(buf_text(&play.heads), step->wants);
}

static int play_send(struct http *http, const struct http_request *request,
		     struct http_response *response, struct err *err)
{
	const struct step *step = &play.steps[play.at];

	(void)http;
	buf_clear(&play.heads);
	for (size_t i = 0; i < request->header_count; i++)
		buf_addf(&play.heads, "%s: %s\n", request->headers[i].name,
			 request->headers[i].value);
	play.redirects += request->redirects > 0;
	play.indirect += !request->direct;
	if (request->timeout > play.timeouts)
		play.timeouts = request->timeout;
	hand.milliseconds += play.took;
	if (play.at == play.count || !play_fits(step, request)) {
		play.wrong = true;
		tap_note("unexpected: %s %s %.*s", request->method, request->url,
			 (int)request->body_size, request->body ? (const char *)request->body : "");
		return err_set(err, ERR_REMOTE, 0, "not in the script");
	}
	play.at++;
	if (step->status == 0)
		return err_set(err, ERR_TRANSIENT, 0, "connection refused");
	response->status = step->status;
	buf_adds(&response->body, step->body);
	play_headers(response, step->header, step->value);
	play_headers(response, step->header2, step->value2);
	return 0;
}

static void play_mask(void *self, const char *secret)
{
	(void)self;
	buf_addf(&play.masked, "%s\n", secret);
}

__attribute__((format(printf, 2, 3))) static void play_say(void *self, const char *fmt, ...)
{
	char line[1000];
	va_list args;

	(void)self;
	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	buf_addf(&play.said, "%s\n", line);
}

static int play_tick(void *self)
{
	(void)self;
	if (play.ticks > 0)
		play.ticks--;
	return play.ticks == 0;
}

/* "jwt-1-sts.amazonaws.com", "jwt-2-…": a new one each time. */
__attribute__((unused)) static int play_token(void *self, const char *audience, char **token,
					      struct err *err)
{
	(void)self;
	(void)err;
	*token = xprintf("jwt-%u-%s", ++play.tokens, audience);
	return 0;
}

static struct cloud_site site = {
	.http = &play.http,
	.clock = &hand.clock,
	.mask = play_mask,
	.say = play_say,
	.tick = play_tick,
};

static inline void play_begin(const struct step *steps, size_t count, const char *const *env)
{
	buf_free(&play.heads);
	buf_free(&play.masked);
	buf_free(&play.said);
	play = (struct play){
		.http = {.send = play_send},
		.steps = steps,
		.count = count,
		.ticks = -1,
		.heads = BUF_INIT(100000),
		.masked = BUF_INIT(100000),
		.said = BUF_INIT(100000),
	};
	site.env = env;
	site.id_token = NULL;
	hand.slept = 0;
}

#define PLAY(steps, env) play_begin(steps, sizeof(steps) / sizeof *(steps), env)
#define ENV(...)         ((const char *const[]){__VA_ARGS__, NULL})

static inline void played(const char *name)
{
	ok(play.at == play.count && !play.wrong, name);
}

static inline bool was_masked(const char *secret)
{
	cleanup(buf_free) struct buf line = BUF_INIT(100000);

	buf_addf(&line, "%s\n", secret);
	return strstr(buf_text(&play.masked), buf_text(&line)) != NULL;
}

static inline void play_end(void)
{
	buf_free(&play.heads);
	buf_free(&play.masked);
	buf_free(&play.said);
}
#endif
