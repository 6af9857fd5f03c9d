/* Loaded in front of the C library (LD_PRELOAD), it makes the time of day LATER seconds later for one program. Clocks that
   count from the machine's start stay as they are, so pauses keep their length.
   libfaketime would do it too, but moves the environment, behind which Swift looks for the arguments, and the clock that
   Swift's pauses go by. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += LATER;
  return result;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec time;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &time);
  now->tv_sec = time.tv_sec;
  now->tv_usec = time.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  if (now) *now = time.tv_sec;
  return time.tv_sec;
}

/* The kernel compares ends of waits with its own time. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end) {
  struct timespec real = {end->tv_sec - LATER, end->tv_nsec};
  return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &real);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *end) {
  struct timespec real = {end->tv_sec - LATER, end->tv_nsec};
  return sem_clockwait(semaphore, CLOCK_REALTIME, &real);
}
