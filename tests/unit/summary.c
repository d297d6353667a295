/* The summary on the run's page. */
#include "action/summary.h"

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

static void step(struct summary *summary, enum step step, int64_t took, bool failed)
{
	summary_step(summary, step);
	summary_line(summary, "a line", 6);
	ticks += took;
	summary_step_end(summary, failed);
}

static void test_live(void)
{
	struct summary *summary = summary_new(&fake_clock);
	struct result result = {.outcome = OUTCOME_LIVE,
				.progress = {.version = "v2",
					     .previous = "v1",
					     .url = "https://shop.test/?a=1&b=2"}};
	cleanup(buf_free) struct buf out = BUF_INIT(1 << 20);

	summary_service(summary, "shop", "production", "server");
	step(summary, STEP_FETCH, 120, false);
	step(summary, STEP_BUILD, 61500, false);
	summary_result(summary, &result, "c0ffee", NULL);
	summary_write(summary, &out);
	ok(strstr(buf_text(&out), "## shop: ✅ live\n") != NULL, "what it is about");
	ok(strstr(buf_text(&out), "<a href=\"https://shop.test/?a=1&#38;b=2\">") != NULL,
	   "its URL");
	ok(strstr(buf_text(&out), "| Version before | v1 |") != NULL, "the version before");
	ok(strstr(buf_text(&out), "| build | 61.5 s | ✅ |") != NULL, "each step's time");
	ok(!strstr(buf_text(&out), "<details"), "no log when it went well");
	summary_free(summary);
}

static void test_rolled_back(void)
{
	struct summary *summary = summary_new(&fake_clock);
	struct result result = {.outcome = OUTCOME_ROLLED_BACK,
				.failed = STEP_VERIFY,
				.progress = {.version = "v2", .previous = "v1"}};
	cleanup(buf_free) struct buf out = BUF_INIT(1 << 20);
	const char *line = "</pre></details><script>|x|`";

	err_set(&result.err, ERR_REMOTE, 0, "verify: *bad* <b> [x](y) @all");
	summary_service(summary, "shop", "production", "server");
	summary_step(summary, STEP_VERIFY);
	summary_line(summary, line, strlen(line));
	summary_step_end(summary, true);
	step(summary, STEP_ROLLBACK, 5, false);
	summary_result(summary, &result, "c0ffee", NULL);
	summary_service(summary, "admin", "production", "server");
	summary_step(summary, STEP_BUILD);
	summary_write(summary, &out);
	ok(strstr(buf_text(&out), "**Rolled back:** v2 was taken away again; version v1 serves as "
				  "before.")
		   != NULL,
	   "what was rolled back");
	ok(strstr(buf_text(&out), "**Why:** verify: &#42;bad&#42; &#60;b&#62; &#91;x&#93;(y) "
				  "&#64;all\n")
		   != NULL,
	   "why, without any Markdown or HTML of its own");
	ok(strstr(buf_text(&out), "<pre>\n&#60;/pre&#62;&#60;/details&#62;&#60;script&#62;&#124;x")
		   != NULL,
	   "the last lines of the step that failed, not of the rollback");
	ok(strstr(buf_text(&out), "## admin: ⏹️ cut off") != NULL, "a second service");
	ok(strstr(buf_text(&out), "| build | | ⏹️ cut off |") != NULL,
	   "and where it was cut off");
	summary_free(summary);
}

static void test_size(void)
{
	struct summary *summary = summary_new(&fake_clock);
	cleanup(buf_free) struct buf out = BUF_INIT(1 << 24);
	autofree char *line = xalloc(5001);
	struct result result = {.outcome = OUTCOME_FAILED};

	memset(line, '<', 5000);
	err_set(&result.err, ERR_REMOTE, 0, "%.499s", line);
	for (int i = 0; i < 150; i++) {
		summary_service(summary, "shop", "production", "server");
		summary_step(summary, STEP_BUILD);
		for (int j = 0; j < 100; j++)
			summary_line(summary, line, 5000);
		summary_step_end(summary, true);
		summary_result(summary, &result, "c0ffee", NULL);
	}
	summary_write(summary, &out);
	ok(!buf_full(&out) && out.size < 1048576 && out.size > 300000,
	   "a hundred services with long logs are under 1 MiB");
	summary_free(summary);
}

int main(void)
{
	test_live();
	test_rolled_back();
	test_size();
	return tap_done();
}
