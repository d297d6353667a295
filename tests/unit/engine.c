/* lib/image's talk with an engine that plays a script: answers come a byte at a time. */
#include "image/engine.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "image/engine_self.h"
#include "image/engine_stream.h"
#include "scratch.h"
#include "tap.h"

/* Each call must be the next of the script. */
struct answer {
	const char *method, *path; /* how the URL ends */
	int status;                /* 0: the connection is lost, after `body` */
	const char *body;
	size_t size; /* of the body, when it has NULs */
};

static struct {
	struct http http;
	const struct answer *answers;
	const char *api;
	struct buf sent; /* what was asked for, and bodies */
	char auth[4096];
	struct buf said;
	size_t uploaded;
	bool stop;
} play;

static void upload(const struct http_request *request, struct err *err)
{
	char piece[777];
	ssize_t size;

	while ((size = request->body_read(request->self, piece, sizeof piece, err)) > 0)
		play.uploaded += (size_t)size;
}

static int deliver(const struct http_request *request, const struct answer *answer,
		   struct http_response *response, struct err *err)
{
	size_t size = answer->size ? answer->size : strlen(answer->body);

	for (size_t i = 0; i < size; i++) {
		if (!request->on_body || (answer->status && answer->status != 200))
			buf_add(&response->body, answer->body + i, 1);
		else if (request->on_body(request->self, answer->body + i, 1, err))
			return -1;
	}
	return 0;
}

static int play_send(struct http *http, const struct http_request *request,
		     struct http_response *response, struct err *err)
{
	const struct answer *answer = play.answers;

	(void)http;
	if (text_ends(request->url, "/_ping")) {
		response->status = 200;
		response->headers = xalloc(sizeof *response->headers);
		response->headers[0] =
			(struct http_header){xstrdup("api-version"), xstrdup(play.api)};
		response->header_count = 1;
		return 0;
	}
	buf_addf(&play.sent, "%s %s %.*s\n", request->method, request->url,
		 request->body ? (int)request->body_size : 0,
		 request->body ? (const char *)request->body : "");
	for (size_t i = 0; i < request->header_count; i++)
		if (text_same(request->headers[i].name, "X-Registry-Auth"))
			snprintf(play.auth, sizeof play.auth, "%s", request->headers[i].value);
	if (!answer->method || !text_same(answer->method, request->method)
	    || !strstr(request->url, answer->path)) {
		tap_note("unexpected: %s %s", request->method, request->url);
		return err_set(err, ERR_REMOTE, 0, "not in the script");
	}
	play.answers++;
	if (play.stop && request->tick(request->self))
		return err_set(err, ERR_CANCELLED, 0, "GET x: cancelled");
	if (request->body_read)
		upload(request, err);
	response->status = answer->status;
	if (deliver(request, answer, response, err))
		return -1;
	return answer->status ? 0 : err_set(err, ERR_TRANSIENT, 0, "connection reset");
}

static void play_say(void *self, const char *line, size_t size)
{
	(void)self;
	buf_add(&play.said, line, size);
	buf_addc(&play.said, '|');
}

static int play_tick(void *self)
{
	(void)self;
	return play.stop;
}

static struct engine *begin(const struct answer *answers)
{
	static const struct engine_site site = {
		.http = &play.http, .clock = &clock_system, .say = play_say, .tick = play_tick};

	play.http.send = play_send;
	play.answers = answers;
	play.api = "1.41";
	play.stop = false;
	play.uploaded = 0;
	buf_free(&play.sent);
	buf_free(&play.said);
	play.sent.limit = play.said.limit = 1024 * 1024;
	return engine_new("/nowhere/docker.sock", &site);
}

static void versions(void)
{
	static const struct {
		const char *api, *path;
	} table[] = {
		{"1.41", "/v1.41/"}, {"1.43", "/v1.43/"}, {"1.52", "/v1.44/"}, {"x", "/v1.41/"}};
	struct err err = ERR_INIT;
	const struct answer answers[] = {{"GET", "/containers/x/json", 200, "{}", 0}, {0}};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		cleanup(engine_freep) struct engine *engine = begin(answers);
		json_auto json_t *json = NULL;

		play.api = table[i].api;
		ok(engine_container(engine, "x", &json, &err) == 0
			   && strstr(buf_text(&play.sent), table[i].path),
		   table[i].api);
	}
	{
		cleanup(engine_freep) struct engine *engine = begin(answers);
		json_auto json_t *json = NULL;

		play.api = "1.40";
		ok(engine_container(engine, "x", &json, &err) < 0 && strstr(err.text, "1.41"),
		   "an engine that is too old is told so");
	}
}

