/* hand.h: a clock that only a sleep moves. */
#ifndef HAND_H
#define HAND_H
#include "base/clock.h"

struct hand {
	struct clock clock;
	int64_t milliseconds, slept;
};

static inline int64_t hand_now(struct clock *clock)
{
	return ((struct hand *)clock)->milliseconds / 1000;
}

static inline int64_t hand_ticks(struct clock *clock)
{
	return ((struct hand *)clock)->milliseconds;
}

static inline void hand_sleep(struct clock *clock, int64_t milliseconds)
{
	struct hand *hand = (struct hand *)clock;

	hand->slept += milliseconds;
	hand->milliseconds += milliseconds;
}

#define HAND_INIT                                                                 \
	{                                                                         \
		{hand_now, hand_ticks, hand_sleep}, INT64_C(1795527900) * 1000, 0 \
	}

#endif
