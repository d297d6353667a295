#include "base/fields.h"

#include <assert.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

enum { MAX_NEAR = 64 };

/* One value on its way into a struct. */
struct slot {
	const struct fields_reader *reader;
	const struct field *field;
	const char *label; /* as messages name it */
	const char *pointer;
	void *into;
};

static void read_struct(const struct slot *slot, json_t *value, const struct field *fields,
			void *into);

static char *pointer_at(const char *pointer, size_t index)
{
	return xprintf("%s/%zu", pointer, index);
}

static void add_choices(struct buf *out, const char *const *choices)
{
	if (choices[0] && !choices[1]) {
		buf_addf(out, "'%s'", choices[0]);
		return;
	}
	buf_adds(out, "one of ");
	for (size_t i = 0; choices[i]; i++)
		buf_addf(out, "%s%s", i ? ", " : "", choices[i]);
}

static void add_expected(struct buf *out, const struct field *field)
{
	static const char *const plain[] = {
		[FIELD_TEXT] = "a text",
		[FIELD_SECRET] = "a text, or {file: path}",
		[FIELD_FLAG] = "true or false",
		[FIELD_COUNT] = "a whole number",
		[FIELD_SECONDS] = "a time such as 90s, 15m or 2h",
		[FIELD_CHOICE] = "a text",
		[FIELD_LIST] = "a list of texts",
		[FIELD_MAP] = "a mapping of names to texts",
		[FIELD_COMMAND] = ("a command: a list of texts (program and arguments), or one "
				   "text (a shell script)"),
		[FIELD_GROUP] = "a mapping",
		[FIELD_GROUPS] = "a list",
		[FIELD_NAMED] = "a mapping of names to settings",
		[FIELD_ANY] = "a mapping",
	};
	bool bounded = field->min || field->max;

	if (field->choices && (field->type == FIELD_CHOICE || field->type == FIELD_TEXT))
		add_choices(out, field->choices);
	else if (field->type == FIELD_COUNT && bounded && field->min == field->max)
		buf_addf(out, "the number %lld", (long long)field->min);
	else
		buf_adds(out, plain[field->type]);
	if (field->type == FIELD_COUNT && bounded && field->min != field->max)
		buf_addf(out, " from %lld to %lld", (long long)field->min, (long long)field->max);
	if (field->type == FIELD_SECONDS && bounded)
		buf_addf(out, ", from %llds to %llds", (long long)field->min,
			 (long long)field->max);
}

/* What a person wrote, short enough for a message. Text of a secret is never shown. */
static void add_found(struct buf *out, const struct field *field, const json_t *value)
{
	if (json_is_object(value))
		buf_adds(out, "a mapping");
	else if (json_is_array(value))
		buf_adds(out, "a list");
	else if (json_is_null(value))
		buf_adds(out, "nothing");
	else if (field->type == FIELD_SECRET)
		buf_adds(out, "another value");
	else if (json_is_string(value) && !*json_string_value(value))
		buf_adds(out, "an empty text");
	else if (json_is_string(value) && strlen(json_string_value(value)) > 60)
		buf_addf(out, "'%.60s…'", json_string_value(value));
	else if (json_is_string(value))
		buf_addf(out, "'%s'", json_string_value(value));
	else
		buf_add_json(out, value);
}

static void mismatch(const struct slot *slot, const char *pointer, const json_t *value)
{
	cleanup(buf_free) struct buf expected = BUF_INIT(1024), found = BUF_INIT(1024);

	add_expected(&expected, slot->field);
	add_found(&found, slot->field, value);
	mistakes_add(slot->reader->mistakes, pointer, "'%s': expected %s, found %s", slot->label,
		     buf_text(&expected), buf_text(&found));
}

/* A scalar as text in the arena (the reader of a YAML file makes all of them texts); NULL for the
 * rest. */
