/*
 * Row 3 of docs/security.md. Does the time of a comparison tell how much of a guess is right? After
 * dudect (Reparaz, Balasch, Verbauwhede: "dude, is my code constant time?", 2017): two kinds of
 * input in random order, Welch's t over their times. A machine that is busy with other things must
 * not make this fail: the slowest times are left out, and only what shows up in every one of
 * several rounds counts. That the test would see a comparison which stops at the first difference
 * is tested too.
 */
#include <stdint.h>
#include <time.h>

#include "base/crypto.h"
#include "github/signature.h"
#include "service/auth.h"
#include "tap.h"

#define SAMPLES 10000 /* of each kind, in each round */
#define ROUNDS  6
#define KEPT    70 /* per cent: the fastest of both kinds together */
/* Of t squared, which needs no root. dudect speaks of a leak from |t| = 10 on. */
#define THRESHOLD (12.0 * 12.0)

/** What is compared with what. */
struct trial {
	const char *name;
	const char *kinds[2]; /* texts of the same length */
	int calls;            /* in one sample */
	void (*prepare)(struct trial *trial);
	void (*call)(struct trial *trial);
	char input[200]; /* the same place for both kinds */
	const struct signature_keys *keys;
	struct signature_check *checks[16];
	const struct auth *auth;
	const char *secret;
	volatile int sink;
};

