#include "pipeline/source.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tap.h"

static char top[] = "/tmp/slipway-source-XXXXXX";
static char *first, *second, *third, *side, *merged; /* commits */

static void shell(const char *script)
{
	autofree char *text = xprintf("cd %s && exec 2>>errors && set -e && %s", top, script);

	if (system(text) != 0)
		bail_out(script);
}

static char *output_of(const char *command)
{
	autofree char *text = xprintf("cd %s && %s", top, command);
	char line[200] = "";
	FILE *pipe = popen(text, "r");

	if (!pipe || !fgets(line, sizeof line, pipe) || pclose(pipe) != 0)
		bail_out(command);
	line[strcspn(line, "\n")] = '\0';
	return xstrdup(line);
}

#define GIT "git -C shop -c user.name=A -c user.email=a@example.com -c commit.gpgsign=false "

static void make_repository(void)
{
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	shell("git init -q -b main shop");
	shell("cd shop && mkdir -p app/deep && echo one > app/a.txt && echo secret > ignored.txt"
	      " && printf '#!/bin/sh\\n' > run && chmod +x run && ln -s app/a.txt link"
	      " && echo 'ignored.txt export-ignore' > .gitattributes"
	      " && echo '$Format:%H$' > subst && echo 'subst export-subst' >> .gitattributes"
	      " && echo '*.txt filter=evil' >> .gitattributes");
	shell("cd shop && touch \"app/deep/caf\303\251-$(printf 'x%.0s' $(seq 120)).txt\"");
	shell(GIT "add -A && " GIT "commit -qm first");
	first = output_of(GIT "rev-parse HEAD");
	shell("cd shop && echo two > app/a.txt && git mv run 'ru n'");
	shell(GIT "add -A && " GIT "commit -qm second && " GIT "tag -am tagged v1");
	second = output_of(GIT "rev-parse HEAD");
	shell(GIT "checkout -qb side HEAD~1 && echo x > shop/side.txt && " GIT "add -A && " GIT
		  "commit -qm side");
	side = output_of(GIT "rev-parse HEAD");
	shell(GIT "checkout -q main && " GIT "merge -q -m merge side");
	merged = output_of(GIT "rev-parse HEAD");
	shell("echo three > shop/app/a.txt && " GIT "commit -qam third");
	third = output_of(GIT "rev-parse HEAD");
}

static struct source *open_source(const char *url, const char *cache, const char *user,
				  const char *password)
{
	autofree char *folder = file_join(top, cache);

	return source_git_new(url, folder, user, password);
}

static char *new_folder(void)
{
	struct err err = ERR_INIT;
	char *folder = file_join(top, "out");

	if (file_remove_tree(folder, &err) || file_make_dirs(folder, 0700, &err))
		bail_out(err.text);
	return folder;
}

static bool holds(const char *name, const char *text)
{
	autofree char *path = xprintf("%s/out/%s", top, name);
	cleanup(buf_free) struct buf out = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	bool same = file_read(path, &out, &err) == 0 && strcmp(buf_text(&out), text) == 0;

	if (!same)
		tap_note("%s: '%s' %s", path, buf_text(&out), err.text);
	return same;
}

static bool fetched(struct source *source, const char *commit, struct err *err)
{
	autofree char *folder = new_folder();

	*err = (struct err)ERR_INIT;
	return source->fetch(source, commit, folder, NULL, err) == 0;
}

static void check_kind(const struct err *err, enum err_kind kind, const char *text,
		       const char *name)
{
	bool same = err->kind == kind && strstr(err->text, text);

	if (!ok(same, name))
		tap_note("%s: %s", err_kind_name(err->kind), err->text);
}

