// The state behind a future of EventLoop::create_promise().
#pragma once

#include <memory>
#include <utility>

#include <plait/core/promise.hpp>
#include <plait/loop/detail/loop_core.hpp>

namespace plait::detail {

/// A promise's state that keeps its loop's engine alive, as its callbacks run there.
template <class T>
class LoopPromiseState final : public PromiseState<T> {
 public:
  explicit LoopPromiseState(std::shared_ptr<LoopCore> core) noexcept
      : PromiseState<T>(core.get(), of_loop), core_(std::move(core)) {}
  std::string describe() const override { return "a loop's future"; }

 private:
  const std::shared_ptr<LoopCore> core_;
};

}  // namespace plait::detail
