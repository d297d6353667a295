/* What the action prints, read as GitHub's runner reads it: nothing that it quotes is obeyed. */
#include "action/workflow.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runner_lines.h"
#include "tap.h"

struct heard {
	struct buf obeyed, shown;
};

static void obeyed(void *self, const char *name, const char *properties, const char *data)
{
	struct heard *heard = self;

	buf_addf(&heard->obeyed, "%s{%s}%s\n", name, properties, data);
}

static void shown(void *self, const char *line, size_t size)
{
	struct heard *heard = self;

	buf_add(&heard->shown, line, size);
	buf_addc(&heard->shown, '\n');
}

static int output = -1;
static struct workflow *workflow;

static void begin(bool debug)
{
	output = memfd_create("output", MFD_CLOEXEC);
	workflow = workflow_new(output, debug);
}

/* What the runner made of it all. */
static struct heard end(void)
{
	struct heard heard = {BUF_INIT(1 << 26), BUF_INIT(1 << 26)};
	struct runner_lines lines = {.obeyed = obeyed, .shown = shown, .self = &heard};
	struct buf text = BUF_INIT(1 << 26);
	char piece[65536];
	ssize_t got;

	workflow_free(workflow);
	lseek(output, 0, SEEK_SET);
	while ((got = read(output, piece, sizeof piece)) > 0)
		buf_add(&text, piece, (size_t)got);
	close(output);
	runner_lines_read(&lines, text.data, text.size);
	ok(*lines.token == '\0', "commands are let through again at the end");
	buf_free(&text);
	return heard;
}

static void over(struct heard *heard)
{
	buf_free(&heard->obeyed);
	buf_free(&heard->shown);
}

static void say(const char *text)
{
	workflow_text(workflow, text, strlen(text));
}

static void test_hostile(void)
{
	static const char *const lines[] = {
		"::error::x",
		"  ::set-env name=PATH::/evil",
		"\xc2\xa0::add-path::/evil",
		"text ##[error]x",
		"##[set-env name=A;]b",
		"a\r::warning::x",
		"a\r\n::add-mask::e",
		"::stop-commands::mine\n::mine::\n::error::y",
		"::0123456789abcdef0123456789abcdef::",
		"\033[1m::error::bold",
		"\033]0;title\a::error::x",
		"\0::error::x",
		"::ERROR::caps",
		"::endgroup::",
		"##[endgroup]",
		"::group::mine",
	};
	struct heard heard;

	begin(false);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		say(lines[i]);
	workflow_text(workflow, "\0::error::nul", 13);
	heard = end();
	same_str(buf_text(&heard.obeyed), "", "nothing that a child prints is a command");
	ok(strstr(buf_text(&heard.shown), "text ##[error]x\n") != NULL, "all of it is shown");
	ok(strstr(buf_text(&heard.shown), "\na\n::warning::x\n") != NULL, "cut at a bare CR");
	over(&heard);
}

static void test_long(void)
{
	cleanup(buf_free) struct buf text = BUF_INIT(1 << 20);
	struct heard heard;
	size_t longest = 0;

	while (text.size < 200000)
		buf_adds(&text, "é::error::");
	begin(false);
	workflow_text(workflow, text.data, text.size);
	heard = end();
	same_str(buf_text(&heard.obeyed), "", "no piece of a long line is a command");
	for (const char *at = buf_text(&heard.shown); *at; at += strcspn(at, "\n") + 1)
		longest = strcspn(at, "\n") > longest ? strcspn(at, "\n") : longest;
	ok(longest > 4000 && longest <= 4096, "long lines are cut");
	over(&heard);
}

static void test_commands(void)
{
	struct heard heard;
	const struct workflow_annotation annotation = {.kind = WORKFLOW_WARNING,
						       .message = "100% of\nit\r",
						       .title = "a: b, c",
						       .file = "src/a,b.c",
						       .line = 3,
						       .column = 7};

	begin(true);
	workflow_group(workflow, "build\n::error::x");
	say("text");
	workflow_group(workflow, "test");
	workflow_annotate(workflow, &annotation);
	workflow_debug(workflow, "why: %s", "x\n::error::y");
	heard = end();
	same_str(buf_text(&heard.obeyed),
		 "group{}build\n::error::x\nendgroup{}\ngroup{}test\n"
		 "warning{file=src/a%2Cb.c,line=3,col=7,title=a%3A b%2C c}100% of\nit\r\n"
		 "debug{}why: x\n::error::y\nendgroup{}\n",
		 "our own commands come through as they were meant");
	over(&heard);
	begin(false);
	workflow_debug(workflow, "hidden");
	workflow_annotate(workflow, &(struct workflow_annotation){
					    .kind = WORKFLOW_ERROR, .message = "m", .line = 3});
	heard = end();
	same_str(buf_text(&heard.obeyed), "error{}m\n",
		 "no debug lines unless asked; no line without a file");
	over(&heard);
}

static void test_masks(void)
{
	struct heard heard;

	begin(false);
	say("before");
	workflow_mask(workflow, "pass%word");
	workflow_mask(workflow, "pass%word");
	workflow_mask(workflow, "");
	workflow_mask(workflow, " \n");
	workflow_mask(workflow, "-----BEGIN KEY-----\nabcdef\r\n\n-----END KEY-----\n");
	heard = end();
	same_str(buf_text(&heard.obeyed),
		 "add-mask{}pass%word\n"
		 "add-mask{}-----BEGIN KEY-----\nabcdef\r\n\n-----END KEY-----\n\n"
		 "add-mask{}-----BEGIN KEY-----\nadd-mask{}abcdef\nadd-mask{}-----END KEY-----\n",
		 "each value once, and each of its lines; none that is empty");
	over(&heard);
}

static void test_message_length(void)
{
	autofree char *message = xalloc(10001);
	struct heard heard;

	for (size_t i = 0; i < 10000; i += 2)
		memcpy(message + i, "é", 2);
	message[0] = 'x';
	message[1] = 'y';
	memmove(message + 1, message + 2, 9998);
	begin(false);
	workflow_annotate(workflow, &(struct workflow_annotation){.kind = WORKFLOW_NOTICE,
								  .message = message});
	heard = end();
	same_int((intmax_t)heard.obeyed.size, (intmax_t)strlen("notice{}\n") + 4095,
		 "a message is cut to 4,096 bytes, at a character's border");
	over(&heard);
}

static void heard_line(void *self, const char *line, size_t size)
{
	buf_addf(self, "[%.*s]", (int)size, line);
}

static void test_stream(void)
{
	cleanup(buf_free) struct buf lines = BUF_INIT(1024);
	struct heard heard;
	FILE *stream;

	begin(false);
	workflow_listen(workflow, heard_line, &lines);
	stream = workflow_stream(workflow);
	fprintf(stream, "one\n::error::t");
	fflush(stream);
	fprintf(stream, "wo\nlast");
	fclose(stream);
	heard = end();
	same_str(buf_text(&heard.obeyed), "", "nor what our own code prints by the line");
	same_str(buf_text(&heard.shown), "one\n::error::two\nlast\n", "in whole lines");
	same_str(buf_text(&lines), "[one][::error::two][last]", "which can be heard");
	over(&heard);
}

int main(void)
{
	test_hostile();
	test_long();
	test_commands();
	test_masks();
	test_message_length();
	test_stream();
	return tap_done();
}
