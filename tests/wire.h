/* wire.h: bytes to and from a server on loopback, as rude as a test wants them. */
#ifndef WIRE_H
#define WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRE_TIMEOUT_MS 20000

static inline int wire_open_from(const char *local, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (local
	    && (inet_pton(AF_INET, local, &from.sin_addr) != 1
		|| bind(fd, (struct sockaddr *)&from, sizeof from) < 0)) {
		close(fd);
		return -1;
	}
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline int wire_open(int port)
{
	return wire_open_from(NULL, port);
}

/* False when the other side has had enough. */
static inline bool wire_send(int fd, const void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = send(fd, (const char *)bytes + done, size - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static inline bool wire_says(int fd, const char *text)
{
	return wire_send(fd, text, strlen(text));
}

/* What arrives until the other side closes or `room` is full; NUL-terminated. -1 after a time-out,
 * else its size. A reset counts as closing. */
static inline ssize_t wire_read_to_end(int fd, char *out, size_t room)
{
	size_t size = 0;

	out[0] = '\0';
	while (size + 1 < room) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&wait, 1, WIRE_TIMEOUT_MS) <= 0)
			return -1;
		n = recv(fd, out + size, room - 1 - size, 0);
		if (n <= 0)
			break;
		size += (size_t)n;
		out[size] = '\0';
	}
	return (ssize_t)size;
}

/* One answer that has a Content-Length; the connection stays. Its size, -1 when it doesn't come. */
static inline ssize_t wire_read_answer(int fd, char *out, size_t room)
{
	size_t size = 0;

	out[0] = '\0';
	while (size + 1 < room) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		char *end, *length;
		ssize_t n;

		if ((end = strstr(out, "\r\n\r\n")) && (length = strcasestr(out, "content-length:"))
		    && size >= (size_t)(end + 4 - out) + strtoul(length + 15, NULL, 10))
			return (ssize_t)size;
		if (poll(&wait, 1, WIRE_TIMEOUT_MS) <= 0)
			return -1;
		n = recv(fd, out + size, room - 1 - size, 0);
		if (n <= 0)
			return -1;
		size += (size_t)n;
		out[size] = '\0';
	}
	return -1;
}

/* The status of an answer; 0 when it isn't one. */
static inline int wire_status(const char *answer)
{
	int status = 0;

	return sscanf(answer, "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

/* Say this on a connection of its own and read to the end; the status, 0 for none, -1 for a
 * time-out. */
static inline int wire_ask(int port, const void *bytes, size_t size, char *out, size_t room)
{
	int fd = wire_open(port);
	ssize_t got;

	if (fd < 0)
		return 0;
	(void)wire_send(fd, bytes, size);
	got = wire_read_to_end(fd, out, room);
	close(fd);
	return got < 0 ? -1 : wire_status(out);
}

#endif
