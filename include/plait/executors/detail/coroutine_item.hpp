// A submitted coroutine in one allocation: what makes it, the future's state and the result.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/core/detail/coroutine_job.hpp>
#include <plait/executors/detail/work_item.hpp>

namespace plait::detail {

/// One submitted call that gives a Coroutine<T>, which then runs on the executor. Callable and
/// arguments live until the coroutine has ended, as its body may refer to them.
template <class T, class Name, class Fn, class... Args>
class CoroutineItem final : public ValueState<T>, public CoroutineJob {
 public:
  template <class Core, class F, class... A>
  CoroutineItem(Core* core, Name name, F&& fn, A&&... args)
      : ValueState<T>(core, 2),
        CoroutineJob(static_cast<FutureState&>(*this), *core),
        name_(std::move(name)),
        call_(std::in_place, std::forward<F>(fn), std::forward<A>(args)...) {}

  /// Phase::running: the coroutine waits, or parts of it run elsewhere. It will end its future.
  Phase invoke() noexcept override {
    try {
      auto coroutine = call_(stop_source_);
      root_ = &release_frame(coroutine);
      check_root(*root_);
    } catch (...) {
      discard();
      return this->store_error(capture_exception());
    }
    this->retain();  // for the coroutine
    if (!start(*root_)) return Phase::running;
    const Phase phase = take_result();
    this->release();  // the executor has another one
    return phase;
  }

  RemoteJob remote() const noexcept { return {remote_call_of<T, Fn, Args...>, &call_.bound()}; }
  void discard() noexcept override { std::destroy_at(std::addressof(call_)); }
  bool stop() noexcept override {
    stop_source_.request_stop();
    request_cancel();
    return true;
  }
  void find_needs(NeedSearch& search) override { find_strands(search); }
  std::string describe() const override { return name_.describe(named_type<Fn>); }

 private:
  using Call = BoundCall<Fn, Args...>;

  ~CoroutineItem() override {
    if (this->snapshot().phase() == Phase::pending) discard();
  }

  void finish() noexcept override { this->end(take_result(), true); }

  Phase take_result() noexcept {
    const Phase phase = store_result();
    destroy_frame(*root_);
    discard();
    return phase;
  }
  Phase store_result() noexcept {
    if (root_->result.failed()) return this->store_error(root_->result.take_error());
    try {
      this->emplace_with([this] { return root_->result.value(); });
      return Phase::finished;
    } catch (...) {
      return this->store_error(std::current_exception());
    }
  }

  [[no_unique_address]] Name name_;
  [[no_unique_address]] typename Call::StopSource stop_source_;
  TypedFrame<T>* root_ = nullptr;  // owned from invoke() on, until the coroutine has ended
  union {
    Call call_;  // alive until the coroutine has ended, or the job was cancelled before
  };
};

}  // namespace plait::detail
