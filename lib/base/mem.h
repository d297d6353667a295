#ifndef BASE_MEM_H
#define BASE_MEM_H

/*
 * Memory.
 *
 * Three owners, and no fourth:
 *  - a block:  `autofree char *p` is freed when the block ends; `return take(p)` hands it on;
 *  - an object: x_new() / x_free(), and x_free(NULL) does nothing;
 *  - an arena: whatever is parsed for one job (plan, event, settings) lives until the job ends.
 * Allocation does not fail: out of memory ends the process, and the queue gives the job to the
 * next one. Sizes that a stranger chose go through a struct buf, which has a limit.
 */

#include <stddef.h>
#include <stdlib.h>

#define cleanup(fn) __attribute__((cleanup(fn)))
#define autofree    cleanup(free_at)

static inline void free_at(void *at)
{
	free(*(void **)at);
}

/** The pointer's value, leaving NULL behind: "this is yours now". */
#define take(p)                             \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

/** Define x_freep for `cleanup(x_freep) struct x *`. */
#define DEFINE_FREEP(type, free_fn)              \
	static inline void free_fn##p(type **at) \
	{                                        \
		free_fn(*at);                    \
	}                                        \
	struct cleanup_needs_a_semicolon

/** `size` zeroed bytes. The caller frees. Ends the process when there is no memory. */
void *xalloc(size_t size);

/** p, grown or shrunk to count * size bytes (the product is checked). New bytes are not zeroed. */
void *xresize(void *p, size_t count, size_t size);

/** Copies; the caller frees. xstrdup(NULL) is NULL. */
char *xstrdup(const char *s);
char *xmemdup(const void *bytes, size_t size);
char *xprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** A region freed at once. Its blocks are zeroed and aligned for anything. */
struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *s);                  /* NULL stays NULL */
char *arena_memdup(struct arena *arena, const void *bytes, size_t size); /* adds a NUL */
char *arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
DEFINE_FREEP(struct arena, arena_free);

#endif
