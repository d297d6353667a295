#include "base/fields.h"

#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "scratch.h"

struct part {
	const char *name;
	const char *a;
	int64_t n;
};

struct value {
	const char *name;
	struct secret value;
};

struct all {
	const char *text, *other, *limited;
	struct secret secret, by_file;
	bool flag;
	int64_t count, seconds;
	int choice, none;
	const char *const *list, *const *may, *const *command;
	const struct field_pair *map;
	struct part *group, *missing;
	struct field_array groups, named, secrets, values;
	json_t *any;
};

static int valid_name(const char *text, struct err *err)
{
	if (text_is_name(text))
		return 0;
	return err_set(err, ERR_USAGE, 0, "'%s' is not a name", text);
}

static const char *const colours[] = {"red", "green", NULL};
static const char *const rights[] = {"read", "write", NULL};

static const struct field part_fields[] = {
	{.name = "a",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct part, a),
	 .required = true,
	 .help = "The a."},
	{.name = "n",
	 .type = FIELD_COUNT,
	 .at = offsetof(struct part, n),
	 .fallback = "7",
	 .min = 1,
	 .max = 9,
	 .help = "The n."},
	{0},
};
static const struct field value_fields[] = {
	{.name = "", .type = FIELD_SECRET, .at = offsetof(struct value, value), .help = "A value."},
	{0},
};
static const struct field secret_fields[] = {
	{.name = "", .type = FIELD_SECRET, .at = 0},
	{0},
};

#define AT(member) offsetof(struct all, member)
static const struct field fields[] = {
	{.name = "text",
	 .type = FIELD_TEXT,
	 .at = AT(text),
	 .fallback = "hello",
	 .help = "A text | more."},
	{.name = "other", .type = FIELD_TEXT, .at = AT(other)},
	{.name = "limited", .type = FIELD_TEXT, .at = AT(limited), .choices = colours},
	{.name = "secret", .type = FIELD_SECRET, .at = AT(secret)},
	{.name = "by-file", .type = FIELD_SECRET, .at = AT(by_file)},
	{.name = "flag", .type = FIELD_FLAG, .at = AT(flag), .fallback = "true"},
	{.name = "count",
	 .type = FIELD_COUNT,
	 .at = AT(count),
	 .fallback = "3",
	 .min = 1,
	 .max = 64},
	{.name = "seconds",
	 .type = FIELD_SECONDS,
	 .at = AT(seconds),
	 .fallback = "2m",
	 .min = 1,
	 .max = 3600},
	{.name = "choice",
	 .type = FIELD_CHOICE,
	 .at = AT(choice),
	 .fallback = "green",
	 .choices = colours},
	{.name = "none", .type = FIELD_CHOICE, .at = AT(none), .choices = colours},
	{.name = "list", .type = FIELD_LIST, .at = AT(list), .max = 3, .valid = valid_name},
	{.name = "may",
	 .type = FIELD_LIST,
	 .at = AT(may),
	 .fallback = "read",
	 .choices = rights,
	 .min = 1},
	{.name = "command", .type = FIELD_COMMAND, .at = AT(command)},
	{.name = "map", .type = FIELD_MAP, .at = AT(map), .valid = valid_name},
	{.name = "group",
	 .type = FIELD_GROUP,
	 .at = AT(group),
	 .fields = part_fields,
	 .size = sizeof(struct part)},
	{.name = "missing",
	 .type = FIELD_GROUP,
	 .at = AT(missing),
	 .fields = part_fields,
	 .size = sizeof(struct part)},
	{.name = "groups",
	 .type = FIELD_GROUPS,
	 .at = AT(groups),
	 .fields = part_fields,
	 .size = sizeof(struct part)},
	{.name = "named",
	 .type = FIELD_NAMED,
	 .at = AT(named),
	 .fields = part_fields,
	 .size = sizeof(struct part),
	 .valid = valid_name,
	 .max = 2},
	{.name = "secrets",
	 .type = FIELD_GROUPS,
	 .at = AT(secrets),
	 .fields = secret_fields,
	 .size = sizeof(struct secret)},
	{.name = "values",
	 .type = FIELD_NAMED,
	 .at = AT(values),
	 .fields = value_fields,
	 .size = sizeof(struct value)},
	{.name = "any", .type = FIELD_ANY, .at = AT(any)},
	{0},
};

