#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "base/json.h"
#include "base/text.h"

static json_t *schema_of(const struct field *field);

static bool is_bounded(const struct field *field)
{
	return field->min || field->max;
}

/* Is this a table whose items are plain values? */
static bool is_itself(const struct field *fields)
{
	return fields && fields->name && !*fields->name;
}

static void add_seconds(struct buf *out, int64_t seconds)
{
	if (seconds && seconds % 3600 == 0)
		buf_addf(out, "%lldh", (long long)(seconds / 3600));
	else if (seconds && seconds % 60 == 0)
		buf_addf(out, "%lldm", (long long)(seconds / 60));
	else
		buf_addf(out, "%llds", (long long)seconds);
}

static void add_choices(struct buf *out, const char *const *choices)
{
	for (size_t i = 0; choices[i]; i++)
		buf_addf(out, "%s`%s`", i ? ", " : "", choices[i]);
}

static void add_bounds(struct buf *out, const struct field *field)
{
	if (field->type == FIELD_COUNT && is_bounded(field)) {
		buf_addf(out, ", %lld", (long long)field->min);
		if (field->max != field->min)
			buf_addf(out, " to %lld", (long long)field->max);
	} else if (field->type == FIELD_SECONDS && is_bounded(field)) {
		buf_adds(out, ", ");
		add_seconds(out, field->min);
		buf_adds(out, " to ");
		add_seconds(out, field->max);
	}
}

/* "list of text", "command", "`a`, `b`": what a person writes there. */
static void add_type(struct buf *out, const struct field *field)
{
	static const char *const names[] = {
		[FIELD_TEXT] = "text",
		[FIELD_SECRET] = "secret",
		[FIELD_FLAG] = "`true`, `false`",
		[FIELD_COUNT] = "number",
		[FIELD_SECONDS] = "time",
		[FIELD_CHOICE] = "text",
		[FIELD_LIST] = "list of texts",
		[FIELD_MAP] = "names and texts",
		[FIELD_COMMAND] = "command",
		[FIELD_GROUP] = "group",
		[FIELD_GROUPS] = "list of groups",
		[FIELD_NAMED] = "names and groups",
		[FIELD_ANY] = "group",
	};
	bool itself = is_itself(field->fields);

	if (field->choices && field->type == FIELD_LIST)
		buf_adds(out, "list of ");
	if (field->choices)
		add_choices(out, field->choices);
	else if (itself && field->type == FIELD_GROUPS)
		buf_addf(out, "list of %ss", names[field->fields->type]);
	else if (itself && field->type == FIELD_NAMED)
		buf_addf(out, "names and %ss", names[field->fields->type]);
	else
		buf_adds(out, names[field->type]);
	if (field->choices && field->type == FIELD_ANY)
		buf_adds(out, ", or a group");
	add_bounds(out, field);
}

/* A cell: '|' would end it. */
static void add_cell(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			buf_addc(out, '\\');
		buf_addc(out, *s);
	}
}

static void add_rows(struct buf *out, const struct field *fields, const char *prefix)
{
	for (const struct field *field = fields; field->name; field++) {
		const char *down = field->type == FIELD_GROUPS  ? "[]."
				   : field->type == FIELD_NAMED ? ".<name>."
								: ".";
		autofree char *inner = xprintf("%s%s%s", prefix, field->name, down);

		buf_addf(out, "| `%s%s` | ", prefix, field->name);
		add_type(out, field);
		if (field->required)
			buf_adds(out, " | required | ");
		else if (field->fallback)
			buf_addf(out, " | `%s` | ", field->fallback);
		else
			buf_adds(out, " | | ");
		add_cell(out, field->help ? field->help : "");
		buf_adds(out, " |\n");
		if (field->fields && !is_itself(field->fields))
			add_rows(out, field->fields, inner);
	}
}

void fields_markdown(const struct field *fields, struct buf *out)
{
	buf_adds(out, "| setting | type | default | meaning |\n| --- | --- | --- | --- |\n");
	add_rows(out, fields, "");
}

static void set_text(json_t *schema, const char *key, const char *text)
{
	json_object_set_new(schema, key, json_string(text));
}

