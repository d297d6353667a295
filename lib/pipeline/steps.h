#ifndef PIPELINE_STEPS_H
#define PIPELINE_STEPS_H

#include "pipeline/run.h"

/*
 * The steps of a deployment. Each can be made again after a worker died in the middle of it, with
 * the one exception that step_release itself guards. run_check went well before any of them is
 * called.
 */

/** From a commit to an artifact. */
int step_fetch(struct run *run, struct err *err) MUST_CHECK;
int step_build(struct run *run, struct err *err) MUST_CHECK;
int step_test(struct run *run, struct err *err) MUST_CHECK;
int step_release(struct run *run, struct err *err) MUST_CHECK;

/** From an artifact to a version that serves, or back to the one before. */
int step_publish(struct run *run, struct err *err) MUST_CHECK;
int step_shift(struct run *run, struct err *err) MUST_CHECK;
int step_verify(struct run *run, struct err *err) MUST_CHECK;
int step_rollback(struct run *run, struct err *err) MUST_CHECK;
int step_retire(struct run *run, struct err *err) MUST_CHECK;

#endif
