#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static int64_t system_now(struct clock *clock)
{
	struct timespec at;

	(void)clock;
	clock_gettime(CLOCK_REALTIME, &at);
	return at.tv_sec;
}

static int64_t system_ticks(struct clock *clock)
{
	struct timespec at;

	(void)clock;
	clock_gettime(CLOCK_BOOTTIME, &at);
	return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static void system_sleep(struct clock *clock, int64_t milliseconds)
{
	struct timespec left = {.tv_sec = milliseconds / 1000,
				.tv_nsec = milliseconds % 1000 * 1000000};

	(void)clock;
	if (milliseconds <= 0)
		return;
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

struct clock clock_system = {.now = system_now, .ticks = system_ticks, .sleep = system_sleep};

void clock_text(int64_t seconds, char text[CLOCK_TEXT_SIZE])
{
	/* RFC 3339 has four digits for the year: what does not fit is shown as the nearest that
	 * does. */
	static const int64_t first = -62167219200, last = 253402300799;
	time_t at = seconds < first ? first : seconds > last ? last : seconds;
	struct tm tm;

	gmtime_r(&at, &tm);
	snprintf(text, CLOCK_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100);
}
