/* The signature, against AWS's own published cases (tests/golden/sigv4). */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cloud/aws/sigv4.h"
#include "tap.h"

static char id[] = "AKIDEXAMPLE", secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
static struct err err;

#define WHEN 1440938160 /* 2015-08-30T12:36:00Z */

static const char *of(struct http_header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (text_same_nocase(headers[i].name, name))
			return headers[i].value;
	return "";
}

static struct http_header *read_headers(json_t *list, struct arena *arena)
{
	size_t count = json_array_size(list);
	struct http_header *headers = arena_alloc(arena, (count + 1) * sizeof *headers);

	for (size_t i = 0; i < count; i++) {
		json_t *pair = json_array_get(list, i);

		headers[i].name = arena_strdup(arena, json_string_value(json_array_get(pair, 0)));
		headers[i].value = arena_strdup(arena, json_string_value(json_array_get(pair, 1)));
	}
	return headers;
}

static void read_request(struct sigv4_request *request, json_t *test, struct arena *arena)
{
	char *target = arena_strdup(arena, json_text(test, "target"));
	char *mark = strchr(target, '?');
	const char *body = json_text(test, "body");

	if (mark)
		*mark++ = '\0';
	*request = (struct sigv4_request){
		.method = json_text(test, "method"),
		.path = target,
		.query = mark,
		.headers = read_headers(json_object_get(test, "headers"), arena),
		.header_count = json_array_size(json_object_get(test, "headers")),
		.body = body,
		.body_size = body ? strlen(body) : 0,
	};
}

static void run_case(json_t *test)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct credential credential = {
		.id = id, .secret = secret, .token = arena_strdup(arena, json_text(test, "token"))};
	const struct sigv4 sigv4 = {
		.credential = &credential,
		.region = "us-east-1",
		.service = "service",
		.now = WHEN,
		.keep_path = json_is_false(json_object_get(test, "normalize")),
		.hash_header = json_flag(test, "sign_body"),
		.token_unsigned = json_flag(test, "omit_session_token"),
		.payload_hash = json_text(test, "signed_body_value"),
	};
	struct sigv4_request request;
	struct http_header *headers;
	const char *want;
	size_t count;

	read_request(&request, test, arena);
	want = arena_printf(arena,
			    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
			    "aws4_request, SignedHeaders=%s, Signature=%s",
			    json_text(test, "signed_headers"), json_text(test, "signature"));
	same_int(sigv4_headers(&sigv4, &request, &headers, &count, arena, &err), 0,
		 json_text(test, "name"));
	same_str(of(headers, count, "Authorization"), want, json_text(test, "name"));
	same_str(of(headers, count, "X-Amz-Date"), "20150830T123600Z", "its date");
	same_str(of(headers, count, "X-Amz-Security-Token"),
		 credential.token ? credential.token : "", "its token");
}

static void test_suite(void)
{
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024);
	json_auto json_t *suite = NULL;
	json_t *test;
	size_t i;

	if (!ok(file_read("tests/golden/sigv4/suite.json", &text, &err) == 0
			&& json_parse(&suite, buf_text(&text), text.size, &err) == 0,
		"the suite can be read"))
		return;
	json_array_foreach(json_object_get(suite, "cases"), i, test) run_case(test);
	ok(i >= 38, "all cases");
}

/* https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html shows
 * the steps of this one. */
static void test_steps(void)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct credential credential = {.id = id, .secret = secret};
	const struct sigv4 sigv4 = {
		.credential = &credential, .region = "us-east-1", .service = "iam", .now = WHEN};
	char type[] = "application/x-www-form-urlencoded; charset=utf-8";
	char date[] = "20150830T123600Z", host[] = "iam.amazonaws.com";
	char type_name[] = "Content-Type", host_name[] = "Host", date_name[] = "X-Amz-Date";
	struct http_header headers[] = {{type_name, type}, {host_name, host}, {date_name, date}};
	const struct sigv4_request request = {.method = "GET",
					      .path = "/",
					      .query = "Action=ListUsers&Version=2010-05-08",
					      .headers = headers,
					      .header_count = 3};
	const char *canonical = sigv4_canonical(&sigv4, &request, arena), *to_sign;

	same_str(canonical,
		 "GET\n/\nAction=ListUsers&Version=2010-05-08\n"
		 "content-type:application/x-www-form-urlencoded; charset=utf-8\n"
		 "host:iam.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"
		 "content-type;host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		 "the canonical request");
	to_sign = sigv4_string_to_sign(&sigv4, canonical, arena);
	same_str(to_sign,
		 "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n"
		 "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59",
		 "the string to sign");
	same_str(sigv4_signature(&sigv4, to_sign, arena),
		 "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
		 "the signature");
}

static const char *canonical_line(const char *path, const char *query, int line)
{
	static char out[2048];
	cleanup(arena_freep) struct arena *arena = arena_new();
	const struct sigv4 sigv4 = {.region = "r", .service = "s"};
	const struct sigv4_request request = {.method = "GET", .path = path, .query = query};
	const char *at = sigv4_canonical(&sigv4, &request, arena);

	for (; line > 0; line--)
		at = strchr(at, '\n') + 1;
	snprintf(out, sizeof out, "%.*s", (int)strcspn(at, "\n"), at);
	return out;
}

