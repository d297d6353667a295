#ifndef ACTION_SUMMARY_H
#define ACTION_SUMMARY_H

#include "base/buf.h"
#include "pipeline/pipeline.h"

/*
 * What the workflow run's page says of the deployments: GitHub's Markdown, in which nothing of a
 * text from outside has a meaning. Always well under the 1 MiB that the runner takes.
 */
struct summary;

/** Times are taken with that clock. */
struct summary *summary_new(struct clock *clock);
void summary_free(struct summary *summary);
DEFINE_FREEP(struct summary, summary_free);

/** A deployment begins; what follows is about it. `to`: its target's name; NULL when not known. */
void summary_service(struct summary *summary, const char *service, const char *environment,
		     const char *to);
void summary_step(struct summary *summary, enum step step);
void summary_line(struct summary *summary, const char *line, size_t size);
void summary_step_end(struct summary *summary, bool failed);
/** How it ended. `note`: what else a person should know; NULL. */
void summary_result(struct summary *summary, const struct result *result, const char *commit,
		    const char *note);

/** A failure before any deployment began: the inputs or the project file are wrong. */
void summary_refusal(struct summary *summary, const char *why);

/** Also while a deployment is under way: it is called unfinished then. */
void summary_write(const struct summary *summary, struct buf *out);

/** Append text so that it is shown as it is, in Markdown, in a table's cell and in HTML. */
void summary_escape(struct buf *out, const char *text);

#endif
