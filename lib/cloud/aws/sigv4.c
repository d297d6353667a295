#include "cloud/aws/sigv4.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/text.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define LIMIT     ((size_t)1 << 30) /* the request is in memory already */

void sigv4_date(int64_t now, char out[SIGV4_DATE_SIZE])
{
	char text[CLOCK_TEXT_SIZE];
	size_t size = 0;

	clock_text(now, text);
	for (const char *from = text; *from && size + 1 < SIGV4_DATE_SIZE; from++)
		if (*from != '-' && *from != ':')
			out[size++] = *from;
	out[size] = '\0';
}

static char *keep(struct buf *buf, struct arena *arena)
{
	char *text = arena_memdup(arena, buf_text(buf), buf->size);

	assert(!buf_full(buf));
	buf_free(buf);
	return text;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
	       || (c && strchr("-._~", c));
}

static void add_encoded(struct buf *out, const char *bytes, size_t size, bool path)
{
	for (size_t i = 0; i < size; i++)
		if (is_unreserved(bytes[i]) || (path && bytes[i] == '/'))
			buf_addc(out, bytes[i]);
		else
			buf_addf(out, "%%%02X", (unsigned char)bytes[i]);
}

/* RFC 3986 5.2.4, and no empty segments either. `out` begins with nothing but grows and shrinks
 * by whole "/segment"s. */
static void add_resolved(struct buf *out, const char *path)
{
	const char *segment = path, *end = path;
	size_t size = 0;

	for (; *segment; segment = *end ? end + 1 : end) {
		end = segment + strcspn(segment, "/");
		size = (size_t)(end - segment);
		if (size == 0 || (size == 1 && *segment == '.'))
			continue;
		if (size == 2 && memcmp(segment, "..", 2) == 0) {
			while (out->size > 0 && out->data[--out->size] != '/')
				;
			continue;
		}
		buf_addc(out, '/');
		buf_add(out, segment, size);
	}
	if (out->size == 0 || text_ends(path, "/"))
		buf_addc(out, '/');
}

static void add_path(struct buf *out, const struct sigv4 *sigv4, const char *path)
{
	cleanup(buf_free) struct buf resolved = BUF_INIT(LIMIT);

	if (sigv4->keep_path)
		buf_adds(&resolved, *path ? path : "/");
	else
		add_resolved(&resolved, path);
	add_encoded(out, buf_text(&resolved), resolved.size, true);
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* As the other side reads it and writes it again: %2d becomes '-', a raw byte %XX. A '%' that
 * begins no escape stands for itself. */
static void add_recoded(struct buf *out, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char c = bytes[i];

		if (c == '%' && i + 2 < size && hex_value(bytes[i + 1]) >= 0
		    && hex_value(bytes[i + 2]) >= 0) {
			c = (char)(hex_value(bytes[i + 1]) * 16 + hex_value(bytes[i + 2]));
			i += 2;
		}
		add_encoded(out, &c, 1, false);
	}
}

struct pair {
	const char *name, *value;
	size_t at; /* where it stood: keeps a sort stable */
};

static int by_name_and_value(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : strcmp(left->value, right->value);
}

static int by_name(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : left->at < right->at ? -1 : left->at > right->at;
}

static struct pair read_pair(const char *text, size_t size, struct arena *arena)
{
	const char *equals = memchr(text, '=', size);
	size_t name_size = equals ? (size_t)(equals - text) : size;
	struct buf name = BUF_INIT(LIMIT), value = BUF_INIT(LIMIT);

	add_recoded(&name, text, name_size);
	if (equals)
		add_recoded(&value, equals + 1, size - name_size - 1);
	return (struct pair){.name = keep(&name, arena), .value = keep(&value, arena)};
}

static void add_query(struct buf *out, const char *query, struct arena *arena)
{
	size_t room = 1, count = 0;
	struct pair *pairs;

	if (!query)
		return;
	for (const char *c = query; *c; c++)
		room += *c == '&';
	pairs = arena_alloc(arena, room * sizeof *pairs);
	for (const char *at = query; *at;) {
		size_t size = strcspn(at, "&");

		if (size > 0)
			pairs[count++] = read_pair(at, size, arena);
		at += size + (at[size] == '&');
	}
	qsort(pairs, count, sizeof *pairs, by_name_and_value);
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "%s%s=%s", i ? "&" : "", pairs[i].name, pairs[i].value);
}

/* What intermediaries add, drop or change, and what holds the signature itself. */
static bool is_signed(const struct sigv4 *sigv4, const char *name)
{
	static const char *const passed[] = {"authorization",     "connection", "expect",
					     "transfer-encoding", "upgrade",    "user-agent",
					     "x-amzn-trace-id"};

	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
		if (strcasecmp(name, passed[i]) == 0)
			return false;
	return !sigv4->token_unsigned || strcasecmp(name, "X-Amz-Security-Token") != 0;
}

