// ContextVar: values that follow a task, not a thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <plait/core/detail/context_state.hpp>

namespace plait {

/// The values of all context variables at one moment.
///
/// **Python:** contextvars.Context. **Threads:** one at a time.
class Context {
 public:
  /// No values.
  Context() = default;

  /// Calls fn(args...) with these values in the place of the thread's; what it sets stays in here.
  /// @throws what fn throws; RuntimeError inside of a run() of the same object
  template <class F, class... A>
  decltype(auto) run(F&& fn, A&&... args) {
    if (entered_) detail::throw_context_entered();
    const Entry entry(entered_);
    const detail::ContextScope scope(state_);
    return std::invoke(std::forward<F>(fn), std::forward<A>(args)...);
  }

 private:
  friend Context copy_context();
  class Entry {
   public:
    explicit Entry(bool& entered) noexcept : entered_(entered) { entered_ = true; }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { entered_ = false; }

   private:
    bool& entered_;
  };
  explicit Context(detail::ContextRef state) noexcept : state_(std::move(state)) {}

  detail::ContextRef state_;
  bool entered_ = false;  // run() is running, and has the values
};

/// The present values of all variables. **Python:** contextvars.copy_context().
inline Context copy_context() { return Context(detail::share_context()); }

/// A variable with a value of its own in every task, that new tasks and callbacks inherit.
///
/// A task, a callback and a thread each see their own value; a task begins with a snapshot of its
/// creator's values. Make it a global or static object. **Python:** contextvars.ContextVar.
/// **Threads:** any.
template <class T>
class ContextVar {
 public:
  /// What set() returns, to undo it. Copies stand for one and the same undo.
  class Token {
    friend class ContextVar;
    explicit Token(std::shared_ptr<detail::ContextUndo> undo) noexcept : undo_(std::move(undo)) {}
    std::shared_ptr<detail::ContextUndo> undo_;
  };

  /// A variable without a value; `name` stands in messages.
  explicit ContextVar(std::string name) : name_(std::move(name)) {}
  /// A variable that has the value `fallback` wherever none was set.
  ContextVar(std::string name, T fallback)
      : name_(std::move(name)), fallback_(std::make_shared<const T>(std::move(fallback))) {}
  ContextVar(const ContextVar&) = delete;
  ContextVar& operator=(const ContextVar&) = delete;

  /// The value here. @throws RuntimeError if there is none
  T get() const {
    if (const T* const value = find()) return *value;
    if (!fallback_) detail::throw_no_context_value(name_);
    return *fallback_;
  }
  /// The value here, `fallback` if none was set.
  T get(T fallback) const {
    const T* const value = find();
    return value ? *value : std::move(fallback);
  }
  /// Gives it a value here, until the task or callback ends or the token is used.
  Token set(T value) {
    return Token(detail::set_context_value(id_, std::make_shared<const T>(std::move(value))));
  }
  /// Undoes one set(). @throws RuntimeError for a used token, std::invalid_argument for another
  /// variable's
  void reset(Token token) { detail::undo_context_value(*token.undo_, id_, name_); }

 private:
  const T* find() const noexcept {
    const auto* const value =
        detail::current_context ? detail::current_context->find(id_) : nullptr;
    return value ? static_cast<const T*>(value->get()) : nullptr;
  }

  const std::string name_;
  const std::uint64_t id_ = detail::next_context_variable();
  const std::shared_ptr<const T> fallback_;
};

}  // namespace plait
