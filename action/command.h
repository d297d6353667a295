#ifndef ACTION_COMMAND_H
#define ACTION_COMMAND_H

#include <stdio.h>

#include "base/err.h"

/* What was given on the command line; NULL: not given. */
struct options {
	const char *config, *service, *environment, *data, *docker, *to;
	const char *operand;
	const char *internal; /* words of ours to ourselves */
};

struct option {
	const char *name;  /* without its dashes; NULL ends the table */
	const char *value; /* what a person gives: "FILE" */
	size_t at;         /* offsetof(struct options, …) */
	const char *help;
};

struct call {
	struct options options;
	FILE *out;    /* what was asked for */
	FILE *report; /* progress, mistakes, notes */
};

/** A sub-command: its row of the table in main.c, and all that its --help says. */
struct command {
	const char *name, *summary;
	const char *operand;     /* "[FILE]"; NULL: takes none */
	const char *description; /* paragraphs */
	const struct option *options;
	const char *examples;
	/** The exit status, or -1 with *err. */
	int (*run)(const struct call *call, struct err *err);
};

extern const struct command command_deploy, command_plan, command_check, command_rollback,
	command_down, command_schema, command_init, command_action, command_post;
extern const struct command *const commands[]; /* NULL ends it */

/* Options that several of them have, for their tables. */
#define OPTION_CONFIG                                                                             \
	{                                                                                         \
		"config", "FILE", offsetof(struct options, config),                               \
			"The project file. Its folder is what is deployed. Default: slipway.yml." \
	}
#define OPTION_SERVICE                                                                             \
	{                                                                                          \
		"service", "NAME", offsetof(struct options, service),                              \
			"Only this service. Default: all that have the environment, in the order " \
			"that their `needs:` ask for."                                             \
	}
#define OPTION_ENVIRONMENT                                                           \
	{                                                                            \
		"environment", "NAME", offsetof(struct options, environment),        \
			"Which environment. May be left out when there is just one." \
	}
#define OPTION_INTERNAL                                                              \
	{                                                                            \
		"internal", "WORDS", offsetof(struct options, internal),             \
			"What one process of the action tells another. Not for you." \
	}
#define OPTION_DATA                                                           \
	{                                                                     \
		"data", "FOLDER", offsetof(struct options, data),             \
			"Where releases and their state are kept. Default: "  \
			"$XDG_STATE_HOME/slipway, or ~/.local/state/slipway." \
	}
#define OPTION_DOCKER                                                                   \
	{                                                                               \
		"docker", "SOCKET", offsetof(struct options, docker),                   \
			"The socket of the Docker engine that builds images. Default: " \
			"$DOCKER_HOST, or /var/run/docker.sock."                        \
	}

#endif
