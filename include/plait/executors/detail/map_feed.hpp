// The engine of map(): cuts the inputs into chunks, submits them and hands out their results.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <plait/core/future.hpp>
#include <plait/executors/detail/map_chunk.hpp>
#include <plait/executors/detail/submit_item.hpp>
#include <plait/executors/detail/work_item.hpp>

namespace plait {
struct MapOptions;
}

namespace plait::detail {

/// How many elements go into a chunk and how many may be in flight.
class ChunkPlan {
 public:
  /// `size`: how many elements there are, where that is known. std::invalid_argument for zeros.
  ChunkPlan(const MapOptions& options, std::size_t parallelism, std::optional<std::size_t> size);

  /// The size of the next chunk; 0 while `in_flight` leaves no room for it.
  std::size_t next(std::size_t in_flight);

 private:
  std::size_t chunk_;      // the size of the next chunk
  std::size_t max_chunk_;  // where chunk_ stops growing
  std::size_t buffer_;     // the bound on what is in flight
};

/// Everything about one map() but the types of the callable and the inputs.
template <class T>
class MapFeed {
 public:
  using Element = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  /// `stoppable`: the callable takes a stop token, and is asked to stop when nobody wants its
  /// result.
  MapFeed(ChunkPlan plan, Deadline deadline, bool stoppable)
      : plan_(plan), deadline_(deadline), stoppable_(stoppable) {}
  MapFeed(const MapFeed&) = delete;
  MapFeed& operator=(const MapFeed&) = delete;
  virtual ~MapFeed() = default;

  /// No element is left.
  bool exhausted() const { return chunks_.empty(); }

  /// The values from the present element up to the next error or the end of the chunk; empty where
  /// the present element is an error, or was not waited for yet.
  std::pair<Element*, Element*> run() const { return {present_, run_end_}; }
  /// The present element is another one of the same run.
  void move_to(Element* present) { present_ = present; }

  /// The present element, to be read again; moved out only where it cannot be copied.
  Element current() { return give(wait_for_present()); }
  /// The present element, moved out.
  Element take_current() { return std::move(wait_for_present()); }
  /// `element`, copied if that can be.
  static Element give(Element& element) {
    if constexpr (std::copy_constructible<Element>) {
      return element;
    } else {
      return std::move(element);
    }
  }

  /// On to the next element. What the inputs or the executor throw is thrown where the element that
  /// they did not give is read.
  void advance() {
    if (exhausted()) return;
    step();
    if (place() < chunks_.front().size) return;
    drop_chunk();
    try {
      refill();
    } catch (...) {
      chunks_.push_back({.future = {}, .size = 1, .error = capture_exception()});
      ++in_flight_;
    }
  }

 protected:
  struct Chunk {
    Future<ChunkResults<Element>> future;
    std::size_t size;
    std::exception_ptr error{};  // instead of a future: no job was made
  };

  /// Submits a chunk of at most `size` elements; 0: the inputs have ended.
  virtual std::size_t submit_chunk(std::size_t size) = 0;
  /// Lets chunks that run stop before their next element.
  virtual void abandon() noexcept = 0;

  /// Submits as much as the plan allows.
  void refill() {
    while (!inputs_ended_) {
      const std::size_t size = plan_.next(in_flight_);
      if (size == 0) return;
      inputs_ended_ = true;  // stays so if the inputs or the executor throw
      const std::size_t submitted = submit_chunk(size);
      in_flight_ += submitted;
      if (input_error_) std::rethrow_exception(std::exchange(input_error_, nullptr));
      inputs_ended_ = submitted < size;
    }
  }
  /// Cancels what has not started.
  void cancel_rest() noexcept {
    abandon();
    inputs_ended_ = true;
    for (const Chunk& chunk : chunks_) {
      if (chunk.future.valid()) stoppable_ ? chunk.future.request_stop() : chunk.future.cancel();
    }
    chunks_.clear();
    present_ = run_end_ = nullptr;
  }

  std::deque<Chunk> chunks_;  // in the order of the inputs
  // What the inputs threw when submit_chunk() had read some elements of its chunk.
  std::exception_ptr input_error_;

 private:
  Element& wait_for_present() {
    if (!loaded_) load(chunks_.front());
    if (present_ == run_end_) {
      ElementError& here = results_.errors[next_error_];
      here.read = true;
      std::rethrow_exception(here.error);
    }
    return *present_;
  }

  // A chunk that failed as a whole, as on a broken pool, throws for each of its elements.
  void load(Chunk& chunk) {
    if (chunk.error) {
      results_.errors.push_back({0, chunk.error});
    } else {
      if (deadline_ && !chunk.future.wait_for(*deadline_ - Clock::now())) {
        cancel_rest();
        throw_timeout("map()");
      }
      results_ = chunk.future.take();
    }
    loaded_ = true;
    present_ = results_.values.begin();
    run_end_ = end_of_run();
    while (skipped_ > 0) {
      --skipped_;
      step();
    }
  }

  // On to the next element of the chunk, or behind its last one.
  void step() {
    if (!loaded_) {
      ++skipped_;
    } else if (present_ != run_end_) {
      ++present_;
    } else {
      ++next_error_;
      run_end_ = end_of_run();
    }
  }
  // Of the present element in its chunk: so many values and errors come before it.
  std::size_t place() {
    return skipped_ + static_cast<std::size_t>(present_ - results_.values.begin()) + next_error_;
  }
  Element* end_of_run() {
    if (next_error_ == results_.errors.size()) return results_.values.end();
    return results_.values.begin() + (results_.errors[next_error_].place - next_error_);
  }
  void drop_chunk() {
    in_flight_ -= chunks_.front().size;
    chunks_.pop_front();
    results_ = {};
    present_ = run_end_ = nullptr;
    skipped_ = next_error_ = 0;
    loaded_ = false;
  }

