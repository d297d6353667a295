#include "base/json_check.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8259, as a machine that eats bytes. */
enum {
	START, /* 0: a zeroed struct begins here */
	VALUE,
	FIRST_VALUE, /* or the array's end */
	FIRST_KEY,   /* or the object's end */
	KEY,
	COLON,
	NEXT, /* a comma, or an end */
	STRING,
	ESCAPE,
	UNICODE,
	CONTINUATION,
	WORD,
	MINUS,
	ZERO,
	WHOLE,
	POINT,
	FRACTION,
	EXPONENT,
	EXPONENT_SIGN,
	EXPONENT_DIGITS,
	DONE
};

static const char *const expected[] = {
	[START] = "an object",
	[VALUE] = "a value",
	[FIRST_VALUE] = "a value or ']'",
	[FIRST_KEY] = "a key or '}'",
	[KEY] = "a key",
	[COLON] = "':'",
	[NEXT] = "',' or the end of what is open",
	[STRING] = "text in UTF-8 without control characters",
	[ESCAPE] = "an escape that JSON knows",
	[UNICODE] = "an escape that stands for a character",
	[CONTINUATION] = "UTF-8",
	[WORD] = "true, false or null",
	[MINUS] = "a digit",
	[ZERO] = "the end of the number",
	[WHOLE] = "a number within range",
	[POINT] = "a digit",
	[FRACTION] = "a number within range",
	[EXPONENT] = "a digit or a sign",
	[EXPONENT_SIGN] = "a digit",
	[EXPONENT_DIGITS] = "a number within range",
	[DONE] = "nothing after the object",
};

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void refuse(struct json_check *check)
{
	if (!check->wrong)
		check->wrong = expected[check->state];
}

static bool in_object(const struct json_check *check)
{
	return check->objects >> (check->depth - 1) & 1;
}

static void open_level(struct json_check *check, bool object)
{
	if (check->depth == JSON_CHECK_DEPTH) {
		check->wrong = "no more than 64 levels";
		return;
	}
	check->objects &= ~((uint64_t)1 << check->depth);
	check->objects |= (uint64_t)object << check->depth;
	check->depth++;
	check->state = object ? FIRST_KEY : FIRST_VALUE;
}

static void close_level(struct json_check *check, bool object)
{
	if (check->depth == 0 || in_object(check) != object)
		refuse(check);
	else
		check->state = --check->depth ? NEXT : DONE;
}

static void begin_string(struct json_check *check, int after)
{
	check->state = STRING;
	check->after = after;
}

static void begin_number(struct json_check *check, unsigned char c)
{
	check->digits = 0;
	check->real = false;
	check->number[check->digits++] = (char)c;
	check->state = c == '-' ? MINUS : c == '0' ? ZERO : WHOLE;
}

static void begin_value(struct json_check *check, unsigned char c)
{
	if (c == '{' || c == '[')
		open_level(check, c == '{');
	else if (c == '"')
		begin_string(check, NEXT);
	else if (c == '-' || is_digit(c))
		begin_number(check, c);
	else if (c == 't' || c == 'f' || c == 'n') {
		check->word = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
		check->state = WORD;
	} else
		refuse(check);
}

/* Between tokens. */
static void structure(struct json_check *check, unsigned char c)
{
	if (is_space(c))
		return;
	if (check->state == START && c == '{')
		open_level(check, true);
	else if (check->state == FIRST_VALUE && c == ']')
		close_level(check, false);
	else if (check->state == VALUE || check->state == FIRST_VALUE)
		begin_value(check, c);
	else if (check->state == FIRST_KEY && c == '}')
		close_level(check, true);
	else if ((check->state == FIRST_KEY || check->state == KEY) && c == '"')
		begin_string(check, COLON);
	else if (check->state == COLON && c == ':')
		check->state = VALUE;
	else if (check->state == NEXT && c == ',')
		check->state = in_object(check) ? KEY : VALUE;
	else if (check->state == NEXT && (c == '}' || c == ']'))
		close_level(check, c == '}');
	else
		refuse(check);
}

/* Table 3-7 of the Unicode standard: what may follow each first byte. */
static void begin_character(struct json_check *check, unsigned char c)
{
	check->least = 0x80;
	check->most = 0xbf;
	if (c >= 0xc2 && c <= 0xdf)
		check->need = 1;
	else if (c >= 0xe0 && c <= 0xef)
		check->need = 2;
	else if (c >= 0xf0 && c <= 0xf4)
		check->need = 3;
	else
		refuse(check);
	if (c == 0xe0)
		check->least = 0xa0;
	else if (c == 0xed)
		check->most = 0x9f;
	else if (c == 0xf0)
		check->least = 0x90;
	else if (c == 0xf4)
		check->most = 0x8f;
	check->state = CONTINUATION;
}

static void continue_character(struct json_check *check, unsigned char c)
{
	if (c < check->least || c > check->most)
		refuse(check);
	check->least = 0x80;
	check->most = 0xbf;
	if (--check->need == 0)
		check->state = STRING;
}

