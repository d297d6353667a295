#ifndef CLOUD_XML_H
#define CLOUD_XML_H

#include <stddef.h>

/*
 * Reads single values out of an XML answer. Not a parser: it accepts what isn't XML too (half a
 * text, HTML) and finds what is there. No DTD, no entities but the five and numbers.
 */

/** The text of the first element of that local name (any namespace, any prefix) within
 * bytes[0..size], entities decoded, CDATA taken as it is, markup within dropped, white space
 * trimmed. NULL when there is none or it isn't closed. The caller frees. */
char *xml_text(const char *bytes, size_t size, const char *name);

/** The same within the first element `outer`. */
char *xml_text_in(const char *bytes, size_t size, const char *outer, const char *name);

#endif
