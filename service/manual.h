#ifndef SERVICE_MANUAL_H
#define SERVICE_MANUAL_H

/** What slipwayd --help prints, in a manual page's sections. */
extern const char manual_text[];

#endif
