// The values of context variables: an immutable snapshot while it is shared.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <plait/core/detail/state_ref.hpp>

namespace plait::detail {

/// Values by variable. Who wants to change one that is shared makes a copy first, so a snapshot
/// costs one count.
class ContextState {
 public:
  using Value = std::shared_ptr<const void>;

  ContextState() = default;

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) delete this;
  }
  bool shared() const noexcept { return references_ > 1; }
  ContextState* clone() const { return new ContextState(*this); }

  /// Null: no value.
  const Value* find(std::uint64_t variable) const noexcept;
  /// Null takes the value away.
  void set(std::uint64_t variable, Value value);

 private:
  struct Entry {
    std::uint64_t variable;
    Value value;
  };

  ContextState(const ContextState& other) : entries_(other.entries_) {}
  ~ContextState() = default;

  std::vector<Entry> entries_;  // const while shared
  // Every holder adds and subtracts itself; who subtracts the last one deletes.
  std::atomic<std::uint32_t> references_{1};
};

/// Null: no variable has a value.
using ContextRef = StateRef<ContextState>;

/// The calling thread's values; null: none. Used only by that thread. See frame_cache for the
/// storage model.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local ContextState* current_context =
    nullptr;

/// A snapshot of the calling thread's values.
inline ContextRef share_context() noexcept {
  return current_context ? ContextRef::share(*current_context) : ContextRef();
}

/// Makes a context the calling thread's; its changes are in the context again afterwards.
class ContextScope {
 public:
  explicit ContextScope(ContextRef& context) noexcept
      : context_(context), outer_(std::exchange(current_context, context.detach())) {}
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
  ~ContextScope() {
    if (current_context) context_ = ContextRef::adopt(current_context);
    current_context = outer_;
  }

 private:
  ContextRef& context_;
  ContextState* const outer_;
};

/// A number for a new variable.
std::uint64_t next_context_variable() noexcept;
/// How one change of a variable is undone.
struct ContextUndo {
  std::uint64_t variable;
  ContextState::Value previous;  // null: there was no value
  bool used = false;
};
/// Changes the calling thread's context.
std::shared_ptr<ContextUndo> set_context_value(std::uint64_t variable, ContextState::Value value);
/// Throws where `undo` was used or is not this variable's.
void undo_context_value(ContextUndo& undo, std::uint64_t variable, const std::string& name);
/// Throws RuntimeError: a Context was entered twice.
[[noreturn]] void throw_context_entered();
/// Throws RuntimeError: no value and no fallback.
[[noreturn]] void throw_no_context_value(const std::string& name);

}  // namespace plait::detail
