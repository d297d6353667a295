#ifndef SERVICE_SETTINGS_VALID_H
#define SERVICE_SETTINGS_VALID_H

#include "base/err.h"

/* What the texts of slipwayd.yml may be, for its tables: 0, or -1 with what was expected and what
 * was found. */
int settings_valid_listen(const char *text, struct err *err) MUST_CHECK;
int settings_valid_folder(const char *text, struct err *err) MUST_CHECK;
int settings_valid_socket(const char *text, struct err *err) MUST_CHECK;
int settings_valid_link(const char *text, struct err *err) MUST_CHECK;
int settings_valid_deliveries(const char *text, struct err *err) MUST_CHECK;
int settings_valid_store(const char *text, struct err *err) MUST_CHECK;
int settings_valid_hook_path(const char *text, struct err *err) MUST_CHECK;
int settings_valid_name(const char *text, struct err *err) MUST_CHECK;
int settings_valid_variable(const char *text, struct err *err) MUST_CHECK;
int settings_valid_repository(const char *text, struct err *err) MUST_CHECK;
int settings_valid_config(const char *text, struct err *err) MUST_CHECK;
int settings_valid_api(const char *text, struct err *err) MUST_CHECK;
int settings_valid_git(const char *text, struct err *err) MUST_CHECK;
int settings_valid_path_list(const char *text, struct err *err) MUST_CHECK;
int settings_valid_app_id(const char *text, struct err *err) MUST_CHECK;

#endif