static struct arena *arena;

/* Read the YAML; the mistakes, in the arena ("" for none). */
static const char *read(const char *yaml, struct all *all, const char *folder)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("f");
	cleanup(yaml_marks_freep) struct yaml_marks *marks = NULL;
	struct fields_reader reader = {arena, &mistakes, folder};
	struct fields_part parts = {fields, all};
	json_auto json_t *json = NULL;
	struct err err = ERR_INIT;

	memset(all, 0, sizeof *all);
	if (yaml_parse(&json, &marks, yaml, strlen(yaml), &mistakes, &err) < 0)
		bail_out("the test's own YAML");
	mistakes.marks = marks;
	fields_read(&reader, &parts, 1, json, "");
	return arena_strdup(arena, buf_text(&mistakes.text));
}

static void defaults(void)
{
	struct all all;

	same_str(read("{}", &all, NULL), "", "an empty mapping is fine");
	same_str(all.text, "hello", "text");
	same_str(all.other, NULL, "no text");
	ok(all.flag, "flag");
	same_int(all.count, 3, "count");
	same_int(all.seconds, 120, "seconds");
	same_int(all.choice, 1, "choice");
	same_int(all.none, -1, "no choice");
	same_str(all.may[0], "read", "a list of one");
	same_str(all.may[1], NULL, "and its end");
	ok(!all.list && !all.map && !all.group && !all.groups.items && !all.command, "the rest");
}

static void values(void)
{
	struct part *part;
	struct value *value;
	struct all all;

	same_str(read("text: x\nsecret: s\nby-file: {file: key}\nflag: 'false'\ncount: 64\n"
		      "seconds: 1h\nchoice: red\nlist: [a, b]\nmay: [read, write]\n"
		      "command: [ls, -l, '']\nmap: {A: 1, B: , C: 'x y'}\ngroup: {a: b, n: 2}\n"
		      "groups: [{a: x}, {a: y, n: 1}]\nnamed: {one: {a: p}, two: {a: q}}\n"
		      "secrets: [{file: /x}, t]\nvalues: {V: {file: v}}\nany: [1]\nlimited: red\n",
		      &all, "/etc/slipway"),
		 "", "everything reads");
	same_str(all.secret.text, "s", "a secret in place");
	same_str(all.by_file.file, "/etc/slipway/key", "a file beside the settings");
	ok(!all.flag && all.count == 64 && all.seconds == 3600 && all.choice == 0, "scalars");
	same_str(all.list[1], "b", "list");
	ok(!all.list[2], "list's end");
	same_str(all.command[1], "-l", "argv");
	same_str(all.command[2], "", "an empty argument is one");
	same_str(all.map[2].name, "C", "map keeps its order");
	same_str(all.map[1].value, "", "nothing is an empty text in a map");
	ok(!all.map[3].name, "map's end");
	same_int(all.group->n, 2, "group");
	part = all.groups.items;
	same_int((int64_t)all.groups.count, 2, "groups");
	ok(part[0].n == 7 && part[1].n == 1, "groups' members and fallbacks");
	part = all.named.items;
	same_str(part[1].name, "two", "named");
	same_str(part[1].a, "q", "named's members");
	same_str(((struct secret *)all.secrets.items)[0].file, "/x", "a list of secrets");
	same_str(((struct secret *)all.secrets.items)[1].text, "t", "in place");
	value = all.values.items;
	same_str(value->name, "V", "a named secret");
	same_str(value->value.file, "/etc/slipway/v", "its file");
	same_str(read("command: echo $X | wc\nlist: one\nmap:\n", &all, NULL), "", "short forms");
	same_str(all.command[0], "/bin/sh", "a text is a script");
	same_str(all.command[2], "echo $X | wc", "its text");
	same_str(all.list[0], "one", "a text is a list of one");
}

