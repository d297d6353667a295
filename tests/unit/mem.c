#include "base/mem.h"

#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static char *hand_over(void)
{
	autofree char *p = xstrdup("kept");

	return take(p);
}

static bool is_zero(const char *bytes, size_t size)
{
	while (size && bytes[size - 1] == 0)
		size--;
	return size == 0;
}

static void blocks(void)
{
	autofree char *kept = hand_over();
	autofree char *copy = xmemdup("a\0b", 3);
	autofree char *text = xprintf("%s-%d", "a", 7);
	autofree char *zeros = xalloc(1000);
	autofree int *numbers = xresize(NULL, 10, sizeof *numbers);
	autofree char *nothing = xalloc(0);

	same_str(kept, "kept", "take() hands a block's pointer on");
	ok(memcmp(copy, "a\0b", 4) == 0, "xmemdup() copies NULs and adds one");
	same_str(text, "a-7", "xprintf()");
	ok(is_zero(zeros, 1000), "xalloc() zeroes");
	ok(xstrdup(NULL) == NULL, "xstrdup(NULL) is NULL");
	ok(nothing != NULL, "no bytes are a block, too");
	numbers[9] = 9;
	numbers = xresize(numbers, 1000, sizeof *numbers);
	same_int(numbers[9], 9, "xresize() keeps what is there");
}

static void arenas(void)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	bool aligned = true, zero = true;
	const char *first = arena_strdup(arena, "first");
	const char *big;

	for (size_t i = 0; i < 3000; i++) {
		char *p = arena_alloc(arena, i % 700);

		aligned &= (uintptr_t)p % _Alignof(max_align_t) == 0;
		zero &= is_zero(p, i % 700);
		memset(p, 0xff, i % 700);
	}
	ok(aligned, "an arena's blocks are aligned");
	ok(zero, "zeroed, and apart from each other");
	big = arena_memdup(arena, "a\0b", 3);
	ok(memcmp(big, "a\0b", 4) == 0, "arena_memdup() adds a NUL");
	memset(arena_alloc(arena, 100000), 1, 100000);
	same_str(arena_printf(arena, "%s/%05d", "x", 42), "x/00042", "arena_printf()");
	ok(arena_strdup(arena, NULL) == NULL, "arena_strdup(NULL) is NULL");
	same_str(first, "first", "what came first is still there");
	arena_free(NULL);
}

/* How a child ends that asks for count * size bytes. */
static int ends_with(size_t count, size_t size)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		close(STDERR_FILENO);
		free(xresize(NULL, count, size));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

int main(void)
{
	blocks();
	arenas();
	same_int(ends_with(10, 10), 0, "a small block is had");
	same_int(ends_with(SIZE_MAX / 2, 3), SIGABRT, "a product that overflows ends the process");
	return tap_done();
}
