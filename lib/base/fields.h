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

/*
 * A table of settings. One table gives the parser, the defaults, the messages ("no such setting
 * 'servce'; did you mean 'service'?"), the reference in docs/, the JSON Schema, and the check that
 * action.yml lists the same inputs. Tables nest.
 */
enum field_type {	/* the member at `at` is: */
	FIELD_TEXT,	/* const char * */
	FIELD_SECRET,	/* struct secret: a text, or {file: path} */
	FIELD_FLAG,	/* bool: true, false */
	FIELD_COUNT,	/* int64_t */
	FIELD_SECONDS,	/* int64_t: 90, 90s, 15m, 2h */
	FIELD_CHOICE,	/* int: index into choices */
	FIELD_LIST,	/* const char *const *: NULL-ended; one text is a list of one */
	FIELD_MAP,	/* const struct field_pair *: ended by a NULL name; text to text */
	FIELD_COMMAND,	/* const char *const *: argv; a text becomes {"/bin/sh", "-c", text} */
	FIELD_GROUP,	/* struct x *: a table of its own; NULL when absent */
	FIELD_GROUPS,	/* struct field_array: a list of them */
	FIELD_NAMED,	/* struct field_array: name to table; the struct begins with const char *name */
	FIELD_ANY,	/* json_t *, borrowed: somebody else reads it */
};

struct field_pair {
	const char *name, *value;
};

struct field_array {
	void *items; /* `count` structs, one after the other */
	size_t count;
};

/** Read when it's needed, by the process that may have it: see secret_read(). */
struct secret {
	const char *text; /* given in place; NULL otherwise */
	const char *file; /* absolute path; NULL otherwise */
};

struct field {
	const char *name; /* as a person writes it: "wait-timeout"; NULL ends the table */
	enum field_type type;
	size_t at;		/* offsetof(struct x_settings, wait_timeout) */
	const char *fallback;	/* as a person would write it; NULL: none (NULL, 0, false or -1 for a choice) */
	bool required;
	const char *const *choices; /* FIELD_CHOICE: NULL-ended */
	int64_t min, max;	    /* COUNT, SECONDS: bounds; GROUPS, NAMED, LIST: how many (0, 0: no bounds) */
	/** Checks a text, each text of a list, a MAP's or NAMED's names; says why not in *err. May be NULL. */
	int (*valid)(const char *text, struct err *err);
	const struct field *fields; /* GROUP, GROUPS, NAMED: their table … */
	size_t size;		    /* … and the size of their struct */
	const char *help;	    /* one line, for docs and schema */
};

struct fields_reader {
	struct arena *arena;	    /* owns all that is read */
	struct mistakes *mistakes;
	const char *folder;	    /* what a secret's relative path is relative to; NULL: secrets by file refused */
};

/** One table and the struct that it fills. */
struct fields_part {
	const struct field *fields;
	void *into;
};

/**
 * Fill the structs from one JSON (or parsed YAML) object that stands at `pointer`; every key must be
 * in one of the tables. Mistakes are added, and reading goes on: look at mistakes->count at the end.
 */
void fields_read(const struct fields_reader *reader, const struct fields_part *parts, size_t count,
		 json_t *object, const char *pointer);

/** The secret's bytes without one trailing newline; the caller wipes and frees. Empty is an error. */
int secret_read(const struct secret *secret, char **out, struct err *err) MUST_CHECK;

/** The table as Markdown (a table of setting, type, default, meaning; nested names are dotted). */
void fields_markdown(const struct field *fields, struct buf *out);

/** The table as a JSON Schema object (draft-07), new reference. `more`: further tables of it. */
json_t *fields_schema(const struct field *const *tables, size_t count);

#endif
