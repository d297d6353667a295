#ifndef TARGET_SERVER_SETTINGS_H
#define TARGET_SERVER_SETTINGS_H

#include <stdint.h>

/** The settings of target server in slipway.yml; the table stands in server.c. */
struct server_settings {
	const char *url;           /* "http://shop.localhost:8080" */
	const char *const *listen; /* "address:port"; NULL: by the url */
	const char *max_body;      /* "25m", as nginx reads it */
	int64_t drain;             /* seconds that the old version gets for its last requests */
	int64_t keep;              /* good versions kept for a rollback, the live one counted */
};

#endif
