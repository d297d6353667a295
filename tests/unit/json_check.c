/* The checker in constant memory agrees with the parser, on whole texts and byte by byte. */
#include "base/json_check.h"

#include "base/json.h"
#include "tap.h"

static bool check_in(const char *text, size_t size, size_t piece)
{
	struct json_check check = {0};
	struct err err = ERR_INIT;

	for (size_t at = 0; at < size; at += piece)
		json_check_add(&check, text + at, size - at < piece ? size - at : piece);
	return json_check_end(&check, &err) == 0;
}

static bool parses(const char *text, size_t size)
{
	struct err err = ERR_INIT;
	json_auto json_t *json = NULL;

	return json_parse(&json, text, size, &err) == 0 && json_is_object(json);
}

static const char *const texts[] = {
	"{}",
	" {\n} ",
	"{\"a\":1}",
	"{\"a\":1,}",
	"{\"a\":1 \"b\":2}",
	"{,}",
	"{\"a\"}",
	"{\"a\":}",
	"{a:1}",
	"[]",
	"1",
	"",
	" ",
	"{",
	"}",
	"{}}",
	"{}{}",
	"{} x",
	"{\"a\":[1,2,[3,{\"b\":[]}]]}",
	"{\"a\":[1,]}",
	"{\"a\":[,1]}",
	"{\"a\":[1}",
	"{\"a\":{]}",
	"{\"a\":true,\"b\":false,\"c\":null}",
	"{\"a\":tru}",
	"{\"a\":trues}",
	"{\"a\":nul",
	"{\"a\":0}",
	"{\"a\":-0}",
	"{\"a\":01}",
	"{\"a\":-}",
	"{\"a\":+1}",
	"{\"a\":1.}",
	"{\"a\":.5}",
	"{\"a\":1.5}",
	"{\"a\":1e5}",
	"{\"a\":1e}",
	"{\"a\":1e+}",
	"{\"a\":1E-5}",
	"{\"a\":1.5e+10}",
	"{\"a\":1e400}",
	"{\"a\":-1e400}",
	"{\"a\":1e-400}",
	"{\"a\":9223372036854775807}",
	"{\"a\":9223372036854775808}",
	"{\"a\":-9223372036854775808}",
	"{\"a\":-9223372036854775809}",
	"{\"a\":11111111111111111111111111111111111111111111111}",
	"{\"a\":1}",
	"{\"a\":1 }",
	"{\"a\":\"\\u0041\"}",
	"{\"a\":\"\\u0000\"}",
	"{\"a\":\"\\ud83d\\ude00\"}",
	"{\"a\":\"\\ud83d\"}",
	"{\"a\":\"\\ud83dx\"}",
	"{\"a\":\"\\ud83d\\n\"}",
	"{\"a\":\"\\ude00\"}",
	"{\"a\":\"\\ud83d\\u0041\"}",
	"{\"a\":\"\\ud83d\\ud83d\"}",
	"{\"a\":\"\\u12g4\"}",
	"{\"a\":\"\\u12\"}",
	"{\"a\":\"\\x\"}",
	"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
	"{\"a\":\"\t\"}",
	"{\"a\":\"\n\"}",
	"{\"a\":\"\x7f\"}",
	"{\"a\":\"\xc3\xa9\"}",
	"{\"a\":\"\xc3\"}",
	"{\"a\":\"\xc0\x80\"}",
	"{\"a\":\"\xe2\x82\xac\"}",
	"{\"a\":\"\xe0\x80\x80\"}",
	"{\"a\":\"\xed\xa0\x80\"}",
	"{\"a\":\"\xf0\x9f\x98\x80\"}",
	"{\"a\":\"\xf4\x90\x80\x80\"}",
	"{\"a\":\"\xf5\x80\x80\x80\"}",
	"{\"a\":\"\x80\"}",
	"{\"a\":\"\xff\"}",
	"{\"\xc3\xa9\":1}",
	"{\"a\":1}\xc3",
	"\xef\xbb\xbf{}",
	"{\"a\":'b'}",
	"{\"a\":1/**/}",
	"{\"a\":NaN}",
	"{\"\":\"\"}",
	"{\"a\" : [ ] , \"b\" : { } }",
};
#define TEXTS (sizeof texts / sizeof *texts)

static void test_depth(void)
{
	char text[400] = "{\"a\":";

	memset(text + 5, '[', 63);
	memset(text + 68, ']', 63);
	memcpy(text + 131, "}", 2);
	ok(check_in(text, strlen(text), 7) && parses(text, strlen(text)), "64 levels are fine");
	memset(text + 5, '[', 64);
	memset(text + 69, ']', 64);
	memcpy(text + 133, "}", 2);
	ok(!check_in(text, strlen(text), 7) && !parses(text, strlen(text)), "65 are not");
}

/* Every text, cut short and with each byte changed to some others. Not to NUL: jansson overlooks
 * one after a number. Not the numbers too long to be kept. */
static unsigned mutate(const char *text)
{
	static const char others[] = "\"\\{}[],:0e.-+tnu \n\x80\xc3x";
	size_t size = strlen(text);
	unsigned differ = 0;
	char copy[256];

	if (size >= sizeof copy || strstr(text, "1111111111"))
		return 0;
	for (size_t i = 0; i < size; i++) {
		differ += check_in(text, i, 3) != parses(text, i);
		for (size_t o = 0; o < sizeof others - 1; o++) {
			memcpy(copy, text, size);
			copy[i] = others[o];
			if (check_in(copy, size, 1) != parses(copy, size)) {
				tap_note("differ on: %.*s", (int)size, copy);
				differ++;
			}
		}
	}
	return differ;
}

int main(void)
{
	static const char nul[] = "{\"a\":\"b\0\"}";
	struct json_check check = {0};
	struct err err = ERR_INIT;
	unsigned differ = 0;

	for (size_t i = 0; i < TEXTS; i++) {
		size_t size = strlen(texts[i]);
		bool want = parses(texts[i], size);

		if (check_in(texts[i], size, size + 1) != want
		    || check_in(texts[i], size, 1) != want) {
			tap_note("differ on: %s", texts[i]);
			differ++;
		}
	}
	same_int(differ, 0, "both say the same of each text");
	ok(!check_in(nul, sizeof nul - 1, 4) && !parses(nul, sizeof nul - 1), "a NUL is refused");
	differ = 0;
	for (size_t i = 0; i < TEXTS; i++)
		differ += mutate(texts[i]);
	same_int(differ, 0, "and of each text with a byte changed or its end cut off");
	test_depth();
	json_check_add(&check, "{\"a\" 1}", 7);
	same_int(json_check_end(&check, &err), -1, "a mistake");
	same_str(err.text, "not a JSON object: expected ':' at byte 6", "is told with its place");
	return tap_done();
}
