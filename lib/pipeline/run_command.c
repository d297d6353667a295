#include <string.h>

#include "base/child.h"
#include "base/file.h"
#include "pipeline/output.h"

/* The folders that a child may have: its checkout, and what its environment calls HOME and TMPDIR.
 */
static int make_folders(const struct run *run, const char *shown[3], struct err *err)
{
	shown[0] = run->folder;
	shown[1] = arena_printf(run->arena, "%s/home", run->plan->work);
	shown[2] = arena_printf(run->arena, "%s/tmp", run->plan->work);
	return file_make_dirs(shown[1], 0700, err) || file_make_dirs(shown[2], 0700, err) ? -1 : 0;
}

static const char *const *launched(const struct run *run, const char *const *argv,
				   const char *const shown[3])
{
	const char *const *launcher = run->world->launcher;
	size_t before = 0, count = 0, at = 0;
	const char **words;

	if (!launcher)
		return argv;
	while (launcher[before])
		before++;
	while (argv[count])
		count++;
	words = arena_alloc(run->arena, (before + 7 + count + 1) * sizeof *words);
	for (; at < before; at++)
		words[at] = launcher[at];
	for (size_t i = 0; i < 3; i++) {
		words[at++] = "--show";
		words[at++] = shown[i];
	}
	words[at++] = "--";
	for (size_t i = 0; i < count; i++)
		words[at++] = argv[i];
	return words;
}

int run_command(struct run *run, const char *const *argv, const char *const *env, int64_t timeout,
		struct err *err)
{
	struct output output;
	struct child child = {.env = env,
			      .dir = run->artifact.folder,
			      .timeout = timeout,
			      .output = output_line,
			      .tick = output_tick,
			      .self = &output};
	const char *shown[3];
	int status = 0, result;

	if (make_folders(run, shown, err))
		return -1;
	child.argv = launched(run, argv, shown);
	child_kill_marked(run->plan->job);
	output_begin(&output, run, run_command_text(run, argv), timeout);
	result = child_run(&child, &status, err);
	output_end(&output);
	child_kill_marked(run->plan->job);
	return result ? output_failed(&output, err) : output_judge(&output, status, err);
}
