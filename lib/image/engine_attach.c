#include "image/engine_attach.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define LOOK      300   /* milliseconds between looks whether to stop */
#define HEAD_WAIT 15000 /* milliseconds for the answer's head */
#define HEAD_SIZE 8192

/* Wait for something to read: 1, 0 after `milliseconds`, -1. */
static int wait_readable(int fd, int milliseconds, struct err *err)
{
	struct pollfd wanted = {.fd = fd, .events = POLLIN};
	int got = poll(&wanted, 1, milliseconds);

	if (got < 0 && errno != EINTR)
		return err_errno(err, "wait for a container's output");
	return got > 0;
}

static int write_request(int fd, const char *request, struct err *err)
{
	size_t size = strlen(request);

	while (size > 0) {
		ssize_t done = send(fd, request, size, MSG_NOSIGNAL);

		if (done < 0 && errno != EINTR)
			return err_errno(err, "ask the engine for a container's output");
		if (done > 0) {
			request += done;
			size -= (size_t)done;
		}
	}
	return 0;
}

/* A byte at a time: what stands after the head is the stream's. */
static int read_head(int fd, struct buf *head, struct err *err)
{
	while (!text_ends(buf_text(head), "\r\n\r\n")) {
		int got = wait_readable(fd, HEAD_WAIT, err);
		char c;

		if (got < 0)
			return -1;
		if (got == 0 || read(fd, &c, 1) != 1 || buf_full(head))
			return err_set(err, ERR_TRANSIENT, 0,
				       "the engine gave no answer when it was asked for a "
				       "container's output");
		buf_addc(head, c);
	}
	return 0;
}

int engine_attach(struct engine *engine, const char *container, int *out, struct err *err)
{
	autofree char *request = NULL;
	cleanup(file_close_at) int fd = -1;
	cleanup(buf_free) struct buf head = BUF_INIT(HEAD_SIZE);
	const char *status;

	if (engine_greet(engine, err))
		return -1;
	request = xprintf("POST /v1.%d/containers/%s/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\n"
			  "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
			  "Content-Length: 0\r\n\r\n",
			  engine->minor, container);
	if (engine_connect(engine, &fd, err) || write_request(fd, request, err)
	    || read_head(fd, &head, err))
		return -1;
	status = strchr(buf_text(&head), ' ');
	if (!status || (!text_starts(status, " 101 ") && !text_starts(status, " 200 ")))
		return err_set(err, ERR_REMOTE, 0,
			       "the engine refused to give a container's output: %.100s",
			       buf_text(&head));
	*out = file_take(&fd);
	return 0;
}

static int look(struct engine *engine, int64_t deadline, struct err *err)
{
	const struct engine_site *site = &engine->site;

	if (site->tick && site->tick(site->self))
		return err_set(err, ERR_CANCELLED, 0, "cancelled");
	if (clock_ticks(site->clock) >= deadline)
		return err_set(err, ERR_LIMIT, 0, "it took too long");
	return 0;
}

int engine_attached_read(struct engine *engine, int fd, int64_t deadline, struct log_frames *frames,
			 struct err *err)
{
	struct clock *clock = engine->site.clock;
	int64_t looked = clock_ticks(clock);
	char piece[16384];
	ssize_t size;

	for (;;) {
		int got = wait_readable(fd, LOOK, err);

		if (got < 0)
			return -1;
		if (got == 0 || clock_ticks(clock) - looked >= LOOK) {
			looked = clock_ticks(clock);
			if (look(engine, deadline, err))
				return -1;
		}
		if (got == 0)
			continue;
		size = read(fd, piece, sizeof piece);
		if (size == 0)
			return 0;
		if (size < 0 && errno != EINTR)
			return err_errno(err, "read a container's output");
		if (size > 0 && log_frames_add(frames, piece, (size_t)size, err))
			return -1;
	}
}
