// Only for the thread sanitizer, which knows the threads and locks of POSIX but not those of C11,
// with which librdkafka is built: an unknown thread crashes in the first function that it
// intercepts. Here they are the same, as they are inside glibc.
#include <pthread.h>
#include <threads.h>

#include <cerrno>

namespace {

int answer(int code) {
  switch (code) {
    case 0:
      return thrd_success;
    case ETIMEDOUT:
      return thrd_timedout;
    case EBUSY:
      return thrd_busy;
    case ENOMEM:
      return thrd_nomem;
    default:
      return thrd_error;
  }
}

pthread_mutex_t* posix(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }
pthread_cond_t* posix(cnd_t* condition) { return reinterpret_cast<pthread_cond_t*>(condition); }

struct Start {
  thrd_start_t run;
  void* argument;
};

void* run(void* opaque) {
  auto* const start = static_cast<Start*>(opaque);
  const Start copy = *start;
  delete start;
  return reinterpret_cast<void*>(static_cast<long>(copy.run(copy.argument)));
}

}  // namespace

#define WEIR_INTERPOSE extern "C" __attribute__((visibility("default"), used))

WEIR_INTERPOSE int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  return answer(pthread_create(thread, nullptr, run, new Start{function, argument}));
}
WEIR_INTERPOSE int thrd_join(thrd_t thread, int* result) {
  void* value = nullptr;
  const int code = pthread_join(thread, &value);
  if (result != nullptr) *result = static_cast<int>(reinterpret_cast<long>(value));
  return answer(code);
}
WEIR_INTERPOSE int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if ((type & mtx_recursive) != 0) {
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  }
  const int code = pthread_mutex_init(posix(mutex), &attributes);
  pthread_mutexattr_destroy(&attributes);
  return answer(code);
}
WEIR_INTERPOSE void mtx_destroy(mtx_t* mutex) { pthread_mutex_destroy(posix(mutex)); }
WEIR_INTERPOSE int mtx_lock(mtx_t* mutex) { return answer(pthread_mutex_lock(posix(mutex))); }
WEIR_INTERPOSE int mtx_unlock(mtx_t* mutex) { return answer(pthread_mutex_unlock(posix(mutex))); }
WEIR_INTERPOSE int cnd_init(cnd_t* condition) {
  return answer(pthread_cond_init(posix(condition), nullptr));
}
WEIR_INTERPOSE void cnd_destroy(cnd_t* condition) { pthread_cond_destroy(posix(condition)); }
WEIR_INTERPOSE int cnd_signal(cnd_t* condition) {
  return answer(pthread_cond_signal(posix(condition)));
}
WEIR_INTERPOSE int cnd_broadcast(cnd_t* condition) {
  return answer(pthread_cond_broadcast(posix(condition)));
}
WEIR_INTERPOSE int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return answer(pthread_cond_wait(posix(condition), posix(mutex)));
}
WEIR_INTERPOSE int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  return answer(pthread_cond_timedwait(posix(condition), posix(mutex), until));
}
