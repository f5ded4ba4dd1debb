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
#include <plait/executors/detail/submit_job.hpp>

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

  /// The present element, to be read again; moved out only where it cannot be copied.
  Element current() {
    if constexpr (std::copy_constructible<Element>) {
      return present();
    } else {
      return take_current();
    }
  }
  /// The present element, moved out.
  Element take_current() { return std::move(present()); }

  /// On to the next element. What the inputs or the executor throw is thrown where the element that
  /// they did not give is read.
  void advance() {
    Chunk& chunk = chunks_.front();
    --in_flight_;
    if (chunk.is_error(chunk.place)) ++chunk.next_error;
    if (++chunk.place == chunk.size) chunks_.pop_front();
    try {
      refill();
    } catch (...) {
      chunks_.push_back({.future = {}, .size = 1});
      chunks_.back().results.errors.push_back({0, capture_exception()});
      ++in_flight_;
    }
  }

 protected:
  struct Chunk {
    Future<ChunkResults<Element>> future;  // without a state once `results` holds its value
    std::size_t size;
    std::size_t place = 0;       // of the present element
    std::size_t next_error = 0;  // the first of results.errors at or after `place`
    ChunkResults<Element> results{};

    bool is_error(std::size_t which) const {
      return next_error < results.errors.size() && results.errors[next_error].place == which;
    }
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
  }

  std::deque<Chunk> chunks_;  // in the order of the inputs
  // What the inputs threw when submit_chunk() had read some elements of its chunk.
  std::exception_ptr input_error_;

 private:
  Element& present() {
    Chunk& chunk = chunks_.front();
    if (chunk.future.valid()) load(chunk);
    auto& [values, errors] = chunk.results;
    if (chunk.is_error(chunk.place)) {
      errors[chunk.next_error].read = true;
      std::rethrow_exception(errors[chunk.next_error].error);
    }
    return values[chunk.place - chunk.next_error].value;
  }

  // A chunk that failed as a whole, as on a broken pool, throws for each of its elements.
  void load(Chunk& chunk) {
    if (deadline_ && !chunk.future.wait_for(*deadline_ - Clock::now())) {
      cancel_rest();
      throw_timeout("map()");
    }
    chunk.results = chunk.future.take();
    chunk.future = {};
    for (std::size_t skipped = 0; skipped < chunk.place; ++skipped) {
      if (chunk.is_error(skipped)) ++chunk.next_error;
    }
  }

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
  using Positions = std::tuple<std::ranges::iterator_t<Views>...>;
  static constexpr std::size_t max_reserved = 4096;  // a chunksize may exceed any memory

  std::size_t submit_chunk(std::size_t size) override {
    std::vector<typename Call::Arguments> inputs;
    inputs.reserve(std::min(size, max_reserved));
    try {
      for (; inputs.size() < size && !at_end(); step()) {
        std::apply([&](auto&... position) { inputs.emplace_back(*position...); }, positions_);
      }
    } catch (...) {
      if (inputs.empty()) throw;
      this->input_error_ = capture_exception();  // comes after those that were read
    }
    const std::size_t count = inputs.size();
    if (count > 0) {
      this->chunks_.push_back({.future = submit_job(*core_, SubmitOptions(), NoName(),
                                                    Call(shared_, std::move(inputs))),
                               .size = count});
    }
    return count;
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