static void refusals(void)
{
	static const struct {
		int status;
		enum err_kind kind;
	} table[] = {{400, ERR_USAGE},    {401, ERR_AUTH},   {403, ERR_AUTH},  {404, ERR_ABSENT},
		     {409, ERR_CONFLICT}, {500, ERR_REMOTE}, {503, ERR_REMOTE}};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct answer answers[] = {
			{"GET", "/json", table[i].status, "{\"message\":\"no, thanks\"}", 0}, {0}};
		cleanup(engine_freep) struct engine *engine = begin(answers);
		json_auto json_t *json = NULL;
		struct err err = ERR_INIT;
		autofree char *name = xprintf("status %d", table[i].status);

		ok(engine_image(engine, "a/b:1", &json, &err) < 0 && err.kind == table[i].kind
			   && err.code == table[i].status && strstr(err.text, "no, thanks"),
		   name);
	}
}

struct pushed {
	const char *name, *stream;
	int status;
	enum err_kind kind;
	const char *text;
};

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define AUX    "{\"progressDetail\":{},\"aux\":{\"Tag\":\"t\",\"Digest\":\"" DIGEST "\",\"Size\":523}}"

static const struct pushed pushes[] = {
	{"a push", "{\"status\":\"The push refers to x\"}\r\n" AUX "\r\n", 200, ERR_NONE, DIGEST},
	{"messages with nothing between them", "{\"status\":\"a}\\\"{\"}" AUX, 200, ERR_NONE,
	 DIGEST},
	{"unauthorized",
	 "{\"errorDetail\":{\"message\":\"unauthorized: authentication required\"},\"error\":"
	 "\"unauthorized: authentication required\"}\r\n",
	 200, ERR_AUTH, "unauthorized"},
	{"an error after the digest", AUX "{\"error\":\"denied: no\"}", 200, ERR_AUTH, "denied"},
	{"an immutable tag", "{\"error\":\"tag invalid: The image tag 'v1' already exists\"}", 200,
	 ERR_CONFLICT, "already exists"},
	{"no such repository",
	 "{\"error\":\"name unknown: The repository with name 'x' does not exist\"}", 200,
	 ERR_ABSENT, "name unknown"},
	{"a registry in trouble", "{\"error\":\"received unexpected HTTP status: 503 Service\"}",
	 200, ERR_TRANSIENT, "503"},
	{"a detail alone", "{\"errorDetail\":{\"message\":\"odd\"}}", 200, ERR_REMOTE, "odd"},
	{"no digest", "{\"status\":\"done\"}", 200, ERR_REMOTE, "without the digest"},
	{"a digest that is none", "{\"aux\":{\"Digest\":\"sha256:12\"}}", 200, ERR_REMOTE,
	 "digest"},
	{"cut off within a message", "{\"status\":\"do", 200, ERR_TRANSIENT, "cut off"},
	{"no JSON", "<html>", 200, ERR_REMOTE, "isn't JSON"},
	{"half JSON", "{\"a\":}", 200, ERR_REMOTE, "isn't JSON"},
	{"an empty answer", "", 200, ERR_REMOTE, "without the digest"},
	{"refused at once", "{\"message\":\"No such image\"}", 404, ERR_ABSENT, "No such image"},
};

static void push(void)
{
	static const struct engine_auth auth = {"AWS", "p+a/s=s:w>", "r.test"};

	for (size_t i = 0; i < sizeof pushes / sizeof *pushes; i++) {
		const struct pushed *want = &pushes[i];
		const struct answer answers[] = {{"POST", "/images/r.test/team/app/push?tag=v1",
						  want->status, want->stream, 0},
						 {0}};
		cleanup(engine_freep) struct engine *engine = begin(answers);
		cleanup(arena_freep) struct arena *arena = arena_new();
		const char *digest = NULL;
		struct err err = ERR_INIT;
		int result = engine_push(engine, "r.test/team/app:v1", &auth, arena, &digest, &err);

		if (!ok(want->kind == ERR_NONE ? result == 0 && text_same(digest, want->text)
					       : result < 0 && err.kind == want->kind
							 && strstr(err.text, want->text),
			want->name))
			tap_note("%d %s: %s", result, err_kind_name(err.kind), err.text);
		ok(!strstr(buf_text(&play.said), "p+a/s"), "no password in what is told");
	}
	same_int((intmax_t)strlen(play.auth) % 4, 0, "the login has its padding");
	ok(!strpbrk(play.auth, "+/"), "and is base64 for URLs");
	{
		size_t size = 0;
		autofree char *text = base64_decode(play.auth, &size);

		ok(text && strstr(text, "\"password\":\"p+a/s=s:w>\"")
			   && strstr(text, "\"serveraddress\":\"r.test\""),
		   "and holds what was given");
	}
}

