// Values that fail on their way to a worker process and back.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <stdexcept>

#include <plait/executors/process_pool_executor.hpp>

namespace plait::test {

enum class Moment { encode_argument, decode_argument, encode_result, decode_result };

inline void throw_it() { throw std::runtime_error("on the way"); }
inline void segfault() {
  std::signal(SIGSEGV, SIG_DFL);  // not as a sanitizer has it, which exits
  std::raise(SIGSEGV);
}
inline void be_killed() { std::raise(SIGKILL); }
inline void leave() { ::_exit(3); }
using Failure = void (*)();
inline constexpr Failure failures[] = {throw_it, segfault, be_killed, leave};

// Fails at one moment of its way to a worker and back.
class Faulty {
 public:
  Faulty() = default;
  Faulty(Moment moment, Failure failure)
      : moment_(static_cast<int>(moment)),
        failure_(static_cast<int>(std::find(failures, std::end(failures), failure) - failures)) {}

  template <class Archive>
  void save(Archive& archive) const {
    archive(moment_, failure_);
    fail_at(is_worker_process() ? Moment::encode_result : Moment::encode_argument);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(moment_, failure_);
    fail_at(is_worker_process() ? Moment::decode_argument : Moment::decode_result);
  }

 private:
  void fail_at(Moment now) const {
    if (static_cast<int>(now) == moment_) failures[failure_]();
  }

  int moment_ = -1;
  int failure_ = 0;
};

}  // namespace plait::test
