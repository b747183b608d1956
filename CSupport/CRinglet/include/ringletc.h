// What the C half and the Swift half of the C library tell each other. Not installed.

#ifndef RINGLETC_H
#define RINGLETC_H

#include "ringlet.h"

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnullability-extension"
#pragma clang assume_nonnull begin
#endif

// In Swift: the whole of ringlet_coroutine_switch; and what is left of it when control has come
// back with more than a value.
int32_t ringletc_switch_slowly(ringlet_coroutine *_Nullable coroutine, void *_Nullable value,
                               void *_Nullable *_Nullable result);
int32_t ringletc_switch_take(void *_Nullable *_Nullable result);

// In C: makes coroutines of this type known to ringlet_coroutine_switch, before the first of them
// can be switched to. Any thread.
void ringletc_coroutines_begin(const void *family);

#ifdef __clang__
#pragma clang assume_nonnull end
#pragma clang diagnostic pop
#endif

#endif
