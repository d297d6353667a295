/*
 * Row 3 of docs/security.md. Does a comparison tell how much of a guess is right? Clocks say it
 * only in the mean, and a busy machine blurs that. So this test looks at the cause instead of the
 * effect: the call is made in a child that is traced step by step, once with each kind of input,
 * and both must pass the same instructions in the same order. What runs the same instructions on
 * the same memory takes its time from neither input. That the test would see a comparison which
 * stops at the first difference is tested too.
 */
#include <elf.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"
#include "github/signature.h"
#include "service/auth.h"
#include "tap.h"

#define STEPS 20000000 /* of one call, at most */

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

/** The way that a call took. */
struct path {
	uint64_t steps, hash; /* how many instructions, and FNV-1a over their addresses */
};

/* The child's part: stops before the call and after it. */
static void be_traced(struct trial *trial, int kind)
{
	snprintf(trial->input, sizeof trial->input, "%s", trial->kinds[kind]);
	/* What is bound, loaded or allocated at a first call isn't what is looked at. */
	for (int i = 0; i < 2; i++) {
		if (trial->prepare)
			trial->prepare(trial);
		if (i == 1) {
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
			raise(SIGUSR1);
		}
		trial->call(trial);
	}
	raise(SIGUSR2);
	_exit(0);
}

static uint64_t instruction(pid_t child)
{
	struct user_regs_struct registers = {0};
	struct iovec all = {&registers, sizeof registers};

	ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &all);
#ifdef __aarch64__
	return registers.pc;
#else
	return registers.rip;
#endif
}

/* Step from the first stop to the second. */
static bool follow(pid_t child, struct path *path)
{
	int status;

	*path = (struct path){.hash = 0xcbf29ce484222325};
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)
	    || WSTOPSIG(status) != SIGUSR1)
		return false;
	while (path->steps < STEPS && ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0
	       && waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) == SIGUSR2)
			return true;
		path->hash = (path->hash ^ instruction(child)) * 0x100000001b3;
		path->steps++;
	}
	return false;
}

static struct path trace(struct trial *trial, int kind)
{
	struct path path;
	pid_t child = fork();

	if (child == 0)
		be_traced(trial, kind);
	if (child < 0 || !follow(child, &path))
		bail_out("a child can't be traced step by step");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return path;
}

static bool leaks(struct trial *trial, struct path paths[2])
{
	for (int kind = 0; kind < 2; kind++)
		paths[kind] = trace(trial, kind);
	return paths[0].steps != paths[1].steps || paths[0].hash != paths[1].hash;
}

static void no_leak(struct trial *trial)
{
	char name[120];
	struct path paths[2];

	snprintf(name, sizeof name, "security 3: timing: %s", trial->name);
	if (!ok(!leaks(trial, paths), name))
		tap_note("%llu instructions, and %llu", (unsigned long long)paths[0].steps,
			 (unsigned long long)paths[1].steps);
}

/* ---- what is traced ---- */

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
				      .calls = 1,
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
				      .calls = 1,
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
			      .calls = 1,
			      .call = same,
			      .secret = right};
	struct path paths[2];

	no_leak(&trial);
	trial.name = "digits of which the first is none, or the last";
	trial.kinds[0] = changed(right, 0, 'g');
	trial.kinds[1] = changed(right, 63, 'g');
	trial.call = decode;
	no_leak(&trial);
	trial.kinds[0] = changed(right, 0, '0');
	trial.kinds[1] = right;
	trial.call = stops_early;
	ok(leaks(&trial, paths), "security 3: timing: a comparison that stops early would be seen");
	ok(paths[0].steps > 10 && paths[1].steps > paths[0].steps,
	   "security 3: timing: and that it took fewer steps");
}

int main(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
	skip_all("what this build runs isn't what is installed");
#endif
	bytes();
	signatures();
	tokens();
	return tap_done();
}
