#include "base/yaml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/mistakes.h"
#include "base/text.h"

/* The bounds keep a hostile file from costing more than its size. */
enum { MAX_SIZE = 1024 * 1024, MAX_DEPTH = 32, MAX_KEY = 256, MAX_VALUES = 50000 };

/* One value. Marks form the same tree as the values: a table of whole pointers could be made to
 * grow with the square of the file's size. */
struct mark {
	const char *key; /* NULL in a list and at the root */
	unsigned line, column, key_line, key_column;
	struct mark *first, *last, *next;
};

struct yaml_marks {
	struct arena *arena;
	struct mark *root;
};

struct reader {
	yaml_parser_t parser;
	struct yaml_marks *marks;
	struct mistakes *mistakes;
	const char *text;
	size_t size, values;
};

static struct mark *mark_new(struct reader *reader, struct mark *parent, const char *key)
{
	struct mark *mark = arena_alloc(reader->marks->arena, sizeof *mark);

	mark->key = key;
	if (!parent)
		reader->marks->root = mark;
	else if (parent->last)
		parent->last->next = mark;
	else
		parent->first = mark;
	if (parent)
		parent->last = mark;
	return mark;
}

static void set_place(struct mark *mark, const yaml_event_t *event)
{
	mark->line = (unsigned)event->start_mark.line + 1;
	mark->column = (unsigned)event->start_mark.column + 1;
	if (!mark->key_line) {
		mark->key_line = mark->line;
		mark->key_column = mark->column;
	}
}

static void complain(struct reader *reader, const yaml_event_t *event, const char *what)
{
	mistakes_add_at(reader->mistakes, (unsigned)event->start_mark.line + 1,
			(unsigned)event->start_mark.column + 1, "%s", what);
}

/* libyaml gives a byte, not a place, for characters that it refuses. */
static void place_reader_problem(struct reader *reader)
{
	yaml_parser_t *parser = &reader->parser;

	if (parser->error != YAML_READER_ERROR)
		return;
	parser->problem_mark.line = 0;
	parser->problem_mark.column = 0;
	for (size_t i = 0; i < reader->size && i < parser->problem_offset; i++) {
		parser->problem_mark.column++;
		if (reader->text[i] == '\n') {
			parser->problem_mark.line++;
			parser->problem_mark.column = 0;
		}
	}
}

static void complain_of_parser(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *context = parser->context ? parser->context : "";
	size_t at = parser->problem_mark.index;

	place_reader_problem(reader);
	if (parser->error == YAML_SCANNER_ERROR && at < reader->size && reader->text[at] == '\t'
	    && !strstr(parser->problem, "tab"))
		context = "which is a tab; indent with spaces";
	mistakes_add_at(reader->mistakes, (unsigned)parser->problem_mark.line + 1,
			(unsigned)parser->problem_mark.column + 1, "this is not YAML: %s%s%s",
			parser->problem ? parser->problem : "out of memory", *context ? ", " : "",
			context);
}

/* 0, or -1 when reading can't go on (said already). */
static int next(struct reader *reader, yaml_event_t *event)
{
	if (yaml_parser_parse(&reader->parser, event))
		return 0;
	complain_of_parser(reader);
	return -1;
}

/* Anchors and tags: say so, and read the value as if they weren't there. */
static void check_properties(struct reader *reader, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (anchor)
		mistakes_add_at(reader->mistakes, (unsigned)event->start_mark.line + 1,
				(unsigned)event->start_mark.column + 1,
				"anchors are not supported, found '&%.40s'; write the value out",
				(const char *)anchor);
	if (tag)
		mistakes_add_at(reader->mistakes, (unsigned)event->start_mark.line + 1,
				(unsigned)event->start_mark.column + 1,
				"tags are not supported, found '%.40s'; leave it out",
				(const char *)tag);
}

/* YAML 1.2's core schema, section 10.3.2. */
static bool is_null(const char *text)
{
	return !*text || text_same(text, "~") || text_same(text, "null") || text_same(text, "Null")
	       || text_same(text, "NULL");
}

static json_t *scalar_value(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t size = event->data.scalar.length;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	json_t *value;

	if (plain && is_null(text))
		return json_null();
	if (memchr(text, '\0', size)) {
		complain(reader, event, "the text holds a NUL character; leave it out");
		return json_null();
	}
	value = json_stringn(text, size);
	if (value)
		return value;
	complain(reader, event, "the text is not UTF-8");
	return json_null();
}