struct built {
	const char *name, *stream;
	int status;
	enum err_kind kind;
	const char *text, *said;
};

#define ID "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct built builds[] = {
	{"an id in aux",
	 "{\"stream\":\"Step 1/1 : FR\"}{\"stream\":\"OM x\\n\"}{\"aux\":{\"ID\":\"" ID
	 "\"}}{\"stream\":\"Successfully built bbbbbbbbbbbb\\n\"}",
	 200, ERR_NONE, ID, "Step 1/1 : FROM x|Successfully built bbbbbbbbbbbb|"},
	{"an id in words alone", "{\"stream\":\"Successfully built aaaaaaaaaaaa\\n\"}", 200,
	 ERR_NONE, ID, "Successfully"},
	{"words of the author's aren't the engine's",
	 "{\"stream\":\"Successfully built deadbeef\\n\"}{\"aux\":{\"ID\":\"" ID "\"}}", 200,
	 ERR_NONE, ID, "Successfully built deadbeef|"},
	{"a NUL that a build prints",
	 "{\"stream\":\"a\\u0000b\\\\u0000\\n\"}{\"aux\":{\"ID\":\"" ID "\"}}", 200, ERR_NONE, ID,
	 "a\xef\xbf\xbd"
	 "b\\u0000|"},
	{"a step that fails",
	 "{\"stream\":\"half\"}{\"errorDetail\":{\"code\":1,\"message\":\"returned 1\"},\"error\":"
	 "\"returned 1\"}",
	 200, ERR_REMOTE, "returned 1", "half|"},
	{"a step that fails with words", "{\"error\":\"connection reset while RUN x: denied\"}",
	 200, ERR_REMOTE, "denied", ""},
	{"progress that moves isn't told",
	 "{\"status\":\"Pulling from "
	 "x\",\"id\":\"1\"}{\"status\":\"Downloading\",\"progressDetail\":"
	 "{\"current\":1},\"id\":\"2\"}{\"aux\":{\"ID\":\"" ID "\"}}",
	 200, ERR_NONE, ID, "1: Pulling from x|"},
	{"no id", "{\"stream\":\"x\\n\"}", 200, ERR_REMOTE, "without the image's id", "x|"},
	{"no Dockerfile that can be read", "{\"message\":\"dockerfile parse error\"}", 400,
	 ERR_USAGE, "parse error", ""},
	{"the connection is lost", "{\"stream\":\"x\\n\"}", 0, ERR_ABSENT, "no Docker engine",
	 "x|"},
};

static void build(void)
{
	const struct engine_build settings = {.folder = scratch("context"),
					      .target = "a b",
					      .args = (const char *const[]){"A=1=2&", NULL},
					      .labels = (const char *const[]){"l=v", NULL},
					      .tag = "x:1",
					      .timeout = 10};
	struct err err = ERR_INIT;

	if (file_make_dirs(scratch("context"), 0755, &err)
	    || file_write(scratch("context/Dockerfile"), "FROM x", 6, 0644, &err))
		bail_out(err.text);
	for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
		const struct built *want = &builds[i];
		const struct answer answers[] = {
			{"POST", "/build?", want->status, want->stream, 0},
			{"GET", "/images/aaaaaaaaaaaa/json", 200, "{\"Id\":\"" ID "\"}", 0},
			{0}};
		cleanup(engine_freep) struct engine *engine = begin(answers);
		cleanup(arena_freep) struct arena *arena = arena_new();
		const char *id = NULL;
		int result = engine_build(engine, &settings, arena, &id, &err);

		if (!ok((want->kind == ERR_NONE ? result == 0 && text_same(id, want->text)
						: result < 0 && err.kind == want->kind
							  && strstr(err.text, want->text))
				&& text_starts(buf_text(&play.said), want->said),
			want->name))
			tap_note("%d %s: %s; said %s", result, err_kind_name(err.kind), err.text,
				 buf_text(&play.said));
	}
	ok(strstr(buf_text(&play.sent), "&target=a%20b")
		   && strstr(buf_text(&play.sent), "buildargs=%7B%22A%22%3A%221%3D2%26%22%7D"),
	   "arguments are encoded");
	same_int((intmax_t)play.uploaded, 512 + 512 + 1024, "the context goes along");
}

