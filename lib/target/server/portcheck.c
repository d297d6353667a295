#include "target/server/portcheck.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#define STATE_ESTABLISHED 1
#define STATE_LISTEN      10
#define ANCESTORS_MAX     64

/* The nearer a listener's address to 127.0.0.1, the earlier the kernel picks it. */
enum rank { RANK_NONE, RANK_ANY6, RANK_ANY4, RANK_LOOPBACK };

struct line {
	unsigned port, state;
	enum rank rank;
	unsigned long inode;
};

/* Eight hex digits: four bytes of an address, in the order that they have in memory. */
static uint32_t word_at(const char *address, size_t index)
{
	char digits[9];

	snprintf(digits, sizeof digits, "%.8s", address + 8 * index);
	return (uint32_t)strtoul(digits, NULL, 16);
}

static enum rank rank_of(const char *address)
{
	uint32_t words[4];

	if (strlen(address) == 8) {
		if (word_at(address, 0) == 0)
			return RANK_ANY4;
		return word_at(address, 0) == htonl(INADDR_LOOPBACK) ? RANK_LOOPBACK : RANK_NONE;
	}
	if (strlen(address) != 32)
		return RANK_NONE;
	for (size_t i = 0; i < 4; i++)
		words[i] = word_at(address, i);
	if (!words[0] && !words[1] && words[2] == htonl(0xffff))
		return words[3] == htonl(INADDR_LOOPBACK) ? RANK_LOOPBACK : RANK_ANY4;
	return words[0] || words[1] || words[2] || words[3] ? RANK_NONE : RANK_ANY6;
}

/* The columns of a line of /proc/net/tcp{,6}; proc_net_tcp.txt of the kernel tells all of them. */
enum column { COLUMN_LOCAL = 1, COLUMN_STATE = 3, COLUMN_INODE = 9, COLUMN_COUNT };

static bool parse_line(char *text, struct line *out)
{
	char *columns[COLUMN_COUNT], *colon;
	size_t count = 0;

	while (count < COLUMN_COUNT && text) {
		char *column = strsep(&text, " ");

		if (*column)
			columns[count++] = column;
	}
	if (count < COLUMN_COUNT || !(colon = strchr(columns[COLUMN_LOCAL], ':')))
		return false;
	*colon = '\0';
	out->rank = rank_of(columns[COLUMN_LOCAL]);
	out->port = (unsigned)strtoul(colon + 1, NULL, 16);
	out->state = (unsigned)strtoul(columns[COLUMN_STATE], NULL, 16);
	out->inode = strtoul(columns[COLUMN_INODE], NULL, 10);
	return true;
}

/* Call `each` for every line of both tables; it says whether to go on. */
static void each_line(bool (*each)(void *self, const struct line *line), void *self)
{
	static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
	bool more = true;

	for (size_t i = 0; i < 2 && more; i++) {
		FILE *file = fopen(tables[i], "re");
		char text[512];
		struct line line;

		while (file && more && fgets(text, sizeof text, file))
			if (parse_line(text, &line))
				more = each(self, &line);
		if (file)
			fclose(file);
	}
}

struct counting {
	unsigned port, count;
};

static bool count_line(void *self, const struct line *line)
{
	struct counting *counting = self;

	if (line->port == counting->port && line->state == STATE_ESTABLISHED)
		counting->count++;
	return true;
}

unsigned portcheck_connections(int port)
{
	struct counting counting = {.port = (unsigned)port};

	each_line(count_line, &counting);
	return counting.count;
}

#define SOCKETS_MAX 64

/* The sockets that answer at one port: those of the best rank. */
struct listening {
	unsigned port;
	enum rank rank;
	size_t count;
	unsigned long inodes[SOCKETS_MAX];
};

static bool find_listening(void *self, const struct line *line)
{
	struct listening *listening = self;

	if (line->port != listening->port || line->state != STATE_LISTEN || line->rank == RANK_NONE
	    || line->rank < listening->rank)
		return true;
	if (line->rank > listening->rank)
		listening->count = 0;
	listening->rank = line->rank;
	if (listening->count < SOCKETS_MAX)
		listening->inodes[listening->count++] = line->inode;
	return true;
}