static json_t *schema_type(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *schema_choices(const char *const *choices)
{
	json_t *list = json_array();

	for (size_t i = 0; choices[i]; i++)
		json_array_append_new(list, json_string(choices[i]));
	return json_pack("{s:o}", "enum", list);
}

/* Whatever YAML makes of a plain word: the parser reads them all as text. */
static json_t *schema_word(int shortest)
{
	return json_pack("{s:[s,s,s],s:i}", "type", "string", "number", "boolean", "minLength",
			 shortest);
}

static json_t *schema_text(const struct field *field)
{
	return field->choices ? schema_choices(field->choices) : schema_word(1);
}

static json_t *schema_count(const struct field *field)
{
	json_t *schema = schema_type("integer");

	if (is_bounded(field)) {
		json_object_set_new(schema, "minimum", json_integer(field->min));
		json_object_set_new(schema, "maximum", json_integer(field->max));
	}
	return schema;
}

static json_t *schema_seconds(const struct field *field)
{
	return json_pack("{s:[o,{s:s,s:s}]}", "anyOf", schema_count(field), "type", "string",
			 "pattern", "^[0-9]+[smh]?$");
}

static void set_bounds(json_t *schema, const char *min, const char *max, const struct field *field)
{
	if (field->min)
		json_object_set_new(schema, min, json_integer(field->min));
	if (field->max)
		json_object_set_new(schema, max, json_integer(field->max));
}

/* The array (or object) itself, or nothing at all where nothing is allowed. */
static json_t *schema_or_null(const struct field *field, json_t *schema)
{
	if (!field->min)
		json_object_set_new(schema, "type",
				    json_pack("[O,s]", json_object_get(schema, "type"), "null"));
	return schema;
}

static json_t *schema_list(const struct field *field)
{
	json_t *item = schema_text(field);
	json_t *list = json_pack("{s:s,s:O}", "type", "array", "items", item);

	set_bounds(list, "minItems", "maxItems", field);
	return json_pack("{s:[o,o]}", "anyOf", schema_or_null(field, list), item);
}

static json_t *schema_command(void)
{
	return json_pack("{s:[{s:s,s:i,s:o},o]}", "anyOf", "type", "array", "minItems", 1, "items",
			 schema_word(0), schema_word(1));
}

static json_t *schema_map(void)
{
	return json_pack("{s:[s,s],s:{s:[s,s,s,s]}}", "type", "object", "null",
			 "additionalProperties", "type", "string", "number", "boolean", "null");
}

static json_t *schema_secret(void)
{
	return json_pack("{s:[{s:s,s:i},{s:s,s:{s:{s:s,s:s}},s:[s],s:b}]}", "anyOf", "type",
			 "string", "minLength", 1, "type", "object", "properties", "file", "type",
			 "string", "description", "The file that holds the secret.", "required",
			 "file", "additionalProperties", 0);
}

static json_t *schema_table(const struct field *fields)
{
	if (is_itself(fields))
		return schema_of(fields);
	return fields_schema(&fields, 1);
}

static json_t *schema_groups(const struct field *field)
{
	json_t *schema =
		json_pack("{s:s,s:o}", "type", "array", "items", schema_table(field->fields));

	set_bounds(schema, "minItems", "maxItems", field);
	return schema_or_null(field, schema);
}

static json_t *schema_named(const struct field *field)
{
	json_t *schema = json_pack("{s:s,s:o}", "type", "object", "additionalProperties",
				   schema_table(field->fields));

	set_bounds(schema, "minProperties", "maxProperties", field);
	return schema_or_null(field, schema);
}

static json_t *schema_any(const struct field *field)
{
	json_t *choices = json_array();

	if (field->choices)
		json_array_append_new(choices, schema_choices(field->choices));
	if (field->fields)
		json_array_append_new(choices, schema_table(field->fields));
	if (json_array_size(choices))
		return json_pack("{s:o}", "anyOf", choices);
	json_decref(choices);
	return json_object();
}

/* The default as the schema's own type of value, so that an editor can insert it. */
static json_t *schema_default(const struct field *field)
{
	struct err err = ERR_INIT;
	int64_t number;

	if (field->type == FIELD_FLAG)
		return json_boolean(text_same(field->fallback, "true"));
	if (field->type == FIELD_COUNT
	    && text_number(field->fallback, INT64_MIN, INT64_MAX, &number, &err) == 0)
		return json_integer(number);
	return json_string(field->fallback);
}

static json_t *schema_kind(const struct field *field)
{
	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_CHOICE:
		return schema_text(field);
	case FIELD_SECRET:
		return schema_secret();
	case FIELD_FLAG:
		return schema_type("boolean");
	case FIELD_COUNT:
		return schema_count(field);
	case FIELD_SECONDS:
		return schema_seconds(field);
	case FIELD_LIST:
		return schema_list(field);
	case FIELD_COMMAND:
		return schema_command();
	case FIELD_MAP:
		return schema_map();
	case FIELD_GROUP:
		return schema_table(field->fields);
	case FIELD_GROUPS:
		return schema_groups(field);
	case FIELD_NAMED:
		return schema_named(field);
	case FIELD_ANY:
		return schema_any(field);
	}
	assert(false && "a type of field without a schema");
	return NULL;
}

static json_t *schema_of(const struct field *field)
{
	json_t *schema = schema_kind(field);

	assert(schema);
	if (field->help)
		set_text(schema, "description", field->help);
	if (field->fallback)
		json_object_set_new(schema, "default", schema_default(field));
	return schema;
}

json_t *fields_schema(const struct field *const *tables, size_t count)
{
	json_t *properties = json_object(), *required = json_array(), *schema;

	for (size_t i = 0; i < count; i++)
		for (const struct field *field = tables[i]; field && field->name; field++) {
			json_object_set_new(properties, field->name, schema_of(field));
			if (field->required)
				json_array_append_new(required, json_string(field->name));
		}
	schema = json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties,
			   "additionalProperties", 0);
	if (json_array_size(required))
		json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}
