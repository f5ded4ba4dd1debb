// The results of one chunk of a map(), and the job that computes them.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <new>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <plait/executors/detail/work_item.hpp>

namespace plait::detail {

/// An element whose call threw.
struct ElementError {
  std::size_t place;  // within the chunk
  std::exception_ptr error;
  bool read = false;
};

/// Reports those that nobody has read.
void log_lost_element_errors(const std::vector<ElementError>& errors) noexcept;

/// Room for elements that are made one after the other. Not a std::vector: that holds no bools, and
/// looks after its members at every element.
template <class Element>
class ElementBuffer {
 public:
  ElementBuffer() = default;
  explicit ElementBuffer(std::size_t capacity)
      : begin_(std::allocator<Element>().allocate(capacity)), end_(begin_), capacity_(capacity) {}
  ElementBuffer(ElementBuffer&& other) noexcept { swap(other); }
  ElementBuffer& operator=(ElementBuffer other) noexcept {
    swap(other);
    return *this;
  }
  ~ElementBuffer() {
    std::destroy(begin_, end_);
    if (begin_) std::allocator<Element>().deallocate(begin_, capacity_);
  }

  Element* begin() noexcept { return begin_; }
  Element* end() noexcept { return end_; }
  /// The elements up to `end` are alive now; the caller has made them in place.
  void set_end(Element* end) noexcept { end_ = end; }

 private:
  void swap(ElementBuffer& other) noexcept {
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
  }

  Element* begin_ = nullptr;
  Element* end_ = nullptr;
  std::size_t capacity_ = 0;
};

/// What a chunk's calls gave: a value each, except where `errors` has the place.
template <class Element>
struct ChunkResults {
  ChunkResults() = default;
  ChunkResults(ChunkResults&&) noexcept = default;
  ChunkResults& operator=(ChunkResults&&) noexcept = default;
  ~ChunkResults() {
    if (!errors.empty()) log_lost_element_errors(errors);
  }

  ElementBuffer<Element> values;     // without gaps: shorter than the chunk by errors.size()
  std::vector<ElementError> errors;  // in the order of their places
};

/// What all chunks of one map() share.
template <class Fn>
struct MapShared {
  template <class F>
  explicit MapShared(F&& function) : fn(std::forward<F>(function)) {}

  Fn fn;
  // Set once by the thread that reads the results, when it drops them; read by every worker before
  // each element. Default order; nothing else is published through it.
  std::atomic<bool> abandoned{false};
};

/// One input's elements of a chunk; a std::vector<bool> would not hold bools.
template <class Input>
using InputColumn =
    std::conditional_t<std::is_same_v<Input, bool>, std::deque<bool>, std::vector<Input>>;

/// The job of one chunk. It takes a stop token exactly if `Fn` does.
template <class Element, class Fn, class... Inputs>
class ChunkCall {
 public:
  using Columns = std::tuple<InputColumn<Inputs>...>;

  ChunkCall(std::shared_ptr<MapShared<Fn>> shared, Columns columns, std::size_t size)
      : shared_(std::move(shared)), columns_(std::move(columns)), size_(size) {}

  // -- for who sends it to another process
  const Fn& fn() const noexcept { return shared_->fn; }
  const Columns& columns() const noexcept { return columns_; }
  std::size_t size() const noexcept { return size_; }

  ChunkResults<Element> operator()()
    requires std::invocable<Fn&, Inputs...>
  {
    return std::apply(
        [this](auto&... columns) {
          return run([&](std::size_t place) -> decltype(auto) {
            return std::invoke(shared_->fn, std::move(columns[place])...);
          });
        },
        columns_);
  }
  ChunkResults<Element> operator()(std::stop_token token)
    requires(!std::invocable<Fn&, Inputs...>)
  {
    return std::apply(
        [&](auto&... columns) {
          return run([&](std::size_t place) -> decltype(auto) {
            return std::invoke(shared_->fn, token, std::move(columns[place])...);
          });
        },
        columns_);
  }

 private:
  template <class Call>
  ChunkResults<Element> run(Call call) {
    ChunkResults<Element> results;
    results.values = ElementBuffer<Element>(size_);
    const std::atomic<bool>& abandoned = shared_->abandoned;
    Element* end = results.values.begin();
    for (std::size_t place = 0; place < size_; ++place) {
      try {
        // The inner loop has no handler to set up; it is left only by an exception or at the end.
        for (; place < size_ && !abandoned.load(); ++place, ++end) make_element(end, call, place);
        break;
      } catch (...) {
        results.values.set_end(end);
        results.errors.push_back({place, capture_exception()});
      }
    }
    results.values.set_end(end);
    return results;
  }
  template <class Call>
  static void make_element(Element* where, Call& call, std::size_t place) {
    if constexpr (std::is_void_v<decltype(call(place))>) {
      call(place);
      ::new (static_cast<void*>(where)) Element();
    } else {
      ::new (static_cast<void*>(where)) Element(call(place));
    }
  }

  std::shared_ptr<MapShared<Fn>> shared_;
  Columns columns_;
  std::size_t size_;
};

}  // namespace plait::detail