static pid_t parent_of(pid_t pid)
{
	char path[64];
	struct buf text = BUF_INIT(4096);
	const char *end;
	struct err ignored;
	int parent = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	/* The name in parentheses may hold anything, a ')' too. */
	if (file_read(path, &text, &ignored) == 0 && (end = strrchr(buf_text(&text), ')'))
	    && strlen(end) > 4)
		parent = (int)strtol(end + 4, NULL, 10);
	buf_free(&text);
	return parent;
}

static bool is_below(pid_t pid, pid_t root)
{
	for (unsigned i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		if (pid == root)
			return true;
		pid = parent_of(pid);
	}
	return false;
}

/* The inode behind a descriptor of a process; 0 when it isn't a socket. */
static unsigned long socket_inode(int folder, const char *name)
{
	static const char before[] = "socket:[";
	char link[64];
	ssize_t size = readlinkat(folder, name, link, sizeof link - 1);

	if (size <= 0)
		return 0;
	link[size] = '\0';
	return text_starts(link, before) ? strtoul(link + sizeof before - 1, NULL, 10) : 0;
}

/* Does the process hold the socket? Looks through its descriptors. */
static bool holds(pid_t pid, bool (*wanted)(void *self, unsigned long inode), void *self)
{
	char path[64];
	const struct dirent *entry;
	bool found = false;
	DIR *folder;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	while (folder && !found && (entry = readdir(folder))) {
		unsigned long inode = socket_inode(dirfd(folder), entry->d_name);

		found = inode && wanted(self, inode);
	}
	if (folder)
		closedir(folder);
	return found;
}

static void name_of(pid_t pid, struct portcheck_who *who)
{
	char path[64];
	struct buf name = BUF_INIT(64);
	struct err ignored;

	who->pid = pid;
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	if (file_read(path, &name, &ignored) == 0)
		snprintf(who->name, sizeof who->name, "%.*s", (int)strcspn(name.data, "\n"),
			 name.data);
	buf_free(&name);
}

static void each_process(bool (*each)(void *self, pid_t pid), void *self)
{
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	bool more = true;

	while (folder && more && (entry = readdir(folder))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0)
			more = each(self, (pid_t)pid);
	}
	if (folder)
		closedir(folder);
}

struct owning {
	pid_t root;
	const struct listening *listening;
	bool held[SOCKETS_MAX]; /* by a process of ours */
	struct portcheck_who *who;
};

/* Note each of ours as it is seen; a socket may be held by several processes (a server's workers).
 */
static bool note_socket(void *self, unsigned long inode)
{
	struct owning *owning = self;

	for (size_t i = 0; i < owning->listening->count; i++)
		if (owning->listening->inodes[i] == inode)
			owning->held[i] = true;
	return false;
}

static bool is_one_of(void *self, unsigned long inode)
{
	const struct owning *owning = self;

	for (size_t i = 0; i < owning->listening->count; i++)
		if (owning->listening->inodes[i] == inode && !owning->held[i])
			return true;
	return false;
}

static bool note_process(void *self, pid_t pid)
{
	struct owning *owning = self;

	if (is_below(pid, owning->root))
		(void)holds(pid, note_socket, owning);
	return true;
}

static bool name_stranger(void *self, pid_t pid)
{
	struct owning *owning = self;

	if (!holds(pid, is_one_of, owning))
		return true;
	name_of(pid, owning->who);
	return false;
}

static bool all_held(const struct owning *owning)
{
	for (size_t i = 0; i < owning->listening->count; i++)
		if (!owning->held[i])
			return false;
	return true;
}

/* A listener of ours on any port, for "it listens on 5000 instead". */
struct elsewhere {
	pid_t root;
	unsigned long inode;
	unsigned port;
};

