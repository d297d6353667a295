#ifndef SERVICE_SETTINGS_SECRETS_H
#define SERVICE_SETTINGS_SECRETS_H

#include "service/settings.h"

/** Look at every secret: what can't be read, is empty or too short is a mistake; what others can
 * read, or could guess, becomes one of settings->warnings. Values are wiped again. */
void settings_check_secrets(struct settings *settings, struct arena *arena,
			    struct mistakes *mistakes);

#endif
