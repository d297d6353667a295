#include "base/yaml.h"

#include "base/json.h"
#include "base/mistakes.h"
#include "base/text.h"
#include "tap.h"

/* Parse, and compare the JSON (or, when it is refused, all mistakes). */
static void check(const char *yaml, size_t size, const char *want, const char *name)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("f.yml");
	cleanup(yaml_marks_freep) struct yaml_marks *marks = NULL;
	cleanup(buf_free) struct buf out = BUF_INIT(65536);
	json_auto json_t *json = NULL;
	struct err err = ERR_INIT;

	if (yaml_parse(&json, &marks, yaml, size, &mistakes, &err) < 0) {
		ok(!json && !marks && mistakes.count > 0, name);
		same_int(err.kind, ERR_USAGE, name);
		same_str(buf_text(&mistakes.text), want, name);
		return;
	}
	buf_add_json(&out, json);
	same_str(buf_text(&out), want, name);
}

#define CHECK(yaml, want, name) check(yaml, sizeof(yaml) - 1, want, name)

static void reads(void)
{
	CHECK("a: 1\nb: [x, yes]\n", "{\"a\":\"1\",\"b\":[\"x\",\"yes\"]}", "scalars stay texts");
	CHECK("on: push\nno: off", "{\"on\":\"push\",\"no\":\"off\"}", "on, no and off stay texts");
	CHECK("a:\nb: ~\ne: null\nf: 'null'\nc: ''\nd: '~'",
	      "{\"a\":null,\"b\":null,\"e\":null,\"f\":\"null\",\"c\":\"\",\"d\":\"~\"}",
	      "empty and ~ are null, quoted ones texts");
	CHECK("a: |\n  x\n  y\nb: >\n  p\n  q\n", "{\"a\":\"x\\ny\\n\",\"b\":\"p q\\n\"}",
	      "block texts");
	CHECK("", "null", "an empty file");
	CHECK("# nothing\n", "null", "a comment only");
	CHECK("---\na: b\n...\n", "{\"a\":\"b\"}", "one document with its marks");
	CHECK("\xef\xbb\xbf"
	      "a: \xc3\xa9",
	      "{\"a\":\"\xc3\xa9\"}", "a byte order mark, and UTF-8");
	CHECK("{\"a\": [1, {\"b\": null}]}", "{\"a\":[\"1\",{\"b\":null}]}", "JSON is YAML");
	CHECK("- - x\n  - y\n- z\n", "[[\"x\",\"y\"],\"z\"]", "lists in lists");
	CHECK("a: '<<'\n'<<': b", "{\"a\":\"<<\",\"<<\":\"b\"}", "<< as a quoted text");
}

static void refuses(void)
{
	CHECK("a: &x 1\nb: *x\n",
	      "f.yml:1:4: anchors are not supported, found '&x'; write the value out\n"
	      "f.yml:2:4: aliases are not supported; write the value out\n",
	      "an anchor and its alias");
	CHECK("a: &x [1]\n<<: *x",
	      "f.yml:1:4: anchors are not supported, found '&x'; write the value out\n"
	      "f.yml:2:1: merge keys ('<<') are not supported; write the values out\n"
	      "f.yml:2:5: aliases are not supported; write the value out\n",
	      "a merge key");
	CHECK("a: !!int 1\nb: !ruby/object {}\n",
	      "f.yml:1:4: tags are not supported, found 'tag:yaml.org,2002:int'; leave it out\n"
	      "f.yml:2:4: tags are not supported, found '!ruby/object'; leave it out\n",
	      "tags");
	CHECK("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n",
	      "f.yml:4:3: the key 'c' is here a second time; keep one of them\n"
	      "f.yml:5:1: the key 'a' is here a second time; keep one of them\n",
	      "duplicate keys, all of them");
	CHECK("a: 1\n---\nb: 2\n", "f.yml:2:1: a second document ('---'); only one is read\n",
	      "two documents");
	CHECK("? [a, b]\n: 1\n? {x: y}\n: 2\n",
	      "f.yml:1:3: a key must be a plain text, not a list, mapping or alias\n"
	      "f.yml:3:3: a key must be a plain text, not a list, mapping or alias\n",
	      "keys that aren't texts");
	CHECK("a: [1, 2\nb: 3\n",
	      "f.yml:2:2: this is not YAML: did not find expected ',' or ']', while parsing a flow "
	      "sequence\n",
	      "an open bracket");
	CHECK("a: b\n\tc: d\n",
	      "f.yml:2:1: this is not YAML: found a tab character that violates indentation, while "
	      "scanning a plain scalar\n",
	      "a tab");
	CHECK("a: x\nb: \xff\n", "f.yml:2:1: this line is not UTF-8 text; save the file as UTF-8\n",
	      "not UTF-8");
	CHECK("\xff\xfe"
	      "a\0:\0",
	      "f.yml:1:1: this line is not UTF-8 text; save the file as UTF-8\n", "UTF-16");
	CHECK("a: x\n\nb: \"\\0\"\n", "f.yml:3:4: the text holds a NUL character; leave it out\n",
	      "an escaped NUL");
	CHECK("a: b\nc: \x01 d\n",
	      "f.yml:2:4: this is not YAML: control characters are not allowed\n",
	      "a control character");
	CHECK("a: \"\\e[31mx\"\nb: *\"\\e\"\n",
	      "f.yml:2:5: this is not YAML: did not find expected alphabetic or numeric character, "
	      "while scanning an alias\n",
	      "escapes");
}