static void says(const char *yaml, const char *want, const char *name)
{
	struct all all;

	same_str(read(yaml, &all, NULL), want, name);
}

static void mistakes(void)
{
	says("text: x\ncuont: 3\nzzz: 1\n",
	     "f:2:1: no such setting 'cuont'; did you mean 'count'?\n"
	     "f:3:1: no such setting 'zzz'; known here: text, other, limited, secret, by-file, "
	     "flag, "
	     "count, seconds, choice, none, list, may, command, map, group, missing, groups, "
	     "named, "
	     "secrets, values, any\n",
	     "unknown keys");
	says("count: many\nseconds: [1]\nflag: yes\ntext: {a: b}\n",
	     "f:1:8: 'count': expected a whole number from 1 to 64, found 'many'\n"
	     "f:2:10: 'seconds': expected a time such as 90s, 15m or 2h, from 1s to 3600s, found a "
	     "list\n"
	     "f:3:7: 'flag': expected true or false, found 'yes'\n"
	     "f:4:7: 'text': expected a text, found a mapping\n",
	     "wrong types");
	says("count: 65\nseconds: 2h\ntext: ''\nother:\n",
	     "f:1:8: 'count': expected a whole number from 1 to 64, found '65'\n"
	     "f:2:10: 'seconds': expected a time such as 90s, 15m or 2h, from 1s to 3600s, found "
	     "'2h'\n"
	     "f:3:7: 'text': expected a text, found an empty text\n"
	     "f:4:7: 'other': expected a text, found nothing\n",
	     "out of bounds, and empty");
	says("choice: grene\nlimited: blue\nmay: [read, wirte]\n",
	     "f:1:9: 'choice': expected one of red, green, found 'grene'; did you mean 'green'?\n"
	     "f:2:10: 'limited': expected one of red, green, found 'blue'\n"
	     "f:3:13: 'may': expected one of read, write, found 'wirte'; did you mean 'write'?\n",
	     "choices");
	says("list: [a, -b, {c: d}]\nmay: []\nmap: {'a b': c, d: [e]}\n",
	     "f:1:11: 'list': '-b' is not a name\n"
	     "f:1:15: 'list': expected a list of texts, found a mapping\n"
	     "f:2:6: 'may': expected at least 1, found none\n"
	     "f:3:7: 'map': 'a b' is not a name\n"
	     "f:3:20: 'map': expected a text for 'd', found a list\n",
	     "items");
	says("list: [a, b, c, d]\nnamed: {a: {a: 1}, b: {a: 1}, c: {a: 1}}\n",
	     "f:1:7: 'list': expected at most 3, found 4\n"
	     "f:2:8: 'named': expected at most 2, found 3\n",
	     "too many");
	says("group: {n: 1}\ngroups: [{a: x}, y]\nnamed: {-x: {a: 1}, ok: }\nmissing:\n",
	     "f:1:8: 'a' is missing; expected a text\n"
	     "f:2:18: 'groups': expected a mapping, found 'y'\n"
	     "f:3:9: 'named': '-x' is not a name\n"
	     "f:3:25: 'ok': expected a mapping, found nothing\n"
	     "f:4:9: 'missing': expected a mapping, found nothing\n",
	     "nested");
	says("command: []\n",
	     "f:1:10: 'command': expected a command: a list of texts (program and arguments), or "
	     "one "
	     "text (a shell script), found a list\n",
	     "an empty command");
}

static void secrets_stay_secret(void)
{
	struct all all;
	const char *said;

	said = read("secret: [hunter2]\nby-file: {fiel: hunter2}\nsecrets: [[hunter2]]\n", &all,
		    "/");
	ok(!strstr(said, "hunter2"), "a secret is in no message");
	same_str(read("secret: ['hunter2']\nby-file: {flie: /x}\n", &all, "/"),
		 "f:1:9: 'secret': expected a text, or {file: path}, found a list\n"
		 "f:2:11: no such setting 'flie'; did you mean 'file'?\n"
		 "f:2:10: 'file' is missing; expected a text\n",
		 "wrong secrets");
	same_str(read("secret: {file: x}\n", &all, NULL),
		 "f:1:9: 'secret': a secret can't be given by file here; give it as a text\n",
		 "no folder, no file");
}