static void check_fetch(const char *url, const char *cache, const char *name)
{
	cleanup(source_freep) struct source *source = open_source(url, cache, NULL, NULL);
	struct err err;
	struct stat info;
	autofree char *link = xprintf("%s/out/link", top), *git = xprintf("%s/out/.git", top);
	autofree char *run = xprintf("%s/out/run", top);
	char target[20] = "";

	if (!ok(fetched(source, first, &err), name))
		tap_note("%s", err.text);
	ok(holds("app/a.txt", "one\n"), "  a file");
	ok(holds("ignored.txt", "secret\n"), "  also one with export-ignore: the whole tree");
	ok(holds("subst", "$Format:%H$\n"), "  as it is");
	ok(stat(run, &info) == 0 && info.st_mode & S_IXUSR, "  a program");
	ok(readlink(link, target, 19) == 9 && strcmp(target, "app/a.txt") == 0, "  a link");
	ok(!file_exists(git), "  no .git");
	shell("ls out/app/deep | grep -q '^caf.*x.txt$'");
	ok(fetched(source, third, &err) && holds("app/a.txt", "three\n"), "  another commit");
	ok(fetched(source, second, &err) && holds("app/a.txt", "two\n"), "  one that no ref names");
}

static void check_refs(struct source *source, const char *name)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const struct {
		const char *ref, *commit;
	} want[] = {
		{"main", third}, {"refs/heads/side", side}, {"HEAD", third},
		{"v1", second},  {"refs/tags/v1", second},  {first, first},
	};
	struct err err = ERR_INIT;
	const char *commit;

	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		if (source->resolve(source, want[i].ref, arena, &commit, &err))
			tap_note("%s: %s", want[i].ref, err.text);
		same_str(commit, want[i].commit, name);
	}
	ok(source->resolve(source, "ain", arena, &commit, &err) == -1, "no such branch");
	check_kind(&err, ERR_ABSENT, "no branch or tag 'ain'", "  is absent");
	ok(source->resolve(source, "--upload-pack=x", arena, &commit, &err) == -1, "an option");
	check_kind(&err, ERR_USAGE, "no name of a branch", "  is no ref");
	ok(source->resolve(source, "ma*", arena, &commit, &err) == -1 && err.kind == ERR_USAGE,
	   "nor is a pattern");
}

static void check_read(struct source *source)
{
	static const char *const bad[] = {"../x", "/etc/passwd", "app/../../x",
					  "",     "app//a",      "./x"};
	cleanup(buf_free) struct buf out = BUF_INIT(1000), tiny = BUF_INIT(2);
	struct err err = ERR_INIT;

	ok(source->read(source, second, "app/a.txt", &out, &err) == 0, "a file at a commit");
	same_str(buf_text(&out), "two\n", "  its text");
	ok(source->read(source, second, "app/b.txt", &out, &err) == -1, "no such file");
	check_kind(&err, ERR_ABSENT, "there is no app/b.txt", "  is absent");
	ok(source->read(source, second, "link", &out, &err) == -1, "a link");
	check_kind(&err, ERR_USAGE, "a folder or a link", "  isn't followed");
	ok(source->read(source, second, "app", &out, &err) == -1 && err.kind == ERR_USAGE,
	   "a folder");
	ok(source->read(source, second, "app/a.txt", &tiny, &err) == -1 && err.kind == ERR_LIMIT,
	   "too long");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(source->read(source, second, bad[i], &out, &err) == -1 && err.kind == ERR_USAGE,
		   "no path within it");
}

static void check_compared(struct source *source, const char *base, const char *head,
			   enum relation want, const char *names)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(buf_free) struct buf text = BUF_INIT(1000);
	const char *const *files;
	enum relation relation;
	struct err err = ERR_INIT;

	if (!ok(source->compare(source, base, head, arena, &relation, &files, &err) == 0,
		"compared"))
		tap_note("%s", err.text);
	same_int(relation, want, "  relation");
	for (; files && *files; files++)
		buf_addf(&text, "%s|", *files);
	same_str(files ? buf_text(&text) : "unknown", names, "  files");
}

