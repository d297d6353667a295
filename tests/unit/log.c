#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <unistd.h>

#include "scratch.h"

static int real_stderr;

/* stderr goes to a file until log_text() reads it. */
static void capture(void)
{
	int fd = open(scratch("log"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	dup2(fd, STDERR_FILENO);
	close(fd);
}

static const char *captured(struct buf *buf)
{
	struct err err = ERR_INIT;

	dup2(real_stderr, STDERR_FILENO);
	buf_clear(buf);
	if (file_read(scratch("log"), buf, &err) < 0)
		tap_note("%s", err.text);
	return buf_text(buf);
}

/* Without the time, after checking that it looks like one. */
static const char *after_time(const char *line)
{
	int year, month, day, hour, minute, second;

	if (sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2dZ ", &year, &month, &day, &hour, &minute, &second)
		    != 6
	    || strlen(line) < 21)
		return line;
	return line + 21;
}

static void logfmt(struct buf *buf)
{
	log_setup("listener", LOG_LEVEL_INFO, false);
	capture();
	errno = ENOENT;
	log_info("delivery recorded", "guid", "a-1", "event", "push", "none", NULL, "empty", "");
	same_int(errno, ENOENT, "errno is kept");
	same_str(after_time(captured(buf)),
		 "info listener: delivery recorded guid=a-1 event=push empty=\"\"\n", "a line");
	capture();
	log_warn("a\nb", "ref", "x\n2026-11-24T13:45:00Z error listener: forged", "quote",
		 "a\"b\\c", "eq", "a=b", "raw", "\xff\033[2J", "c1", "\xc2\x9b", "word", "é€");
	same_str(after_time(captured(buf)),
		 "warn listener: a\\nb ref=\"x\\n2026-11-24T13:45:00Z error listener: forged\""
		 " quote=\"a\\\"b\\\\c\" eq=\"a=b\" raw=\"\\xff\\x1b[2J\" c1=\"\\xc2\\x9b\" "
		 "word=é€\n",
		 "values are escaped: no second line, no escape sequence");
	capture();
	log_debug("not shown");
	same_str(captured(buf), "", "below the level nothing is written");
}

static void json(struct buf *buf)
{
	json_t *line;

	log_setup("worker-1", LOG_LEVEL_DEBUG, true);
	capture();
	log_debug("a\n\"b\"", "key", "\x01\xff\\é", "empty", "");
	line = json_loads(captured(buf), 0, NULL);
	ok(line != NULL, "it is JSON");
	same_str(json_string_value(json_object_get(line, "level")), "debug", "level");
	same_str(json_string_value(json_object_get(line, "role")), "worker-1", "role");
	same_str(json_string_value(json_object_get(line, "message")), "a\n\"b\"", "message");
	same_str(json_string_value(json_object_get(line, "key")), "\x01ÿ\\é", "a value");
	same_int((intmax_t)json_object_size(line), 6, "and no more");
	json_decref(line);
}

static void lengths(struct buf *buf)
{
	static char large[100000];
	const char *text;

	memset(large, 'x', sizeof large - 1);
	log_setup("a", LOG_LEVEL_INFO, false);
	capture();
	log_info(large, "a", large, "b", large, "c", large, "d", large, "e", large);
	text = captured(buf);
	ok(buf->size <= 4096 && buf->size > 3000, "a line fits into one write to a pipe");
	ok(strchr(text, '\n') == text + buf->size - 1, "and has its end");
	memset(large, '\n', sizeof large - 1);
	log_setup("a", LOG_LEVEL_INFO, true);
	capture();
	log_info(large, "a", large, "b", large, "c", large);
	text = captured(buf);
	ok(buf->size <= 4096, "also when everything is escaped");
	json_t *line = json_loads(text, 0, NULL);
	ok(line != NULL, "and is still JSON");
	json_decref(line);
}

static void *write_many(void *name)
{
	for (int i = 0; i < 500; i++)
		log_info("from a thread", "name", (const char *)name, "more", "0123456789");
	return NULL;
}

static void threads(struct buf *buf)
{
	static char names[4][2] = {"a", "b", "c", "d"};
	pthread_t ids[4];
	int whole = 0;

	log_setup("w", LOG_LEVEL_INFO, false);
	capture();
	for (int i = 0; i < 4; i++)
		pthread_create(&ids[i], NULL, write_many, names[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(ids[i], NULL);
	for (const char *line = captured(buf); *line; line = strchr(line, '\n') + 1) {
		const char *rest = after_time(line);

		whole += strncmp(rest, "info w: from a thread name=", 27) == 0
			 && strncmp(rest + 28, " more=0123456789\n", 17) == 0;
	}
	same_int(whole, 2000, "threads' lines don't mix");
}

int main(void)
{
	cleanup(buf_free) struct buf buf = BUF_INIT(1 << 20);

	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	scratch_begin();
	logfmt(&buf);
	json(&buf);
	lengths(&buf);
	threads(&buf);
	close(real_stderr);
	return tap_done();
}
