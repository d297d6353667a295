#include "service/head.h"

#include <string.h>
#include <strings.h>

enum { HEADER_LENGTH, HEADER_ENCODING, HEADER_HOST };

/* Twice, and two readers may take different ones. */
static const char *const only_once[] = {
	[HEADER_LENGTH] = "Content-Length",
	[HEADER_ENCODING] = "Transfer-Encoding",
	[HEADER_HOST] = "Host",
	"Authorization",
	"Content-Type",
	"Idempotency-Key",
	"X-GitHub-Event",
	"X-GitHub-Delivery",
};
#define ONLY_ONCE (sizeof only_once / sizeof *only_once)
_Static_assert(ONLY_ONCE <= sizeof((struct head *)0)->seen / sizeof(unsigned), "too many");

static void refuse(struct head *head, const char *reason)
{
	if (!head->reason)
		head->reason = reason;
}

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char c = text[i];
		bool alnum =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return size > 0;
}

static bool has_control(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

static void read_length(struct head *head, const char *value, size_t size)
{
	uint64_t length = 0;

	head->has_length = true;
	if (size == 0)
		refuse(head, "Content-Length is empty");
	for (size_t i = 0; i < size; i++) {
		if (value[i] < '0' || value[i] > '9') {
			refuse(head, "Content-Length is not a number");
			return;
		}
		if (length > (UINT64_MAX - 9) / 10) {
			head->length = UINT64_MAX;
			return;
		}
		length = length * 10 + (uint64_t)(value[i] - '0');
	}
	head->length = length;
}

static void read_encoding(struct head *head, const char *value, size_t size)
{
	head->chunked = true;
	if (size != 7 || strncasecmp(value, "chunked", 7) != 0)
		refuse(head, "the only Transfer-Encoding that is understood is chunked");
}

/* A NUL within a value, a folded line or a bare line feed leave something else than the two NULs
 * that a CRLF was made into. */
static void check_gap(struct head *head, const char *name)
{
	if (head->last_end
	    && (name != head->last_end + 2 || head->last_end[0] || head->last_end[1]))
		refuse(head, "a header has a NUL byte, a folded line or a bare line feed");
}

static void count(struct head *head, const char *name, size_t size, const char *value,
		  size_t value_size)
{
	for (size_t i = 0; i < ONLY_ONCE; i++) {
		if (strlen(only_once[i]) != size || strncasecmp(only_once[i], name, size) != 0)
			continue;
		if (++head->seen[i] > 1)
			refuse(head, "a header that may come once is there twice");
		else if (i == HEADER_LENGTH)
			read_length(head, value, value_size);
		else if (i == HEADER_ENCODING)
			read_encoding(head, value, value_size);
		return;
	}
}

void head_add(struct head *head, const char *name, size_t name_size, const char *value,
	      size_t value_size, bool contiguous)
{
	if (!is_token(name, name_size))
		refuse(head, "a header's name has a character that names can't have");
	if (has_control(value, value_size))
		refuse(head, "a header's value has a control character");
	if (contiguous)
		check_gap(head, name);
	head->last_end = value + value_size;
	while (value_size > 0 && strchr(" \t", value[value_size - 1]))
		value_size--;
	count(head, name, name_size, value, value_size);
}

void head_end(struct head *head, const char *version, bool contiguous)
{
	/* The empty line is two more NULs. */
	if (contiguous && head->last_end && memcmp(head->last_end, "\0\0\0", 4) != 0)
		refuse(head, "a header has a NUL byte or a bare line feed");
	if (head->has_length && head->chunked)
		refuse(head, "Content-Length and Transfer-Encoding are both there");
	if (head->seen[HEADER_HOST] == 0 && strcmp(version, "HTTP/1.0") != 0)
		refuse(head, "the Host header is missing");
	if (head->chunked && strcmp(version, "HTTP/1.0") == 0)
		refuse(head, "HTTP/1.0 knows no Transfer-Encoding");
}

bool head_target_is_fine(const char *target)
{
	if (!target || *target != '/')
		return false;
	for (const char *c = target; *c; c++) {
		if (*c <= ' ' || *c == 0x7f)
			return false;
		if (c[0] == '%' && c[1] == '0' && c[2] == '0')
			return false;
	}
	return true;
}
