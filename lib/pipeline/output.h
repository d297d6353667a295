#ifndef PIPELINE_OUTPUT_H
#define PIPELINE_OUTPUT_H

#include "base/redact.h"
#include "pipeline/run.h"

/* What a command of the project prints, told line by line. Private to lib/pipeline. */
struct output {
	struct run *run;
	const char *what; /* the command, for messages */
	struct redact_stream stream;
	struct buf clean;
	char last[161]; /* of what it said last */
	int64_t began, heard, timeout;
};

/** Says the command. `timeout`: of it, in seconds. */
void output_begin(struct output *output, struct run *run, const char *what, int64_t timeout);
/** `self` is the output: for struct child, and for the engine. */
void output_line(void *self, const char *line, size_t size);
/** run_tick, and a line of ours now and then when the command says nothing. */
int output_tick(void *self);
void output_end(struct output *output);

/** 0 for status 0, else *err with how it ended and its last line. */
int output_judge(const struct output *output, int status, struct err *err) MUST_CHECK;
/** -1: *err, which the call left, told for the command: its time-out, with its last line. */
int output_failed(const struct output *output, struct err *err);

#endif
