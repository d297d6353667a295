#include "net/http.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"

/* A server that answers by the path, one request per connection, and keeps the last request. */
struct server {
	int fd, port;
	SSL_CTX *tls; /* NULL: plain */
	pthread_t thread;
	atomic_uint requests;
	char seen[70000]; /* read by the test after the answer has come */
};

static void answer(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t done = send(fd, text, left, MSG_NOSIGNAL);

		if (done <= 0)
			return;
		text += done;
		left -= (size_t)done;
	}
}

static void answer_body(int fd, int status, const char *headers, const char *body)
{
	autofree char *text =
		xprintf("HTTP/1.1 %d X\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
			status, headers, strlen(body), body);

	answer(fd, text);
}

static void answer_big(int fd, int status)
{
	cleanup(buf_free) struct buf body = BUF_INIT(1 << 21);

	for (int i = 0; i < 100000; i++)
		buf_adds(&body, "0123456789");
	answer_body(fd, status, "", buf_text(&body));
}

static void answer_redirect(int fd, const char *path)
{
	autofree char *status = xmemdup(path + 1, 3), *target = xstrdup(path + 5);
	autofree char *headers = NULL;

	target[strcspn(target, " ")] = '\0';
	headers = xprintf("Location: %s\r\nX-Hop: first\r\n", target);
	answer_body(fd, (int)strtol(status, NULL, 10), headers, "go on");
}

static void answer_headers(int fd)
{
	cleanup(buf_free) struct buf headers = BUF_INIT(1 << 20);

	for (int i = 0; i < 4000; i++)
		buf_addf(&headers, "X-%d: %090d\r\n", i, i);
	answer_body(fd, 200, buf_text(&headers), "");
}

static void serve(int fd, const struct server *server)
{
	const char *path = strchr(server->seen, ' ') + 1;

	if (strncmp(path, "http:", 5) == 0)
		answer_body(fd, 200, "", "by proxy");
	else if (strncmp(path, "/30", 3) == 0)
		answer_redirect(fd, path);
	else if (strncmp(path, "/big", 4) == 0)
		answer_big(fd, path[4] == '/' ? 500 : 200);
	else if (strncmp(path, "/headers", 8) == 0)
		answer_headers(fd);
	else if (strncmp(path, "/cut", 4) == 0)
		answer(fd, "HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nshort");
	else if (strncmp(path, "/slow", 5) == 0)
		clock_sleep(&clock_system, 1800);
	else if (strncmp(path, "/nonsense", 9) == 0)
		answer(fd, "220 smtp here\r\n");
	else if (strncmp(path, "/continue", 9) == 0)
		answer(fd, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\n"
			   "x-last:\t 2 \r\nConnection: close\r\n\r\nend");
	else if (strncmp(path, "/echo", 5) == 0)
		answer_body(fd, 200, "", server->seen);
	else if (strncmp(path, "/empty", 6) != 0)
		answer_body(fd, 404, "", "no such page");
}

static void read_request(int fd, struct server *server)
{
	size_t used = 0, want = sizeof server->seen - 1;
	char *end, *length;

	server->seen[0] = '\0';
	while (used < want) {
		ssize_t size = recv(fd, server->seen + used, want - used, 0);

		if (size <= 0)
			break;
		used += (size_t)size;
		server->seen[used] = '\0';
		end = strstr(server->seen, "\r\n\r\n");
		length = strcasestr(server->seen, "\r\nContent-Length: ");
		if (end && length)
			want = (size_t)(end + 4 - server->seen) + strtoul(length + 18, NULL, 10);
		else if (end && strcasestr(server->seen, "chunked"))
			want = strstr(end, "\r\n0\r\n") ? used : want;
		else if (end)
			break;
	}
}

static void *serve_all(void *self)
{
	struct server *server = self;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
		if (server->tls) {
			SSL *tls = SSL_new(server->tls);

			SSL_set_fd(tls, fd);
			(void)SSL_accept(tls);
			SSL_free(tls);
		} else {
			read_request(fd, server);
			server->requests++;
			if (server->seen[0])
				serve(fd, server);
		}
		shutdown(fd, SHUT_WR);
		close(fd);
	}
	return NULL;
}

