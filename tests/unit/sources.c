#include "service/sources.h"

#include "base/child.h"
#include "base/file.h"
#include "scratch.h"
#include "script.h"
#include "tap.h"

#define A "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
#define B "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"

static struct settings_github github = {.api = "https://github.example/api/v3"};
static struct settings settings = {.github = &github};
static const struct settings_repository repository = {.name = "acme/shop"};
static struct script script;
static struct arena *arena;
static struct err err;

static struct source *begin(const struct line *lines, size_t count)
{
	struct source *source;

	script = (struct script){.http = {.send = script_send}, .lines = lines, .count = count};
	github.token = (struct secret){.text = "ghp_x"};
	settings.data = scratch_folder;
	if (sources_open(&source, &settings, &repository, &script.http, &err) < 0)
		bail_out(err.text);
	return source;
}

#define BEGIN(lines) begin(lines, sizeof lines / sizeof lines[0])

static void test_read(void)
{
	static const char path[] = "/repos/acme/shop/contents/a/slip%20way.yml?ref=" A;
	static const struct line lines[] = {
		{.method = "GET",
		 .url = path,
		 .status = 200,
		 .body = "{\"type\":\"file\",\"encoding\":\"base64\","
			 "\"content\":\"dmVyc2lv\\nbjogMQo=\\n\"}"},
		{.method = "GET",
		 .url = path,
		 .status = 404,
		 .body = "{\"message\":\"Not Found\"}"},
		{.method = "GET",
		 .url = path,
		 .status = 404,
		 .body = "{\"message\":\"No commit found for the ref " A "\"}"},
		{.method = "GET", .url = path, .status = 200, .body = "[{\"name\":\"x\"}]"},
		{.method = "GET", .url = path, .status = 200, .body = "{\"type\":\"symlink\"}"},
		{.method = "GET",
		 .url = path,
		 .status = 200,
		 .body = "{\"type\":\"file\",\"encoding\":\"none\",\"content\":\"\"}"},
	};
	cleanup(source_freep) struct source *source = BEGIN(lines);
	cleanup(buf_free) struct buf text = BUF_INIT(100);

	same_int(source->read(source, A, "a/slip way.yml", &text, &err), 0, "read");
	same_str(buf_text(&text), "version: 1\n", "read: the text");
	same_str(script.authorization, "Bearer ghp_x", "read: with the login");
	ok(source->read(source, A, "a/slip way.yml", &text, &err) < 0 && err.kind == ERR_ABSENT,
	   "read: no such file");
	ok(source->read(source, A, "a/slip way.yml", &text, &err) < 0 && err.kind == ERR_TRANSIENT,
	   "read: GitHub hasn't heard of the commit yet");
	ok(source->read(source, A, "a/slip way.yml", &text, &err) < 0 && err.kind == ERR_USAGE,
	   "read: a folder");
	ok(source->read(source, A, "a/slip way.yml", &text, &err) < 0 && err.kind == ERR_USAGE,
	   "read: a link");
	ok(source->read(source, A, "a/slip way.yml", &text, &err) < 0 && err.kind == ERR_LIMIT,
	   "read: too large");
}

static void test_compare(void)
{
	static const char path[] = "/repos/acme/shop/compare/" A "..." B "?per_page=1";
	static const struct line lines[] = {
		{.method = "GET",
		 .url = path,
		 .status = 200,
		 .body = "{\"status\":\"ahead\",\"files\":[{\"filename\":\"a\"}]}"},
		{.method = "GET",
		 .url = path,
		 .status = 200,
		 .body = "{\"status\":\"diverged\",\"files\":[{\"filename\":\"a\"}]}"},
		{.method = "GET",
		 .url = path,
		 .status = 200,
		 .body = "{\"status\":\"behind\",\"files\":[]}"},
		{.method = "GET", .url = path, .status = 404, .body = "{}"},
		{.method = "GET",
		 .url = "/repos/acme/shop/commits/" B,
		 .status = 200,
		 .body = "{\"files\":[{\"filename\":\"b\",\"previous_filename\":\"a\"}]}"},
		{.method = "GET",
		 .url = "/repos/acme/shop/commits/" B,
		 .status = 200,
		 .body = "{}"},
	};
	cleanup(source_freep) struct source *source = BEGIN(lines);
	enum relation relation;
	const char *const *files;

	same_int(source->compare(source, A, B, arena, &relation, &files, &err), 0, "compare");
	ok(relation == RELATION_AHEAD && text_same(files[0], "a") && !files[1], "compare: ahead");
	same_int(source->compare(source, A, B, arena, &relation, &files, &err), 0, "compare");
	ok(relation == RELATION_DIVERGED && !files,
	   "compare: diverged, and GitHub's list isn't what differs");
	same_int(source->compare(source, A, B, arena, &relation, &files, &err), 0, "compare");
	ok(relation == RELATION_BEHIND && !files, "compare: behind");
	ok(source->compare(source, A, B, arena, &relation, &files, &err) < 0
		   && err.kind == ERR_ABSENT,
	   "compare: one of them is gone");
	same_int(source->compare(source, NULL, B, arena, &relation, &files, &err), 0,
		 "compare with the first parent");
	ok(relation == RELATION_AHEAD && text_same(files[0], "b") && text_same(files[1], "a"),
	   "compare with the first parent: the files");
	same_int(source->compare(source, NULL, B, arena, &relation, &files, &err), 0,
		 "compare with the first parent: no list");
	ok(!files, "compare with the first parent: unknown");
}

