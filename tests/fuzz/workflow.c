/* Whatever is quoted to the runner, it obeys nothing but what we meant. */
#include "action/workflow.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../runner_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void obeyed(void *self, const char *name, const char *properties, const char *value)
{
	buf_addf(self, "%s;", name);
	(void)properties;
	(void)value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(buf_free) struct buf text = BUF_INIT(1 << 26), names = BUF_INIT(1 << 20);
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *quoted = arena_memdup(arena, data, size);
	struct runner_lines lines = {.obeyed = obeyed, .self = &names};
	int output = memfd_create("output", MFD_CLOEXEC);
	struct workflow *workflow = workflow_new(output, true);
	bool masked = quoted[strspn(quoted, " \t\r\n")] != '\0';
	char piece[65536];
	ssize_t got;

	workflow_text(workflow, (const char *)data, size);
	workflow_group(workflow, quoted);
	workflow_text(workflow, (const char *)data, size);
	workflow_annotate(workflow, &(struct workflow_annotation){.kind = WORKFLOW_ERROR,
								  .message = quoted,
								  .title = quoted,
								  .file = quoted,
								  .line = 1});
	workflow_text(workflow, (const char *)data, size);
	workflow_debug(workflow, "%s", quoted);
	if (masked && !strpbrk(quoted, "\r\n"))
		workflow_mask(workflow, quoted);
	workflow_say(workflow, "%s", quoted);
	workflow_free(workflow);
	lseek(output, 0, SEEK_SET);
	while ((got = read(output, piece, sizeof piece)) > 0)
		buf_add(&text, piece, (size_t)got);
	close(output);
	runner_lines_read(&lines, text.data, text.size);
	assert(*lines.token == '\0');
	assert(strcmp(buf_text(&names), masked && !strpbrk(quoted, "\r\n")
						? "group;error;debug;add-mask;endgroup;"
						: "group;error;debug;endgroup;")
	       == 0);
	return 0;
}
