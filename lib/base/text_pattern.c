#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/*
 * text_matches(): the pattern becomes a list of atoms, and the text is walked once with the set of
 * atoms that could come next, so time is (atoms x characters) whatever the pattern is.
 */
enum kind {
	ATOM_CHARACTER,
	ATOM_SET,
	ATOM_RUN,         /* any run without '/' */
	ATOM_ANY,         /* any run */
	ATOM_FOLDERS,     /* "**" before a '/': nothing, or */
	ATOM_FOLDERS_END, /* a run that ends with '/' */
};

struct atom {
	enum kind kind;
	const char *at; /* its first byte in the pattern: the character, or what follows '[' */
	size_t size;    /* bytes of the character, or of the set */
	bool optional, repeated;
};

/* Bytes of one character. Broken UTF-8 counts as characters of one byte. */
static size_t character_size(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t size = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	for (size_t i = 1; i < size; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 1;
	return size;
}

/* A character's own bytes as one number: enough for "same" and for ranges of ASCII. */
static unsigned long character_value(const char *s, size_t size)
{
	unsigned long value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | (unsigned char)s[i];
	return value;
}

static bool set_has(const struct atom *set, unsigned long wanted)
{
	const char *at = set->at, *end = set->at + set->size;

	while (at < end) {
		size_t size = character_size(at);
		unsigned long low = character_value(at, size), high = low;

		at += size;
		if (at + 1 < end && *at == '-') {
			size = character_size(at + 1);
			high = character_value(at + 1, size);
			at += 1 + size;
		}
		if (low <= wanted && wanted <= high)
			return true;
	}
	return false;
}

static bool atom_accepts(const struct atom *atom, unsigned long c)
{
	switch (atom->kind) {
	case ATOM_CHARACTER:
		return character_value(atom->at, atom->size) == c;
	case ATOM_SET:
		return set_has(atom, c);
	case ATOM_RUN:
		return c != '/';
	case ATOM_ANY:
	case ATOM_FOLDERS_END:
		return true;
	case ATOM_FOLDERS:
		break;
	}
	return false;
}

/* Read "*" or "**" at p; returns what follows. Adds one or two atoms. */
static const char *read_stars(const char *p, bool part_start, struct atom *atoms, size_t *count)
{
	size_t stars = strspn(p, "*");

	if (stars == 2 && part_start && p[2] == '/') {
		atoms[(*count)++].kind = ATOM_FOLDERS;
		atoms[(*count)++].kind = ATOM_FOLDERS_END;
		return p + 3;
	}
	atoms[*count].kind = stars > 1 ? ATOM_ANY : ATOM_RUN;
	atoms[(*count)++].optional = true;
	return p + stars;
}

/* Read one character, or a set, at p; returns what follows. */
static const char *read_one(const char *p, struct atom *atom)
{
	const char *close = *p == '[' ? strchr(p + 1, ']') : NULL;

	if (close && close > p + 1) {
		atom->kind = ATOM_SET;
		atom->at = p + 1;
		atom->size = (size_t)(close - p) - 1;
		return close + 1;
	}
	if (*p == '\\' && p[1])
		p++;
	atom->kind = ATOM_CHARACTER;
	atom->at = p;
	atom->size = character_size(p);
	return p + atom->size;
}

/* `atoms` has room for one per byte of the pattern: no atom needs less than a byte. */
static size_t read_pattern(const char *pattern, struct atom *atoms)
{
	size_t count = 0;

	for (const char *p = pattern; *p;) {
		if (*p == '*')
			p = read_stars(p, p == pattern || p[-1] == '/', atoms, &count);
		else if (*p == '?' && count)
			atoms[count - 1].optional = true, p++;
		else if (*p == '+' && count)
			atoms[count - 1].repeated = true, p++;
		else
			p = read_one(p, &atoms[count++]);
	}
	return count;
}

/* Whoever may be at atom i may also be behind it when it can be empty. */
static void skip_optional(const struct atom *atoms, size_t count, bool *at)
{
	for (size_t i = 0; i < count; i++) {
		if (!at[i])
			continue;
		if (atoms[i].kind == ATOM_FOLDERS)
			at[i + 1] = at[i + 2] = true;
		else if (atoms[i].optional)
			at[i + 1] = true;
	}
}

static void step(const struct atom *atoms, size_t count, unsigned long c, const bool *at,
		 bool *next)
{
	memset(next, 0, count + 1);
	for (size_t i = 0; i < count; i++) {
		const struct atom *atom = &atoms[i];

		if (!at[i] || !atom_accepts(atom, c))
			continue;
		if (atom->kind >= ATOM_RUN || atom->repeated)
			next[i] = true;
		if (atom->kind < ATOM_RUN || (atom->kind == ATOM_FOLDERS_END && c == '/'))
			next[i + 1] = true;
	}
}

bool text_matches(const char *pattern, const char *s)
{
	size_t room = strlen(pattern) + 1, count, size;
	autofree struct atom *atoms = xalloc(room * sizeof *atoms);
	autofree bool *states = xalloc(2 * room * sizeof *states);
	bool *at = states, *next = states + room, *spare;

	count = read_pattern(pattern, atoms);
	at[0] = true;
	for (; *s; s += size) {
		skip_optional(atoms, count, at);
		size = character_size(s);
		step(atoms, count, character_value(s, size), at, next);
		spare = at;
		at = next;
		next = spare;
	}
	skip_optional(atoms, count, at);
	return at[count];
}
