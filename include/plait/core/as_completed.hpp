// as_completed: several futures in the order in which they finish.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include <plait/core/detail/completion_queue.hpp>
#include <plait/core/wait.hpp>

namespace plait {

/// An input range of futures, each given when it is done. Made by as_completed().
///
/// **Threads:** one at a time.
template <class T>
class AsCompleted {
 public:
  /// Where the iteration stands; all iterators of one range share it.
  class iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using value_type = Future<T>;

    /// The future that has finished.
    Future<T> operator*() const { return range_->current_; }
    /// Blocks until the next one has finished. @throws TimeoutError, which also ends the range
    iterator& operator++() {
      range_->advance();
      return *this;
    }
    void operator++(int) { range_->advance(); }
    bool operator==(std::default_sentinel_t) const { return !range_->current_.valid(); }

   private:
    friend AsCompleted;
    explicit iterator(AsCompleted* range) : range_(range) {}
    AsCompleted* range_ = nullptr;
  };

  /// Blocks until the first one has finished. @throws TimeoutError
  iterator begin() {
    if (!current_.valid()) advance();
    return iterator(this);
  }
  /// The end of the range.
  std::default_sentinel_t end() { return {}; }

 private:
  template <class U>
  friend AsCompleted<U> as_completed(const std::vector<Future<U>>&, std::optional<Duration>);

  AsCompleted(const std::vector<Future<T>>& fs, std::optional<Duration> timeout)
      : queue_(detail::distinct_states(fs, futures_, "as_completed()"), timeout) {}

  void advance() {
    current_ = Future<T>();
    if (const auto place = queue_.next_or_throw()) current_ = std::move(futures_[*place]);
  }

  std::vector<Future<T>> futures_;  // those not given out yet; the others are without a state
  detail::CompletionQueue queue_;   // goes before futures_, whose states it watches
  Future<T> current_;
};

/// The futures in the order in which they finish, those already done first, duplicates once.
///
/// @snippet samples/02_as_completed.cpp as_completed
///
/// The deadline counts from this call. In a worker, pending jobs of its own pool are run in place.
/// **Python:** as there. **Threads:** any.
/// @throws std::invalid_argument for a future without a state; from the iteration TimeoutError
template <class T>
AsCompleted<T> as_completed(const std::vector<Future<T>>& fs,
                            std::optional<Duration> timeout = {}) {
  return AsCompleted<T>(fs, timeout);
}

}  // namespace plait
