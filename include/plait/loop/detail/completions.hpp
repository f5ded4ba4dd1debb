// What the awaited wait() and as_completed() are made of.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/core/wait.hpp>
#include <plait/loop/detail/watch_list.hpp>

namespace plait::detail {

/// An operation that ends when `states` fulfil the options; it never throws TimeoutError.
Coroutine<> wait_in_loop(std::span<FutureState* const> states, const WaitOptions& options);

class CompletionList;

/// The states of one as_completed(), in the order in which they end. Shared by its coroutines.
class CompletionStream {
 public:
  /// Watches `states` from now on; the deadline counts from now on, too.
  CompletionStream(LoopCore& core, std::span<FutureState* const> states,
                   std::optional<Duration> timeout);
  CompletionStream(const CompletionStream&) = delete;
  CompletionStream& operator=(const CompletionStream&) = delete;
  ~CompletionStream();

  /// An operation that ends with the next one. @throws TimeoutError
  Coroutine<StateRef<FutureState>> next();

 private:
  CompletionList* const list_;  // deletes itself once nobody can come to it any more
};

/// One element of as_completed().
template <class T>
Coroutine<T> next_completed(std::shared_ptr<CompletionStream> stream) {
  const auto state = co_await stream->next();
  state->throw_unless_value();
  if constexpr (!std::is_void_v<T>) {
    co_return static_cast<ValueState<T>&>(*state).give_value();
  }
}

}  // namespace plait::detail
