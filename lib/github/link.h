#ifndef GITHUB_LINK_H
#define GITHUB_LINK_H

/** The URL of that relation ("next") in a Link header (RFC 8288), or NULL; NULL for none. The
 * caller frees. */
char *link_find(const char *header, const char *relation);

#endif
