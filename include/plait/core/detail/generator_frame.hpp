// How a chain of generators that yield from each other is run.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

namespace plait::detail {

/// Throws RuntimeError: a generator was used by its own body.
[[noreturn]] void throw_generator_executing();
/// Throws RuntimeError: the body went on after close().
[[noreturn]] void throw_generator_ignored_exit();
/// Throws InvalidStateError: the generator has not returned.
[[noreturn]] void throw_generator_no_value();
/// Throws std::invalid_argument: something was sent, or had to be sent, that cannot be.
[[noreturn]] void throw_generator_send(bool just_started);
/// What throw_generator_ignored_exit() throws.
std::exception_ptr make_ignored_exit_error();
/// A GeneratorExit.
std::exception_ptr make_generator_exit();
/// Whether `error` is a GeneratorExit.
bool is_generator_exit(const std::exception_ptr& error);

//             start ──▶ running ──▶ yield ──▶ running ...
//                          │
//                          ├──▶ delegation: its `inner` runs until it has ended
//                          └──▶ end
//
// Each frame only says where it stopped. Who calls next() goes through the frames in a loop, so no
// frame is resumed by another one and the depth of the chain costs no stack and no time.

/// A generator's coroutine as the driver sees it: Y goes out, S comes in.
template <class Y, class S>
class GeneratorFrame {
 public:
  enum class At : std::uint8_t { start, yield, delegation, end };

  explicit GeneratorFrame(std::coroutine_handle<> coroutine) noexcept
      : self_(coroutine), leaf_(this) {}
  GeneratorFrame(const GeneratorFrame&) = delete;
  GeneratorFrame& operator=(const GeneratorFrame&) = delete;

  // -- for the body
  void yield(Y value) {
    yielded_.emplace(std::move(value));
    at_ = At::yield;
  }
  /// Runs `inner`, which is not done, in its place. @throws std::invalid_argument if it waits for
  /// an S that cannot be made
  void delegate_to(GeneratorFrame& inner) {
    if (inner.running_) throw_generator_executing();
    inner.leaf_->provide_nothing();
    inner.parent_ = this;
    inner_ = &inner;
    at_ = At::delegation;
  }
  void end() noexcept { at_ = At::end; }
  void fail(std::exception_ptr error) noexcept { error_ = std::move(error); }
  /// Throws what was thrown into the body where it stopped.
  void throw_incoming() {
    if (incoming_) std::rethrow_exception(std::exchange(incoming_, nullptr));
  }
  S take_sent() { return *take(sent_); }

  // -- for who drives the chain, of which this is the root
  std::coroutine_handle<> self() const noexcept { return self_; }
  bool started() const noexcept { return at_ != At::start; }
  bool done() const noexcept { return at_ == At::end; }
  void check_idle() const {
    if (running_) throw_generator_executing();
  }
  /// Sends what stands for Python's None.
  void provide_nothing() {
    if (!started()) return;
    if constexpr (std::default_initializable<S>) {
      sent_.emplace();
    } else {
      throw_generator_send(false);
    }
  }
  void provide_nothing_to_leaf() { leaf_->provide_nothing(); }
  void send_to_leaf(S value) { leaf_->sent_.emplace(std::move(value)); }
  /// Throws `error` into the innermost one. GeneratorExit closes all others before it gets here.
  void throw_into(std::exception_ptr error) {
    if (leaf_ != this && is_generator_exit(error)) error = close_inner(error);
    leaf_->incoming_ = std::move(error);
  }
  /// Runs the chain until it yields or has ended; throws what it has ended with.
  std::optional<Y> run() {
    if (drive(*this)) return take(leaf_->yielded_);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return std::nullopt;
  }

  std::optional<Y> current;  ///< what the iterators refer to

 private:
  template <class V>
  static std::optional<V> take(std::optional<V>& from) {
    std::optional<V> taken = std::move(from);
    from.reset();
    return taken;
  }
  bool drive(GeneratorFrame& top);
  std::exception_ptr close_inner(const std::exception_ptr& exit);

  const std::coroutine_handle<> self_;
  GeneratorFrame* parent_ = nullptr;  // who yields from this one; null: it is a root
  GeneratorFrame* inner_ = nullptr;   // at a delegation: to whom
  GeneratorFrame* leaf_;              // of a root: the innermost one, which stands at a yield
  std::optional<Y> yielded_;
  std::optional<S> sent_;
  std::exception_ptr incoming_;  // what the body is to throw when it goes on
  std::exception_ptr error_;     // what it has ended with
  At at_ = At::start;
  bool running_ = false;  // of a root: the chain runs
};

// True: somebody yields; false: `top` has ended.
template <class Y, class S>
bool GeneratorFrame<Y, S>::drive(GeneratorFrame& top) {
  running_ = true;
  for (bool more = true; more;) {
    leaf_->self_.resume();
    switch (leaf_->at_) {
      case At::delegation:
        leaf_ = leaf_->inner_->leaf_;
        break;
      case At::end:
        more = leaf_ != &top;
        if (more) {
          leaf_->parent_->incoming_ = std::exchange(leaf_->error_, nullptr);
          leaf_ = leaf_->parent_;
        }
        break;
      default:
        more = false;
    }
  }
  running_ = false;
  return top.at_ != At::end;
}

// PEP 380: each inner generator is closed, from the innermost one on, and what its close() throws,
// else the GeneratorExit, is thrown where it was yielded from. Gives what is for the root.
template <class Y, class S>
std::exception_ptr GeneratorFrame<Y, S>::close_inner(const std::exception_ptr& exit) {
  std::exception_ptr error = exit;
  while (leaf_ != this) {
    GeneratorFrame& level = *leaf_;
    level.incoming_ = std::exchange(error, exit);
    if (drive(level)) {
      error = make_ignored_exit_error();
    } else if (level.error_ && !is_generator_exit(level.error_)) {
      error = std::exchange(level.error_, nullptr);
    }
    leaf_ = level.parent_;
  }
  return error;
}

}  // namespace plait::detail
