#ifndef ACTION_ACTION_H
#define ACTION_ACTION_H

#include "base/fields.h"

/** The inputs that slipway action reads; action.yml lists the same. */
extern const struct field action_inputs[];

#endif
