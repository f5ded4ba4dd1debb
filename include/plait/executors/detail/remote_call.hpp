// A call that can travel to another process: what goes there, what runs there, what comes back.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/core/detail/value_state.hpp>
#include <plait/executors/detail/code_address.hpp>
#include <plait/executors/detail/frame_archive.hpp>
#include <plait/executors/detail/remote_hook.hpp>
#include <plait/executors/detail/work_item.hpp>

namespace plait::detail {

// -- what can travel

template <class T>
concept Encodable = cereal::traits::is_output_serializable<T, FrameWriter>::value &&
                    cereal::traits::is_input_serializable<T, FrameReader>::value;
template <class F>
concept FunctionPointer = std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>;
/// There is nothing in it: a captureless lambda, remote<&f>, a function object without members.
template <class F>
concept Stateless = std::is_empty_v<F> && std::default_initializable<F>;

/// Whether an argument or a result can be carried; says why not.
template <class T>
consteval void check_travels() {
  static_assert(!std::is_pointer_v<T>,
                "a pointer means nothing in another process: pass the object, or a std::string "
                "instead of a string literal");
  static_assert(!std::is_reference_v<T>, "a reference means nothing in another process");
  if constexpr (!std::is_pointer_v<T> && !std::is_void_v<T>) {
    static_assert(Encodable<T>,
                  "this type cannot travel to another process: make it an aggregate of types that "
                  "can, or give it a serialize(Archive&) member; views, std::ref() and "
                  "std::function cannot");
    static_assert(std::default_initializable<T>,
                  "what travels is made by its default constructor and then read: give it one");
  }
}
/// Whether a callable can be carried; says why not.
template <class F>
consteval void check_callable_travels() {
  static_assert(!std::is_member_pointer_v<F>,
                "a pointer to a member cannot travel: give remote<&Class::member>");
  static_assert(FunctionPointer<F> || Stateless<F> || std::is_member_pointer_v<F> ||
                    (Encodable<F> && std::default_initializable<F>),
                "this callable cannot travel to another process: pass what a lambda captures as "
                "arguments, or give a function, remote<&f>, or a function object that is an "
                "aggregate or has serialize(Archive&)");
}

template <class F>
void write_callable(FrameWriter& out, const F& fn) {
  if constexpr (FunctionPointer<F>) {
    const CodeAddress address = address_of_function(fn);
    out(address.module, address.offset);
  } else if constexpr (!Stateless<F>) {
    out(fn);
  }
}
/// @throws SerializationError
[[noreturn]] void throw_code_mismatch();
template <class F>
F read_callable(FrameReader& in) {
  F fn{};
  if constexpr (FunctionPointer<F>) {
    CodeAddress address;
    in(address.module, address.offset);
    fn = function_at<std::remove_pointer_t<F>>(address);
    if (!fn) throw_code_mismatch();
  } else if constexpr (!Stateless<F>) {
    in(fn);
  }
  return fn;
}

// -- in the worker

/// Runs a coroutine until its end, and blocks meanwhile.
void run_to_end(Coroutine<> coroutine);

template <class T>
Coroutine<> store_result(Coroutine<T> coroutine, std::optional<T>& result) {
  result.emplace(co_await std::move(coroutine));
}
template <class T>
T result_of(Coroutine<T> coroutine) {
  if constexpr (std::is_void_v<T>) {
    run_to_end(std::move(coroutine));
  } else {
    std::optional<T> result;
    run_to_end(store_result(std::move(coroutine), result));
    return *std::move(result);
  }
}

/// fn(args...), as submit() would call it; nobody can stop it but by killing the process.
template <class F, class... Args>
decltype(auto) call_in_worker(F& fn, Args&... args) {
  if constexpr (std::invocable<F, Args...>) {
    return std::invoke(std::move(fn), std::move(args)...);
  } else {
    return std::invoke(std::move(fn), std::stop_token(), std::move(args)...);
  }
}

/// The halves of a call of fn(args...) that gives a T.
template <class T, class F, class... Args>
struct PortableCall {
  using Bound = std::tuple<F, Args...>;

  /// Runs in: the worker.
  static void serve(FrameReader& in, Reply& reply) {
    F fn = read_callable<F>(in);
    std::tuple<Args...> args;
    std::apply([&](Args&... arg) { (read_value(in, arg), ...); }, args);
    check_all_read(in.source());
    reply.begin_call();
    if constexpr (std::is_void_v<T>) {
      call(fn, args);
      reply.begin_result();
      reply.send(Payload());
    } else {
      const T value(call(fn, args));
      reply.begin_result();
      Payload payload;
      FrameWriter out(payload);
      write_value(out, value);
      reply.send(payload);
    }
  }

  static T call(F& fn, std::tuple<Args...>& args) {
    return std::apply(
        [&](Args&... arg) -> T {
          if constexpr (CoroutineFunction<F, Args...>) {
            return result_of<T>(call_in_worker(fn, arg...));
          } else {
            return static_cast<T>(call_in_worker(fn, arg...));
          }
        },
        args);
  }

  /// Runs in: who submits.
  static void encode(const void* bound, Payload& payload) {
    FrameWriter out(payload);
    std::apply(
        [&](const F& fn, const Args&... args) {
          write_callable(out, fn);
          (write_value(out, args), ...);
        },
        *static_cast<const Bound*>(bound));
  }
  /// Runs in: the pool's manager.
  static void decode(FutureState& state, ByteSource& source) {
    if constexpr (!std::is_void_v<T>) {
      static_cast<ValueState<T>&>(state).emplace_with([&] {
        FrameReader in(source);
        T value{};
        read_value(in, value);
        check_all_read(source);
        return value;
      });
    }
  }
  static CodeAddress address() {
    static const CodeAddress address = address_of_function(&serve);
    return address;
  }

  static constexpr RemoteCall make_remote_call() {
    RemoteCall call{address, encode, decode};
    if constexpr (is_bulk<T>) {
      call.make_room = [](FutureState& state, std::uint64_t elements, std::uint64_t bytes) {
        using Element = typename T::value_type;
        if (bytes % sizeof(Element) != 0 || elements != bytes / sizeof(Element)) {
          throw_wrong_length();
        }
        T value;
        reserve_bulk(value, elements);
        static_cast<ValueState<T>&>(state).emplace_with([&] { return std::move(value); });
      };
      call.next_room = [](FutureState& state, std::uint64_t elements) {
        return next_bulk(static_cast<ValueState<T>&>(state).value(), elements);
      };
      call.drop_room = [](FutureState& state) {
        std::destroy_at(std::addressof(static_cast<ValueState<T>&>(state).value()));
      };
    }
    return call;
  }
  static constexpr RemoteCall remote_call = make_remote_call();
};

}  // namespace plait::detail
