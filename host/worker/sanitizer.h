/* sanitizer: is this an AddressSanitizer build? Its runtime reserves terabytes of address space and uses more system calls, so
 * two walls are lower then (see walls.c, seccomp.c). Such a build is for tests. */
#ifndef SLUICE_WORKER_SANITIZER_H
#define SLUICE_WORKER_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLUICE_SANITIZED 1
#endif
#endif
#ifndef SLUICE_SANITIZED
#define SLUICE_SANITIZED 0
#endif

#endif