static char *lower(const char *name, struct arena *arena)
{
	char *copy = arena_strdup(arena, name);

	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

/* Trimmed, and each run of white space one space, also between quotes. A line of a folded value
 * counts as a value of its own (get-header-value-multiline of AWS's suite). */
static char *trimmed(const char *value, struct arena *arena)
{
	char *copy = arena_alloc(arena, strlen(value) + 1);
	size_t size = 0;

	while (*value) {
		size_t blank = strspn(value, " \t\n\v\f\r");

		if (blank == 0)
			copy[size++] = *value++;
		else if (size > 0 && value[blank])
			copy[size++] = memchr(value, '\n', blank) ? ',' : ' ';
		value += blank;
	}
	copy[size] = '\0';
	return copy;
}

static struct pair *sorted_headers(const struct sigv4 *sigv4, const struct sigv4_request *request,
				   size_t *count, struct arena *arena)
{
	struct pair *pairs = arena_alloc(arena, (request->header_count + 1) * sizeof *pairs);

	*count = 0;
	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_header *header = &request->headers[i];

		if (!is_signed(sigv4, header->name))
			continue;
		pairs[(*count)++] = (struct pair){.name = lower(header->name, arena),
						  .value = trimmed(header->value, arena),
						  .at = i};
	}
	qsort(pairs, *count, sizeof *pairs, by_name);
	return pairs;
}

static void payload_hash(const struct sigv4 *sigv4, const struct sigv4_request *request,
			 char out[SHA256_HEX_SIZE])
{
	if (sigv4->payload_hash)
		snprintf(out, SHA256_HEX_SIZE, "%s", sigv4->payload_hash);
	else
		sha256_hex(request->body_size ? request->body : "", request->body_size, out);
}

const char *sigv4_signed_headers(const struct sigv4 *sigv4, const struct sigv4_request *request,
				 struct arena *arena)
{
	struct buf out = BUF_INIT(LIMIT);
	size_t count;
	struct pair *pairs = sorted_headers(sigv4, request, &count, arena);

	for (size_t i = 0; i < count; i++)
		if (i == 0 || strcmp(pairs[i].name, pairs[i - 1].name) != 0)
			buf_addf(&out, "%s%s", i ? ";" : "", pairs[i].name);
	return keep(&out, arena);
}

const char *sigv4_canonical(const struct sigv4 *sigv4, const struct sigv4_request *request,
			    struct arena *arena)
{
	struct buf out = BUF_INIT(LIMIT);
	char hash[SHA256_HEX_SIZE];
	size_t count;
	struct pair *pairs = sorted_headers(sigv4, request, &count, arena);

	buf_addf(&out, "%s\n", request->method);
	add_path(&out, sigv4, request->path);
	buf_addc(&out, '\n');
	add_query(&out, request->query, arena);
	for (size_t i = 0; i < count; i++)
		if (i > 0 && strcmp(pairs[i].name, pairs[i - 1].name) == 0)
			buf_addf(&out, ",%s", pairs[i].value);
		else
			buf_addf(&out, "\n%s:%s", pairs[i].name, pairs[i].value);
	payload_hash(sigv4, request, hash);
	buf_addf(&out, "\n\n%s\n%s", sigv4_signed_headers(sigv4, request, arena), hash);
	return keep(&out, arena);
}

static const char *scope(const struct sigv4 *sigv4, struct arena *arena)
{
	char date[SIGV4_DATE_SIZE];

	sigv4_date(sigv4->now, date);
	return arena_printf(arena, "%.8s/%s/%s/aws4_request", date, sigv4->region, sigv4->service);
}

const char *sigv4_string_to_sign(const struct sigv4 *sigv4, const char *canonical,
				 struct arena *arena)
{
	char date[SIGV4_DATE_SIZE], hash[SHA256_HEX_SIZE];

	sigv4_date(sigv4->now, date);
	sha256_hex(canonical, strlen(canonical), hash);
	return arena_printf(arena, ALGORITHM "\n%s\n%s\n%s", date, scope(sigv4, arena), hash);
}

static void hmac_text(const void *key, size_t size, const char *text, uint8_t out[SHA256_SIZE])
{
	cleanup(hmac_key_freep) struct hmac_key *prepared = hmac_key_new(key, size);
	struct hmac *hmac = hmac_begin(prepared);

	hmac_add(hmac, text, strlen(text));
	hmac_end(hmac, out);
}

const char *sigv4_signature(const struct sigv4 *sigv4, const char *string_to_sign,
			    struct arena *arena)
{
	char *seed = xprintf("AWS4%s", sigv4->credential->secret);
	char date[SIGV4_DATE_SIZE];
	uint8_t key[SHA256_SIZE];
	char *hex = arena_alloc(arena, SHA256_HEX_SIZE);

	sigv4_date(sigv4->now, date);
	date[8] = '\0';
	hmac_text(seed, strlen(seed), date, key);
	hmac_text(key, sizeof key, sigv4->region, key);
	hmac_text(key, sizeof key, sigv4->service, key);
	hmac_text(key, sizeof key, "aws4_request", key);
	hmac_text(key, sizeof key, string_to_sign, key);
	hex_encode(key, sizeof key, hex);
	crypto_wipe(key, sizeof key);
	crypto_wipe_text(seed);
	free(seed);
	return hex;
}

