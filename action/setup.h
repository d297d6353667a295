#ifndef ACTION_SETUP_H
#define ACTION_SETUP_H

#include "action/command.h"
#include "pipeline/project.h"

/* What deploy, plan and rollback are about: the project file and what of it was meant. */
struct setup {
	const char *config; /* as a person names it */
	const char *folder; /* that it lies in; absolute */
	const char *data;   /* absolute; not made yet */
	const char *docker; /* the engine's socket; perhaps nobody is there; NULL */
	const struct project *project;
	const char *text; /* of the project file */
	const char *environment;
	const struct project_service **services; /* in the order that needs ask for; NULL-ended */
};

/** Read the project file. Its mistakes go to call->report, all of them; -1 then with their number.
 */
int setup_project(const struct project **out, const char *config, const struct call *call,
		  struct arena *arena, struct err *err) MUST_CHECK;

/** The data folder's absolute path; it may not be there yet. */
int setup_data(const char **out, const struct call *call, struct arena *arena,
	       struct err *err) MUST_CHECK;

/** The socket of Docker's engine, whether or not anybody is there; NULL when DOCKER_HOST names one
 * over the network. */
int setup_docker(const char **out, const struct call *call, struct err *err) MUST_CHECK;

/* What a workflow says in the place of the project file. */
struct setup_change {
	const char *text;              /* of the project file; NULL: read it */
	const char *target, *settings; /* of the environment; NULL: as the file says */
};

/** setup_load() with that. Messages speak of inputs. */
int setup_load_changed(struct setup *out, const struct call *call,
		       const struct setup_change *change, struct arena *arena,
		       struct err *err) MUST_CHECK;

/** The project file, its folder, the data folder, and which services and environment are meant. */
int setup_load(struct setup *out, const struct call *call, struct arena *arena,
	       struct err *err) MUST_CHECK;

#endif