static bool same_inode(void *self, unsigned long inode)
{
	const struct elsewhere *elsewhere = self;

	return elsewhere->inode == inode;
}

static bool ours_holds(void *self, pid_t pid)
{
	struct elsewhere *elsewhere = self;

	if (!is_below(pid, elsewhere->root) || !holds(pid, same_inode, elsewhere))
		return true;
	elsewhere->root = 0;
	return false;
}

static bool find_elsewhere(void *self, const struct line *line)
{
	struct elsewhere *elsewhere = self;

	if (line->state != STATE_LISTEN)
		return true;
	elsewhere->inode = line->inode;
	each_process(ours_holds, elsewhere);
	if (elsewhere->root)
		return true;
	elsewhere->port = line->port;
	return false;
}

enum portcheck portcheck_listener(int port, pid_t root, struct portcheck_who *who)
{
	struct listening listening = {.port = (unsigned)port};
	struct owning owning = {.root = root, .listening = &listening, .who = who};
	struct elsewhere elsewhere = {.root = root};

	if (who)
		*who = (struct portcheck_who){0};
	each_line(find_listening, &listening);
	if (listening.count == 0) {
		if (who && root > 0)
			each_line(find_elsewhere, &elsewhere);
		if (who)
			who->elsewhere = (int)elsewhere.port;
		return PORTCHECK_FREE;
	}
	if (root > 0) {
		each_process(note_process, &owning);
		if (all_held(&owning))
			return PORTCHECK_OURS;
	}
	if (who)
		each_process(name_stranger, &owning);
	return PORTCHECK_STRANGER;
}

static int try_bind(int family, const void *address, socklen_t size)
{
	cleanup(file_close_at) int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int yes = 1;

	if (fd == -1)
		return 0; /* this machine doesn't have the family */
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
	/* As most servers do it: a connection in TIME_WAIT isn't in the way. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	return bind(fd, address, size) == 0 && listen(fd, 1) == 0 ? 0 : errno;
}

static bool can_bind(int family, const void *address, socklen_t size)
{
	return try_bind(family, address, size) == 0;
}

int portcheck_listen(const char *listen)
{
	const char *colon = strrchr(listen, ':');
	uint16_t port = htons((uint16_t)strtoul(colon ? colon + 1 : "", NULL, 10));
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
	char address[64];

	snprintf(address, sizeof address, "%.*s", colon ? (int)(colon - listen) : 0, listen);
	if (address[0] == '[') {
		address[strcspn(address, "]")] = '\0';
		return inet_pton(AF_INET6, address + 1, &v6.sin6_addr) == 1
			       ? try_bind(AF_INET6, &v6, sizeof v6)
			       : EINVAL;
	}
	if (strcmp(address, "*") != 0 && inet_pton(AF_INET, address, &v4.sin_addr) != 1)
		return EINVAL;
	return try_bind(AF_INET, &v4, sizeof v4);
}

bool portcheck_can_bind(int port)
{
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	return can_bind(AF_INET, &any4, sizeof any4) && can_bind(AF_INET6, &any6, sizeof any6);
}

int portcheck_pick(unsigned seed, bool (*taken)(const void *self, int port), const void *self)
{
	unsigned first = 20000, low = 32768, high = 60999, span;
	struct buf text = BUF_INIT(64);
	struct err ignored;

	if (file_read("/proc/sys/net/ipv4/ip_local_port_range", &text, &ignored) == 0) {
		char *rest;

		low = (unsigned)strtoul(buf_text(&text), &rest, 10);
		high = (unsigned)strtoul(rest, NULL, 10);
	}
	buf_free(&text);
	if (low < first + 1000) {
		first = high < 64000 ? high + 1 : 10000;
		low = first + 1000;
	}
	span = low - first;
	for (unsigned i = 0; i < span; i++) {
		int port = (int)(first + (seed + i) % span);

		if (!(taken && taken(self, port)) && portcheck_can_bind(port))
			return port;
	}
	return 0;
}
