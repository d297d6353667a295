#include "action/help.h"

#include <stdbool.h>
#include <string.h>

#define WIDTH 78

/* Words, filled into lines that begin after `indent` columns; '\n' begins a paragraph, and a line
 * that begins with a blank is kept as it is. */
static void fill(FILE *out, const char *text, int indent)
{
	while (*text) {
		size_t line = strcspn(text, "\n");
		const char *end = text + line;
		int column = 0;

		if (*text == ' ') {
			fprintf(out, "%*s%.*s", indent, "", (int)line - 1, text + 1);
			text = end;
		}
		while (text < end) {
			int word = (int)strcspn(text, " \n");

			if (column > 0 && column + 1 + word > WIDTH - indent) {
				fputc('\n', out);
				column = 0;
			}
			fprintf(out, "%*s%.*s", column ? 1 : indent, "", word, text);
			column += word + (column ? 1 : 0);
			text += word;
			text += strspn(text, " ");
		}
		fputc('\n', out);
		if (*text == '\n')
			text++;
	}
}

static void section(FILE *out, const char *title, const char *text)
{
	fprintf(out, "\n%s\n", title);
	fill(out, text, 7);
}

static const char exit_status[] =
	" 0   live: the new version was seen serving\n"
	" 1   not live: it failed, and was rolled back where that was possible\n"
	" 2   the settings are wrong; nothing was touched\n"
	" 3   time ran out or the rollback failed: the state is unknown\n"
	" 4   cancelled\n"
	" 5   superseded by a newer deployment";

static const char environment[] =
	"The values of the secrets that a service names (`secrets: [DATABASE_URL]`) are taken from "
	"variables of the same name, or from the file that NAME_FILE names. They go to the release "
	"command and to the app, never to the build or the tests.\n"
	"\n"
	"Build, test and release commands start from an empty environment: PATH, HOME, TMPDIR, "
	"LANG, "
	"CI=true, SLIPWAY_COMMIT, SLIPWAY_SERVICE, SLIPWAY_ENVIRONMENT, SLIPWAY_JOB, and the "
	"service's "
	"own `env:`.\n"
	"\n"
	"XDG_STATE_HOME and HOME say where the data folder is, DOCKER_HOST (unix://…) where "
	"Docker's "
	"engine is, NO_COLOR and TERM how progress is "
	"drawn.";

void help_program(FILE *out)
{
	fputs("NAME\n       slipway - build, test and deploy web apps, and roll them back\n"
	      "\nSYNOPSIS\n       slipway COMMAND [OPTION]...\n",
	      out);
	section(out, "DESCRIPTION",
		"slipway takes the services that a slipway.yml describes through these steps: "
		"fetch, "
		"build, test, release, publish, shift, verify, retire. A version is called live "
		"only "
		"after it was seen serving. When something fails, the version before keeps the "
		"traffic, "
		"or gets it back.");
	fputs("\nCOMMANDS\n", out);
	for (size_t i = 0; commands[i]; i++)
		fprintf(out, "       %-10s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n       slipway COMMAND --help says more about each.\n", out);
	section(out, "OPTIONS", " --help      this text\n --version   the version of slipway");
	section(out, "EXIT STATUS", exit_status);
	section(out, "ENVIRONMENT", environment);
	section(out, "FILES", " slipway.yml   what to build, test and start, and where");
	section(out, "SEE ALSO",
		"slipwayd --help: the same on a server, started by GitHub's webhooks.");
}

void help_command(FILE *out, const struct command *command)
{
	bool deploys = command == &command_deploy || command == &command_rollback
		       || command == &command_action;

	fprintf(out, "NAME\n       slipway %s - %s\n\nSYNOPSIS\n       slipway %s%s%s%s\n",
		command->name, command->summary, command->name,
		command->options ? " [OPTION]..." : "", command->operand ? " " : "",
		command->operand ? command->operand : "");
	section(out, "DESCRIPTION", command->description);
	fputs("\nOPTIONS\n", out);
	for (const struct option *o = command->options; o && o->name; o++) {
		fprintf(out, "       --%s %s\n", o->name, o->value);
		fill(out, o->help, 15);
	}
	fputs("       --help\n               This text.\n", out);
	if (deploys || command == &command_plan)
		section(out, "ENVIRONMENT", environment);
	section(out, "EXIT STATUS",
		deploys ? exit_status
			: " 0   done\n 1   it could not be done\n 2   the settings are wrong");
	section(out, "EXAMPLES", command->examples);
}