static void start(struct server *server, struct sockaddr *address, socklen_t size)
{
	struct sockaddr_in bound = {0};
	socklen_t bound_size = sizeof bound;

	server->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->fd < 0 || bind(server->fd, address, size) || listen(server->fd, 16))
		bail_out("no socket to listen on");
	if (address->sa_family == AF_INET) {
		getsockname(server->fd, (struct sockaddr *)&bound, &bound_size);
		server->port = ntohs(bound.sin_port);
	}
	if (pthread_create(&server->thread, NULL, serve_all, server))
		bail_out("no thread");
}

static struct server *server_new(SSL_CTX *tls)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct server *server = xalloc(sizeof *server);

	server->tls = tls;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	start(server, (struct sockaddr *)&address, sizeof address);
	return server;
}

static void server_free(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
	free(server);
}

static struct server *one, *two;
static struct http *http;

struct call {
	struct http_request request;
	struct http_response response;
	struct err err;
	int result;
};

static void call_free(struct call *call)
{
	http_request_free(&call->request);
	http_response_free(&call->response);
}

static void call_to(struct call *call, int port, const char *path)
{
	free(call->request.url);
	call->request.url = xprintf("http://127.0.0.1:%d%s", port, path);
	call->err = (struct err)ERR_INIT;
	call->result = http_send(http, &call->request, &call->response, &call->err);
}

static const char *body(const struct call *call)
{
	return buf_text(&call->response.body);
}

static bool said(const struct call *call, const char *text)
{
	bool found = strcasestr(body(call), text) != NULL;

	if (!found)
		tap_note("%.900s", body(call));
	return found;
}

static void check_failure(struct call *call, enum err_kind kind, const char *text, const char *name)
{
	ok(call->result == -1, name);
	same_str(err_kind_name(call->err.kind), err_kind_name(kind), "  of the right kind");
	if (!ok(strstr(call->err.text, text) != NULL, "  and says so"))
		tap_note("%s", call->err.text);
}

static void check_plain(void)
{
	cleanup(call_free) struct call call = {0};

	http_request_header(&call.request, "Accept", "text/plain");
	http_request_header(&call.request, "accept", "application/json");
	http_request_header(&call.request, "X-Empty", "");
	call_to(&call, one->port, "/echo?a=b/../c");
	same_int(call.result, 0, "GET");
	same_int(call.response.status, 200, "  status");
	ok(said(&call, "GET /echo?a=b/../c HTTP/1.1\r\n"), "  the path as it was given");
	ok(said(&call, "Accept: application/json\r\n") && !strstr(body(&call), "text/plain"),
	   "  the header given last");
	ok(said(&call, "X-Empty:\r\n"), "  an empty header is sent");
	ok(said(&call, "User-Agent: slipway-test/1\r\n"), "  who we are");
	call_to(&call, one->port, "/nothing");
	same_int(call.result, 0, "404 is an answer");
	same_int(call.response.status, 404, "  status");
	same_str(body(&call), "no such page", "  only its own body");
	call.request.method = "HEAD";
	call_to(&call, one->port, "/nothing");
	ok(call.result == 0 && call.response.status == 404, "HEAD");
	call.request.method = "GET";
	call_to(&call, one->port, "/continue");
	same_str(http_response_header(&call.response, "X-LAST"), "2", "headers, trimmed, any case");
	ok(!http_response_header(&call.response, "X-Early"), "  of the last answer only");
	http_request_header(&call.request, "X-Bad", "token\r\nX-Injected: 1");
	call_to(&call, one->port, "/echo");
	check_failure(&call, ERR_USAGE, "X-Bad would have a line break",
		      "no header within a header");
}

static int temporary_file(const char *text)
{
	int fd = memfd_create("body", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)
	    || lseek(fd, 0, SEEK_SET) != 0)
		bail_out("no temporary file");
	return fd;
}

