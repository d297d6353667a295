#include "service/bind.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

#define BACKLOG 1024

/* Split "host:port" or "[host]:port"; both parts end in NULs of the copy. */
static int split(char *copy, char **host, char **port)
{
	char *colon = strrchr(copy, ':');

	if (!colon || colon == copy)
		return -1;
	*colon = '\0';
	*port = colon + 1;
	*host = copy;
	if (copy[0] == '[') {
		if (colon[-1] != ']')
			return -1;
		colon[-1] = '\0';
		(*host)++;
	} else if (strchr(copy, ':')) {
		return -1;
	}
	return 0;
}

static int refused(int code, const char *address, struct err *err)
{
	const char *next = "";

	if (code == EADDRINUSE)
		next = ": another program has this port; stop it, or change 'listen'";
	else if (code == EACCES)
		next = ": ports below 1024 need the capability CAP_NET_BIND_SERVICE";
	else if (code == EADDRNOTAVAIL)
		next = ": this machine doesn't have the address; see 'ip address'";
	return err_set(err, code == EADDRINUSE ? ERR_CONFLICT : ERR_SYSTEM, code,
		       "listen on %s: %s%s", address, strerror(code), next);
}

static int listen_on(const struct addrinfo *info, const char *address, struct err *err)
{
	cleanup(file_close_at) int fd =
		socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, info->ai_protocol);
	int on = 1;

	if (fd < 0)
		return err_errno(err, "listen on %s", address);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
	    || (info->ai_family == AF_INET6
		&& setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0))
		return err_errno(err, "listen on %s", address);
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		return refused(errno, address, err);
	}
	return file_take(&fd);
}

int bind_listen(const char *address, struct err *err)
{
	static const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	autofree char *copy = xstrdup(address);
	char *host, *port;
	struct addrinfo *info;
	int fd;

	if (split(copy, &host, &port) < 0 || getaddrinfo(host, port, &hints, &info) != 0)
		return err_set(err, ERR_USAGE, 0,
			       "listen on '%s': expected a numeric address and a port, such as "
			       "127.0.0.1:8080 or [::1]:8080",
			       address);
	fd = listen_on(info, address, err);
	freeaddrinfo(info);
	return fd;
}
