#include "action/summary.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { TAIL = 60, LONGEST_LINE = 500, MOST_SERVICES = 100, MOST_STEPS = 12, OUT = 900 * 1024 };

struct done {
	enum step step;
	int64_t began, took; /* milliseconds */
	bool ended, failed;
	unsigned lines;
};

struct part {
	char *service, *environment, *to;
	struct done steps[MOST_STEPS];
	unsigned step_count;
	char *tail[TAIL]; /* of the step that failed, or of the one under way */
	unsigned said;
	bool ended, kept; /* kept: the tail is that of the step that failed */
	enum outcome outcome;
	char *version, *previous, *url, *error, *commit, *image, *note;
};

struct summary {
	struct clock *clock;
	struct part *parts;
	size_t count;
	char *refusal;
};

void summary_escape(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		/* A character by its number never begins or ends anything. What is left has a
		 * meaning only at the start of a line, where no text of others stands. */
		if (c < 0x20 || c == 0x7f)
			buf_addc(out, ' ');
		else if (isalnum(c) || c >= 0x80 || strchr(" /,;%?+=-.:()", c))
			buf_addc(out, (char)c);
		else
			buf_addf(out, "&#%u;", (unsigned)c);
	}
}

static struct part *last(const struct summary *summary)
{
	return summary->count > 0 ? &summary->parts[summary->count - 1] : NULL;
}

static struct done *last_step(struct part *part)
{
	return part && part->step_count > 0 ? &part->steps[part->step_count - 1] : NULL;
}

static void forget_tail(struct part *part)
{
	for (size_t i = 0; i < TAIL; i++)
		free(take(part->tail[i]));
	part->said = 0;
}

void summary_service(struct summary *summary, const char *service, const char *environment,
		     const char *to)
{
	if (summary->count >= MOST_SERVICES)
		return;
	summary->parts = xresize(summary->parts, summary->count + 1, sizeof *summary->parts);
	summary->parts[summary->count++] = (struct part){.service = xstrdup(service),
							 .environment = xstrdup(environment),
							 .to = xstrdup(to)};
}

void summary_step(struct summary *summary, enum step step)
{
	struct part *part = last(summary);

	if (!part || part->step_count >= MOST_STEPS)
		return;
	part->steps[part->step_count++] =
		(struct done){.step = step, .began = clock_ticks(summary->clock)};
	if (!part->kept)
		forget_tail(part);
}

void summary_line(struct summary *summary, const char *line, size_t size)
{
	struct part *part = last(summary);
	struct done *step = last_step(part);
	char **slot;

	if (!step)
		return;
	step->lines++;
	if (part->kept)
		return;
	slot = &part->tail[part->said++ % TAIL];
	free(*slot);
	*slot = xprintf("%.*s", (int)(size < LONGEST_LINE ? size : LONGEST_LINE), line);
}

void summary_step_end(struct summary *summary, bool failed)
{
	struct part *part = last(summary);
	struct done *step = last_step(part);

	if (!step)
		return;
	step->took = clock_ticks(summary->clock) - step->began;
	step->ended = true;
	step->failed = failed;
	part->kept |= failed;
}

void summary_result(struct summary *summary, const struct result *result, const char *commit,
		    const char *note)
{
	struct part *part = last(summary);

	if (!part || part->ended)
		return; /* one service too many */
	part->ended = true;
	part->outcome = result->outcome;
	part->version = xstrdup(result->progress.version);
	part->previous = xstrdup(result->progress.previous);
	part->url = xstrdup(result->progress.url);
	part->image = xstrdup(result->progress.image);
	part->commit = xstrdup(commit);
	part->note = xstrdup(note);
	if (result->outcome != OUTCOME_LIVE)
		part->error = xstrdup(result->err.text);
}

void summary_refusal(struct summary *summary, const char *why)
{
	free(summary->refusal);
	summary->refusal = xstrdup(why);
}

static const char *word(const struct part *part)
{
	static const char *const words[OUTCOME_COUNT] = {
		[OUTCOME_LIVE] = "✅ live",
		[OUTCOME_FAILED] = "❌ failed, nothing was switched",
		[OUTCOME_ROLLED_BACK] = "❌ failed and rolled back",
		[OUTCOME_USAGE] = "❌ the settings are wrong, nothing was touched",
		[OUTCOME_UNKNOWN] = "⚠️ failed, and what serves now is unknown",
		[OUTCOME_CANCELLED] = "⏹️ cancelled",
		[OUTCOME_SUPERSEDED] = "⏭️ superseded by a newer one",
		[OUTCOME_LOST] = "⏹️ cut off before it could end in order",
	};

	return part->ended ? words[part->outcome] : "⏹️ cut off before it could end in order";
}

static void row(struct buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	buf_addf(out, "| %s | ", name);
	summary_escape(out, value);
	buf_adds(out, " |\n");
}

