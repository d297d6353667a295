/* The runner's files: what is appended, read back by the runner's grammar. */
#include "action/command_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "scratch.h"
#include "tap.h"

static const char *text_of(const char *path)
{
	static struct buf text = BUF_INIT(1 << 24);
	struct err err = ERR_INIT;

	buf_clear(&text);
	if (file_read(path, &text, &err))
		tap_note("%s", err.text);
	return buf_text(&text);
}

static void make(const char *path)
{
	fclose(fopen(path, "we"));
}

/* By the runner's grammar; "" when it isn't there. */
static const char *value(const char *text, const char *name)
{
	static char out[1 << 20];

	*out = '\0';
	while (*text) {
		const char *mark = strstr(text, "<<"), *end, *stop;
		autofree char *closing = NULL;

		if (!mark)
			break;
		end = mark + strcspn(mark, "\n");
		closing = xprintf("\n%.*s\n", (int)(end - mark - 2), mark + 2);
		stop = strstr(end, closing);
		if (!stop)
			break;
		if (strlen(name) == (size_t)(mark - text) && strncmp(name, text, strlen(name)) == 0)
			snprintf(out, sizeof out, "%.*s", stop > end ? (int)(stop - end - 1) : 0,
				 end + 1);
		text = stop + strlen(closing);
	}
	return out;
}

static void test_set(void)
{
	const char *path = scratch("output");
	struct err err = ERR_INIT;
	const char *hostile = "a\nEOF\nslipway_0\nurl=http://evil\nx<<y\n\r\nb";

	make(path);
	ok(command_files_set(path, "url", "http://shop", &err) == 0, "an output");
	ok(command_files_set(path, "evil", hostile, &err) == 0, "one with all sorts of lines");
	ok(command_files_set(path, "none", NULL, &err) == 0, "one without a value");
	same_str(value(text_of(path), "url"), "http://shop", "is there");
	same_str(value(text_of(path), "evil"), hostile, "as it was");
	same_str(value(text_of(path), "none"), "", "and empty");
	ok(command_files_set(path, "a=b", "x", &err) < 0 && err.kind == ERR_USAGE,
	   "a name that can't be written");
	ok(command_files_set(path, "a<<b", "x", &err) < 0, "another");
	ok(command_files_set(path, "", "x", &err) < 0, "and none at all");
}

static void test_limits(void)
{
	const char *path = scratch("limits");
	autofree char *big = xalloc(300 * 1024 + 1);
	struct err err = ERR_INIT;
	int done = 0;

	make(path);
	memset(big, 'x', 300 * 1024);
	ok(command_files_set(path, "big", big, &err) < 0 && err.kind == ERR_LIMIT,
	   "a value of over 256 KiB");
	big[200 * 1024] = '\0';
	while (done < 20 && command_files_set(path, "big", big, &err) == 0)
		done++;
	ok(done == 5 && err.kind == ERR_LIMIT, "no more than 1 MiB in all");
	ok(command_files_append(scratch("limits"), "x", 1, 10, &err) < 0 && err.kind == ERR_LIMIT,
	   "nor than was asked for");
}

static void test_traps(void)
{
	struct err err = ERR_INIT;

	make(scratch("real"));
	if (symlink(scratch("real"), scratch("link")) || link(scratch("real"), scratch("second"))
	    || mkfifo(scratch("fifo"), 0600) || mkdir(scratch("folder"), 0700))
		bail_out("no traps");
	ok(command_files_set(scratch("link"), "a", "b", &err) < 0 && err.kind == ERR_CONFLICT,
	   "a link is not followed");
	ok(command_files_set(scratch("second"), "a", "b", &err) < 0 && err.kind == ERR_CONFLICT,
	   "a file with two names is not written");
	ok(command_files_set(scratch("fifo"), "a", "b", &err) < 0, "nor a pipe, without waiting");
	ok(command_files_set(scratch("folder"), "a", "b", &err) < 0, "nor a folder");
	ok(command_files_set(scratch("nothing"), "a", "b", &err) < 0
		   && !file_exists(scratch("nothing")),
	   "nothing is made");
}

int main(void)
{
	scratch_begin();
	test_set();
	test_limits();
	test_traps();
	return tap_done();
}
