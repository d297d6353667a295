/* What a person sees of a deployment: on a terminal, and elsewhere. */
#include "action/watcher.h"

#include <stddef.h>

#include "action/options.h"
#include "tap.h"

static int64_t ticks;

static int64_t fake_ticks(struct clock *clock)
{
	(void)clock;
	return ticks;
}

static void fake_sleep(struct clock *clock, int64_t milliseconds)
{
	(void)clock;
	ticks += milliseconds;
}

static struct clock fake_clock = {fake_ticks, fake_ticks, fake_sleep};

static void say(struct observer *observer, enum step step, const char *line)
{
	observer->said(observer, step, line, strlen(line));
}

static void end(struct observer *observer, enum step step, enum step next)
{
	const struct progress progress = {0};
	struct err err = ERR_INIT;

	if (observer->ended(observer, step, next, &progress, &err))
		bail_out("a watcher stores nothing and can't fail");
}

/* A build that goes well and a test that fails. */
static char *show(bool terminal, bool colour)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct watcher *watcher = watcher_new(&(struct watcher_options){.out = out,
									.clock = &fake_clock,
									.terminal = terminal,
									.colour = colour,
									.columns = 50});
	struct observer *observer = watcher_observer(watcher);

	ticks = 1000;
	observer->began(observer, STEP_BUILD);
	ticks += 12300;
	say(observer, STEP_BUILD, "compiling a line that is much longer than the terminal is wide");
	observer->alive(observer);
	ticks += 500;
	say(observer, STEP_BUILD, "linking");
	say(observer, STEP_BUILD, "signing");
	end(observer, STEP_BUILD, STEP_TEST);
	observer->began(observer, STEP_TEST);
	say(observer, STEP_TEST, "\033[31mred\033[0m \007bell\033]0;title\a");
	say(observer, STEP_TEST, "10%\r50%\r100%");
	for (int i = 0; i < 50; i++)
		say(observer, STEP_TEST, i == 49 ? "1 failed" : "a line");
	ticks += 900;
	end(observer, STEP_TEST, STEP_FAILED);
	watcher_free(watcher);
	fclose(out);
	return text;
}

static void plainly(void)
{
	autofree char *text = show(false, true);

	ok(strstr(text, "build    begins\n"), "a step's beginning is a line");
	ok(strstr(text, "build    | linking\n"), "each line comes with its step");
	ok(strstr(text, "build    done after 12.8 s\n"), "the end says how long it took");
	ok(strstr(text, "test     failed after 0.9 s\n"), "and whether it failed");
	ok(strstr(text, "test     | red bell]0;title\n"), "escape sequences are taken out");
	ok(strstr(text, "test     | 100%\n"), "of a progress bar the last state is left");
	ok(!strchr(text, '\033') && !strchr(text, '\r') && !strchr(text, '\a'),
	   "nothing controls a terminal");
}

static void on_a_terminal(void)
{
	autofree char *text = show(true, true), *mono = show(true, false);

	ok(strstr(text, "> build          0 s  "), "a step begins with its line");
	ok(strstr(text, "\r\033[K> build         12 s  compiling a line that is mu\r"),
	   "its time and last line are drawn over it, cut at the edge");
	ok(strstr(text, "\r\033[K  build       12.8 s  \033[32mdone\033[0m\n"),
	   "a step that ended is one line");
	ok(!strstr(text, "  | linking"), "without its output");
	ok(strstr(text, "\033[31mfailed\033[0m\n"), "a failure is red");
	ok(strstr(text, "  | (12 lines before)\n"), "of a failed step the last lines are shown");
	ok(strstr(text, "  | 1 failed\n"), "to the last");
	ok(!strstr(text, "\007bell"), "and no bell rings");
	ok(strstr(mono, "failed\n") && !strstr(mono, "\033[31m"), "NO_COLOR is heeded");
}

static void stops(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	volatile sig_atomic_t stop = 0;
	struct watcher *watcher = watcher_new(&(struct watcher_options){
		.out = out, .clock = &fake_clock, .stop = &stop, .job = "SLIPWAY_JOB=none#0"});
	struct observer *observer = watcher_observer(watcher);

	same_int(observer->alive(observer), 0, "it goes on");
	stop = 1;
	same_int(observer->alive(observer), OBSERVER_CANCEL, "the first signal cancels");
	same_int(observer->alive(observer), OBSERVER_CANCEL, "and stays so");
	stop = 2;
	same_int(observer->alive(observer), OBSERVER_LOST, "the second leaves at once");
	watcher_free(watcher);
	fclose(out);
	ok(strstr(text, "once more stops at once")
		   && !strstr(strstr(text, "once more") + 9, "once more"),
	   "what a second signal does is said once");
	free(text);
}

static const struct option table[] = {
	OPTION_CONFIG, OPTION_SERVICE, {"to", "VERSION", offsetof(struct options, to), ""}, {0}};
static const struct command command = {.name = "try", .operand = "[FILE]", .options = table};

#define READ(...) options_read(&options, &command, (char *const[]){__VA_ARGS__, NULL}, &err)

static char *text_of(const char *s)
{
	static char room[8][32];
	static unsigned next;
	char *at = room[next++ % 8];

	snprintf(at, sizeof room[0], "%s", s);
	return at;
}

static void options(void)
{
	struct options options;
	struct err err = ERR_INIT;

	same_int(READ(text_of("--config"), text_of("a.yml"), text_of("--to=v1"), text_of("f")), 0,
		 "options are read");
	same_str(options.config, "a.yml", "a value that follows");
	same_str(options.to, "v1", "a value after '='");
	same_str(options.operand, "f", "the operand");
	same_int(READ(text_of("--")), 0, "'--' alone is fine");
	same_int(READ(text_of("--"), text_of("--config")), 0, "after '--' all are operands");
	same_str(options.operand, "--config", "whatever they look like");
	same_int(READ(text_of("--help")), OPTIONS_HELP, "help is asked for");
	same_int(READ(text_of("--confg"), text_of("x")), -1, "an unknown option");
	same_str(err.text, "try: there is no option '--confg'; did you mean '--config'?",
		 "the nearest is named");
	same_int(READ(text_of("--config")), -1, "a missing value");
	same_str(err.text, "try: --config needs a value: --config FILE", "is named");
	same_int(READ(text_of("--config=")), -1, "an empty value is none");
	same_int(READ(text_of("-c")), -1, "there are no short options");
	same_int(READ(text_of("a"), text_of("b")), -1, "two operands are one too many");
}

int main(void)
{
	plainly();
	on_a_terminal();
	stops();
	options();
	return tap_done();
}