static void write_url(struct buf *out, const char *url)
{
	if (!url || !*url)
		return;
	if (!text_starts(url, "https://") && !text_starts(url, "http://")) {
		row(out, "URL", url);
		return;
	}
	buf_adds(out, "| URL | <a href=\"");
	summary_escape(out, url);
	buf_adds(out, "\">");
	summary_escape(out, url);
	buf_adds(out, "</a> |\n");
}

static void write_facts(struct buf *out, const struct part *part)
{
	buf_adds(out, "| | |\n|---|---|\n");
	row(out, "Environment", part->environment);
	row(out, "Target", part->to);
	write_url(out, part->url);
	row(out, "Version", part->version);
	row(out, "Version before", part->previous);
	row(out, "Commit", part->commit);
	row(out, "Image", part->image);
}

static void write_steps(struct buf *out, const struct part *part)
{
	if (part->step_count == 0)
		return;
	buf_adds(out, "\n| Step | Time | |\n|---|---:|---|\n");
	for (unsigned i = 0; i < part->step_count; i++) {
		const struct done *step = &part->steps[i];

		if (!step->ended) {
			buf_addf(out, "| %s | | ⏹️ cut off |\n", step_name(step->step));
			continue;
		}
		buf_addf(out, "| %s | %lld.%lld s | %s |\n", step_name(step->step),
			 (long long)(step->took / 1000), (long long)(step->took / 100 % 10),
			 step->failed ? "❌" : "✅");
	}
}

/* Within <pre> only HTML has a meaning. Each line is cut, so the whole is under 64 KiB. */
static void write_tail(struct buf *out, const struct part *part)
{
	unsigned first = part->said > TAIL ? part->said - TAIL : 0;

	if (part->said == 0 || (part->ended && part->outcome == OUTCOME_LIVE))
		return;
	buf_adds(out, "\n<details open><summary>The last lines</summary>\n\n<pre>\n");
	for (unsigned i = first; i < part->said; i++) {
		summary_escape(out, part->tail[i % TAIL]);
		buf_addc(out, '\n');
	}
	buf_adds(out, "</pre>\n\n</details>\n");
}

static void write_story(struct buf *out, const struct part *part)
{
	if (part->error) {
		buf_adds(out, "\n**Why:** ");
		summary_escape(out, part->error);
		buf_adds(out, "\n");
	}
	if (part->ended && part->outcome == OUTCOME_ROLLED_BACK) {
		buf_adds(out, "\n**Rolled back:** ");
		if (part->version) {
			summary_escape(out, part->version);
			buf_adds(out, " was taken away again; ");
		}
		if (part->previous) {
			buf_adds(out, "version ");
			summary_escape(out, part->previous);
			buf_adds(out, " serves as before");
		} else {
			buf_adds(out, "there was no version before, so nothing serves");
		}
		buf_adds(out, ".\n");
	}
	if (part->note) {
		buf_addc(out, '\n');
		summary_escape(out, part->note);
		buf_addc(out, '\n');
	}
}

static void write_part(struct buf *out, const struct part *part)
{
	buf_adds(out, "## ");
	summary_escape(out, part->service);
	buf_adds(out, ": ");
	buf_adds(out, word(part));
	buf_adds(out, "\n\n");
	write_facts(out, part);
	write_story(out, part);
	write_steps(out, part);
}

void summary_write(const struct summary *summary, struct buf *out)
{
	for (size_t i = 0; i < summary->count; i++) {
		cleanup(buf_free) struct buf text = BUF_INIT(OUT);

		write_part(&text, &summary->parts[i]);
		/* The facts of all services are worth more than the log of one. */
		if (out->size + text.size > OUT - (summary->count - i) * 2048)
			continue;
		buf_add(out, text.data, text.size);
		buf_clear(&text);
		write_tail(&text, &summary->parts[i]);
		buf_addc(&text, '\n');
		if (out->size + text.size <= OUT / 2)
			buf_add(out, buf_text(&text), text.size);
		else
			buf_addc(out, '\n');
	}
	if (summary->refusal) {
		buf_adds(out, "## ❌ nothing was deployed\n\n**Why:** ");
		summary_escape(out, summary->refusal);
		buf_adds(out, "\n");
	}
}

struct summary *summary_new(struct clock *clock)
{
	struct summary *summary = xalloc(sizeof *summary);

	summary->clock = clock;
	return summary;
}

static void part_free(struct part *part)
{
	char *texts[] = {part->service,  part->environment, part->to,    part->version,
			 part->previous, part->url,         part->error, part->commit,
			 part->image,    part->note};

	forget_tail(part);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		free(texts[i]);
}

void summary_free(struct summary *summary)
{
	if (!summary)
		return;
	for (size_t i = 0; i < summary->count; i++)
		part_free(&summary->parts[i]);
	free(summary->parts);
	free(summary->refusal);
	free(summary);
}
