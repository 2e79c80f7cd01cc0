/* sanitizer: is this a build with AddressSanitizer or ThreadSanitizer? Their runtimes reserve terabytes of address space and use
 * more system calls, so two walls are lower then (see walls.c, seccomp.c). Such a build is for tests. */
#ifndef SLUICE_WORKER_SANITIZER_H
#define SLUICE_WORKER_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLUICE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLUICE_SANITIZED 1
#endif
#endif
#ifndef SLUICE_SANITIZED
#define SLUICE_SANITIZED 0
#endif

#endif