static void check_bodies(void)
{
	cleanup(call_free) struct call call = {.request = {.method = "POST"}};
	int fd = temporary_file("skipped<from a file>");
	int pipes[2];

	call_to(&call, one->port, "/echo");
	ok(said(&call, "POST /echo") && said(&call, "Content-Length: 0\r\n"), "POST of nothing");
	call.request.body = "{\"a\":1}";
	call.request.body_size = 7;
	call_to(&call, one->port, "/echo");
	ok(said(&call, "Content-Length: 7\r\n") && said(&call, "\r\n\r\n{\"a\":1}"), "POST");
	ok(!strcasestr(body(&call), "Content-Type") && !strcasestr(body(&call), "Expect"),
	   "  with no header that nobody asked for");
	call.request.method = "PATCH";
	http_request_header(&call.request, "Content-Type", "application/json");
	call_to(&call, one->port, "/echo");
	ok(said(&call, "PATCH /echo") && said(&call, "Content-Type: application/json\r\n"),
	   "PATCH");
	call.request.method = "PUT";
	call.request.body_file = fd;
	lseek(fd, 7, SEEK_SET);
	call_to(&call, one->port, "/echo");
	ok(said(&call, "PUT /echo") && said(&call, "Content-Length: 13\r\n")
		   && said(&call, "\r\n\r\n<from a file>"),
	   "PUT of a file, from where it stands");
	close(fd);
	if (pipe(pipes) || write(pipes[1], "piped", 5) != 5)
		bail_out("no pipe");
	close(pipes[1]);
	call.request.body_file = pipes[0];
	call_to(&call, one->port, "/echo");
	ok(said(&call, "Transfer-Encoding: chunked") && said(&call, "5\r\npiped\r\n"), "of a pipe");
	close(pipes[0]);
	call.request.body_file = 9999;
	call_to(&call, one->port, "/echo");
	check_failure(&call, ERR_SYSTEM, "read the body from its file", "of nothing readable");
	call.request.body_file = 0;
	call.request.body_size = 0;
	call.request.method = "DELETE";
	call_to(&call, one->port, "/echo");
	ok(said(&call, "DELETE /echo") && !strcasestr(body(&call), "Content-Length"), "DELETE");
}

static void check_limits(void)
{
	cleanup(call_free) struct call call = {.request = {.response_limit = 1000000}};
	int fd = temporary_file("");

	call_to(&call, one->port, "/big");
	ok(call.result == 0 && call.response.body.size == 1000000, "an answer as long as allowed");
	call.request.response_limit = 999999;
	call_to(&call, one->port, "/big");
	check_failure(&call, ERR_LIMIT, "over 999999 bytes", "one byte more");
	call_to(&call, one->port, "/headers");
	check_failure(&call, ERR_LIMIT, "headers are over 256 KiB", "too many headers");
	call.request.response_limit = 1000000;
	call.request.response_file = fd;
	call_to(&call, one->port, "/big");
	ok(call.result == 0 && call.response.body.size == 0, "an answer into a file");
	same_int(lseek(fd, 0, SEEK_END), 1000000, "  all of it");
	call_to(&call, one->port, "/big/500");
	ok(call.response.status == 500 && call.response.body.size == 1000000,
	   "  but not what a 500 says");
	same_int(lseek(fd, 0, SEEK_END), 1000000, "  which is in the body");
	call.request.response_limit = 10;
	call_to(&call, one->port, "/big");
	check_failure(&call, ERR_LIMIT, "over 10 bytes", "the limit holds for the file");
	close(fd);
}

