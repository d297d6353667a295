#include "base/json.h"

#include "tap.h"

static void check_bad(const char *text, size_t size, const char *want)
{
	json_auto json_t *json = NULL;
	struct err err = ERR_INIT;

	ok(json_parse(&json, text, size, &err) == -1 && json == NULL, want);
	same_int(err.kind, ERR_USAGE, "  it is the other side's mistake");
	if (!ok(strstr(err.text, want) != NULL && !strchr(err.text, '\n'),
		"  and the text says so"))
		tap_note("%s", err.text);
}

static void check_parse(void)
{
	json_auto json_t *json = NULL, *scalar = NULL;
	struct err err = ERR_INIT;

	same_int(json_parse(&json, "{\"a\": [1, \"\xc3\xa9\"]} \n", 18, &err), 0, "a good text");
	same_int(json_parse(&scalar, "12", 2, &err), 0, "a number alone is JSON too");
	check_bad("{\"a\":1,\n\"a\":2}", 14, "line 2, column 3: duplicate object key");
	check_bad("{\"a\":1} x", 9, "line 1, column 9: end of file expected");
	check_bad("{\"a\"\n:\x01}", 8, "line 2, column 2: invalid token");
	check_bad("\"\xff\xfe\"", 4, "line 1, column 1");
	check_bad("\"\\u0000\"", 8, "line 1, column 8");
	check_bad("{\"a\":\"x\0y\"}", 11, "line 1");
	check_bad("", 0, "line 1, column 0");
	check_bad(NULL, 0, "line 1, column 0");
	check_bad("99999999999999999999", 20, "too big integer");
}

static int parse_nested(unsigned depth, const char *open, const char *close, struct err *err)
{
	json_auto json_t *json = NULL;
	cleanup(buf_free) struct buf text = BUF_INIT(1 << 22);

	for (unsigned i = 0; i < depth; i++)
		buf_adds(&text, open);
	buf_adds(&text, "1");
	for (unsigned i = 0; i < depth; i++)
		buf_adds(&text, close);
	return json_parse(&json, text.data, text.size, err);
}

static void check_depth(void)
{
	struct err err = ERR_INIT;
	json_auto json_t *json = NULL;
	static const char brackets[] = "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
				       "[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]";

	same_int(parse_nested(64, "[", "]", &err), 0, "64 levels of lists");
	same_int(parse_nested(64, "{\"\\\"[[\":", "}", &err), 0, "64 levels of objects");
	same_int(parse_nested(65, "[", "]", &err), -1, "65 are refused");
	ok(strstr(err.text, "column 65: nested deeper than 64") != NULL, "with the place");
	same_int(parse_nested(1000000, "\n[", "]", &err), -1, "a million as well");
	ok(strstr(err.text, "line 66, column 1:") != NULL, "and lines are counted");
	same_int(json_parse(&json, brackets, sizeof brackets - 1, &err), 0,
		 "brackets within a text are text");
}

static void check_paths(void)
{
	static const char text[] =
		"{\"a\":{\"b\":{\"c\":\"deep\"},\"n\":-7,\"t\":true},\"s\":\"x\"}";
	json_auto json_t *json = NULL;
	struct err err = ERR_INIT;

	same_int(json_parse(&json, text, sizeof text - 1, &err), 0, "a text");
	same_str(json_text(json, "a.b.c"), "deep", "a path of three keys");
	same_str(json_text(json, "s"), "x", "a path of one");
	ok(json_text(json, "a.b") == NULL, "an object is no text");
	ok(json_text(json, "s.x") == NULL, "a text has no members");
	ok(json_text(json, "a.b.c.d") == NULL && json_text(json, "ab") == NULL, "absent");
	ok(json_at(json, "") == json, "an empty path is the thing itself");
	ok(json_at(NULL, "a") == NULL, "nothing has nothing");
	same_int(json_integer_at(json, "a.n", 5), -7, "a number");
	same_int(json_integer_at(json, "s", 5), 5, "another type gives the fallback");
	ok(json_flag(json, "a.t") && !json_flag(json, "a.n") && !json_flag(json, "z"), "flags");
}

static void check_write(void)
{
	cleanup(buf_free) struct buf out = BUF_INIT(1000), small = BUF_INIT(4);
	json_auto json_t *json = json_pack("{s:i,s:[s,n]}", "z", 1, "a", "x\"y");
	json_auto json_t *back = NULL;
	struct err err = ERR_INIT;

	buf_add_json(&out, json);
	same_str(buf_text(&out), "{\"z\":1,\"a\":[\"x\\\"y\",null]}",
		 "compact, keys in their order");
	buf_add_json(&small, json);
	ok(buf_full(&small), "a full buffer is noticed");
	buf_clear(&out);
	buf_add_json_text(&out, "a\"\\\n\x01\x7f\xc3\xa9\xf0\x9f\x98\x80");
	same_str(buf_text(&out), "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\xf0\x9f\x98\x80\"",
		 "escaped");
	buf_clear(&out);
	buf_add_json_text(&out, "a\xff\xc3");
	same_str(buf_text(&out), "\"a\xef\xbf\xbd\xef\xbf\xbd\"", "what isn't UTF-8 is replaced");
	same_int(json_parse(&back, out.data, out.size, &err), 0, "so that it can be read again");
}

static void check_nul(void)
{
	json_t *json;
	struct err err;

	same_int(json_parse(&json, "{\"a\":1\0}", 8, &err), -1, "a NUL between tokens is refused");
	same_str(err.text, "not valid JSON: line 1, column 7: a NUL", "and said");
}

int main(void)
{
	check_parse();
	check_depth();
	check_paths();
	check_write();
	check_nul();
	return tap_done();
}