static void check_compare(struct source *source)
{
	static const char absent[] = "1234567890123456789012345678901234567890";
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *const *files;
	enum relation relation;
	struct err err = ERR_INIT;

	check_compared(source, first, second, RELATION_AHEAD, "app/a.txt|ru n|run|");
	check_compared(source, second, first, RELATION_BEHIND, "app/a.txt|ru n|run|");
	check_compared(source, second, second, RELATION_SAME, "");
	check_compared(source, second, side, RELATION_DIVERGED, "app/a.txt|ru n|run|side.txt|");
	check_compared(source, second, third, RELATION_AHEAD, "app/a.txt|side.txt|");
	check_compared(source, NULL, third, RELATION_AHEAD, "app/a.txt|");
	check_compared(source, NULL, merged, RELATION_AHEAD, "side.txt|");
	check_compared(source, absent, third, RELATION_UNKNOWN, "unknown");
	ok(source->compare(source, first, absent, arena, &relation, &files, &err) == -1, "no head");
	check_kind(&err, ERR_ABSENT, "has no commit 1234567890", "  is absent");
	ok(source->compare(source, "-x", third, arena, &relation, &files, &err) == -1
		   && err.kind == ERR_USAGE,
	   "an option is no commit");
	ok(source->compare(source, NULL, first, arena, &relation, &files, &err) == 0 && files
		   && files[0] && strcmp(files[0], ".gitattributes") == 0,
	   "a first commit: all its files");
}

/* A long history, and pushes on top of it: each brings its own objects only. */
static void check_history_comes_once(void)
{
	autofree char *path = file_join(top, "long");
	cleanup(source_freep) struct source *source = open_source(path, "long-cache", NULL, NULL);
	cleanup(arena_freep) struct arena *arena = arena_new();
	autofree char *before = NULL, *objects = NULL;
	struct err err = ERR_INIT;

	shell("git init -q -b main long && for i in $(seq 300); do "
	      "printf 'commit refs/heads/main\ncommitter A <a@example.com> %d +0000\n"
	      "data 1\nx\nM 100644 inline n\ndata 3\n%03d\n' $((1700000000 + i)) $i; done"
	      " | git -C long fast-import --quiet");
	before = output_of("git -C long rev-parse main");
	for (int i = 0; i < 8; i++) {
		autofree char *now = NULL;
		const char *const *files;
		enum relation relation = RELATION_UNKNOWN;

		shell("cd long && tree=$(git rev-parse main^{tree}) && git update-ref "
		      "refs/heads/main $(git -c user.name=A -c user.email=a@example.com "
		      "commit-tree -p main -m more $tree)");
		now = output_of("git -C long rev-parse main");
		if (source->compare(source, before, now, arena, &relation, &files, &err)
		    || relation != RELATION_AHEAD)
			ok(false, err.text);
	}
	objects = output_of("git -C long-cache/full.git count-objects -v"
			    " | awk '/^(count|in-pack):/ {n += $2} END {print n}'");
	/* 300 commits with a tree and a file each, and 8 commits; not all of it nine times. */
	ok(strtol(objects, NULL, 10) < 1000, "a history is fetched once, and then what is new");
}

static void check_refused(void)
{
	static const char *const urls[] = {"--upload-pack=touch x",
					   "ext::sh -c touch% x",
					   "fd::3",
					   "ftp://h/x",
					   "https://token@h/x.git",
					   "https://u:s3cret@h/x",
					   "ssh://u:s3cret@h/x",
					   "",
					   "a\nb",
					   "javascript://x"};
	struct err err;

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		cleanup(source_freep) struct source *source =
			open_source(urls[i], "refused", NULL, NULL);

		if (!ok(!fetched(source, first, &err) && err.kind == ERR_USAGE
				&& !strstr(err.text, "s3cret"),
			"a URL that git doesn't get to see"))
			tap_note("%s: %s", urls[i], err.text);
	}
	cleanup(source_freep) struct source *source = open_source("shop", "refused", NULL, NULL);
	ok(!fetched(source, "main", &err) && err.kind == ERR_USAGE, "a branch is no commit");
	ok(!fetched(source, "--output=/tmp/x", &err) && err.kind == ERR_USAGE, "nor is an option");
}

