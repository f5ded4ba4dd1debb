// Chunks of a map() whose callable can travel to another process.
#pragma once

#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <plait/executors/detail/map_chunk.hpp>
#include <plait/executors/detail/remote_call.hpp>
#include <plait/executors/detail/remote_error.hpp>

namespace plait::detail {

/// Whether F is one of plait's own callables that are known to travel.
template <class F>
inline constexpr bool is_portable = false;

/// A ChunkCall, as PortableCall is for a single one.
template <class Element, class F, class... Inputs>
struct PortableChunk {
  using Call = ChunkCall<Element, F, Inputs...>;
  using Results = ChunkResults<Element>;

  static void serve(FrameReader& in, Reply& reply) {
    auto shared = std::make_shared<MapShared<F>>(read_portable(in));
    std::uint64_t size = 0;
    typename Call::Columns columns;
    in(size);
    std::apply([&](auto&... column) { (read_value(in, column), ...); }, columns);
    check_all_read(in.source());
    reply.begin_call();
    Results results = run(Call(std::move(shared), std::move(columns), size));
    reply.begin_result();
    Payload payload;
    write_results(results, payload);
    reply.send(payload);
    for (auto& error : results.errors) error.read = true;  // by the pool's process
  }
  static void encode(const void* bound, Payload& payload) {
    const Call& call = std::get<0>(*static_cast<const std::tuple<Call>*>(bound));
    FrameWriter out(payload);
    write_callable(out, call.fn());
    out(static_cast<std::uint64_t>(call.size()));
    std::apply([&](const auto&... column) { (write_value(out, column), ...); }, call.columns());
  }
  static void decode(FutureState& state, ByteSource& source) {
    static_cast<ValueState<Results>&>(state).emplace_with([&] { return read_results(source); });
  }
  static CodeAddress address() {
    static const CodeAddress address = address_of_function(&serve);
    return address;
  }

  static constexpr RemoteCall remote_call{address, encode, decode};

 private:
  static F read_portable(FrameReader& in) {
    if constexpr (requires(F f) { f.fn; }) {
      return F{read_callable<decltype(F::fn)>(in)};
    } else {
      return read_callable<F>(in);
    }
  }
  static Results run(Call call) {
    if constexpr (requires { call(); }) {
      return call();
    } else {
      return call(std::stop_token());
    }
  }
  static void write_results(Results& results, Payload& payload) {
    FrameWriter out(payload);
    const auto values = static_cast<std::size_t>(results.values.end() - results.values.begin());
    out(static_cast<std::uint64_t>(values), static_cast<std::uint64_t>(results.errors.size()));
    if constexpr (std::is_arithmetic_v<Element>) {
      payload.append(results.values.begin(), values * sizeof(Element));
    } else if constexpr (!std::is_same_v<Element, std::monostate>) {
      for (const Element& value : results.values) out(value);
    }
    for (const ElementError& error : results.errors) {
      out(static_cast<std::uint64_t>(error.place));
      encode_error(error.error, payload);
    }
  }
  static Results read_results(ByteSource& source) {
    FrameReader in(source);
    std::uint64_t values = 0, errors = 0;
    in(values, errors);
    Results results;
    results.values = ElementBuffer<Element>(values);
    Element* end = results.values.begin();
    if constexpr (std::is_arithmetic_v<Element>) {
      source.read(end, values * sizeof(Element));
      results.values.set_end(end + values);
    } else {
      for (std::uint64_t i = 0; i < values; ++i) {
        ::new (static_cast<void*>(end)) Element();
        results.values.set_end(++end);
        if constexpr (!std::is_same_v<Element, std::monostate>) in(*(end - 1));
      }
    }
    for (std::uint64_t i = 0; i < errors; ++i) {
      std::uint64_t place = 0;
      in(place);
      results.errors.push_back({static_cast<std::size_t>(place), decode_error(source)});
    }
    return results;
  }
};

template <class Element, class F, class... Inputs>
  requires is_portable<F>
inline constexpr const RemoteCall*
    remote_call_of<ChunkResults<Element>, ChunkCall<Element, F, Inputs...>> =
        &PortableChunk<Element, F, Inputs...>::remote_call;

}  // namespace plait::detail
