#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool text_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *s, const char *suffix)
{
	size_t size = strlen(s), end = strlen(suffix);

	return size >= end && memcmp(s + size - end, suffix, end) == 0;
}

bool text_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool text_same_nocase(const char *a, const char *b)
{
	return a && b ? strcasecmp(a, b) == 0 : a == b;
}

/* Length of the valid UTF-8 character at s, 0 when there is none (RFC 3629). */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (length == 1)
		return s[0] != 0;
	if (s[0] < 0xc2 || s[0] > 0xf4 || length > size)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Too long a form, a surrogate, or beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)
	    || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

bool text_is_utf8(const char *bytes, size_t size)
{
	size_t length;

	for (size_t i = 0; i < size; i += length) {
		length = utf8_length((const unsigned char *)bytes + i, size - i);
		if (!length)
			return false;
	}
	return true;
}

enum { NEAREST_LONGEST = 64 };

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Damerau-Levenshtein distance (adjacent swaps count once), letters compared without case. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t row[3][NEAREST_LONGEST + 1] = {0};
	size_t *before = row[0], *last = row[1], *now = row[2], *spare;

	for (size_t j = 0; j <= b_size; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		int x = tolower((unsigned char)a[i - 1]);

		now[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			int y = tolower((unsigned char)b[j - 1]);

			now[j] = smallest(last[j] + 1, now[j - 1] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2])
			    && y == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[b_size];
}

const char *text_nearest(const char *typed, const char *const *candidates, size_t count)
{
	size_t size = strlen(typed);
	size_t best = size / 3 > 1 ? size / 3 : 1;
	const char *nearest = NULL;

	if (size > NEAREST_LONGEST)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(candidates[i]), far;

		if (other > NEAREST_LONGEST)
			continue;
		far = distance(typed, size, candidates[i], other);
		if (far < best || (far == best && !nearest)) {
			best = far;
			nearest = candidates[i];
		}
	}
	return nearest;
}

int text_number(const char *s, int64_t min, int64_t max, int64_t *out, struct err *err)
{
	bool negative = s[0] == '-';
	const char *digit = s + negative;
	int64_t value = 0;
	bool overflow = false;

	if (!*digit || digit[strspn(digit, "0123456789")])
		return err_set(err, ERR_USAGE, 0, "\"%.60s\" is not a whole number", s);
	for (; *digit; digit++) {
		int figure = *digit - '0';

		overflow |= __builtin_mul_overflow(value, 10, &value);
		overflow |= __builtin_add_overflow(value, negative ? -figure : figure, &value);
	}
	if (overflow || value < min || value > max)
		return err_set(err, ERR_USAGE, 0, "%.60s is not between %lld and %lld", s,
			       (long long)min, (long long)max);
	*out = value;
	return 0;
}

int text_seconds(const char *s, int64_t *out, struct err *err)
{
	static const int64_t longest = INT64_C(366) * 86400;
	size_t digits = strspn(s, "0123456789");
	const char *unit = s + digits;
	int64_t value = 0, factor = 0;

	if (text_same(unit, "") || text_same(unit, "s"))
		factor = 1;
	else if (text_same(unit, "m"))
		factor = 60;
	else if (text_same(unit, "h"))
		factor = 3600;
	if (!digits || !factor)
		return err_set(err, ERR_USAGE, 0,
			       "\"%.60s\" is not a time: write 90, 90s, 15m or 2h", s);
	for (size_t i = 0; i < digits && value <= longest; i++)
		value = value * 10 + (s[i] - '0');
	if (value > longest / factor)
		return err_set(err, ERR_USAGE, 0, "%.60s is longer than 366 days", s);
	*out = value * factor;
	return 0;
}

bool text_is_commit(const char *s)
{
	size_t size = strspn(s, "0123456789abcdef");

	return !s[size] && (size == 40 || size == 64) && strspn(s, "0") < size;
}

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

bool text_is_name(const char *s)
{
	size_t size = strspn(s, ALNUM "._-");

	return !s[size] && size >= 1 && size <= 63 && strspn(s, ALNUM) > 0 && !strstr(s, "..");
}

bool text_is_variable(const char *s)
{
	if (!*s || isdigit((unsigned char)*s))
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

bool text_is_repository(const char *s)
{
	size_t owner = strspn(s, ALNUM "_-");
	const char *name = s + owner + 1;
	size_t size;

	if (s[owner] != '/' || owner < 1 || owner > 39 || s[0] == '-')
		return false;
	size = strspn(name, ALNUM "._-");
	return !name[size] && size >= 1 && size <= 100 && name[0] != '-' && !text_same(name, ".")
	       && !text_same(name, "..") && !text_ends(name, ".git");
}

bool text_is_ref(const char *s)
{
	size_t size = strlen(s), part;

	if (size < 1 || size > 255 || s[0] == '-' || text_same(s, "@") || s[size - 1] == '.'
	    || s[size - 1] == '/')
		return false;
	if (strstr(s, "..") || strstr(s, "@{") || strpbrk(s, " ~^:?*[\\"))
		return false;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	for (const char *at = s;; at += part + 1) {
		part = strcspn(at, "/");
		if (part == 0 || at[0] == '.'
		    || (part >= 5 && memcmp(at + part - 5, ".lock", 5) == 0))
			return false;
		if (!at[part])
			return true;
	}
}

size_t text_fit(const char *s, size_t bytes, size_t characters)
{
	size_t at = 0, count = 0, start = 0;

	for (; at < bytes && s[at]; at++) {
		if (((unsigned char)s[at] & 0xc0) == 0x80)
			continue;
		start = at;
		if (characters && count++ == characters)
			return start;
	}
	return s[at] && ((unsigned char)s[at] & 0xc0) == 0x80 ? start : at;
}
