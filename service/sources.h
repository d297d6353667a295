#ifndef SERVICE_SOURCES_H
#define SERVICE_SOURCES_H

#include "net/http.h"
#include "pipeline/source.h"
#include "service/settings.h"

/**
 * Where the repository's code comes from, by its settings: GitHub's tarballs and API, or git. Reads
 * the credentials, so only a role that may hold them calls it. `settings` and `http` must outlive
 * *out.
 */
int sources_open(struct source **out, const struct settings *settings,
		 const struct settings_repository *repository, struct http *http,
		 struct err *err) MUST_CHECK;

#endif