static int read_value(struct reader *reader, yaml_event_t *event, struct mark *mark, int depth,
		      json_t **out);

/* The key of the pair that begins with `event`; NULL (said already) when it can't be one. */
static const char *read_key(struct reader *reader, const yaml_event_t *event, json_t *object)
{
	const char *key;

	if (event->type != YAML_SCALAR_EVENT) {
		complain(reader, event, "a key must be a plain text, not a list, mapping or alias");
		return NULL;
	}
	check_properties(reader, event);
	key = (const char *)event->data.scalar.value;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(key, "<<") == 0) {
		complain(reader, event,
			 "merge keys ('<<') are not supported; write the values out");
		return NULL;
	}
	if (event->data.scalar.length > MAX_KEY || strlen(key) != event->data.scalar.length) {
		complain(reader, event, "a key must have at most 256 bytes and no NUL character");
		return NULL;
	}
	if (!json_object_get(object, key))
		return arena_strdup(reader->marks->arena, key);
	mistakes_add_at(reader->mistakes, (unsigned)event->start_mark.line + 1,
			(unsigned)event->start_mark.column + 1,
			"the key '%.80s' is here a second time; keep one of them", key);
	return NULL;
}

/* One key and its value; a pair whose key is refused is read, and dropped. */
static int read_pair(struct reader *reader, yaml_event_t *event, struct mark *parent, int depth,
		     json_t *object)
{
	struct mark dropped = {0}, *mark = &dropped;
	const char *key = read_key(reader, event, object);
	yaml_event_t inner;
	json_t *value = NULL;
	int failed;

	if (key) {
		mark = mark_new(reader, parent, key);
		set_place(mark, event);
	}
	/* A key that is itself a list or mapping is read to its end before the value comes. */
	if (event->type != YAML_SCALAR_EVENT && event->type != YAML_ALIAS_EVENT) {
		failed = read_value(reader, event, &dropped, depth, &value);
		json_decref(value);
		value = NULL;
		if (failed)
			return -1;
	}
	if (next(reader, &inner))
		return -1;
	failed = read_value(reader, &inner, mark, depth, &value);
	yaml_event_delete(&inner);
	if (!failed && key)
		json_object_set_nocheck(object, key, value);
	json_decref(value);
	return failed;
}

static int read_mapping(struct reader *reader, struct mark *mark, int depth, json_t **out)
{
	yaml_event_t event;
	int failed = 0;

	*out = json_object();
	while (!failed) {
		bool end;

		if (next(reader, &event))
			return -1;
		end = event.type == YAML_MAPPING_END_EVENT;
		if (!end)
			failed = read_pair(reader, &event, mark, depth + 1, *out);
		yaml_event_delete(&event);
		if (end)
			return 0;
	}
	return -1;
}

static int read_list(struct reader *reader, struct mark *mark, int depth, json_t **out)
{
	yaml_event_t event;
	int failed = 0;

	*out = json_array();
	while (!failed) {
		json_t *value = NULL;
		bool end;

		if (next(reader, &event))
			return -1;
		end = event.type == YAML_SEQUENCE_END_EVENT;
		if (!end) {
			failed = read_value(reader, &event, mark_new(reader, mark, NULL), depth + 1,
					    &value);
			json_array_append_new(*out, value ? value : json_null());
		}
		yaml_event_delete(&event);
		if (end)
			return 0;
	}
	return -1;
}

static int read_value(struct reader *reader, yaml_event_t *event, struct mark *mark, int depth,
		      json_t **out)
{
	set_place(mark, event);
	check_properties(reader, event);
	if (depth > MAX_DEPTH) {
		complain(reader, event, "nested too deeply: at most 32 levels");
		return -1;
	}
	if (++reader->values > MAX_VALUES) {
		complain(reader, event, "too many values: at most 50000");
		return -1;
	}
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		*out = scalar_value(reader, event);
		return 0;
	case YAML_SEQUENCE_START_EVENT:
		return read_list(reader, mark, depth, out);
	case YAML_MAPPING_START_EVENT:
		return read_mapping(reader, mark, depth, out);
	default:
		complain(reader, event, "aliases are not supported; write the value out");
		*out = json_null();
		return 0;
	}
}