static int stop(void *self)
{
	(void)self;
	return 1;
}

static void check_failures(const char *path)
{
	cleanup(source_freep) struct source *source = open_source(path, "failures", NULL, NULL);
	cleanup(source_freep) struct source *gone =
		open_source("/nonexistent.git", "f2", NULL, NULL);
	cleanup(source_freep) struct source *down =
		open_source("http://127.0.0.1:1/x.git", "f3", NULL, NULL);
	autofree char *folder = new_folder();
	const struct source_tick tick = {stop, NULL};
	struct err err = ERR_INIT;

	ok(source->fetch(source, first, folder, &tick, &err) == -1, "cancelled");
	same_str(err_kind_name(err.kind), "cancelled", "  and says so");
	ok(!fetched(source, "1234567890123456789012345678901234567890", &err), "no such commit");
	check_kind(&err, ERR_ABSENT, "has no commit 1234567890", "  is absent");
	ok(!fetched(gone, first, &err), "no such repository");
	check_kind(&err, ERR_ABSENT, "does not appear to be a git repository", "  is absent");
	ok(!fetched(down, first, &err), "nobody there");
	check_kind(&err, ERR_TRANSIENT, "Failed to connect", "  may come back");
	ok(fetched(source, first, &err), "then it works");
	shell("touch failures/shallow.git/shallow.lock && rm -rf failures/shallow.git/refs");
	if (!ok(fetched(source, third, &err), "what a killed git left doesn't stop the next"))
		tap_note("%s", err.text);
	shell("test \"$(ls failures)\" = \"$(printf 'gitconfig\\nlock\\nshallow.git')\"");
}

/* Nothing of the repository's own runs here: no hooks, no filters, no configuration. */
static void check_security_nothing_runs(const char *path)
{
	cleanup(source_freep) struct source *source = open_source(path, "runs", NULL, NULL);
	autofree char *proof = file_join(top, "ran");
	struct err err;

	shell("printf '#!/bin/sh\\ntouch %s/ran\\n' \"$PWD\" > evil && chmod +x evil"
	      " && for h in pre-receive post-checkout reference-transaction pre-auto-gc; do"
	      " cp evil shop/.git/hooks/$h; done"
	      " && git -C shop config uploadpack.packObjectsHook \"$PWD/evil\""
	      " && git -C shop config core.fsmonitor \"$PWD/evil\""
	      " && git -C shop config filter.evil.smudge \"$PWD/evil\"");
	ok(fetched(source, first, &err), "fetched from a repository full of traps");
	ok(!file_exists(proof), "none of them ran");
	if (geteuid() == 0) {
		cleanup(source_freep) struct source *foreign = open_source(path, "f4", NULL, NULL);

		shell("chown -R 12345:12345 shop");
		if (!ok(fetched(foreign, second, &err), "another owner's repository"))
			tap_note("%s", err.text);
		shell("chown -R 0:0 shop");
	} else {
		skip("another owner's repository", "not root");
	}
}

static bool was_requested(const char *pattern)
{
	autofree char *command = xprintf("grep -q '%s' %s/srv/requests", pattern, top);

	return system(command) == 0;
}

static struct source *open_http(unsigned port, const char *path, const char *password)
{
	autofree char *url = xprintf("http://127.0.0.1:%u%s", port, path);
	autofree char *cache = xprintf("http%s-%zu", path, password ? strlen(password) : 0);

	return open_source(url, cache, "deploy", password);
}

