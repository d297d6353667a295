#ifndef TARGET_SERVER_SETTINGS_H
#define TARGET_SERVER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/** The settings of target server in slipway.yml; the table stands in server.c. */
enum server_run { SERVER_RUN_PROCESS, SERVER_RUN_CONTAINER };

struct server_settings {
	const char *url;           /* "http://shop.localhost:8080" */
	const char *const *listen; /* "address:port"; NULL: by the url */
	const char *max_body;      /* "25m", as nginx reads it */
	int64_t drain;             /* seconds that the old version gets for its last requests */
	int64_t keep;              /* good versions kept for a rollback, the live one counted */
	int run;                   /* enum server_run; -1: by whether the build makes an image */
	int64_t port;              /* of the app within its container */
	const char *memory;        /* "512m"; NULL: no limit */
	const char *cpus;          /* "0.5"; NULL: no limit */
	int64_t pids;              /* processes and threads */
	bool confined;             /* a container without capabilities */
};

#endif
