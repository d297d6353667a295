#include "image/ignore.h"

#include <string.h>

#include "tap.h"

/* After the tables of https://github.com/moby/patternmatcher's own tests. */
static const struct {
	const char *pattern, *path;
	bool want;
} table[] = {
	{"**", "file", true},
	{"**", "file/", true},
	{"**/", "file", true},
	{"**", "dir/file", true},
	{"**/", "dir/file", true},
	{"**/**", "dir/file", true},
	{"dir/**", "dir/file", true},
	{"dir/**", "dir/dir2/file", true},
	{"**/dir", "dir/file", true},
	{"**/dir2/*", "dir/dir2/file", true},
	{"**/dir2/**", "dir/dir2/dir2/file", true},
	{"**file", "file", true},
	{"**file", "dir/file", true},
	{"**/file", "dir/file", true},
	{"**/file", "dir/dir/file", true},
	{"**/file*", "dir/dir/file.txt", true},
	{"**/file*txt", "dir/dir/file.txt", true},
	{"**/**/*.txt", "dir/dir/file.txt", true},
	{"**/**/*.txt2", "dir/dir/file.txt", false},
	{"a**/*.txt", "a/file.txt", true},
	{"a**/*.txt", "a/dir/dir/file.txt", true},
	{"a[b-d]e", "ae", false},
	{"a[b-d]e", "ace", true},
	{"a[b-d]e", "aae", false},
	{"a[^b-d]e", "aze", true},
	{".*", ".foo", true},
	{".*", "foo", false},
	{"abc.def", "abcdef", false},
	{"abc.def", "abc.def", true},
	{"abc.def", "abcZdef", false},
	{"abc?def", "abcZdef", true},
	{"abc?def", "abcdef", false},
	{"a\\\\", "a\\", true},
	{"a\\b", "ab", true},
	{"a\\*b", "a*b", true},
	{"a\\*b", "axb", false},
	{"**/foo/bar", "foo/bar", true},
	{"**/foo/bar", "dir/dir2/foo/bar", true},
	{"abc/**", "abc", false},
	{"abc/**", "abc/def/ghi", true},
	{"**/.foo", "bar.foo", false},
	{"a(b)c/def", "a(b)c/def", true},
	{"a.|)$(}+{bc", "a.|)$(}+{bc", true},
	{"dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
	 "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true},
	{"dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true},
	{"?", "ä", true},
	{"[ä-ö]", "é", true},
	{"*", "a/b", true}, /* its folder */
	{"a/*", "a", false},
	{"", "a", false},
};

static bool left_out(const char *text, const char *path)
{
	cleanup(ignore_freep) struct ignore *ignore = NULL;
	struct err err = ERR_INIT;

	if (ignore_parse(&ignore, text, strlen(text), &err)) {
		tap_note("%s", err.text);
		return false;
	}
	return ignore_matches(ignore, path);
}

static void refused(const char *text, const char *why)
{
	cleanup(ignore_freep) struct ignore *ignore = NULL;
	struct err err = ERR_INIT;

	if (!ok(ignore_parse(&ignore, text, strlen(text), &err) < 0 && err.kind == ERR_USAGE
			&& strstr(err.text, why),
		why))
		tap_note("%s", err.text);
}

int main(void)
{
	cleanup(ignore_freep) struct ignore *ignore = NULL;
	struct err err = ERR_INIT;
	char stars[1001], path[4001];

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		autofree char *name =
			xprintf("%s %s %s", table[i].pattern,
				table[i].want ? "matches" : "doesn't match", table[i].path);

		ok(left_out(table[i].pattern, table[i].path) == table[i].want, name);
	}
	ok(!left_out("*\n!a/b\n", "a/b/c"), "taken back by a folder above it");
	ok(left_out("*\n!a/b\n", "a/c"), "but not its sibling");
	ok(left_out("*\n!*.md\nx.md\n", "x.md"), "the last one decides");
	ok(!left_out("# a\n \n", "# a"), "a comment is no pattern");
	ok(left_out("/a/../b/./c/", "b/c"), "a path is cleaned");
	ok(left_out("!x\nx", "x"), "no end of line is needed");
	refused("!\n", "line 1: a '!'");
	refused("a\n\n[a\n", "line 3: '[a'");
	refused("[]a]\n", "no pattern");
	refused("[a-]\n", "no pattern");
	refused("[-a]\n", "no pattern");
	refused("[z-a]\n", "backwards");
	refused("a\\\n", "at the end");
	if (ignore_parse(&ignore, "*\n!a/b/c\n", 9, &err))
		bail_out(err.text);
	ok(ignore_looks_into(ignore, "a") && ignore_looks_into(ignore, "a/b")
		   && !ignore_looks_into(ignore, "a/bc") && !ignore_looks_into(ignore, "b"),
	   "which folders are looked into");
	memset(path, 'a', sizeof path - 1);
	path[4000] = '\0';
	for (size_t i = 0; i < 1000; i += 4)
		memcpy(stars + i, "**/*", 4);
	stars[1000] = '\0';
	memcpy(stars + 997, "x?b", 3);
	ok(!left_out(stars, path), "many stars and a long path take no time");
	return tap_done();
}