static void check_http(unsigned port)
{
	cleanup(source_freep) struct source *good = open_http(port, "/shop.git", "s3cret word");
	cleanup(source_freep) struct source *bad = open_http(port, "/shop.git", "wrong");
	cleanup(source_freep) struct source *none = open_http(port, "/shop.git", NULL);
	cleanup(source_freep) struct source *old = open_http(port, "/v0/shop.git", "s3cret word");
	cleanup(source_freep) struct source *moved =
		open_http(port, "/moved/shop.git", "s3cret word");
	cleanup(source_freep) struct source *open = open_http(port, "/moved/shop.git", NULL);
	cleanup(source_freep) struct source *down = open_http(port, "/down/shop.git", NULL);
	cleanup(source_freep) struct source *other = open_http(port, "/other.git", "s3cret word");
	struct err err;

	if (!ok(fetched(good, first, &err) && holds("app/a.txt", "one\n"), "http with a login"))
		tap_note("%s", err.text);
	check_refs(good, "a ref by http");
	shell("! grep -rqE 's3cret|OnMzY3JldC' http");
	ok(!fetched(bad, first, &err), "a wrong password");
	check_kind(&err, ERR_AUTH, "", "  is a matter of login");
	ok(!strstr(err.text, "wrong"), "  and not shown");
	ok(!fetched(none, first, &err), "no password");
	check_kind(&err, ERR_AUTH, "", "  is a matter of login");
	if (!ok(fetched(old, second, &err) && holds("app/a.txt", "two\n"),
		"a server that gives only what its refs name"))
		tap_note("%s", err.text);
	ok(fetched(open, first, &err), "a redirect is followed without a login");
	ok(!fetched(moved, first, &err), "but not with one");
	ok(!was_requested("^localhost.* login"), "  and another host never gets to see it");
	ok(was_requested("^127.*/moved.* login"), "  (which was sent to the first)");
	ok(!fetched(down, first, &err), "503");
	check_kind(&err, ERR_TRANSIENT, "error: 503", "  may come back");
	ok(!fetched(other, first, &err), "404");
	check_kind(&err, ERR_ABSENT, "not found", "  is absent");
}

static void check_over_http(void)
{
	autofree char *command =
		xprintf("exec python3 tests/clouds/git_http.py %s/srv deploy 's3cret word'", top);
	unsigned port = 0;
	int pid = 0;
	FILE *pipe;

	shell("mkdir srv && git clone -q --bare shop srv/shop.git && touch srv/requests");
	pipe = popen(command, "r");
	if (!pipe || fscanf(pipe, "%u %d", &port, &pid) != 2)
		bail_out("no git server");
	check_http(port);
	kill(pid, SIGTERM);
	pclose(pipe);
}

static void check_folder(void)
{
	autofree char *path = file_join(top, "shop");
	cleanup(source_freep) struct source *source = source_folder_new(path);
	cleanup(arena_freep) struct arena *arena = arena_new();
	autofree char *git = xprintf("%s/out/.git", top);
	struct err err = ERR_INIT;
	const char *commit;

	ok(fetched(source, NULL, &err) && holds("app/a.txt", "three\n"), "a folder as it stands");
	ok(!file_exists(git), "  without .git");
	ok(source->resolve(source, "main", arena, &commit, &err) == -1 && err.kind == ERR_USAGE,
	   "  which has no commits");
}

int main(void)
{
	struct err err = ERR_INIT;
	autofree char *path = NULL, *url = NULL;

	if (!mkdtemp(top))
		bail_out("no folder");
	make_repository();
	path = file_join(top, "shop");
	url = xprintf("file://%s", path);
	check_fetch(path, "by-path", "by path");
	check_fetch(url, "by-url", "by file:// URL");
	cleanup(source_freep) struct source *source = open_source(url, "by-url", NULL, NULL);
	check_refs(source, "a ref");
	check_read(source);
	check_compare(source);
	ok(fetched(source, merged, &err) && holds("app/a.txt", "two\n"), "fetched with history");
	check_history_comes_once();
	check_refused();
	check_failures(path);
	check_security_nothing_runs(path);
	check_folder();
	check_over_http();
	free(first), free(second), free(third), free(side), free(merged);
	if (file_remove_tree(top, &err))
		tap_note("%s", err.text);
	return tap_done();
}
