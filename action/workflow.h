#ifndef ACTION_WORKFLOW_H
#define ACTION_WORKFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/mem.h"

/*
 * Speaks to GitHub's runner, which reads our output line by line and obeys some of the lines. All
 * that the action prints goes through here, on one stream, so that whatever stands in a text (a
 * child's output, a message that quotes a file) is printed and never obeyed: texts are wrapped in
 * ::stop-commands:: with a token that nobody can know, and are cut into lines as the runner cuts
 * them, at CR and LF. Lines of more than 4 KiB are cut too; of control characters only tabs
 * and colours stay.
 * https://docs.github.com/actions (workflow commands)
 */
struct workflow;

enum workflow_kind { WORKFLOW_ERROR, WORKFLOW_WARNING, WORKFLOW_NOTICE, WORKFLOW_KINDS };

struct workflow_annotation {
	enum workflow_kind kind;
	const char *message;   /* cut to 4,096 bytes, at the border of a character */
	const char *title;     /* NULL */
	const char *file;      /* relative to the workspace; NULL: none, and no line either */
	unsigned line, column; /* from 1; 0: none */
};

/** `fd` stays open. `debug`: the job asked for debug lines. */
struct workflow *workflow_new(int fd, bool debug);
/** Ends a group that is open, and lets commands through again. */
void workflow_free(struct workflow *workflow);
DEFINE_FREEP(struct workflow, workflow_free);

/** A line or several of somebody else's. */
void workflow_text(struct workflow *workflow, const char *text, size_t size);
/** Lines of ours, which may quote others. */
void workflow_say(struct workflow *workflow, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** The same as a stream, for code that prints; flushed by its fclose(), before the workflow goes.
 */
FILE *workflow_stream(struct workflow *workflow);

/** Let commands through: another of our processes, which wraps its own texts, writes the lines
 * from here on. They are passed on as they are. */
void workflow_pause(struct workflow *workflow);
void workflow_raw(struct workflow *workflow, const char *line, size_t size);

/** Also hear each line of that stream. */
void workflow_listen(struct workflow *workflow,
		     void (*heard)(void *self, const char *line, size_t size), void *self);

/** The runner replaces it, and each of its lines, by "***" from here on. Each value once. */
void workflow_mask(struct workflow *workflow, const char *secret);

/** Lines from here on fold away below the title; a group that is open ends. */
void workflow_group(struct workflow *workflow, const char *title);
void workflow_group_end(struct workflow *workflow);

/** Only shown when the job asked for debug lines. */
void workflow_debug(struct workflow *workflow, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** A line on the run's page, and at its place in the file. */
void workflow_annotate(struct workflow *workflow, const struct workflow_annotation *annotation);

#endif
