// What map() is told and what it returns: a range of results in the order of the inputs.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include <plait/core/clock.hpp>
#include <plait/executors/detail/map_feed.hpp>

namespace plait {

/// A chunksize that lets map() choose: large enough that a chunk outweighs what submitting it
/// costs, small enough that every worker gets many.
inline constexpr std::size_t auto_chunksize = static_cast<std::size_t>(-1);

/// The keyword arguments of map().
struct MapOptions {
  /// How long the whole iteration may take, counted from the call to map().
  std::optional<Duration> timeout{};
  /// How many elements make one job; auto_chunksize: as many as pay.
  std::size_t chunksize = 1;
  /// How many elements may be submitted and not yet passed by the iteration; nullopt: all of them.
  std::optional<std::size_t> buffersize{};
};

/// The results of map(), an input range in the order of the inputs. Dropping it cancels what has
/// not started, and requests a stop of what runs if the callable takes a std::stop_token.
///
/// @snippet samples/03_map.cpp map
///
/// An element whose call threw throws where it is read, and the iteration can go on after it, in a
/// chunk too. Waiting for an element helps as Future::result() does. Elements are given by value:
/// copied, or moved out where they cannot be copied; a call that returns nothing gives
/// std::monostate. With `buffersize` the inputs are read while the results are, and must live as
/// long.
///
/// **Python:** the iterator that map() returns, which ends at the first error.
/// **Threads:** one at a time. Calls run at the same time and share one copy of the callable.
template <class T>
class MapResults {
 public:
  /// Where the iteration stands. Only the newest iterator of a range may be used.
  class iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using value_type = typename detail::MapFeed<T>::Element;

    /// Blocks until this element is done. @throws what its call threw; TimeoutError, which also
    /// ends the range; CancelledError
    value_type operator*() const {
      return present_ != run_end_ ? detail::MapFeed<T>::give(*present_) : feed_->current();
    }
    /// Goes on to the next one, read or not; does not wait for it.
    iterator& operator++() {
      if (run_end_ - present_ > 1) {
        feed_->move_to(++present_);
      } else {
        feed_->advance();
        std::tie(present_, run_end_) = feed_->run();
      }
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const {
      return present_ == run_end_ && feed_->exhausted();
    }

   private:
    friend MapResults;
    explicit iterator(detail::MapFeed<T>* feed) : feed_(feed) {
      std::tie(present_, run_end_) = feed->run();
    }

    // A copy of the feed's run(), kept here so that an element costs no look at the feed.
    value_type* present_ = nullptr;
    value_type* run_end_ = nullptr;
    detail::MapFeed<T>* feed_ = nullptr;
  };

  /// Made by Executor::map().
  explicit MapResults(std::unique_ptr<detail::MapFeed<T>> feed) : feed_(std::move(feed)) {}

  /// Where the iteration stands.
  iterator begin() { return iterator(feed_.get()); }
  /// The end of the range.
  std::default_sentinel_t end() { return {}; }

  /// The next element, moved out; nullopt at the end. **Python:** next(). @throws as the iterator
  std::optional<typename detail::MapFeed<T>::Element> next() {
    if (feed_->exhausted()) return {};
    try {
      std::optional<typename detail::MapFeed<T>::Element> element(feed_->take_current());
      feed_->advance();
      return element;
    } catch (...) {
      if (!feed_->exhausted()) feed_->advance();
      throw;
    }
  }

 private:
  std::unique_ptr<detail::MapFeed<T>> feed_;
};

}  // namespace plait
