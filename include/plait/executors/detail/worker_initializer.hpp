// What every worker process runs before its first task.
#pragma once

#include <functional>
#include <type_traits>

#include <plait/executors/detail/remote_call.hpp>

namespace plait::detail {

/// A function, or a captureless lambda, without parameters.
class WorkerInitializer {
 public:
  WorkerInitializer() noexcept = default;
  template <class F>
    requires std::invocable<F&>
  WorkerInitializer(F fn) {  // NOLINT(google-explicit-constructor): as std::function
    if constexpr (std::is_same_v<F, std::function<void()>>) {
      take(fn);
    } else if constexpr (FunctionPointer<F>) {
      function_ = fn;
    } else {
      static_assert(Stateless<F>, "what a lambda captures does not travel to another process");
      function_ = [] { F{}(); };
    }
  }

  explicit operator bool() const noexcept { return function_ != nullptr; }
  void (*function() const noexcept)() { return function_; }

 private:
  /// @throws std::invalid_argument unless it holds a function
  void take(const std::function<void()>& fn);

  void (*function_)() = nullptr;
};

}  // namespace plait::detail