static void limits(void)
{
	static char big[1024 * 1024 + 1];
	char deep[200];

	memset(deep, '[', 100);
	memset(deep + 32, ']', 32);
	check(deep, 64, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	      "32 levels");
	memset(deep, '[', 100);
	memset(deep + 33, ']', 33);
	check(deep, 66, "f.yml:1:33: nested too deeply: at most 32 levels\n", "33 levels");
	memset(big, '[', sizeof big);
	check(big, sizeof big - 1, "f.yml:1:33: nested too deeply: at most 32 levels\n",
	      "a million brackets end early");
	check(big, sizeof big, "f.yml: the file is 1048577 bytes long; at most 1 MiB is read\n",
	      "over 1 MiB");
	for (size_t i = 0; i < sizeof big - 1; i += 2)
		memcpy(big + i, "-\n", 2);
	check(big, 2 * 60000, "f.yml:50000:2: too many values: at most 50000\n", "too many values");
	memset(big, 'k', 257);
	memcpy(big + 257, ": 1\nb: 1\nb: 2", 14);
	check(big, 270,
	      "f.yml:1:1: a key must have at most 256 bytes and no NUL character\n"
	      "f.yml:3:1: the key 'b' is here a second time; keep one of them\n",
	      "a long key");
}

static void same_mark(const struct yaml_marks *marks, const char *pointer, bool key, unsigned line,
		      unsigned column)
{
	unsigned got_line, got_column;

	yaml_mark(marks, pointer, key, &got_line, &got_column);
	same_int(got_line * 1000 + got_column, line * 1000 + column, pointer);
}

static void marks(void)
{
	static const char yaml[] = "a: 1\nlist:\n  - x\n  - b~/c: {deep: y}\n\"\": z\n";
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("f.yml");
	cleanup(yaml_marks_freep) struct yaml_marks *found = NULL;
	json_auto json_t *json = NULL;
	struct err err = ERR_INIT;

	same_int(yaml_parse(&json, &found, yaml, sizeof yaml - 1, &mistakes, &err), 0, "it reads");
	same_mark(found, "", false, 1, 1);
	same_mark(found, "/a", false, 1, 4);
	same_mark(found, "/a", true, 1, 1);
	same_mark(found, "/list/0", false, 3, 5);
	same_mark(found, "/list/1/b~0~1c", true, 4, 5);
	same_mark(found, "/list/1/b~0~1c/deep", false, 4, 18);
	same_mark(found, "/list/1/b~0~1c/none/below", true, 4, 5);
	same_mark(found, "/list/7", true, 2, 1);
	same_mark(found, "/", false, 5, 5);
	same_mark(found, "/none", false, 1, 1);
}

static void mistakes_text(void)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("f.yml");
	struct err err = ERR_INIT;
	char name[1200];

	same_int(mistakes_result(&mistakes, &err), 0, "none is no error");
	mistakes_add(&mistakes, "/x", "a\nb\x1b[31m\xc2\x9bz%s", "\x7f");
	same_str(buf_text(&mistakes.text), "f.yml: a\\nb\\x1b[31m\\x9bz\\x7f\n",
		 "control characters are shown, not sent");
	same_int(mistakes_result(&mistakes, &err), -1, "one");
	same_str(err.text, "f.yml: a\\nb\\x1b[31m\\x9bz\\x7f", "its text");
	mistakes_add_at(&mistakes, 3, 4, "b");
	same_int(mistakes_result(&mistakes, &err), -1, "two");
	same_str(err.text, "f.yml: a\\nb\\x1b[31m\\x9bz\\x7f (and 1 more mistake)", "counted");
	for (size_t i = 0; i + 2 < sizeof name; i += 2)
		memcpy(name + i, "\xc3\xa9", 3);
	name[0] = 'a';
	name[1] = 'a';
	buf_clear(&mistakes.text);
	mistakes_add(&mistakes, "", "x%s", name);
	ok(text_is_utf8(buf_text(&mistakes.text), mistakes.text.size),
	   "a long message is cut between characters");
	for (int i = 0; i < 1000; i++)
		mistakes_add(&mistakes, "", "%s", name);
	same_int(mistakes.count, 1003, "all are counted");
	ok(mistakes.text.size <= 64 * 1024, "but not all kept");
	same_int(mistakes_result(&mistakes, &err), -1, "many");
	ok(strstr(err.text, " (and 1002 more mistakes)"), "the count isn't cut off");
}

int main(void)
{
	reads();
	refuses();
	limits();
	marks();
	mistakes_text();
	return tap_done();
}
