#ifndef NET_JWT_H
#define NET_JWT_H

#include <jansson.h>

#include "base/err.h"

/** Sign claims with RS256 (RFC 7515, 7518). `pem`: an RSA private key, PKCS#1 or PKCS#8. The caller
 * frees *out. */
int jwt_sign(char **out, const json_t *claims, const char *pem, struct err *err) MUST_CHECK;

#endif