static const char *text_of(const struct slot *slot, const json_t *value)
{
	if (json_is_string(value) && json_string_length(value) == strlen(json_string_value(value)))
		return arena_strdup(slot->reader->arena, json_string_value(value));
	if (json_is_integer(value))
		return arena_printf(slot->reader->arena, "%lld",
				    (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	return NULL;
}

/* Index of the text among the choices, or -1. */
static int choice_of(const char *const *choices, const char *text)
{
	for (int i = 0; choices[i]; i++)
		if (strcmp(choices[i], text) == 0)
			return i;
	return -1;
}

static void add_no_choice(const struct slot *slot, const char *pointer, const char *text)
{
	const char *const *choices = slot->field->choices;
	cleanup(buf_free) struct buf expected = BUF_INIT(1024);
	size_t count = 0;
	const char *near;

	add_choices(&expected, choices);
	while (choices[count])
		count++;
	near = text_nearest(text, choices, count);
	mistakes_add(slot->reader->mistakes, pointer, "'%s': expected %s, found '%.60s'%s%s%s",
		     slot->label, buf_text(&expected), text, near ? "; did you mean '" : "",
		     near ? near : "", near ? "'?" : "");
}

/* Does the text pass the field's own checks? Otherwise it's said. */
static bool check_text(const struct slot *slot, const char *pointer, const char *text)
{
	struct err err = ERR_INIT;

	if (slot->field->choices && choice_of(slot->field->choices, text) < 0) {
		add_no_choice(slot, pointer, text);
		return false;
	}
	if (!slot->field->valid || slot->field->valid(text, &err) == 0)
		return true;
	mistakes_add(slot->reader->mistakes, pointer, "'%s': %s", slot->label, err.text);
	return false;
}

/* Is the number of entries within the field's bounds? Otherwise it's said. */
static bool check_count(const struct slot *slot, size_t count)
{
	const struct field *field = slot->field;

	if (!field->min && !field->max)
		return true;
	if ((int64_t)count < field->min) {
		mistakes_add(slot->reader->mistakes, slot->pointer,
			     "'%s': expected at least %lld, found %s", slot->label,
			     (long long)field->min, count ? "fewer" : "none");
		return false;
	}
	if (!field->max || (int64_t)count <= field->max)
		return true;
	mistakes_add(slot->reader->mistakes, slot->pointer,
		     "'%s': expected at most %lld, found %zu", slot->label, (long long)field->max,
		     count);
	return false;
}

static void read_text(const struct slot *slot, json_t *value)
{
	const char *text = text_of(slot, value);

	if (!text || !*text) {
		mismatch(slot, slot->pointer, value);
		return;
	}
	/* Also when it isn't valid: nobody should go on to say that it's missing. */
	*(const char **)slot->into = text;
	(void)check_text(slot, slot->pointer, text);
}

static void read_choice(const struct slot *slot, json_t *value)
{
	const char *text = text_of(slot, value);

	if (!text)
		mismatch(slot, slot->pointer, value);
	else if (check_text(slot, slot->pointer, text))
		*(int *)slot->into = choice_of(slot->field->choices, text);
}

static void read_flag(const struct slot *slot, json_t *value)
{
	const char *text = text_of(slot, value);

	if (text && (text_same(text, "true") || text_same(text, "false")))
		*(bool *)slot->into = text_same(text, "true");
	else
		mismatch(slot, slot->pointer, value);
}

static void read_count(const struct slot *slot, json_t *value)
{
	bool bounded = slot->field->min || slot->field->max;
	const char *text = text_of(slot, value);
	struct err err = ERR_INIT;

	if (!text
	    || text_number(text, bounded ? slot->field->min : INT64_MIN,
			   bounded ? slot->field->max : INT64_MAX, slot->into, &err))
		mismatch(slot, slot->pointer, value);
}

static void read_seconds(const struct slot *slot, json_t *value)
{
	bool bounded = slot->field->min || slot->field->max;
	const char *text = text_of(slot, value);
	struct err err = ERR_INIT;
	int64_t seconds;

	if (!text || text_seconds(text, &seconds, &err)
	    || (bounded && (seconds < slot->field->min || seconds > slot->field->max)))
		mismatch(slot, slot->pointer, value);
	else
		*(int64_t *)slot->into = seconds;
}

/* An empty text is an argument, but nothing that a list could be about. */
static const char *item_of(const struct slot *slot, const json_t *value)
{
	const char *text = text_of(slot, value);

	return text && !*text && slot->field->type == FIELD_LIST ? NULL : text;
}

/* A list of texts, NULL-ended; NULL (said already) when it is none. */
static const char *const *texts_of(const struct slot *slot, json_t *value)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	const char **list = arena_alloc(slot->reader->arena, (count + 1) * sizeof *list);
	bool good = true;

	if (!json_is_array(value)) {
		list[0] = item_of(slot, value);
		if (!list[0])
			mismatch(slot, slot->pointer, value);
		return list[0] && check_text(slot, slot->pointer, list[0]) ? list : NULL;
	}
	for (size_t i = 0; i < count; i++) {
		autofree char *pointer = pointer_at(slot->pointer, i);
		json_t *item = json_array_get(value, i);

		list[i] = item_of(slot, item);
		if (!list[i])
			mismatch(slot, pointer, item);
		good &= list[i] && check_text(slot, pointer, list[i]);
	}
	return good ? list : NULL;
}

static void read_list(const struct slot *slot, json_t *value)
{
	const char *const *list;
	size_t count = 0;

	if (json_is_null(value)) {
		(void)check_count(slot, 0);
		return;
	}
	list = texts_of(slot, value);
	while (list && list[count])
		count++;
	if (list && check_count(slot, count))
		*(const char *const **)slot->into = list;
}

static void read_command(const struct slot *slot, json_t *value)
{
	const char *script = text_of(slot, value);
	const char *const *argv = NULL;

	if (script && *script) {
		const char **shell = arena_alloc(slot->reader->arena, 4 * sizeof *shell);

		shell[0] = "/bin/sh";
		shell[1] = "-c";
		shell[2] = script;
		argv = shell;
	} else if (json_is_array(value) && json_array_size(value) > 0) {
		argv = texts_of(slot, value);
		if (!argv)
			return;
	}
	if (argv && *argv[0])
		*(const char *const **)slot->into = argv;
	else
		mismatch(slot, slot->pointer, value);
}

static void read_map(const struct slot *slot, json_t *value)
{
	struct field_pair *pairs;
	const char *name;
	json_t *item;
	size_t count = 0;

	if (!json_is_object(value)) {
		if (json_is_null(value))
			(void)check_count(slot, 0);
		else
			mismatch(slot, slot->pointer, value);
		return;
	}
	pairs = arena_alloc(slot->reader->arena, (json_object_size(value) + 1) * sizeof *pairs);
	json_object_foreach(value, name, item)
	{
		autofree char *pointer = yaml_pointer(slot->pointer, name);
		const char *text = json_is_null(item) ? "" : text_of(slot, item);
		struct err err = ERR_INIT;

		if (slot->field->valid && slot->field->valid(name, &err))
			mistakes_add_key(slot->reader->mistakes, pointer, "'%s': %s", slot->label,
					 err.text);
		else if (!text)
			mistakes_add(slot->reader->mistakes, pointer,
				     "'%s': expected a text for '%s', found %s", slot->label, name,
				     json_is_array(item) ? "a list" : "something else");
		else
			pairs[count++] =
				(struct field_pair){arena_strdup(slot->reader->arena, name), text};
	}
	if (check_count(slot, json_object_size(value)))
		*(const struct field_pair **)slot->into = pairs;
}

static void read_secret_file(const struct slot *slot, const char *path)
{
	struct secret *secret = slot->into;
	autofree char *joined = NULL;

	if (!slot->reader->folder) {
		mistakes_add(slot->reader->mistakes, slot->pointer,
			     "'%s': a secret can't be given by file here; give it as a text",
			     slot->label);
		return;
	}
	joined = file_join(slot->reader->folder, path);
	secret->file = arena_strdup(slot->reader->arena, joined);
}

static void read_secret(const struct slot *slot, json_t *value)
{
	static const struct field file_fields[] = {
		{.name = "file", .type = FIELD_TEXT, .required = true},
		{0},
	};
	const char *text = text_of(slot, value), *path = NULL;

	if (text && *text) {
		((struct secret *)slot->into)->text = text;
		return;
	}
	if (!json_is_object(value)) {
		mismatch(slot, slot->pointer, value);
		return;
	}
	fields_read(slot->reader, &(struct fields_part){file_fields, &path}, 1, value,
		    slot->pointer);
	if (path)
		read_secret_file(slot, path);
}

static void read_group(const struct slot *slot, json_t *value)
{
	void *group;

	if (!json_is_object(value)) {
		mismatch(slot, slot->pointer, value);
		return;
	}
	group = arena_alloc(slot->reader->arena, slot->field->size);
	*(void **)slot->into = group;
	read_struct(slot, value, slot->field->fields, group);
}

static void read_groups(const struct slot *slot, json_t *value)
{
	struct field_array *array = slot->into;
	size_t count = json_array_size(value), size = slot->field->size;

	if (!json_is_array(value) && !json_is_null(value)) {
		mismatch(slot, slot->pointer, value);
		return;
	}
	if (!check_count(slot, count) || !count)
		return;
	array->items = arena_alloc(slot->reader->arena, count * size);
	array->count = count;
	for (size_t i = 0; i < count; i++) {
		autofree char *pointer = pointer_at(slot->pointer, i);
		struct slot item = *slot;

		item.pointer = pointer;
		read_struct(&item, json_array_get(value, i), slot->field->fields,
			    (char *)array->items + i * size);
	}
}

static void read_named_item(const struct slot *slot, const char *name, json_t *value, void *into)
{
	autofree char *pointer = yaml_pointer(slot->pointer, name);
	struct slot item = *slot;
	struct err err = ERR_INIT;

	item.pointer = pointer;
	item.label = arena_strdup(slot->reader->arena, name);
	*(const char **)into = item.label;
	if (slot->field->valid && slot->field->valid(name, &err))
		mistakes_add_key(slot->reader->mistakes, pointer, "'%s': %s", slot->label,
				 err.text);
	read_struct(&item, value, slot->field->fields, into);
}

static void read_named(const struct slot *slot, json_t *value)
{
	struct field_array *array = slot->into;
	size_t count = json_object_size(value), at = 0;
	const char *name;
	json_t *item;

	if (!json_is_object(value) && !json_is_null(value)) {
		mismatch(slot, slot->pointer, value);
		return;
	}
	if (!check_count(slot, count) || !count)
		return;
	array->items = arena_alloc(slot->reader->arena, count * slot->field->size);
	array->count = count;
	json_object_foreach(value, name, item)
		read_named_item(slot, name, item, (char *)array->items + at++ * slot->field->size);
}

static void read_any(const struct slot *slot, json_t *value)
{
	*(json_t **)slot->into = value;
}

static void read_slot(const struct slot *slot, json_t *value)
{
	static void (*const readers[])(const struct slot *, json_t *) = {
		[FIELD_TEXT] = read_text,       [FIELD_SECRET] = read_secret,
		[FIELD_FLAG] = read_flag,       [FIELD_COUNT] = read_count,
		[FIELD_SECONDS] = read_seconds, [FIELD_CHOICE] = read_choice,
		[FIELD_LIST] = read_list,       [FIELD_MAP] = read_map,
		[FIELD_COMMAND] = read_command, [FIELD_GROUP] = read_group,
		[FIELD_GROUPS] = read_groups,   [FIELD_NAMED] = read_named,
		[FIELD_ANY] = read_any,
	};

	readers[slot->field->type](slot, value);
}

/* One item of a list or of names, or a group: a mapping, or whatever its table's "" says. */
static void read_struct(const struct slot *slot, json_t *value, const struct field *fields,
			void *into)
{
	static const struct field mapping = {.type = FIELD_GROUP};
	struct slot item = *slot;

	if (fields->name && !*fields->name) {
		item.field = fields;
		item.into = (char *)into + fields->at;
		read_slot(&item, value);
	} else if (json_is_object(value)) {
		fields_read(slot->reader, &(struct fields_part){fields, into}, 1, value,
			    slot->pointer);
	} else {
		item.field = &mapping;
		mismatch(&item, slot->pointer, value);
	}
}

static const struct field *find_field(const struct fields_part *parts, size_t count,
				      const char *name, void **into)
{
	for (size_t i = 0; i < count; i++)
		for (const struct field *field = parts[i].fields; field && field->name; field++)
			if (strcmp(field->name, name) == 0) {
				*into = (char *)parts[i].into + field->at;
				return field;
			}
	return NULL;
}

static void add_unknown(const struct fields_reader *reader, const struct fields_part *parts,
			size_t count, const char *name, const char *pointer)
{
	cleanup(buf_free) struct buf known = BUF_INIT(2048);
	const char *names[MAX_NEAR], *near;
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		for (const struct field *field = parts[i].fields; field && field->name; field++) {
			if (used < MAX_NEAR)
				names[used++] = field->name;
			buf_addf(&known, "%s%s", known.size ? ", " : "", field->name);
		}
	near = text_nearest(name, names, used);
	if (near)
		mistakes_add_key(reader->mistakes, pointer,
				 "no such setting '%.60s'; did you mean '%s'?", name, near);
	else
		mistakes_add_key(reader->mistakes, pointer,
				 "no such setting '%.60s'; known here: %s", name, buf_text(&known));
}

/* What isn't in the file: its fallback, or a mistake. */
static void read_absent(const struct fields_reader *reader, const struct field *field, void *into,
			const char *pointer)
{
	struct slot slot = {reader, field, field->name, pointer, into};
	cleanup(buf_free) struct buf expected = BUF_INIT(1024);

	if (field->type == FIELD_CHOICE)
		*(int *)into = -1;
	if (field->fallback) {
		json_auto json_t *value = json_string(field->fallback);

		read_slot(&slot, value);
	} else if (field->required) {
		add_expected(&expected, field);
		mistakes_add(reader->mistakes, pointer, "'%s' is missing; expected %s", field->name,
			     buf_text(&expected));
	}
}

void fields_read(const struct fields_reader *reader, const struct fields_part *parts, size_t count,
		 json_t *object, const char *pointer)
{
	const char *name;
	json_t *value;

	assert(json_is_object(object));
	json_object_foreach(object, name, value)
	{
		autofree char *child = yaml_pointer(pointer, name);
		void *into = NULL;
		const struct field *field = find_field(parts, count, name, &into);
		struct slot slot = {reader, field, name, child, into};

		if (!field)
			add_unknown(reader, parts, count, name, child);
		else
			read_slot(&slot, value);
	}
	for (size_t i = 0; i < count; i++)
		for (const struct field *field = parts[i].fields; field && field->name; field++)
			if (!json_object_get(object, field->name))
				read_absent(reader, field, (char *)parts[i].into + field->at,
					    pointer);
}
