#ifndef BASE_FIELDS_H
#define BASE_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/mistakes.h"
#include "base/secret.h"

/*
 * A table of settings. One table gives the parser, the defaults, the messages ("no such setting
 * 'servce'; did you mean 'service'?"), the reference in docs/, the JSON Schema, and the check that
 * action.yml lists the same inputs. Tables nest. A table for GROUPS or NAMED whose only name is ""
 * says what the item itself is: `secrets: [{file: a}, {file: b}]` is a list of FIELD_SECRET.
 */
/** The type of the member at `at`. */
enum field_type {
	FIELD_TEXT,    /* const char * */
	FIELD_SECRET,  /* struct secret (secret.h): a text, or {file: path} */
	FIELD_FLAG,    /* bool: true, false */
	FIELD_COUNT,   /* int64_t */
	FIELD_SECONDS, /* int64_t: 90, 90s, 15m, 2h */
	FIELD_CHOICE,  /* int: index into choices */
	FIELD_LIST,    /* const char *const *: NULL-ended; one text is a list of one */
	FIELD_MAP,     /* const struct field_pair *: ended by a NULL name; text to text */
	FIELD_COMMAND, /* const char *const *: argv; a text becomes {"/bin/sh", "-c", text} */
	FIELD_GROUP,   /* struct x *: a table of its own; NULL when absent */
	FIELD_GROUPS,  /* struct field_array: a list of them */
	FIELD_NAMED,   /* struct field_array: name to table; the struct begins with its name */
	FIELD_ANY,     /* json_t *, borrowed: read by somebody else; choices, fields describe it */
};

struct field_pair {
	const char *name, *value;
};

struct field_array {
	void *items; /* `count` structs, one after the other */
	size_t count;
};

struct field {
	const char *name; /* as a person writes it: "wait-timeout"; NULL ends the table */
	enum field_type type;
	size_t at;            /* offsetof(struct x_settings, wait_timeout) */
	const char *fallback; /* as a person would write it; NULL: NULL, 0, false, no choice (-1) */
	bool required;
	const char *const *choices; /* what a CHOICE, a TEXT, a LIST's text may be; NULL-ended */
	int64_t min, max; /* COUNT, SECONDS: bounds; lists, NAMED: how many; 0, 0: no bounds */
	/** Checks a text, each text of a list, a MAP's or NAMED's names; says why not in *err. May
	 * be NULL. */
	int (*valid)(const char *text, struct err *err);
	const struct field *fields; /* GROUP, GROUPS, NAMED: their table … */
	size_t size;                /* … and the size of their struct */
	const char *help;           /* one line, for docs and schema */
};

struct fields_reader {
	struct arena *arena; /* owns all that is read */
	struct mistakes *mistakes;
	const char *folder; /* where relative paths of secrets start; NULL: no secrets by file */
};

/** One table and the struct that it fills. */
struct fields_part {
	const struct field *fields;
	void *into;
};

/**
 * Fill the structs from one JSON (or parsed YAML) object that stands at `pointer`; every key must
 * be in one of the tables. Mistakes are added, and reading goes on: look at mistakes->count at the
 * end.
 */
void fields_read(const struct fields_reader *reader, const struct fields_part *parts, size_t count,
		 json_t *object, const char *pointer);

/** The table as Markdown (a table of setting, type, default, meaning; nested names are dotted). */
void fields_markdown(const struct field *fields, struct buf *out);

/** The table as a JSON Schema object (draft-07), new reference. `more`: further tables of it. */
json_t *fields_schema(const struct field *const *tables, size_t count);

#endif
