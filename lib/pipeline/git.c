#include "pipeline/git.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"

#define ARGS_MAX        16
#define COMPLAINT_LINES 3

/*
 * A file and not GIT_CONFIG_COUNT, since git takes that from the environment of the upload-pack
 * that it starts for a local repository, which then would refuse one of another owner.
 * safe.directory lets git look at such a repository; its hooks and its configured programs are not
 * run for that.
 */
static const char configuration[] = "[safe]\n\tdirectory = *\n"
				    "[core]\n\thooksPath = /dev/null\n"
				    "[gc]\n\tautoDetach = false\n"
				    "[maintenance]\n\tautoDetach = false\n"
				    "[fetch]\n\trecurseSubmodules = false\n"
				    "[protocol]\n\tversion = 2\n"
				    "[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 60\n";

/* A name alone is a login for http (a token); for ssh it's just a name. */
static int check_login(const char *rest, bool http, struct err *err)
{
	size_t authority = strcspn(rest, "/?#");
	const char *at = memrchr(rest, '@', authority);

	if (at && (http || memchr(rest, ':', (size_t)(at - rest))))
		return err_set(err, ERR_USAGE, 0,
			       "the git repository's URL has a login in it, which would stand on a "
			       "command line: give user and password in settings of their own");
	return 0;
}

