// The results of one chunk of a map(), and the job that computes them.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
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

/// What a chunk's calls gave: a value each, except where `errors` has the place.
template <class Element>
struct ChunkResults {
  ChunkResults() = default;
  ChunkResults(ChunkResults&&) noexcept = default;
  ChunkResults& operator=(ChunkResults&&) noexcept = default;
  ~ChunkResults() {
    if (!errors.empty()) log_lost_element_errors(errors);
  }

  // A struct around each value, as a std::vector<bool> would not hold values.
  struct Value {
    Element value;
  };

  std::vector<Value> values;         // without gaps: shorter than the chunk by errors.size()
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

/// The job of one chunk. It takes a stop token exactly if `Fn` does.
template <class Element, class Fn, class... Inputs>
class ChunkCall {
 public:
  using Arguments = std::tuple<Inputs...>;

  ChunkCall(std::shared_ptr<MapShared<Fn>> shared, std::vector<Arguments> inputs)
      : shared_(std::move(shared)), inputs_(std::move(inputs)) {}

  ChunkResults<Element> operator()()
    requires std::invocable<Fn&, Inputs...>
  {
    return run([this](Arguments& arguments) -> decltype(auto) {
      return std::apply(
          [this](Inputs&... inputs) -> decltype(auto) {
            return std::invoke(shared_->fn, std::move(inputs)...);
          },
          arguments);
    });
  }
  ChunkResults<Element> operator()(std::stop_token token)
    requires(!std::invocable<Fn&, Inputs...>)
  {
    return run([&](Arguments& arguments) -> decltype(auto) {
      return std::apply(
          [&](Inputs&... inputs) -> decltype(auto) {
            return std::invoke(shared_->fn, token, std::move(inputs)...);
          },
          arguments);
    });
  }

 private:
  template <class Call>
  ChunkResults<Element> run(Call call) {
    ChunkResults<Element> results;
    results.values.reserve(inputs_.size());
    for (std::size_t place = 0; place < inputs_.size(); ++place) {
      try {
        // The inner loop has no handler to set up; it is left only by an exception or at the end.
        for (; place < inputs_.size() && !shared_->abandoned.load(); ++place) {
          append(results.values, call, inputs_[place]);
        }
        break;
      } catch (...) {
        results.errors.push_back({place, capture_exception()});
      }
    }
    return results;
  }
  template <class Call>
  static void append(std::vector<typename ChunkResults<Element>::Value>& values, Call& call,
                     Arguments& arguments) {
    if constexpr (std::is_void_v<decltype(call(arguments))>) {
      call(arguments);
      values.emplace_back();
    } else {
      values.push_back({call(arguments)});
    }
  }

  std::shared_ptr<MapShared<Fn>> shared_;
  std::vector<Arguments> inputs_;
};

}  // namespace plait::detail