static void check_failures(void)
{
	cleanup(call_free) struct call call = {.request = {.timeout = 1}};
	int64_t begun = clock_ticks(&clock_system);

	call_to(&call, one->port, "/cut?secret=1");
	check_failure(&call, ERR_TRANSIENT, "/cut: ", "an answer cut short");
	ok(!strstr(call.err.text, "secret"), "  the query is not shown");
	call_to(&call, one->port, "/empty");
	check_failure(&call, ERR_TRANSIENT, "Empty reply", "no answer");
	call_to(&call, one->port, "/nonsense");
	check_failure(&call, ERR_REMOTE, "HTTP/0.9", "another protocol");
	call_to(&call, 1, "/");
	check_failure(&call, ERR_TRANSIENT, "GET http://127.0.0.1:1/: ", "nobody there");
	free(call.request.url);
	call.request.url = xstrdup("ftp://127.0.0.1/x");
	call.result = http_send(http, &call.request, &call.response, &call.err);
	check_failure(&call, ERR_USAGE, "scheme is ftp", "another scheme");
	free(call.request.url);
	call.request.url = xstrdup("http://user:s3cret@127.0.0.1/x");
	call.result = http_send(http, &call.request, &call.response, &call.err);
	check_failure(&call, ERR_USAGE, "user or password", "a password in the URL");
	ok(!strstr(call.err.text, "s3cret"), "  is not shown");
	begun = clock_ticks(&clock_system);
	call_to(&call, two->port, "/slow");
	check_failure(&call, ERR_TRANSIENT, "timed out", "too slow");
	ok(clock_ticks(&clock_system) - begun < 1700, "  after the time given");
}

static void redirect(struct call *call, int status, const char *to)
{
	autofree char *path = xprintf("/%d/%s", status, to);

	call_to(call, one->port, path);
}

static void check_redirects(void)
{
	cleanup(call_free) struct call call = {0};
	autofree char *elsewhere = xprintf("http://127.0.0.1:%d/echo", two->port);
	autofree char *other_name = xprintf("http://localhost:%d/echo", one->port);
	int fd = temporary_file("again");

	http_request_header(&call.request, "Authorization", "Bearer s3cret");
	http_request_header(&call.request, "PRIVATE-TOKEN", "s3cret");
	http_request_header(&call.request, "Accept", "x/y");
	redirect(&call, 302, "/echo");
	ok(call.result == 0 && call.response.status == 302, "not followed unless asked");
	call.request.redirects = 2;
	redirect(&call, 302, "/echo");
	ok(call.response.status == 200 && said(&call, "Authorization: Bearer s3cret"),
	   "the same origin is told the token");
	ok(!http_response_header(&call.response, "X-Hop"),
	   "  and its headers are the last answer's");
	ok(!strstr(body(&call), "go on"), "  and so is the body");
	redirect(&call, 302, elsewhere);
	ok(call.response.status == 200 && !strcasestr(body(&call), "s3cret")
		   && said(&call, "Accept: x/y"),
	   "Authorization does not go to another server");
	ok(!strcasestr(two->seen, "s3cret"), "  which has seen none");
	redirect(&call, 307, other_name);
	ok(call.response.status == 200 && !strcasestr(body(&call), "s3cret"),
	   "nor to another name");
	redirect(&call, 302, "/302//302//echo");
	ok(call.result == -1 && call.err.kind == ERR_REMOTE, "more than asked for is an error");
	redirect(&call, 302, "file:///etc/passwd");
	check_failure(&call, ERR_REMOTE, "redirected from http to file", "to a file, refused");
	redirect(&call, 302, "http://u:p@127.0.0.1/");
	check_failure(&call, ERR_REMOTE, "refused", "to a URL with a password, refused");
	call.request.method = "POST";
	call.request.body = "data";
	call.request.body_size = 4;
	redirect(&call, 303, "/echo");
	ok(said(&call, "GET /echo") && !strstr(body(&call), "data"), "303 turns POST into GET");
	redirect(&call, 308, "/echo");
	ok(said(&call, "POST /echo") && said(&call, "data"), "308 doesn't");
	call.request.method = "PUT";
	call.request.body_file = fd;
	redirect(&call, 307, "/echo");
	ok(said(&call, "PUT /echo") && said(&call, "\r\n\r\nagain"), "a file is sent again");
	close(fd);
}

