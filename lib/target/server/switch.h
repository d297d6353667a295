#ifndef TARGET_SERVER_SWITCH_H
#define TARGET_SERVER_SWITCH_H

#include "base/err.h"
#include "target/target.h"

/** The switch and what follows it: shift(), probe(), rollback() and retire() of target.h. */
int switch_shift(struct deploy *deploy, struct err *err) MUST_CHECK;
int switch_probe(struct deploy *deploy, enum probe *probe, struct err *err) MUST_CHECK;
int switch_rollback(struct deploy *deploy, struct err *err) MUST_CHECK;
int switch_retire(struct deploy *deploy, struct err *err) MUST_CHECK;

#endif
