// How context variables change.
#include <plait/core/context.hpp>

#include <algorithm>
#include <stdexcept>

#include <plait/core/errors.hpp>

namespace plait::detail {

const ContextState::Value* ContextState::find(std::uint64_t variable) const noexcept {
  const auto entry = std::ranges::find(entries_, variable, &Entry::variable);
  return entry == entries_.end() ? nullptr : &entry->value;
}

void ContextState::set(std::uint64_t variable, Value value) {
  const auto entry = std::ranges::find(entries_, variable, &Entry::variable);
  if (entry == entries_.end()) {
    if (value) entries_.push_back({variable, std::move(value)});
  } else if (value) {
    entry->value = std::move(value);
  } else {
    entries_.erase(entry);
  }
}

std::uint64_t next_context_variable() noexcept {
  // Written by every thread that makes a variable; only its being different each time matters.
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

namespace {

// Gives the value that was there before.
ContextState::Value exchange_context_value(std::uint64_t variable, ContextState::Value value) {
  // A thread's own context, outside of every task, goes with the thread.
  struct ThreadEnd {
    ~ThreadEnd() {
      if (auto* const last = std::exchange(current_context, nullptr)) last->release();
    }
  };
  static thread_local const ThreadEnd end;
  (void)end;
  if (!current_context) {
    current_context = new ContextState;
  } else if (current_context->shared()) {
    ContextState* const own = current_context->clone();
    std::exchange(current_context, own)->release();
  }
  const auto* const previous = current_context->find(variable);
  ContextState::Value old = previous ? *previous : nullptr;
  current_context->set(variable, std::move(value));
  return old;
}

}  // namespace

std::shared_ptr<ContextUndo> set_context_value(std::uint64_t variable, ContextState::Value value) {
  auto undo = std::make_shared<ContextUndo>(ContextUndo{variable, nullptr});
  undo->previous = exchange_context_value(variable, std::move(value));
  return undo;
}

void throw_context_entered() {
  throw RuntimeError("cannot enter a context that is already entered: run() a copy of it");
}

void throw_no_context_value(const std::string& name) {
  throw RuntimeError("context variable '" + name +
                     "' has no value here: set() it, or give it a fallback when it is made");
}

void undo_context_value(ContextUndo& undo, std::uint64_t variable, const std::string& name) {
  if (undo.variable != variable) {
    throw std::invalid_argument("reset() of context variable '" + name +
                                "' got another variable's token");
  }
  if (std::exchange(undo.used, true)) {
    throw RuntimeError("reset() of context variable '" + name +
                       "' got a token that has already been used once");
  }
  exchange_context_value(variable, std::move(undo.previous));
}

}  // namespace plait::detail
