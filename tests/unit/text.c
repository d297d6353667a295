#include "base/text.h"

#include <stdint.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tap.h"

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void compares(void)
{
	ok(text_starts("refs/heads/x", "refs/heads/") && !text_starts("ref", "refs"),
	   "text_starts");
	ok(text_ends("a.yml", ".yml") && !text_ends("yml", ".yml") && text_ends("", ""),
	   "text_ends");
	ok(text_same("a", "a") && !text_same("a", "A") && !text_same("a", NULL)
		   && text_same(NULL, NULL),
	   "text_same");
	ok(text_same_nocase("Acme/Shop", "acme/shop") && !text_same_nocase(NULL, "a"),
	   "text_same_nocase");
}

static void utf8(void)
{
	static const struct {
		const char *text;
		size_t size;
		bool valid;
	} rows[] = {
		{"", 0, true},
		{"plain", 5, true},
		{"é€😀", 9, true},
		{"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 10, true},
		{"a\0b", 3, false},
		{"\xc0\x80", 2, false},         /* too long forms */
		{"\xe0\x9f\xbf", 3, false},     /* … */
		{"\xf0\x8f\xbf\xbf", 4, false}, /* … */
		{"\xed\xa0\x80", 3, false},     /* a surrogate */
		{"\xf4\x90\x80\x80", 4, false}, /* beyond U+10FFFF */
		{"\xc3", 1, false},
		{"\xe2\x82", 2, false},
		{"\x80", 1, false},
		{"\xff", 1, false},
		{"\xc3(", 2, false},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		same_int(text_is_utf8(rows[i].text, rows[i].size), rows[i].valid, "text_is_utf8");
}

static void nearest(void)
{
	static const char *const keys[] = {"environment", "service", "region",
					   "target",      "url",     "ur"};
	static const char *const rows[][2] = {
		{"enviroment", "environment"},
		{"serivce", "service"},
		{"Regoin", "region"},
		{"target", "target"},
		{"ulr", "url"},
		{"colour", NULL},
		{"x", NULL},
		{"tar", NULL},
		{"urll", "url"},
	};
	char huge[200] = "";

	for (size_t i = 0; i < COUNT(rows); i++)
		same_str(text_nearest(rows[i][0], keys, COUNT(keys)), rows[i][1], rows[i][0]);
	memset(huge, 'x', sizeof huge - 1);
	ok(!text_nearest(huge, keys, COUNT(keys)), "nothing is near a very long word");
	ok(!text_nearest("a", keys, 0), "nor in an empty list");
}

static void numbers(void)
{
	static const struct {
		const char *text;
		int64_t value;
		const char *error; /* what its text has; NULL: it is a number */
	} rows[] = {
		{"0", 0, NULL},
		{"100", 100, NULL},
		{"-5", -5, NULL},
		{"007", 7, NULL},
		{"101", 0, "101 is not between -5 and 100"},
		{"-6", 0, "not between"},
		{"99999999999999999999", 0, "not between"},
		{"18446744073709551621", 0, "not between"},
		{"", 0, "\"\" is not a whole number"},
		{"-", 0, "whole number"},
		{"+1", 0, "whole number"},
		{" 1", 0, "whole number"},
		{"1 ", 0, "whole number"},
		{"0x10", 0, "whole number"},
		{"1.5", 0, "whole number"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = ERR_INIT;
		int64_t got = 0;
		int failed = text_number(rows[i].text, -5, 100, &got, &err);

		same_int(got, rows[i].value, rows[i].text);
		ok(rows[i].error ? failed < 0 && strstr(err.text, rows[i].error) != NULL : !failed,
		   "number");
	}
	int64_t least = 0;
	struct err err = ERR_INIT;

	ok(text_number("-9223372036854775808", INT64_MIN, INT64_MAX, &least, &err) == 0
		   && least == INT64_MIN,
	   "the least number");
}

static void seconds(void)
{
	static const struct {
		const char *text;
		int64_t value; /* -1: refused */
	} rows[] = {
		{"90", 90},    {"90s", 90},  {"15m", 900},
		{"2h", 7200},  {"0", 0},     {"8784h", 366 * 86400},
		{"8785h", -1}, {"", -1},     {"s", -1},
		{"1d", -1},    {"-1s", -1},  {"1.5h", -1},
		{"1h30m", -1}, {"10 s", -1}, {"99999999999999999999s", -1},
		{"15M", -1},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = ERR_INIT;
		int64_t got = -1;
		int failed = text_seconds(rows[i].text, &got, &err);

		same_int(failed ? -1 : got, rows[i].value, rows[i].text);
	}
}

static void names(void)
{
	static const char *const good[] = {"shop", "a", "A.b_c-1", "9"};
	static const char *const bad[] = {"", ".a", "-a", "_a", "a..b", "a/b", "a b", "é", "a\n"};
	char most[65];

	for (size_t i = 0; i < COUNT(good); i++)
		ok(text_is_name(good[i]), good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ok(!text_is_name(bad[i]), "not a name");
	memset(most, 'a', sizeof most);
	most[63] = '\0';
	ok(text_is_name(most), "63 characters");
	most[63] = 'a';
	most[64] = '\0';
	ok(!text_is_name(most), "64 are too many");
}

static void repositories(void)
{
	static const char *const good[] = {"acme/shop", "a/b", "a-b/c.d_e-f", "acme/.github",
					   "user_corp/x"};
	static const char *const bad[] = {"",        "acme",    "acme/", "/shop", "acme/.",
					  "acme/..", "-acme/x", "a/-x",  "a/b/c", "a.b/c",
					  "a/b c",   "a/b.git", "../x",  "a/b\n", "a/é"};

	for (size_t i = 0; i < COUNT(good); i++)
		ok(text_is_repository(good[i]), good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ok(!text_is_repository(bad[i]), "not a repository");
}

/* Verdicts of `git check-ref-format --allow-onelevel`, plus our own on '-' and length. */
static void refs(void)
{
	static const char *const good[] = {
		"main", "refs/heads/main", "feature/ä-1", "v1.2.3", "a@b",
		"a/@",  "a.lockx",         "a/b/c",       "{a}",    "a'\"$(x)`;|&"};
	static const char *const bad[] = {"",     "-x",   "/a",   "a/",     "a//b",     ".a",
					  "a/.b", "a..b", "a.",   "a.lock", "a.lock/b", "@",
					  "a@{b", "a b",  "a~b",  "a^b",    "a:b",      "a?b",
					  "a*b",  "a[b",  "a\\b", "a\nb",   "a\x7f"};
	char most[257];

	for (size_t i = 0; i < COUNT(good); i++)
		ok(text_is_ref(good[i]), good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ok(!text_is_ref(bad[i]), "not a ref");
	memset(most, 'a', sizeof most);
	most[256] = '\0';
	ok(!text_is_ref(most), "256 bytes are too many");
	most[255] = '\0';
	ok(text_is_ref(most), "255 are not");
}

static void commits(void)
{
	ok(text_is_commit("0123456789abcdef0123456789abcdef01234567"), "40 digits");
	ok(text_is_commit("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
	   "64");
	ok(!text_is_commit("0000000000000000000000000000000000000000"), "all zero is none");
	ok(!text_is_commit("0123456789ABCDEF0123456789abcdef01234567"), "upper case");
	ok(!text_is_commit("0123456789abcdef0123456789abcdef0123456"), "39");
	ok(!text_is_commit(""), "empty");
}

/* The first rows are the examples of GitHub's filter pattern cheat sheet. */
static void patterns(void)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{"feature/*", "feature/my-branch", true},
		{"feature/*", "feature/beta-a/my-branch", false},
		{"feature/**", "feature/beta-a/my-branch", true},
		{"main", "main", true},
		{"*", "main", true},
		{"*", "a/b", false},
		{"**", "every/branch/and-tag", true},
		{"*feature", "ver-10-feature", true},
		{"v2*", "v2.0", true},
		{"v[12].[0-9]+.[0-9]+", "v1.10.1", true},
		{"v[12].[0-9]+.[0-9]+", "v3.10.1", false},
		{"v[12].[0-9]+.[0-9]+", "v1..1", false},
		{"*.jsx?", "page.js", true},
		{"*.jsx?", "page.jsx", true},
		{"*.jsx?", "page.jsxx", false},
		{"*.js", "js/index.js", false},
		{"**.js", "src/js/app.js", true},
		{"docs/*", "docs/README.md", true},
		{"docs/*", "docs/a/b.md", false},
		{"docs/**", "docs/a/markdown/file.md", true},
		{"docs/**", "docs", false},
		{"docs/**/*.md", "docs/README.md", true},
		{"docs/**/*.md", "docs/a/b/c.md", true},
		{"**/docs/**", "docs/hello.md", true},
		{"**/docs/**", "dir/docs/my-file.txt", true},
		{"**/README.md", "README.md", true},
		{"**/README.md", "js/README.md", true},
		{"**/README.md", "js/xREADME.md", false},
		{"**/*src/**", "a/src/app.js", true},
		{"**/*src/**", "my-src/code/js/app.js", true},
		{"**/*-post.md", "my-post.md", true},
		{"**/migrate-*.sql", "db/sept/migrate-v1.sql", true},
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"a+", "aaa", true},
		{"a+", "", false},
		{"?", "?", true},
		{"+a", "+a", true},
		{"\\*", "*", true},
		{"\\*", "x", false},
		{"a\\?", "a?", true},
		{"[a-c]x", "bx", true},
		{"[a-c]x", "dx", false},
		{"[a-]", "-", true},
		{"[abc", "[abc", true},
		{"[]", "[]", true},
		{"é?x", "éx", true},
		{"é?x", "x", true},
		{"[äö]+", "öä", true},
		{"a.c", "abc", false},
		{"***", "a/b", true},
		{"main", "Main", false},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (!same_int(text_matches(rows[i].pattern, rows[i].text), rows[i].matches,
			      "text_matches"))
			tap_note("%s %s", rows[i].pattern, rows[i].text);
}

static void hostile_patterns(void)
{
	static const char *const parts[] = {"*a", "**a", "a?", "a+", "**/", "[a-z]?"};
	int64_t start = clock_ticks(&clock_system);
	char text[4001], pattern[500];

	memset(text, 'a', sizeof text - 1);
	text[4000] = '\0';
	for (size_t i = 0; i < COUNT(parts); i++) {
		pattern[0] = '\0';
		while (strlen(pattern) + 10 < sizeof pattern)
			snprintf(pattern + strlen(pattern), 10, "%s", parts[i]);
		snprintf(pattern + strlen(pattern), 3, "b");
		ok(!text_matches(pattern, text), "a hostile pattern");
	}
	ok(clock_ticks(&clock_system) - start < 2000, "takes no time");
}

static void times(void)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00Z"},         {1795527900, "2026-11-24T13:45:00Z"},
		{-1, "1969-12-31T23:59:59Z"},        {951782400, "2000-02-29T00:00:00Z"},
		{INT64_MAX, "9999-12-31T23:59:59Z"}, {INT64_MIN, "0000-01-01T00:00:00Z"},
	};
	int64_t start;

	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[CLOCK_TEXT_SIZE];

		clock_text(rows[i].seconds, text);
		same_str(text, rows[i].text, "clock_text");
	}
	start = clock_ticks(&clock_system);
	clock_sleep(&clock_system, 30);
	clock_sleep(&clock_system, -1);
	ok(clock_ticks(&clock_system) - start >= 29, "clock_sleep() sleeps");
	ok(clock_now(&clock_system) > 1700000000, "clock_now()");
}

int main(void)
{
	compares();
	utf8();
	nearest();
	numbers();
	seconds();
	names();
	repositories();
	refs();
	commits();
	patterns();
	hostile_patterns();
	times();
	return tap_done();
}
