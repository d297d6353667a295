#ifndef CLOUD_AWS_PROFILE_H
#define CLOUD_AWS_PROFILE_H

#include "base/mem.h"
#include "cloud/cloud.h"

/*
 * The shared files: ~/.aws/credentials ([NAME]) and ~/.aws/config ([profile NAME], [default]), or
 * where AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE say. Tolerant as AWS's own readers are:
 * a line that is nothing is passed over, the first file's value wins.
 */
struct profiles;

/** Read both. A file that isn't there is empty; one over 1 MiB, or unreadable, is ERR_USAGE. */
int profiles_load(struct profiles **out, const struct cloud_site *site, struct err *err) MUST_CHECK;

/** From texts instead. */
struct profiles *profiles_parse(const char *credentials, size_t credentials_size,
				const char *config, size_t config_size);
void profiles_free(struct profiles *profiles); /* wipes */
DEFINE_FREEP(struct profiles, profiles_free);

/** Is there a profile of that name in either? */
bool profiles_has(const struct profiles *profiles, const char *profile);

/** A value of it; NULL when absent or empty. Borrowed. */
const char *profiles_get(const struct profiles *profiles, const char *profile, const char *key);

/** The profile to use: the setting, AWS_PROFILE, AWS_DEFAULT_PROFILE, "default". */
const char *profiles_chosen(const char *setting, const struct cloud_site *site);

#endif
