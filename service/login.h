#ifndef SERVICE_LOGIN_H
#define SERVICE_LOGIN_H

#include "github/api.h"
#include "net/http.h"
#include "service/settings.h"

/** GitHub as the settings log in there. Reads the credentials, so only a role that may hold them
 * calls it. `http` must outlive *out. */
int login_open(struct github **out, const struct settings *settings, struct http *http,
	       struct err *err) MUST_CHECK;

#endif
