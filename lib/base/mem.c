#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
	static const char message[] = "out of memory\n";

	if (write(STDERR_FILENO, message, sizeof message - 1) < 0)
		abort();
	abort();
}

void *xalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xresize(void *p, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		out_of_memory();
	p = realloc(p, total ? total : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *s)
{
	return s ? xmemdup(s, strlen(s)) : NULL;
}

char *xmemdup(const void *bytes, size_t size)
{
	char *copy;

	if (size == SIZE_MAX)
		out_of_memory();
	copy = xalloc(size + 1);
	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

char *xprintf(const char *fmt, ...)
{
	va_list args;
	char *text;
	int size;

	va_start(args, fmt);
	size = vasprintf(&text, fmt, args);
	va_end(args);
	if (size < 0)
		out_of_memory();
	return text;
}

/* An arena is a list of chunks. A block that would waste much of a chunk gets a chunk of its own.
 */
enum { CHUNK_SIZE = 16384, LARGE_BLOCK = CHUNK_SIZE / 4 };

struct chunk {
	struct chunk *next;
	size_t used, room;
	max_align_t data[];
};

struct arena {
	struct chunk *chunks;
};

struct arena *arena_new(void)
{
	return xalloc(sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
	struct chunk *next;

	if (!arena)
		return;
	for (struct chunk *chunk = arena->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(arena);
}

static struct chunk *chunk_new(size_t room)
{
	size_t size;
	struct chunk *chunk;

	if (__builtin_add_overflow(sizeof *chunk, room, &size))
		out_of_memory();
	chunk = xalloc(size);
	chunk->room = room;
	return chunk;
}

static struct chunk *chunk_for(struct arena *arena, size_t size)
{
	struct chunk *first = arena->chunks;
	struct chunk *chunk;

	if (first && first->room - first->used >= size)
		return first;
	chunk = chunk_new(size > LARGE_BLOCK ? size : CHUNK_SIZE);
	if (first && size > LARGE_BLOCK) {
		chunk->next = first->next;
		first->next = chunk;
	} else {
		chunk->next = first;
		arena->chunks = chunk;
	}
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t align = sizeof(max_align_t);
	struct chunk *chunk;
	size_t rounded;
	void *block;

	if (__builtin_add_overflow(size ? size : 1, align - 1, &rounded))
		out_of_memory();
	rounded -= rounded % align;
	chunk = chunk_for(arena, rounded);
	block = (char *)chunk->data + chunk->used;
	chunk->used += rounded;
	return block;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return s ? arena_memdup(arena, s, strlen(s)) : NULL;
}

char *arena_memdup(struct arena *arena, const void *bytes, size_t size)
{
	char *copy;

	if (size == SIZE_MAX)
		out_of_memory();
	copy = arena_alloc(arena, size + 1);
	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args;
	char *text;
	int size;

	va_start(args, fmt);
	size = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (size < 0)
		out_of_memory();
	text = arena_alloc(arena, (size_t)size + 1);
	va_start(args, fmt);
	vsnprintf(text, (size_t)size + 1, fmt, args);
	va_end(args);
	return text;
}