static int64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double sample(struct trial *trial, int kind)
{
	int64_t began;

	snprintf(trial->input, sizeof trial->input, "%s", trial->kinds[kind]);
	if (trial->prepare)
		trial->prepare(trial);
	began = nanoseconds();
	trial->call(trial);
	return (double)(nanoseconds() - began);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct moments {
	double count, mean, square; /* Welford's */
};

static void moments_add(struct moments *moments, double value)
{
	double delta = value - moments->mean;

	moments->count++;
	moments->mean += delta / moments->count;
	moments->square += delta * (value - moments->mean);
}

/* Welch's t, squared. */
static double welch(const struct moments *a, const struct moments *b)
{
	double spread =
		a->square / (a->count - 1) / a->count + b->square / (b->count - 1) / b->count;

	return spread > 0 ? (a->mean - b->mean) * (a->mean - b->mean) / spread : 0;
}

/* One round. */
static double measure(struct trial *trial)
{
	static double times[2 * SAMPLES], sorted[2 * SAMPLES];
	static unsigned char kinds[2 * SAMPLES];
	struct moments moments[2] = {0};
	double limit;

	crypto_random(kinds, sizeof kinds);
	for (size_t i = 0; i < 2 * SAMPLES; i++)
		times[i] = sample(trial, kinds[i] & 1);
	memcpy(sorted, times, sizeof times);
	qsort(sorted, 2 * SAMPLES, sizeof *sorted, by_size);
	limit = sorted[2 * SAMPLES * KEPT / 100];
	for (size_t i = 0; i < 2 * SAMPLES; i++)
		if (times[i] <= limit)
			moments_add(&moments[kinds[i] & 1], times[i]);
	return welch(&moments[0], &moments[1]);
}

/* A leak is there in each round. Gives the last round's t, squared. */
static bool leaks(struct trial *trial, double *t)
{
	bool found = true;

	for (int round = 0; round < ROUNDS && found; round++) {
		*t = measure(trial);
		found = *t > THRESHOLD;
	}
	return found;
}

static void no_leak(struct trial *trial)
{
	char name[120];
	double t;

	snprintf(name, sizeof name, "security 3: timing: %s", trial->name);
	if (!ok(!leaks(trial, &t), name))
		tap_note("the last of %d rounds: t squared is %.1f", ROUNDS, t);
}

/* ---- what is timed ---- */

static void stops_early(struct trial *trial)
{
	for (int i = 0; i < trial->calls; i++) {
		volatile const char *given = trial->input, *right = trial->secret;

		while (*given && *given == *right) {
			given++;
			right++;
		}
		trial->sink += *given == *right;
	}
}

static void same(struct trial *trial)
{
	for (int i = 0; i < trial->calls; i++)
		trial->sink += crypto_same(trial->input, trial->secret, 64);
}

static void decode(struct trial *trial)
{
	uint8_t bytes[32];

	for (int i = 0; i < trial->calls; i++)
		trial->sink += hex_decode(trial->input, 64, bytes, sizeof bytes);
}

static void begin_checks(struct trial *trial)
{
	for (int i = 0; i < trial->calls; i++) {
		trial->checks[i] = signature_begin(trial->keys);
		signature_add(trial->checks[i], "{}", 2);
	}
}

static void end_checks(struct trial *trial)
{
	for (int i = 0; i < trial->calls; i++)
		trial->sink += signature_end(trial->checks[i], trial->input);
}

static void who(struct trial *trial)
{
	for (int i = 0; i < trial->calls; i++)
		trial->sink += auth_who(trial->auth, trial->input) != NULL;
}

static const char *changed(const char *text, size_t at, char to)
{
	char *copy = xstrdup(text); /* lives as long as the test */

	copy[at] = copy[at] == to ? (char)(to + 1) : to;
	return copy;
}

static const char *signature_of(const char *secret)
{
	uint8_t digest[SHA256_SIZE];
	struct hmac_key *key = hmac_key_new(secret, strlen(secret));
	struct hmac *hmac = hmac_begin(key);
	char hex[SHA256_HEX_SIZE];

	hmac_add(hmac, "{}", 2);
	hmac_end(hmac, digest);
	hex_encode(digest, sizeof digest, hex);
	hmac_key_free(key);
	return xprintf("sha256=%s", hex);
}

static void signatures(void)
{
	static const char *const secrets[] = {"first secret", "second secret", "third secret"};
	struct signature_keys *keys = signature_keys_new(secrets, 3);
	const char *right = signature_of(secrets[0]), *third = signature_of(secrets[2]);
	const char *const pairs[][3] = {
		{"a signature wrong at its first digit, or at its last", changed(right, 7, '0'),
		 changed(right, 70, '0')},
		{"a signature that is wrong, or right", changed(right, 70, '0'), right},
		{"a signature of the first secret, or of the third", right, third},
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct trial trial = {.name = pairs[i][0],
				      .kinds = {pairs[i][1], pairs[i][2]},
				      .calls = 4,
				      .prepare = begin_checks,
				      .call = end_checks,
				      .keys = keys};

		no_leak(&trial);
	}
	signature_keys_free(keys);
}

static void tokens(void)
{
	static const char first[] = "0123456789abcdef0123456789abcdef";
	static const char second[] = "fedcba9876543210fedcba9876543210";
	static const char *const may[] = {"read", NULL};
	struct settings_token items[] = {{.name = "one", .secret = {.text = first}, .may = may},
					 {.name = "two", .secret = {.text = second}, .may = may}};
	const struct settings settings = {.tokens = {.items = items, .count = 2}};
	const char *right = xprintf("Bearer %s", first), *other = xprintf("Bearer %s", second);
	const char *const pairs[][3] = {
		{"a token wrong at its first byte, or at its last", changed(right, 7, 'x'),
		 changed(right, 38, 'x')},
		{"a token that is wrong, or right", changed(right, 38, 'x'), right},
		{"the first token, or the second", right, other},
	};
	struct auth *auth;
	struct err err = ERR_INIT;

	if (auth_new(&auth, &settings, &err) < 0)
		bail_out(err.text);
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct trial trial = {.name = pairs[i][0],
				      .kinds = {pairs[i][1], pairs[i][2]},
				      .calls = 4,
				      .call = who,
				      .auth = auth};

		no_leak(&trial);
	}
	auth_free(auth);
}

static void bytes(void)
{
	const char *right = signature_of("secret") + 7;
	struct trial trial = {.name = "bytes that differ at the first, or nowhere",
			      .kinds = {changed(right, 0, '0'), right},
			      .calls = 16,
			      .call = same,
			      .secret = right};
	double t;

	no_leak(&trial);
	trial.name = "digits of which the first is none, or the last";
	trial.kinds[0] = changed(right, 0, 'g');
	trial.kinds[1] = changed(right, 63, 'g');
	trial.call = decode;
	no_leak(&trial);
	trial.kinds[0] = changed(right, 0, '0');
	trial.kinds[1] = right;
	trial.call = stops_early;
	if (!ok(leaks(&trial, &t),
		"security 3: timing: a comparison that stops early would be seen"))
		tap_note("its t squared is %.1f", t);
}

int main(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
	skip_all("times say nothing in this build");
#endif
	bytes();
	signatures();
	tokens();
	return tap_done();
}
