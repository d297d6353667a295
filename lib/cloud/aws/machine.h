#ifndef CLOUD_AWS_MACHINE_H
#define CLOUD_AWS_MACHINE_H

#include "cloud/cloud.h"

/*
 * What AWS gives to the machine that we run on: a container's credentials (ECS, EKS) and an EC2
 * instance's (IMDSv2). Short time-outs, no proxy, no redirects.
 */

/** There is none here: nothing says that there should be, or nobody answered. */
#define MACHINE_NONE 1

/** AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, else _FULL_URI (https, or http to loopback and the
 * addresses of ECS and EKS only). 2 seconds, 3 attempts. MACHINE_NONE when neither is set. */
int machine_container(struct credential *out, const struct cloud_site *site, int64_t deadline,
		      struct err *err) MUST_CHECK;

/** The instance's role. 1 second a request, none repeated. MACHINE_NONE when
 * AWS_EC2_METADATA_DISABLED is true, when nobody (or something else) answers at the address, or the
 * instance has no role; *err says which. */
int machine_instance(struct credential *out, const struct cloud_site *site, int64_t deadline,
		     struct err *err) MUST_CHECK;

/** The instance's region; the caller frees. MACHINE_NONE as above. */
int machine_region(char **out, const struct cloud_site *site, int64_t deadline,
		   struct err *err) MUST_CHECK;

#endif
