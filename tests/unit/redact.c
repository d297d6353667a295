#include "base/redact.h"

#include <stdint.h>

#include "tap.h"

static const char *applied(const struct redactor *redactor, const char *text)
{
	static char result[4096];
	cleanup(buf_free) struct buf out = BUF_INIT(SIZE_MAX);

	redactor_apply(redactor, text, strlen(text), &out);
	snprintf(result, sizeof result, "%s", buf_text(&out));
	return result;
}

static const char *without(const char *secret, const char *text)
{
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();

	redactor_add(redactor, secret);
	return applied(redactor, text);
}

static void forms(void)
{
	/* Encoded by coreutils base64, Python's urllib.parse and json. */
	static const struct {
		const char *name, *secret, *text, *want;
	} rows[] = {
		{"exact", "hunter22", "pw=hunter22;", "pw=***;"},
		{"twice", "hunter22", "hunter22hunter22", "******"},
		{"not half of it", "hunter22", "hunter2", "hunter2"},
		{"three bytes are not looked for", "abc", "abc YWJj", "abc YWJj"},
		{"empty", "", "text", "text"},
		{"base64 of it", "hunter22", "aHVudGVyMjI=", "***"},
		{"base64 after one byte", "hunter22", "eGh1bnRlcjIy", "eG***"},
		{"base64 after two bytes", "hunter22", "eHhodW50ZXIyMg==", "eHh***"},
		{"base64 with more after it", "hunter22", "aHVudGVyMjJ4eHg=", "***J4eHg="},
		{"base64 in lines of 76",
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdefg",
		 "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\n"
		 "YmNkZWZn\n",
		 "***\n***\n"},
		{"base64 in lines of 64, and a line end",
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdefg",
		 "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\n"
		 "YmNkZWZnCg==\n",
		 "***\n***Cg==\n"},
		{"base64 for URLs", "~~~~????", "fn5-fj8_Pz8.", "***."},
		{"URL-encoded", "p@ss w/rd", "p%40ss%20w%2Frd", "***"},
		{"URL-encoded, lower case", "p@ss w/rd", "p%40ss%20w%2frd", "***"},
		{"URL-encoded, with its slash", "p@ss w/rd", "p%40ss%20w/rd", "***"},
		{"form-encoded", "p@ss w/rd", "p%40ss+w%2Frd", "***"},
		{"JSON", "a\"b\\c\nd\x01", "\"a\\\"b\\\\c\\nd\\u0001\"", "\"***\""},
		{"JSON with a slash", "ab/cd", "\"ab\\/cd\"", "\"***\""},
		{"JSON in ASCII", "caf\u00e9\U0001f600", "caf\\u00e9\\ud83d\\ude00", "***"},
		{"without its line end", "hunter22\n", "hunter22 aHVudGVyMjI= x", "*** *** x"},
		{"a line of several", "first-line\r\n  second\nab\n", "second ab first-line",
		 "*** ab ***"},
		{"all lines", "first\nsecond", "x\nfirst\nsecond\ny", "x\n***\ny"},
		{"a line of blanks", "first\n     \nsecond", "x     y", "x     y"},
		{"it overlaps itself", "abab", "xabababx", "x***x"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		same_str(without(rows[i].secret, rows[i].text), rows[i].want, rows[i].name);
}

static void several(void)
{
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();

	same_int((intmax_t)redactor_longest(redactor), 0, "nothing is known yet");
	same_str(applied(redactor, "text"), "text", "and nothing replaced");
	redactor_add(redactor, "abcd");
	redactor_add(redactor, "abcdef");
	redactor_add(redactor, "efgh");
	same_str(applied(redactor, "abcdefg"), "***g", "the longest is taken");
	same_str(applied(redactor, "abcdx"), "***x", "the shorter alone");
	same_str(applied(redactor, "abcdefgh."), "***.", "two that overlap go together");
	ok(redactor_longest(redactor) >= 8, "the longest pattern is an encoded one");
}

/* The text cut into pieces at the bits of `cuts`, through a stream. */
static void streamed(const struct redactor *redactor, const char *text, size_t size, uint32_t cuts,
		     struct buf *out)
{
	struct redact_stream stream;
	size_t start = 0;

	redact_stream_begin(&stream, redactor);
	for (size_t i = 1; i <= size; i++) {
		if (i < size && !(cuts >> (i - 1) & 1))
			continue;
		redact_stream_add(&stream, text + start, i - start, out);
		start = i;
	}
	redact_stream_end(&stream, out);
}

static bool same_when_cut(const struct redactor *redactor, const char *text, size_t size,
			  uint32_t cuts)
{
	cleanup(buf_free) struct buf whole = BUF_INIT(SIZE_MAX);
	cleanup(buf_free) struct buf pieces = BUF_INIT(SIZE_MAX);

	redactor_apply(redactor, text, size, &whole);
	streamed(redactor, text, size, cuts, &pieces);
	if (whole.size == pieces.size && memcmp(whole.data, pieces.data, whole.size) == 0)
		return true;
	tap_note("%s, cut %x: %s instead of %s", text, cuts, pieces.data, whole.data);
	return false;
}

static void every_cut(void)
{
	static const char *const texts[] = {
		"xabcdefgh.abc",   "abcdabcdeabcd",  "efgabcdefghijk",
		"abcabcabcdabcef", "aaaaaaabaaaaab",
	};
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();
	int wrong = 0;

	redactor_add(redactor, "abcd");
	redactor_add(redactor, "abcdefghi");
	redactor_add(redactor, "defgh");
	redactor_add(redactor, "efga");
	redactor_add(redactor, "aaaab");
	redactor_add(redactor, "multi\nline-abcd\n");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t size = strlen(texts[i]);

		for (uint32_t cuts = 0; cuts < 1U << (size - 1); cuts++)
			wrong += !same_when_cut(redactor, texts[i], size, cuts);
	}
	same_int(wrong, 0, "however a text is cut, the result is the same");
}

static void random_texts(void)
{
	uint32_t seed = 12345;
	int wrong = 0;

	for (int round = 0; round < 3000; round++) {
		cleanup(redactor_freep) struct redactor *redactor = redactor_new();
		char text[26] = "", secret[10];

		/* Two letters only: many secrets overlap. */
		for (int n = 0; n < 3; n++) {
			size_t size = 4 + (seed = seed * 1103515245 + 12345) / 65536 % 5;

			for (size_t i = 0; i < size; i++)
				secret[i] = "ab"[(seed = seed * 1103515245 + 12345) >> 16 & 1];
			secret[size] = '\0';
			redactor_add(redactor, secret);
		}
		for (size_t i = 0; i < sizeof text - 1; i++)
			text[i] = "abc"[(seed = seed * 1103515245 + 12345) / 65536 % 3];
		for (int n = 0; n < 10; n++) {
			seed = seed * 1103515245 + 12345;
			wrong += !same_when_cut(redactor, text, sizeof text - 1, seed >> 4);
		}
	}
	same_int(wrong, 0, "nor with random secrets, texts and cuts");
}

static void holds_back(void)
{
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();
	cleanup(buf_free) struct buf out = BUF_INIT(SIZE_MAX);
	struct redact_stream stream;

	redactor_add(redactor, "abcdef");
	redact_stream_begin(&stream, redactor);
	redact_stream_add(&stream, "text\n", 5, &out);
	same_str(buf_text(&out), "text\n", "what can't be a secret goes through at once");
	redact_stream_add(&stream, "x\0abc", 5, &out);
	ok(out.size == 7 && out.data[6] == '\0',
	   "what could is held back; a NUL is a byte like others");
	redact_stream_add(&stream, "", 0, &out);
	redact_stream_add(&stream, "x", 1, &out);
	ok(out.size == 11 && memcmp(out.data + 7, "abcx", 4) == 0, "until it can't any more");
	redact_stream_add(&stream, "abcde", 5, &out);
	same_int((intmax_t)out.size, 11, "at the end");
	redact_stream_end(&stream, &out);
	ok(out.size == 16 && memcmp(out.data + 11, "abcde", 5) == 0, "it is given out");
}

int main(void)
{
	redactor_free(NULL);
	forms();
	several();
	every_cut();
	random_texts();
	holds_back();
	return tap_done();
}
