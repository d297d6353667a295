#ifndef SERVICE_PAYLOAD_H
#define SERVICE_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json_check.h"

/* Is a webhook's body the JSON object that it should be? In constant memory; event_payload() reads
 * it later. */

enum payload_type { PAYLOAD_NONE, PAYLOAD_JSON, PAYLOAD_FORM };

/** By its Content-Type, whose parameters don't matter. */
enum payload_type payload_type(const char *content_type);
const char *payload_type_name(enum payload_type type);

struct payload_check {
	enum payload_type type;
	struct json_check json;
	/* Of a form: */
	char name[8]; /* the field's name so far */
	size_t name_size;
	bool in_value;   /* after its '=' */
	unsigned fields; /* how many are the payload */
	unsigned escape; /* 0, or 2 and 1: hex digits to come */
	unsigned char byte;
	bool bad_escape;
};

/** All but `type` zero. */
void payload_check_add(struct payload_check *check, const void *bytes, size_t size);
int payload_check_end(struct payload_check *check, struct err *err) MUST_CHECK;

#endif