static void test_paths(void)
{
	static const struct {
		const char *path, *want;
	} paths[] = {
		{"", "/"},
		{"/", "/"},
		{"/..", "/"},
		{"/../../a", "/a"},
		{"/a/b/..", "/a"},
		{"/a/b/../", "/a/"},
		{"/a/.", "/a"},
		{"/a/./", "/a/"},
		{"/a//b///", "/a/b/"},
		{"/...", "/..."},
		{"/a%20b", "/a%2520b"},
		{"/a b", "/a%20b"},
		{"/a+b", "/a%2Bb"},
		{"/:@!$&'()*,;=", "/%3A%40%21%24%26%27%28%29%2A%2C%3B%3D"},
		{"/\x01\xff", "/%01%FF"},
	};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		same_str(canonical_line(paths[i].path, NULL, 1), paths[i].want, paths[i].path);
}

static void test_queries(void)
{
	static const struct {
		const char *query, *want;
	} queries[] = {
		{"", ""},
		{"a", "a="},
		{"a=", "a="},
		{"=a", "=a"},
		{"a==b", "a=%3Db"},
		{"b=1&a=2&a=1", "a=1&a=2&b=1"},
		{"a=%2d%7e", "a=-~"},
		{"a=b+c", "a=b%2Bc"},
		{"a=b%20c", "a=b%20c"},
		{"a=%zz&b=%4", "a=%25zz&b=%254"},
		{"&&a=1&", "a=1"},
		{"a-b=1&a=2", "a=2&a-b=1"},
		{"%41=1&A=0", "A=0&A=1"},
		{"a=\xff/", "a=%FF%2F"},
	};

	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
		same_str(canonical_line("/", queries[i].query, 2), queries[i].want,
			 queries[i].query);
}

static const char *header_of(const struct http_request *request, const char *name)
{
	return of(request->headers, request->header_count, name);
}

static void begin(struct http_request *request, const char *url)
{
	*request = (struct http_request){
		.method = "POST", .url = xstrdup(url), .body = "{}", .body_size = 2};
}

static void test_sign(void)
{
	static char token[] = "IQoJ+/a==";
	struct credential credential = {.id = id, .secret = secret, .token = token};
	struct sigv4 sigv4 = {.credential = &credential,
			      .region = "eu-west-1",
			      .service = "apprunner",
			      .now = WHEN,
			      .hash_header = true};
	struct http_request request;
	autofree char *first = NULL;

	begin(&request, "https://u:p@apprunner.eu-west-1.amazonaws.com:443#x");
	http_request_header(&request, "Content-Type", "application/x-amz-json-1.0");
	http_request_header(&request, "User-Agent", "slipway");
	http_request_header(&request, "X-Amz-Target", "AppRunner.ListServices");
	same_int(sigv4_sign(&sigv4, &request, &err), 0, "a request is signed");
	same_str(header_of(&request, "Host"), "apprunner.eu-west-1.amazonaws.com",
		 "the host without user and the scheme's own port");
	same_str(header_of(&request, "X-Amz-Security-Token"), token,
		 "aws edge 24: a token with +/= goes as it is");
	same_str(header_of(&request, "X-Amz-Content-Sha256"),
		 "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
		 "the body's hash");
	ok(strstr(header_of(&request, "Authorization"),
		  "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;"
		  "x-amz-security-token;x-amz-target, ")
		   != NULL,
	   "what is signed");
	first = xstrdup(header_of(&request, "Authorization"));
	sigv4.now += 600;
	credential.token = NULL;
	same_int(sigv4_sign(&sigv4, &request, &err), 0, "signed again later, without a token");
	same_str(header_of(&request, "X-Amz-Security-Token"), "", "the old token is gone");
	same_str(header_of(&request, "X-Amz-Date"), "20150830T124600Z", "the new date");
	sigv4.now -= 600;
	credential.token = token;
	same_int(sigv4_sign(&sigv4, &request, &err), 0, "signed again as at first");
	same_str(header_of(&request, "Authorization"), first, "gives the same");
	http_request_free(&request);
	begin(&request, "http://[::1]:8080/x?y=1");
	same_int(sigv4_sign(&sigv4, &request, &err), 0, "an IPv6 address");
	same_str(header_of(&request, "Host"), "[::1]:8080", "its host and port");
	http_request_free(&request);
}

static void test_refused(void)
{
	static char nothing[] = "";
	struct credential credential = {.id = id, .secret = nothing};
	struct sigv4 sigv4 = {.credential = &credential, .region = "r", .service = "s"};
	struct http_request request;

	begin(&request, "https://x.amazonaws.com/");
	ok(sigv4_sign(&sigv4, &request, &err) < 0 && err.kind == ERR_USAGE, "no secret");
	credential.secret = secret;
	sigv4.region = "";
	ok(sigv4_sign(&sigv4, &request, &err) < 0 && err.kind == ERR_USAGE, "no region");
	http_request_free(&request);
	begin(&request, "x.amazonaws.com/");
	sigv4.region = "r";
	ok(sigv4_sign(&sigv4, &request, &err) < 0 && err.kind == ERR_USAGE, "no address");
	http_request_free(&request);
}

/* A token of 8 KB, and every byte in a header's value. */
static void test_large(void)
{
	cleanup(buf_free) struct buf token = BUF_INIT(65536);
	struct credential credential = {.id = id, .secret = secret};
	const struct sigv4 sigv4 = {
		.credential = &credential, .region = "r", .service = "s", .now = WHEN};
	struct http_request request;

	for (int i = 0; i < 8192; i++)
		buf_addc(&token, "abcXYZ019+/="[i % 12]);
	credential.token = token.data;
	begin(&request, "https://x.amazonaws.com/");
	same_int(sigv4_sign(&sigv4, &request, &err), 0, "aws edge 24: a token of 8 KB");
	ok(strlen(header_of(&request, "X-Amz-Security-Token")) == 8192, "aws edge 24: whole");
	http_request_free(&request);
}

int main(void)
{
	test_suite();
	test_steps();
	test_paths();
	test_queries();
	test_sign();
	test_refused();
	test_large();
	return tap_done();
}
