#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/** Time, as a thing that a test can set. All the program's waiting goes through it. */
struct clock {
	/** Seconds since 1970. May jump, also backwards. */
	int64_t (*now)(struct clock *clock);

	/** Milliseconds since the machine started (CLOCK_BOOTTIME): never goes back, the same in
	 * every process of this boot. Leases and time limits are measured in it. */
	int64_t (*ticks)(struct clock *clock);

	void (*sleep)(struct clock *clock, int64_t milliseconds);
};

extern struct clock clock_system;

static inline int64_t clock_now(struct clock *clock)
{
	return clock->now(clock);
}

static inline int64_t clock_ticks(struct clock *clock)
{
	return clock->ticks(clock);
}

static inline void clock_sleep(struct clock *clock, int64_t milliseconds)
{
	clock->sleep(clock, milliseconds);
}

/** "2026-11-24T13:45:00Z" (RFC 3339, UTC) for seconds since 1970. */
#define CLOCK_TEXT_SIZE 32
void clock_text(int64_t seconds, char text[CLOCK_TEXT_SIZE]);

#endif
