/*
 * Shows ThreadSanitizer the locks of Swift's Mutex.
 *
 * The uncontended path of Synchronization.Mutex is compiled into the program and so is instrumented. The contended
 * one is inside libswiftSynchronization.so, which is not: a lock that was taken there orders nothing in the
 * sanitizer's eyes, and what it guards looks like a race. This library is preloaded, stands in for the two
 * functions, and tells.
 */

#define _GNU_SOURCE

#include <stdint.h>

#include "real.h"

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

/* In the runtime of the sanitizer, and so in the program that is looked at. */
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

typedef SWIFT void lock_function(uint32_t thread, SELF void *mutex);
typedef SWIFT void unlock_function(SELF void *mutex);

SWIFT void lock_slow(uint32_t thread, SELF void *mutex)
    __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
SWIFT void unlock_slow(SELF void *mutex) __asm__("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

SWIFT void lock_slow(uint32_t thread, SELF void *mutex)
{
    static lock_function *next;
    if (!next) next = (lock_function *)real("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
    next(thread, mutex);
    if (__tsan_acquire) __tsan_acquire(mutex);
}

SWIFT void unlock_slow(SELF void *mutex)
{
    static unlock_function *next;
    if (!next) next = (unlock_function *)real("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
    if (__tsan_release) __tsan_release(mutex);
    next(mutex);
}
