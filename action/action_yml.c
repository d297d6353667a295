#include <string.h>

#include "action/action.h"
#include "base/json.h"

static void add_inputs(struct buf *out)
{
	buf_adds(out, "inputs:\n");
	for (const struct field *input = action_inputs; input->name; input++) {
		buf_addf(out, "  %s:\n    description: ", input->name);
		buf_add_json_text(out, input->help);
		if (input->fallback) {
			buf_adds(out, "\n    default: ");
			buf_add_json_text(out, input->fallback);
		}
		buf_addc(out, '\n');
	}
}

static void add_outputs(struct buf *out)
{
	buf_adds(out, "outputs:\n");
	for (const struct action_output *output = action_outputs; output->name; output++) {
		buf_addf(out, "  %s: {description: ", output->name);
		buf_add_json_text(out, output->help);
		buf_adds(out, "}\n");
	}
}

void action_yml(struct buf *out)
{
	buf_adds(out,
		 "# Made from the tables in action/action_settings.c: make docs\n"
		 "name: Slipway\n"
		 "description: Build, test and deploy what a slipway.yml describes; done only when "
		 "the new version was seen serving\n"
		 "branding: {icon: anchor, color: blue}\n");
	add_inputs(out);
	add_outputs(out);
	/* The runner hands args to all three entry points, and quotes them badly: so nothing of the
	 * user's is in them. It looks for the main one here, whatever the image says. */
	buf_adds(out, "runs:\n"
		      "  using: docker\n"
		      "  image: Dockerfile\n"
		      "  entrypoint: /usr/bin/slipway\n"
		      "  post-entrypoint: /usr/bin/slipway-post\n"
		      "  post-if: always()\n"
		      "  args: [action]\n");
}

static void add_cell(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_addf(out, *text == '|' ? "\\%c" : "%c", *text);
}

void action_markdown(struct buf *out)
{
	buf_adds(out, "| Input | Default | Meaning |\n|---|---|---|\n");
	for (const struct field *input = action_inputs; input->name; input++) {
		buf_addf(out, "| `%s` | ", input->name);
		if (input->fallback)
			buf_addf(out, "`%s`", input->fallback);
		buf_adds(out, " | ");
		add_cell(out, input->help);
		buf_adds(out, " |\n");
	}
	buf_adds(out, "\n| Output | Meaning |\n|---|---|\n");
	for (const struct action_output *output = action_outputs; output->name; output++) {
		buf_addf(out, "| `%s` | ", output->name);
		add_cell(out, output->help);
		buf_adds(out, " |\n");
	}
	buf_adds(out, "\nBesides these a target may set outputs of its own, such as `service-arn` "
		      "and `operation-id`.\n");
}
