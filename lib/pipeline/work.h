#ifndef PIPELINE_WORK_H
#define PIPELINE_WORK_H

#include "base/mem.h"

/** The work folder of a deployment below the data folder: struct plan's `work`. The caller frees.
 */
char *work_folder(const char *data, const char *key);

#endif