int git_check_url(const char *url, struct err *err)
{
	static const char *const schemes[] = {"file", "git", "http", "https", "ssh"};
	size_t scheme =
		strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
	bool known = false;

	if (*url == '\0' || *url == '-')
		return err_set(err, ERR_USAGE, 0, "the git repository '%.80s' is no URL or path",
			       url);
	for (const char *c = url; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return err_set(err, ERR_USAGE, 0,
				       "the git repository's URL has a control character");
	if (strncmp(url + scheme, "::", 2) == 0)
		return err_set(err, ERR_USAGE, 0,
			       "the git repository '%.*s::…' is for a helper program, refused "
			       "(expected https, ssh, git or file, or a path)",
			       (int)scheme, url);
	if (strncmp(url + scheme, "://", 3) != 0)
		return 0;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		known |= strlen(schemes[i]) == scheme && strncasecmp(url, schemes[i], scheme) == 0;
	if (!known)
		return err_set(err, ERR_USAGE, 0,
			       "the git repository's scheme is '%.*s' (expected https, ssh, git, "
			       "http or file)",
			       (int)scheme, url);
	return check_login(url + scheme + 3, strncasecmp(url, "http", 4) == 0, err);
}

int git_prepare(const struct git *git, struct err *err)
{
	cleanup(buf_free) struct buf now = BUF_INIT(4096);
	autofree char *path = file_join(git->home, "gitconfig");
	struct err ignored = ERR_INIT;

	if (file_make_dirs(git->home, 0700, err))
		return -1;
	if (file_read(path, &now, &ignored) == 0 && text_same(buf_text(&now), configuration))
		return 0;
	return file_write(path, configuration, sizeof configuration - 1, 0600, err);
}

/* The login is told to this URL alone: not to where it redirects, nor to a submodule's host. */
static void add_login(const struct git *git, struct arena *arena, const char **env, size_t *count)
{
	autofree char *login =
		xprintf("%s:%s", git->user ? git->user : "x-access-token", git->password);
	autofree char *base64 = base64_encode(login, strlen(login), false);

	env[(*count)++] = "GIT_CONFIG_COUNT=2";
	env[(*count)++] = arena_printf(arena, "GIT_CONFIG_KEY_0=http.%s.extraHeader", git->url);
	env[(*count)++] = arena_printf(arena, "GIT_CONFIG_VALUE_0=Authorization: Basic %s", base64);
	env[(*count)++] = "GIT_CONFIG_KEY_1=http.followRedirects";
	env[(*count)++] = "GIT_CONFIG_VALUE_1=false";
	crypto_wipe_text(login);
	crypto_wipe_text(base64);
}

static const char *const *make_env(const struct git *git, struct arena *arena)
{
	static const char *const always[] = {
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"LC_ALL=C", /* what it says is looked at */
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=/bin/false",
		"GIT_SSH_COMMAND=ssh -oBatchMode=yes -oConnectTimeout=15",
		"GIT_ALLOW_PROTOCOL=file:git:http:https:ssh",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_LITERAL_PATHSPECS=1",
	};
	size_t count = sizeof always / sizeof *always;
	const char **env = arena_alloc(arena, (count + 10) * sizeof *env);

	memcpy(env, always, sizeof always);
	env[count++] = arena_printf(arena, "HOME=%s", git->home);
	env[count++] = arena_printf(arena, "GIT_CONFIG_GLOBAL=%s/gitconfig", git->home);
	if (git->repository)
		env[count++] = arena_printf(arena, "GIT_DIR=%s", git->repository);
	if (git->password && git->url && strncasecmp(git->url, "http", 4) == 0)
		add_login(git, arena, env, &count);
	return env;
}

/* What git said: its first lines, without what is advice. */
struct complaint {
	struct buf text;
	unsigned lines;
	const struct source_tick *tick;
};

static void listen_to(void *self, const char *line, size_t size)
{
	static const char *const advice[] = {
		"hint:",   "warning:",         "From ",
		" * ",     "Please make sure", "and the repository exists",
		"Cloning", "remote: ---"};
	struct complaint *complaint = self;

	(void)size;
	for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
		if (text_starts(line, advice[i]))
			return;
	line += text_starts(line, "fatal: ") ? 7 : text_starts(line, "error: ") ? 7 : 0;
	if (*line == '\0' || complaint->lines == COMPLAINT_LINES)
		return;
	complaint->lines++;
	if (complaint->text.size > 0)
		buf_adds(&complaint->text, "; ");
	buf_addf(&complaint->text, "%.110s", line);
	for (char *c = complaint->text.data; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static int ask_tick(void *self)
{
	const struct complaint *complaint = self;
	const struct source_tick *tick = complaint->tick;

	return tick && tick->tick ? tick->tick(tick->self) : 0;
}

/* git has one exit status for all of it, but its words are the same since 2.20 or longer. */
static enum err_kind kind_of(const char *text)
{
	static const struct {
		const char *words;
		enum err_kind kind;
	} known[] = {
		{"Authentication failed", ERR_AUTH},
		{"could not read Username", ERR_AUTH},
		{"could not read Password", ERR_AUTH},
		{"Permission denied", ERR_AUTH},
		{"Host key verification failed", ERR_AUTH},
		{"returned error: 401", ERR_AUTH},
		{"returned error: 403", ERR_AUTH},
		{"returned error: 429", ERR_TRANSIENT},
		{"returned error: 5", ERR_TRANSIENT},
		{"not our ref", ERR_ABSENT},
		{"couldn't find remote ref", ERR_ABSENT},
		{"not found", ERR_ABSENT},
		{"does not appear to be a git repository", ERR_ABSENT},
		{"does not exist", ERR_ABSENT},
		{"unadvertised object", ERR_ABSENT},
		{"Could not resolve", ERR_TRANSIENT},
		{"Failed to connect", ERR_TRANSIENT},
		{"unable to connect", ERR_TRANSIENT},
		{"unable to look up", ERR_TRANSIENT},
		{"Connection refused", ERR_TRANSIENT},
		{"Connection reset", ERR_TRANSIENT},
		{"Connection closed", ERR_TRANSIENT},
		{"Couldn't connect", ERR_TRANSIENT},
		{"timed out", ERR_TRANSIENT},
		{"Temporary failure", ERR_TRANSIENT},
		{"unreachable", ERR_TRANSIENT},
		{"No route to host", ERR_TRANSIENT},
		{"Empty reply", ERR_TRANSIENT},
		{"early EOF", ERR_TRANSIENT},
		{"hung up unexpectedly", ERR_TRANSIENT},
		{"RPC failed", ERR_TRANSIENT},
		{"less than 1 bytes/sec", ERR_TRANSIENT},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(text, known[i].words))
			return known[i].kind;
	return ERR_REMOTE;
}

static void arena_wipe_free(struct arena **arena, const char *const *env)
{
	for (; *env; env++)
		if (text_starts(*env, "GIT_CONFIG_VALUE_0="))
			crypto_wipe_text((char *)(uintptr_t)*env);
	arena_free(take(*arena));
}

int git_run(const struct git *git, const char *const *args, int64_t timeout,
	    const struct source_tick *tick, struct buf *out, struct err *err)
{
	struct complaint complaint = {.text = BUF_INIT(1000), .tick = tick};
	struct arena *arena = arena_new();
	const char *argv[ARGS_MAX + 2] = {"git"};
	const struct child child = {
		.argv = argv,
		.env = make_env(git, arena),
		.timeout = timeout,
		.output = listen_to,
		.tick = ask_tick,
		.self = &complaint,
	};
	int failed;

	for (size_t i = 0; args[i]; i++) {
		assert(i < ARGS_MAX);
		argv[i + 1] = args[i];
	}
	failed = child_capture(&child, out, err);
	if (failed && err->kind == ERR_LIMIT && !buf_full(out))
		err->kind = ERR_TRANSIENT;
	if (failed && err->kind == ERR_REMOTE && complaint.text.size > 0)
		err_set(err, kind_of(buf_text(&complaint.text)), err->code, "git %s: %s", args[0],
			buf_text(&complaint.text));
	buf_free(&complaint.text);
	arena_wipe_free(&arena, child.env);
	return failed;
}