/* Everything from the start of the stream to its end; NULL in *out when it holds no document. */
static int read_stream(struct reader *reader, json_t **out)
{
	bool end = false;
	int failed = 0;

	while (!end && !failed) {
		yaml_event_t event;

		if (next(reader, &event))
			return -1;
		end = event.type == YAML_STREAM_END_EVENT;
		if (event.type == YAML_DOCUMENT_START_EVENT && *out) {
			complain(reader, &event, "a second document ('---'); only one is read");
			end = true;
		} else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_ALIAS_EVENT
			   || event.type == YAML_SEQUENCE_START_EVENT
			   || event.type == YAML_MAPPING_START_EVENT) {
			failed = read_value(reader, &event, reader->marks->root, 1, out);
		}
		yaml_event_delete(&event);
	}
	return failed;
}

/* Is it text that libyaml may see? It would also take UTF-16. */
static bool check_text(const char *text, size_t size, struct mistakes *mistakes)
{
	unsigned line = 1;

	if (size > MAX_SIZE) {
		mistakes_add_at(mistakes, 0, 0, "the file is %zu bytes long; at most 1 MiB is read",
				size);
		return false;
	}
	if (text_is_utf8(text, size))
		return true;
	for (const char *end; size; line++) {
		size_t length;

		end = memchr(text, '\n', size);
		length = end ? (size_t)(end - text) + 1 : size;
		if (!text_is_utf8(text, length))
			break;
		text += length;
		size -= length;
	}
	mistakes_add_at(mistakes, line, 1, "this line is not UTF-8 text; save the file as UTF-8");
	return false;
}

int yaml_parse(json_t **out, struct yaml_marks **marks, const char *text, size_t size,
	       struct mistakes *mistakes, struct err *err)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct reader reader = {.mistakes = mistakes, .text = text, .size = size};
	unsigned before = mistakes->count;

	*out = NULL;
	*marks = NULL;
	if (size >= 3 && memcmp(text, bom, 3) == 0) {
		reader.text = text += 3;
		reader.size = size -= 3;
	}
	if (!check_text(text, size, mistakes))
		return mistakes_result(mistakes, err);
	if (!yaml_parser_initialize(&reader.parser))
		return err_set(err, ERR_SYSTEM, 0, "read YAML: out of memory");
	reader.marks = xalloc(sizeof *reader.marks);
	reader.marks->arena = arena_new();
	mark_new(&reader, NULL, NULL);
	*reader.marks->root = (struct mark){NULL, 1, 1, 1, 1, NULL, NULL, NULL};
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
	(void)read_stream(&reader, out);
	yaml_parser_delete(&reader.parser);
	if (mistakes->count == before) {
		*marks = reader.marks;
		*out = *out ? *out : json_null();
		return 0;
	}
	json_decref(*out);
	*out = NULL;
	yaml_marks_free(reader.marks);
	return mistakes_result(mistakes, err);
}

/* Does the pointer's token (up to '/' or the end) name this key? */
static bool names_key(const char *token, size_t size, const char *key)
{
	size_t i = 0;

	for (; i < size && *key; i++, key++) {
		char c = token[i];

		if (c == '~' && i + 1 < size)
			c = token[++i] == '0' ? '~' : '/';
		if (c != *key)
			return false;
	}
	return i == size && !*key;
}

static const struct mark *find_child(const struct mark *mark, const char *token, size_t size)
{
	unsigned long index = 0;

	for (size_t i = 0; i < size; i++)
		index = index * 10 + (unsigned long)(token[i] - '0');
	for (const struct mark *child = mark->first; child; child = child->next)
		if (child->key ? names_key(token, size, child->key) : index-- == 0)
			return child;
	return NULL;
}

void yaml_mark(const struct yaml_marks *marks, const char *pointer, bool key, unsigned *line,
	       unsigned *column)
{
	const struct mark *mark = marks->root;

	while (*pointer == '/') {
		size_t size = strcspn(pointer + 1, "/");
		const struct mark *child = find_child(mark, pointer + 1, size);

		if (!child)
			break;
		mark = child;
		pointer += size + 1;
	}
	*line = key ? mark->key_line : mark->line;
	*column = key ? mark->key_column : mark->column;
}

char *yaml_pointer(const char *pointer, const char *key)
{
	struct buf out = BUF_INIT(64 * 1024);

	buf_adds(&out, pointer);
	buf_addc(&out, '/');
	for (; *key; key++)
		if (*key == '~' || *key == '/')
			buf_adds(&out, *key == '~' ? "~0" : "~1");
		else
			buf_addc(&out, *key);
	return buf_take(&out);
}

void yaml_marks_free(struct yaml_marks *marks)
{
	if (!marks)
		return;
	arena_free(marks->arena);
	free(marks);
}