static void string(struct json_check *check, unsigned char c)
{
	/* Half a surrogate pair must be followed by the escape of the other half. */
	if ((check->high && c != '\\') || c < 0x20)
		refuse(check);
	else if (c == '"')
		check->state = check->after;
	else if (c == '\\')
		check->state = ESCAPE;
	else if (c >= 0x80)
		begin_character(check, c);
}

static void escape(struct json_check *check, unsigned char c)
{
	if (c == 'u') {
		check->state = UNICODE;
		check->need = 4;
		check->unit = 0;
	} else if (check->high || c == '\0' || !strchr("\"\\/bfnrt", c)) {
		refuse(check);
	} else {
		check->state = STRING;
	}
}

static void end_unicode(struct json_check *check)
{
	bool high = check->unit >= 0xd800 && check->unit <= 0xdbff;
	bool low = check->unit >= 0xdc00 && check->unit <= 0xdfff;

	if (check->unit == 0 || low != (check->high != 0))
		refuse(check);
	check->high = high ? check->unit : 0;
	check->state = STRING;
}

static void unicode(struct json_check *check, unsigned char c)
{
	unsigned char lower = c | 0x20;

	if (is_digit(c))
		check->unit = check->unit << 4 | (unsigned)(c - '0');
	else if (lower >= 'a' && lower <= 'f')
		check->unit = check->unit << 4 | (unsigned)(lower - 'a' + 10);
	else
		refuse(check);
	if (--check->need == 0)
		end_unicode(check);
}

static void word(struct json_check *check, unsigned char c)
{
	if ((unsigned char)*check->word != c)
		refuse(check);
	else if (!*++check->word)
		check->state = NEXT;
}

/* jansson keeps integers in 64 bits and reals in doubles, and refuses what doesn't fit. */
static void end_number(struct json_check *check)
{
	if (check->digits < sizeof check->number) {
		check->number[check->digits] = '\0';
		errno = 0;
		if (check->real ? isinf(strtod(check->number, NULL))
				: (strtoll(check->number, NULL, 10), errno == ERANGE))
			refuse(check);
	} else if (!check->real) {
		refuse(check);
	}
	check->state = NEXT;
}

/* The state that this byte leads to within a number; 0 when it is no part of it. */
static int number_step(int state, unsigned char c)
{
	bool exponent = c == 'e' || c == 'E';

	switch (state) {
	case MINUS:
		return c == '0' ? ZERO : is_digit(c) ? WHOLE : 0;
	case ZERO:
		return c == '.' ? POINT : exponent ? EXPONENT : 0;
	case WHOLE:
		return is_digit(c) ? WHOLE : c == '.' ? POINT : exponent ? EXPONENT : 0;
	case POINT:
		return is_digit(c) ? FRACTION : 0;
	case FRACTION:
		return is_digit(c) ? FRACTION : exponent ? EXPONENT : 0;
	case EXPONENT:
		return is_digit(c) ? EXPONENT_DIGITS : c == '+' || c == '-' ? EXPONENT_SIGN : 0;
	default:
		return is_digit(c) ? EXPONENT_DIGITS : 0;
	}
}

static void number(struct json_check *check, unsigned char c)
{
	int next = number_step(check->state, c);
	int state = check->state;

	if (next) {
		if (check->digits < sizeof check->number)
			check->number[check->digits++] = (char)c;
		check->real = check->real || next == POINT || next == EXPONENT;
		check->state = next;
	} else if (state == ZERO || state == WHOLE || state == FRACTION
		   || state == EXPONENT_DIGITS) {
		end_number(check);
		if (!check->wrong)
			structure(check, c);
	} else {
		refuse(check);
	}
}

static void step(struct json_check *check, unsigned char c)
{
	if (check->state < STRING || check->state == DONE)
		structure(check, c);
	else if (check->state == STRING)
		string(check, c);
	else if (check->state == ESCAPE)
		escape(check, c);
	else if (check->state == UNICODE)
		unicode(check, c);
	else if (check->state == CONTINUATION)
		continue_character(check, c);
	else if (check->state == WORD)
		word(check, c);
	else
		number(check, c);
}

/* How many bytes from here are a string's plain text: nearly all of a payload is. */
static size_t plain(const unsigned char *text, size_t size)
{
	size_t i = 0;

	while (i < size && text[i] >= 0x20 && text[i] < 0x80 && text[i] != '"' && text[i] != '\\')
		i++;
	return i;
}

void json_check_add(struct json_check *check, const void *bytes, size_t size)
{
	const unsigned char *text = bytes;

	for (size_t i = 0; i < size && !check->wrong; i++) {
		if (check->state == STRING && !check->high) {
			size_t skipped = plain(text + i, size - i);

			i += skipped;
			check->at += skipped;
			if (i == size)
				return;
		}
		step(check, text[i]);
		if (!check->wrong)
			check->at++;
	}
}

int json_check_end(struct json_check *check, struct err *err)
{
	if (check->state != DONE)
		refuse(check);
	if (!check->wrong)
		return 0;
	return err_set(err, ERR_USAGE, 0, "not a JSON object: expected %s at byte %zu",
		       check->wrong, check->at + 1);
}
