#ifndef SERVICE_HEAD_H
#define SERVICE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is a request's head one that all parsers read alike? A front end that reads it otherwise than we
 * do is how requests are smuggled (RFC 9112, sections 2.2, 5, 6.3 and 11.2), so what is doubtful is
 * refused.
 */
struct head {
	const char *reason; /* why it is refused; NULL while it isn't */
	unsigned seen[16];  /* how often each header of the list that may come once was there */
	bool chunked;
	bool has_length;
	uint64_t length; /* Content-Length; UINT64_MAX when it doesn't fit */
	/* For libraries that cut a value at a NUL: where the last value ended. */
	const char *last_end;
};

/** Look at one header, in their order. `contiguous`: the texts lie in the buffer that was received,
 * with each line end made into NULs; what lies between two headers is then looked at too. */
void head_add(struct head *head, const char *name, size_t name_size, const char *value,
	      size_t value_size, bool contiguous);

/** After the last one. `version` is "HTTP/1.1" or "HTTP/1.0". */
void head_end(struct head *head, const char *version, bool contiguous);

/** Is the request's target, as it was sent, a path that we want to see? */
bool head_target_is_fine(const char *target);

#endif