  // The first of chunks_, where it was waited for.
  ChunkResults<Element> results_;
  Element* present_ = nullptr;
  Element* run_end_ = nullptr;
  std::size_t next_error_ = 0;  // the first of results_.errors at or behind the present element
  std::size_t skipped_ = 0;     // elements passed before the chunk was waited for
  bool loaded_ = false;

  ChunkPlan plan_;
  const Deadline deadline_;
  const bool stoppable_;
  std::size_t in_flight_ = 0;  // elements that were submitted and not passed
  bool inputs_ended_ = false;
};

/// A MapFeed that reads `Views` side by side and calls `Fn`.
template <class T, class Fn, class... Views>
class MapFeedOf final : public MapFeed<T> {
 public:
  template <class F, class... Rs>
  MapFeedOf(ChunkPlan plan, Deadline deadline, std::shared_ptr<ExecutorCore> core, F&& fn,
            Rs&&... inputs)
      : MapFeed<T>(plan, deadline, !std::invocable<Fn&, std::ranges::range_value_t<Views>...>),
        core_(std::move(core)),
        shared_(std::make_shared<MapShared<Fn>>(std::forward<F>(fn))),
        views_(std::views::all(std::forward<Rs>(inputs))...),
        positions_(std::apply([](auto&... view) { return Positions(std::ranges::begin(view)...); },
                              views_)) {}
  ~MapFeedOf() override { this->cancel_rest(); }

  using MapFeed<T>::refill;

 private:
  using Call = ChunkCall<typename MapFeed<T>::Element, Fn, std::ranges::range_value_t<Views>...>;
  using Results = ChunkResults<typename MapFeed<T>::Element>;
  using Chunk = WorkItem<Results, NoName, Call>;
  using Positions = std::tuple<std::ranges::iterator_t<Views>...>;

  std::size_t submit_chunk(std::size_t size) override {
    typename Call::Columns columns;
    try {
      read(columns, size, std::index_sequence_for<Views...>());
    } catch (...) {
      this->input_error_ = capture_exception();  // comes after those that were read
    }
    // An input that throws leaves those before it one element ahead.
    const std::size_t count =
        std::apply([](auto&... column) { return std::min({column.size()...}); }, columns);
    if (count > 0) {
      this->chunks_.push_back(
          {.future = submit_item<Results, Chunk>(*core_, SubmitOptions(), NoName(),
                                                 Call(shared_, std::move(columns), count)),
           .size = count});
    }
    return count;
  }

  template <std::size_t... I>
  void read(typename Call::Columns& columns, std::size_t size, std::index_sequence<I...>) {
    if constexpr ((... && plain_array<Views>)) {
      const std::size_t count = std::min({size, elements_left<I>()...});
      (..., std::get<I>(columns).assign(std::get<I>(positions_),
                                        std::get<I>(positions_) + signed_count(count)));
      (..., (std::get<I>(positions_) += signed_count(count)));
    } else {
      for (std::size_t count = 0; count < size && !at_end(); ++count, step()) {
        (..., std::get<I>(columns).emplace_back(*std::get<I>(positions_)));
      }
    }
  }
  // An input whose elements can be copied at a stroke, and cannot throw.
  template <class View>
  static constexpr bool plain_array =
      std::ranges::contiguous_range<View> && std::ranges::sized_range<View> &&
      std::is_trivially_copyable_v<std::ranges::range_value_t<View>>;
  template <std::size_t I>
  std::size_t elements_left() {
    return static_cast<std::size_t>(std::ranges::end(std::get<I>(views_)) -
                                    std::get<I>(positions_));
  }
  static std::ptrdiff_t signed_count(std::size_t count) {
    return static_cast<std::ptrdiff_t>(count);
  }
  void abandon() noexcept override { shared_->abandoned = true; }

  bool at_end() { return at_end(std::index_sequence_for<Views...>()); }
  template <std::size_t... I>
  bool at_end(std::index_sequence<I...>) {
    return (... || (std::get<I>(positions_) == std::ranges::end(std::get<I>(views_))));
  }
  void step() {
    std::apply([](auto&... position) { (..., ++position); }, positions_);
  }

  const std::shared_ptr<ExecutorCore> core_;
  const std::shared_ptr<MapShared<Fn>> shared_;
  std::tuple<Views...> views_;
  Positions positions_;
};

/// The number of elements that `inputs` have side by side, where all of them know their size.
template <class... Rs>
std::optional<std::size_t> common_size(Rs&... inputs) {
  if constexpr ((... && std::ranges::sized_range<Rs>)) {
    return std::min({static_cast<std::size_t>(std::ranges::size(inputs))...});
  } else {
    return {};
  }
}

/// Starts a map; what Executor::map() does.
template <class T, class F, class... Rs>
std::unique_ptr<MapFeed<T>> start_map(std::shared_ptr<ExecutorCore> core, ChunkPlan plan,
                                      Deadline deadline, F&& fn, Rs&&... inputs) {
  auto feed = std::make_unique<MapFeedOf<T, std::decay_t<F>, std::views::all_t<Rs>...>>(
      plan, deadline, std::move(core), std::forward<F>(fn), std::forward<Rs>(inputs)...);
  feed->refill();
  return feed;
}

}  // namespace plait::detail