/* A tarball as GitHub makes them: everything in one folder. */
static void make_tarball(struct buf *out)
{
	const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
	const char *const argv[] = {
		"tar", "-C", scratch_folder, "-czf", scratch("a.tar.gz"), "acme-shop-6113728",
		NULL};
	const struct child child = {.argv = argv, .env = env};
	int status;

	if (file_make_dirs(scratch("acme-shop-6113728/bin"), 0700, &err) < 0
	    || file_write(scratch("acme-shop-6113728/bin/run"), "#!\n", 3, 0755, &err) < 0
	    || child_run(&child, &status, &err) < 0 || status != 0
	    || file_read(scratch("a.tar.gz"), out, &err) < 0)
		bail_out(err.text);
}

static int stop(void *self)
{
	(void)self;
	return 1;
}

static void test_fetch(void)
{
	static const char path[] = "/repos/acme/shop/tarball/" A;
	cleanup(buf_free) struct buf tarball = BUF_INIT(100000), text = BUF_INIT(100);
	const struct source_tick tick = {.tick = stop};
	struct line lines[] = {
		{.method = "GET", .url = path, .status = 200},
		{.method = "GET", .url = path, .status = 200, .body = "no tarball"},
		{.method = "GET", .url = path, .status = 404, .body = "{}"},
	};
	cleanup(source_freep) struct source *source = BEGIN(lines);
	int before = scratch_descriptors();

	make_tarball(&tarball);
	lines[0].body = tarball.data;
	script.file_size = tarball.size;
	if (file_make_dirs(scratch("out"), 0700, &err) < 0
	    || file_make_dirs(scratch("bad"), 0700, &err) < 0)
		bail_out(err.text);
	same_int(source->fetch(source, A, scratch("out"), NULL, &err), 0, "fetch");
	script.file_size = 0;
	same_int(file_read(scratch("out/bin/run"), &text, &err), 0,
		 "fetch: without GitHub's folder");
	same_int(access(scratch("out/bin/run"), X_OK), 0, "fetch: modes are kept");
	ok(source->fetch(source, A, scratch("bad"), NULL, &err) < 0, "fetch: not a tarball");
	ok(source->fetch(source, A, scratch("bad"), NULL, &err) < 0 && err.kind == ERR_ABSENT,
	   "fetch: no such commit");
	ok(source->fetch(source, A, scratch("bad"), &tick, &err) < 0 && err.kind == ERR_CANCELLED,
	   "fetch: stopped");
	same_int(scratch_descriptors(), before, "fetch: nothing stays open");
}

static void test_open(void)
{
	const struct settings_repository other = {.name = "acme/site",
						  .git = "/nowhere",
						  .git_password = {.file = "/nowhere/password"}};
	struct source *source;

	github.token = (struct secret){.file = scratch("missing")};
	ok(sources_open(&source, &settings, &repository, &script.http, &err) < 0 && !source
		   && strstr(err.text, "the GitHub token"),
	   "open: a token that can't be read");
	ok(sources_open(&source, &settings, &other, &script.http, &err) < 0 && !source
		   && strstr(err.text, "the git password of acme/site"),
	   "open: a password that can't be read");
}

int main(void)
{
	scratch_begin();
	arena = arena_new();
	test_read();
	test_compare();
	test_fetch();
	test_open();
	arena_free(arena);
	return tap_done();
}