static int check(const struct sigv4 *sigv4, struct err *err)
{
	const struct credential *credential = sigv4->credential;

	if (!credential || !credential->id || !*credential->id || !credential->secret
	    || !*credential->secret)
		return err_set(err, ERR_USAGE, 0,
			       "sign: the credential lacks an access key id or its secret");
	if (!sigv4->region || !*sigv4->region || !sigv4->service || !*sigv4->service)
		return err_set(err, ERR_USAGE, 0, "sign: no region, or no service");
	return 0;
}

static struct http_header header(struct arena *arena, const char *name, const char *value)
{
	return (struct http_header){arena_strdup(arena, name), arena_strdup(arena, value)};
}

int sigv4_headers(const struct sigv4 *sigv4, const struct sigv4_request *request,
		  struct http_header **out, size_t *count, struct arena *arena, struct err *err)
{
	enum { MORE = 4 };
	struct http_header *all = arena_alloc(arena, (request->header_count + MORE) * sizeof *all);
	struct http_header *added = all + request->header_count;
	struct sigv4_request whole = *request;
	const char *signature;
	char text[SHA256_HEX_SIZE];
	size_t used = 0;

	if (check(sigv4, err) < 0)
		return -1;
	if (request->header_count > 0)
		memcpy(all, request->headers, request->header_count * sizeof *all);
	sigv4_date(sigv4->now, text);
	added[used++] = header(arena, "X-Amz-Date", text);
	if (sigv4->credential->token && *sigv4->credential->token)
		added[used++] = header(arena, "X-Amz-Security-Token", sigv4->credential->token);
	if (sigv4->hash_header) {
		payload_hash(sigv4, request, text);
		added[used++] = header(arena, "X-Amz-Content-Sha256", text);
	}
	whole.headers = all;
	whole.header_count += used;
	signature = sigv4_signature(
		sigv4, sigv4_string_to_sign(sigv4, sigv4_canonical(sigv4, &whole, arena), arena),
		arena);
	added[used++] = (struct http_header){
		arena_strdup(arena, "Authorization"),
		arena_printf(arena, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
			     sigv4->credential->id, scope(sigv4, arena),
			     sigv4_signed_headers(sigv4, &whole, arena), signature)};
	*out = added;
	*count = used;
	return 0;
}

/* The URL's parts as they go over the wire: no decoding, no fragment. */
struct target {
	const char *host, *path, *query;
};

static int split(struct target *out, const char *url, struct arena *arena, struct err *err)
{
	char *copy = arena_strdup(arena, url);
	char *colons = strstr(copy, "://"), *host, *slash, *mark, *port;

	if (!colons)
		return err_set(err, ERR_USAGE, 0, "sign: '%.100s' is no address", url);
	*colons = '\0';
	host = colons + strlen("://");
	copy[strcspn(copy, "#")] = '\0';
	host[strcspn(host, "#")] = '\0';
	mark = strchr(host, '?');
	if (mark)
		*mark++ = '\0';
	slash = strchr(host, '/');
	out->path = slash ? arena_strdup(arena, slash) : "/";
	out->query = mark;
	if (slash)
		*slash = '\0';
	if (strchr(host, '@'))
		host = strrchr(host, '@') + 1;
	port = strrchr(host, ':');
	if (port
	    && ((text_same_nocase(copy, "https") && text_same(port, ":443"))
		|| (text_same_nocase(copy, "http") && text_same(port, ":80"))))
		*port = '\0';
	out->host = host;
	return *host ? 0 : err_set(err, ERR_USAGE, 0, "sign: '%.100s' has no host", url);
}

static bool is_ours(const char *name)
{
	static const char *const ours[] = {"Authorization", "X-Amz-Date", "X-Amz-Security-Token",
					   "X-Amz-Content-Sha256"};

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strcasecmp(name, ours[i]) == 0)
			return true;
	return false;
}

/* Drop what an earlier attempt added. */
static void forget(struct http_request *request)
{
	size_t kept = 0;

	for (size_t i = 0; i < request->header_count; i++) {
		struct http_header one = request->headers[i];

		if (!is_ours(one.name)) {
			request->headers[kept++] = one;
			continue;
		}
		crypto_wipe_text(one.value);
		free(one.value);
		free(one.name);
	}
	request->header_count = kept;
}

int sigv4_sign(const struct sigv4 *sigv4, struct http_request *request, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct http_header *headers;
	struct target target = {0};
	struct sigv4_request wire;
	size_t count;

	assert(request->body_file <= 0);
	if (split(&target, request->url, arena, err) < 0)
		return -1;
	forget(request);
	http_request_header(request, "Host", target.host);
	wire = (struct sigv4_request){
		.method = request->method,
		.path = target.path,
		.query = target.query,
		.headers = request->headers,
		.header_count = request->header_count,
		.body = request->body,
		.body_size = request->body_size,
	};
	if (sigv4_headers(sigv4, &wire, &headers, &count, arena, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		http_request_header(request, headers[i].name, headers[i].value);
		crypto_wipe_text(headers[i].value);
	}
	return 0;
}
