#include "pipeline/pipeline.h"

static const struct {
	const char *state;
	int status;
} outcomes[OUTCOME_COUNT] = {
	[OUTCOME_LIVE] = {"succeeded", 0},          [OUTCOME_FAILED] = {"failed", 1},
	[OUTCOME_ROLLED_BACK] = {"rolled_back", 1}, [OUTCOME_USAGE] = {"failed", 2},
	[OUTCOME_UNKNOWN] = {"failed", 3},          [OUTCOME_CANCELLED] = {"cancelled", 4},
	[OUTCOME_SUPERSEDED] = {"superseded", 5},   [OUTCOME_LOST] = {"running", 3},
};

const char *outcome_state(enum outcome outcome)
{
	return outcomes[outcome].state;
}

int outcome_exit(enum outcome outcome)
{
	return outcomes[outcome].status;
}