static void stopping(void)
{
	static const struct answer answers[] = {{"POST", "/stop?t=1", 204, "", 0},
						{"DELETE", "/containers/x", 404, "{}", 0},
						{"POST", "/push", 200, "", 0},
						{0}};
	cleanup(engine_freep) struct engine *engine = begin(answers);
	cleanup(arena_freep) struct arena *arena = arena_new();
	const struct engine_auth nobody = {0};
	const char *digest = NULL;
	struct err err = ERR_INIT;

	play.stop = true;
	same_int(engine_stop(engine, "x", 1, &err), 0, "a cancelled job can stop its containers");
	same_int(engine_remove(engine, "x", &err), 0, "and remove them");
	ok(engine_push(engine, "a/b:c", &nobody, arena, &digest, &err) < 0
		   && err.kind == ERR_CANCELLED,
	   "but doesn't push");
}

static void logs(void)
{
	static const char bytes[] = "\1\0\0\0\0\0\0\3a\nb\2\0\0\0\0\0\0\4err\n\1\0\0\0\0\0\0\0"
				    "\1\0\0\0\0\0\0\2c\n\1\0\0\0\0\0\0\4last";
	static const struct answer answers[] = {
		{"GET", "/logs?stdout=1&stderr=1&tail=9", 200, bytes, sizeof bytes - 1}, {0}};
	static const struct answer broken[] = {{"GET", "/logs", 200, "plain text", 0}, {0}};
	cleanup(engine_freep) struct engine *engine = begin(answers);
	cleanup(engine_freep) struct engine *other = NULL;
	cleanup(buf_free) struct buf out = BUF_INIT(1000);
	struct err err = ERR_INIT;

	same_int(engine_logs(engine, "x", 9, &out, &err), 0, "a log in frames");
	same_str(buf_text(&out), "a\nerr\nbc\nlast\n", "line by line");
	other = begin(broken);
	ok(engine_logs(other, "x", 9, &out, &err) < 0 && err.kind == ERR_REMOTE,
	   "what is no frame is refused");
}

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void selves(void)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	static const char mounts[] = "600 500 0:5 / /proc rw - proc proc rw\n"
				     "611 600 8:1 /var/lib/docker/containers/" ID64
				     "/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw\n";
	static const char machine[] =
		"30 1 0:26 / /var/lib/docker/containers/" ID64 "/mounts/shm rw - tmpfs shm rw\n"
		"31 1 0:27 / / rw - ext4 /dev/sda1 rw\n";

	same_str(engine_self_in_mounts(mounts, arena), ID64, "an id among the mounts");
	same_str(engine_self_in_mounts(machine, arena), NULL, "but not another container's");
	same_str(engine_self_in_mounts("", arena), NULL, "nor in nothing");
	same_str(engine_self_in_mounts("1 2\n3", arena), NULL, "nor in what is malformed");
	same_str(engine_self_in_cgroup("12:cpu:/docker/" ID64 "\n1:name=x:/docker/" ID64 "\n",
				       arena),
		 ID64, "an id among control groups, version 1");
	same_str(engine_self_in_cgroup("0::/system.slice/docker-" ID64 ".scope\n", arena), ID64,
		 "and of systemd's");
	same_str(engine_self_in_cgroup("0::/\n", arena), NULL, "version 2 shows none");
	same_str(engine_self_in_cgroup("0::/user.slice/" ID64 "0\n", arena), NULL, "one too long");
}

static void host_paths(void)
{
	static const char container[] =
		"{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/home/runner/"
		"work\",\"Destination\":\"/github\"},"
		"{\"Type\":\"bind\",\"Source\":\"/w/r/r\",\"Destination\":\"/github/workspace\"},"
		"{\"Type\":\"tmpfs\",\"Destination\":\"/tmp\"}]}";
	static const struct {
		const char *path, *want;
	} table[] = {{"/github/workspace/a", "/w/r/r/a"},
		     {"/github/workspace", "/w/r/r"},
		     {"/github/workspaces", "/home/runner/work/workspaces"},
		     {"/githubx", NULL},
		     {"/tmp/x", NULL},
		     {"/", NULL}};
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct err err = ERR_INIT;
	const char *path;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct answer answers[] = {{"GET", "/json", 200, container, 0}, {0}};
		cleanup(engine_freep) struct engine *engine = begin(answers);

		same_int(engine_host_path(engine, "me", table[i].path, arena, &path, &err), 0,
			 "asked");
		same_str(path, table[i].want, table[i].path);
	}
	same_int(engine_host_path(NULL, NULL, "/a", arena, &path, &err), 0,
		 "outside of a container");
	same_str(path, "/a", "a path is what it is");
}

int main(void)
{
	scratch_begin();
	versions();
	refusals();
	push();
	build();
	stopping();
	logs();
	selves();
	host_paths();
	buf_free(&play.sent);
	buf_free(&play.said);
	return tap_done();
}