static void check_unix(void)
{
	cleanup(call_free) struct call call = {0};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct server *server = xalloc(sizeof *server);
	char folder[] = "/tmp/slipway-http-XXXXXX";

	if (!mkdtemp(folder))
		bail_out("no folder");
	snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
	start(server, (struct sockaddr *)&address, sizeof address);
	call.request.unix_socket = address.sun_path;
	call.request.url = xstrdup("http://docker/echo");
	call.result = http_send(http, &call.request, &call.response, &call.err);
	ok(call.result == 0 && said(&call, "Host: docker\r\n"), "over a Unix socket");
	server_free(server);
	unlink(address.sun_path);
	call.result = http_send(http, &call.request, &call.response, &call.err);
	check_failure(&call, ERR_TRANSIENT, "http://docker:80/echo", "which may be gone");
	rmdir(folder);
}

static void check_proxy(void)
{
	cleanup(call_free) struct call call = {0};
	autofree char *proxy = xprintf("http://127.0.0.1:%d", two->port);

	setenv("http_proxy", proxy, 1);
	call.request.url = xstrdup("http://shop.invalid/x");
	call.result = http_send(http, &call.request, &call.response, &call.err);
	same_str(body(&call), "by proxy", "the environment's proxy is used");
	ok(strstr(two->seen, "GET http://shop.invalid/x HTTP/1.1") != NULL, "  as a proxy");
	call_to(&call, one->port, "/echo");
	ok(call.result == 0 && said(&call, "GET /echo"), "but not for loopback");
	call.request.redirects = 1;
	setenv("no_proxy", "shop.invalid", 1);
	free(call.request.url);
	call.request.url = xstrdup("http://shop.invalid/x");
	call.result = http_send(http, &call.request, &call.response, &call.err);
	check_failure(&call, ERR_TRANSIENT, "Could not resolve", "nor where no_proxy says so");
	unsetenv("no_proxy");
	unsetenv("http_proxy");
}

static SSL_CTX *self_signed(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
				   (const unsigned char *)"127.0.0.1", -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	X509_sign(certificate, key, EVP_sha256());
	if (SSL_CTX_use_certificate(tls, certificate) != 1 || SSL_CTX_use_PrivateKey(tls, key) != 1)
		bail_out("no certificate");
	X509_free(certificate);
	EVP_PKEY_free(key);
	return tls;
}

static void write_certificate(SSL_CTX *tls, char *path)
{
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file || PEM_write_X509(file, SSL_CTX_get0_certificate(tls)) != 1 || fclose(file))
		bail_out("no file for the certificate");
}

static void check_tls(void)
{
	cleanup(call_free) struct call call = {0};
	char path[] = "/tmp/slipway-test-XXXXXX";
	SSL_CTX *tls = self_signed();
	struct server *server = server_new(tls);

	write_certificate(tls, path);
	call.request.url = xprintf("https://127.0.0.1:%d/echo", server->port);
	call.result = http_send(http, &call.request, &call.response, &call.err);
	check_failure(&call, ERR_REMOTE, "certificate", "a certificate that nobody vouches for");
	call.request.ca_file = path;
	call.result = http_send(http, &call.request, &call.response, &call.err);
	check_failure(&call, ERR_TRANSIENT, "https://127.0.0.1", "one that the request believes");
	ok(!strstr(call.err.text, "certificate"), "  the connection came about");
	call.request.ca_file = "/nonexistent";
	call.result = http_send(http, &call.request, &call.response, &call.err);
	check_failure(&call, ERR_REMOTE, "/nonexistent", "authorities that aren't there");
	unlink(path);
	server_free(server);
	SSL_CTX_free(tls);
}

int main(void)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 4; i++)
		unsetenv(((const char *[]){"http_proxy", "no_proxy", "all_proxy", "NO_PROXY"})[i]);
	signal(SIGPIPE, SIG_IGN);
	one = server_new(NULL);
	two = server_new(NULL);
	if (http_curl_new(&http, "slipway-test/1", &err))
		bail_out(err.text);
	check_plain();
	check_bodies();
	check_limits();
	check_redirects();
	check_unix();
	check_proxy();
	check_tls();
	check_failures();
	http_free(http);
	server_free(one);
	server_free(two);
	return tap_done();
}