static void two_tables(void)
{
	static const struct field more[] = {
		{.name = "region", .type = FIELD_TEXT, .at = 0, .required = true}, {0}};
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("f");
	struct fields_reader reader = {arena, &mistakes, NULL};
	struct part part = {0};
	const char *region = NULL;
	struct fields_part parts[] = {{part_fields, &part}, {more, &region}};
	json_auto json_t *json =
		json_pack("{s:s,s:i,s:s,s:b}", "a", "x", "n", 5, "region", "eu", "regoin", 1);

	fields_read(&reader, parts, 2, json, "/here");
	same_str(region, "eu", "the second table's");
	same_int(part.n, 5, "a JSON number");
	same_str(buf_text(&mistakes.text), "f: no such setting 'regoin'; did you mean 'region'?\n",
		 "the nearest of both");
}

static int secret_of(const char *path, char **out, struct err *err)
{
	struct secret secret = {.file = path};

	return secret_read(&secret, out, err);
}

static void secret_files(void)
{
	autofree char *value = NULL;
	struct err err = ERR_INIT;
	const char *path = scratch("s");

	same_int(secret_of(path, &value, &err), -1, "missing");
	same_int(err.kind, ERR_ABSENT, "absent");
	same_int(file_write(path, "abc\n\n", 5, 0600, &err), 0, "a file");
	same_int(secret_of(path, &value, &err), 0, "reads");
	same_str(value, "abc\n", "without one newline");
	free(take(value));
	same_int(file_write(path, "abc\r\n", 5, 0600, &err), 0, "a DOS file");
	same_int(secret_of(path, &value, &err), 0, "reads");
	same_str(value, "abc", "without its line end");
	free(take(value));
	same_int(file_write(path, "\n", 1, 0600, &err), 0, "an empty line");
	same_int(secret_of(path, &value, &err), -1, "is empty");
	ok(strstr(err.text, "is empty"), err.text);
	same_int(file_write(path, "a\0b", 3, 0600, &err), 0, "a NUL");
	same_int(secret_of(path, &value, &err), -1, "is refused");
	same_int(secret_of("/", &value, &err), -1, "a folder");
	ok(strstr(err.text, "not a regular file"), err.text);
	same_int(mkfifo(scratch("pipe"), 0600), 0, "a pipe");
	same_int(secret_of(scratch("pipe"), &value, &err), -1, "doesn't hang");
}

static void documents(void)
{
	const struct field *tables[] = {fields};
	cleanup(buf_free) struct buf out = BUF_INIT(65536);
	json_auto json_t *schema = fields_schema(tables, 1);

	fields_markdown(fields, &out);
	ok(strstr(buf_text(&out), "| `text` | text | `hello` | A text \\| more. |\n"), "a row");
	ok(strstr(buf_text(&out), "| `count` | number, 1 to 64 | `3` |"), "bounds");
	ok(strstr(buf_text(&out), "| `groups[].a` | text | required | The a. |\n"), "a list's");
	ok(strstr(buf_text(&out), "| `named.<name>.n` | number, 1 to 9 | `7` |"), "a name's");
	ok(strstr(buf_text(&out), "| `secrets` | list of secrets |"), "plain items");
	ok(!json_is_true(json_object_get(schema, "additionalProperties")), "closed");
	same_int(json_integer_at(schema, "properties.count.maximum", 0), 64, "maximum");
	same_int(json_integer_at(schema, "properties.count.default", 0), 3, "default");
	same_str(json_text(schema, "properties.groups.items.properties.a.description"), "The a.",
		 "nested");
	same_str(json_string_value(json_array_get(json_at(schema, "properties.group.required"), 0)),
		 "a", "required");
}

int main(void)
{
	scratch_begin();
	arena = arena_new();
	defaults();
	values();
	mistakes();
	secrets_stay_secret();
	two_tables();
	secret_files();
	documents();
	arena_free(arena);
	return tap_done();
}
