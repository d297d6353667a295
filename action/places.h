#ifndef ACTION_PLACES_H
#define ACTION_PLACES_H

#include <stddef.h>

/* Finds places in files in the lines that compilers, interpreters and test runners print. Looks at
 * nothing but the lines. */

enum place_kind { PLACE_ERROR, PLACE_WARNING, PLACE_NOTE, PLACE_UNSURE };

struct place {
	enum place_kind kind; /* UNSURE: the tool doesn't say how bad it is */
	const char *file, *message;
	unsigned line, column; /* column 0: unknown */
};

struct places {
	void (*found)(void *self, const struct place *place);
	void *self;
	char file[512]; /* of a traceback or a rustc message that goes on … */
	unsigned line;
	char message[1024]; /* … or its message, which came first */
	enum place_kind kind;
};

void places_begin(struct places *places, void (*found)(void *self, const struct place *place),
		  void *self);
/** Each line; found() is called before this returns, or when a later line completes it. */
void places_line(struct places *places, const char *line, size_t size);
/** No more lines belong to what came before. */
void places_end(struct places *places);

#endif
