// How a chain of awaits is run, cancelled and described.
#include <plait/core/detail/fiber.hpp>

#include <algorithm>
#include <limits>

#include <plait/core/cancelled_error.hpp>

namespace plait::detail {

// ---------------------------------------------------------------- frames

namespace {

void erase_all(std::string& text, std::string_view part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part)) {
    text.erase(at, part.size());
  }
}

// GCC calls a coroutine's body "void f(f(int)::_Z1fi.Frame*)", Clang "Coroutine<int> f(int)".
std::string readable_name(std::string name) {
  if (const auto frame = name.find(".Frame*)"); frame != std::string::npos) {
    std::size_t depth = 1, open = frame;
    while (open > 0 && depth > 0) {
      --open;
      depth += name[open] == ')' ? 1 : 0;
      depth -= name[open] == '(' ? 1 : 0;
    }
    name.erase(open);
    if (name.starts_with("void ")) name.erase(0, 5);
  }
  erase_all(name, "plait::");
  return name;
}

}  // namespace

std::string describe_frame(const Frame& frame) {
  if (frame.is_operation()) return frame.operation().what();
  const std::source_location place = frame.place();
  return readable_name(place.function_name()) + " (" + place.file_name() + ":" +
         std::to_string(place.line()) + ")";
}

// ---------------------------------------------------------------- steps

Fiber::~Fiber() = default;

// True: ended.
bool Fiber::first_step() noexcept {
  started_ = true;
  if (!leaf_->is_operation()) return run_from(*leaf_);
  OperationBase& operation = leaf_->operation();
  operation.fiber = this;
  try {
    if (operation.ready()) return true;
    operation.suspend();
    return false;
  } catch (...) {
    operation.fail(std::current_exception());
    return true;
  }
}

Frame& Fiber::root() const noexcept {
  Frame* frame = leaf_;
  while (Frame* const parent = frame->parent()) frame = parent;
  return *frame;
}

// ---------------------------------------------------------------- cancellation

bool Fiber::cancel(std::string_view message) noexcept {
  if (cancel_requests_ < std::numeric_limits<decltype(cancel_requests_)>::max()) {
    ++cancel_requests_;
  }
  set_cancel_message(message);
  if (delivering_) return false;
  if (suspended_on_ && !awake_) {
    deliver_cancellation();
  } else {
    cancel_pending_ = true;
  }
  return true;
}

void Fiber::deliver_cancellation() noexcept {
  cancel_pending_ = true;
  delivering_ = true;
  const Interrupted how = suspended_on_->interrupt();
  delivering_ = false;
  switch (how) {
    case Interrupted::gave_up:
      gave_up_ = true;
      wake();
      break;
    case Interrupted::passed_on:
      cancel_pending_ = false;
      break;
    case Interrupted::too_late:
      break;
  }
}

int Fiber::uncancel() noexcept {
  if (cancel_requests_ > 0 && --cancel_requests_ == 0) cancel_pending_ = gave_up_;
  return cancel_requests_;
}

std::exception_ptr Fiber::take_cancellation() noexcept {
  cancel_pending_ = gave_up_ = false;
  return make_cancelled_error();
}

std::exception_ptr Fiber::make_cancelled_error() const noexcept {
  try {
    throw CancelledError(extras_ ? extras_->cancel_message : std::string());
  } catch (...) {
    return std::current_exception();
  }
}

// The reason is a courtesy: without memory for it the request still stands.
void Fiber::set_cancel_message(std::string_view message) noexcept {
  if (message.empty() && !extras_) return;
  try {
    if (!extras_) extras_ = std::make_unique<Extras>();
    extras_->cancel_message = message;
  } catch (const std::bad_alloc&) {
    if (extras_) extras_->cancel_message.clear();
  }
}

// ---------------------------------------------------------------- names and stacks

std::string Fiber::name() const {
  if (extras_ && !extras_->name.empty()) return extras_->name;
  return "Task-" + std::to_string(id_);
}

void Fiber::set_name(std::string name) {
  if (!extras_) extras_ = std::make_unique<Extras>();
  extras_->name = std::move(name);
}

std::vector<std::string> Fiber::stack() const {
  std::vector<std::string> lines;
  if (ended_ || state_.done()) return lines;  // the frames are gone
  const Frame* const leaf = execution.fiber == this ? execution.leaf : leaf_;
  for (const Frame* frame = leaf; frame; frame = frame->parent()) {
    lines.push_back(describe_frame(*frame));
  }
  std::ranges::reverse(lines);
  return lines;
}

}  // namespace plait::detail
