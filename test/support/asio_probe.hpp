// What tests of the bridge to Asio share: an operation of their own, a context that runs.
#pragma once

#include <array>
#include <exception>
#include <functional>
#include <memory>
#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>

#include "on_loop.hpp"

namespace plait::test {

using Stream = boost::asio::local::stream_protocol::socket;

// An operation on `context` whose handler is called with the arguments, a turn later.
template <class Signature, class Token, class... Args>
auto async_call(boost::asio::io_context& context, Token&& token, Args... args) {
  return boost::asio::async_initiate<Token, Signature>(
      [&context](auto handler, auto... given) {
        auto call = [handler = std::move(handler), ... given = std::move(given)]() mutable {
          std::move(handler)(std::move(given)...);
        };
        boost::asio::post(context, std::move(call));
      },
      token, std::move(args)...);
}

// A context that another thread runs.
class RunningContext {
 public:
  RunningContext() : thread_([this] { context.run(); }) {}
  ~RunningContext() {
    guard_.reset();
    thread_.join();
  }

  mutable boost::asio::io_context context;

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
      context.get_executor()};
  std::thread thread_;
};

// How a task ended: "value", "cancelled", or what it threw.
template <class T>
std::string end_of(const Future<T>& task) {
  if (task.cancelled()) return "cancelled";
  try {
    std::rethrow_exception(task.exception() ? task.exception()
                                            : std::make_exception_ptr(std::string("value")));
  } catch (const std::string& value) {
    return value;
  } catch (const boost::system::system_error& e) {
    return e.code().message();
  } catch (const std::exception& e) {
    return e.what();
  }
}

struct Pair {
  explicit Pair(aio::EventLoop& loop) : Pair(loop.context(), loop.context()) {}
  Pair(boost::asio::io_context& a, boost::asio::io_context& b) : near(a), far(b) {
    boost::asio::local::connect_pair(near, far);
  }
  Stream near, far;
};

// Runs `loop` until `task` is done, however it ends.
template <class T>
std::string run_to_end(aio::EventLoop& loop, const aio::Task<T>& task) {
  loop.run_until_complete(settle(task));
  return end_of(task);
}

// An operation whose end the test chooses.
class Manual {
 public:
  template <class Token = aio::use_coroutine_t>
  auto async(Token token = {}) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, int)>(
        [this](auto handler) {
          finish = [h = std::make_shared<decltype(handler)>(std::move(handler))](
                       boost::system::error_code e, int n) {
            auto once = std::move(*h);
            std::move(once)(e, n);
          };
        },
        token);
  }
  std::function<void(boost::system::error_code, int)> finish;
};

// Takes the operation's result, then waits once more: is the request still there?
inline Coroutine<std::string> take_then_wait(Manual& manual, std::string& seen) {
  try {
    seen = std::to_string(co_await manual.async());
  } catch (const boost::system::system_error&) {
    seen = "refused";
  }
  co_await aio::yield();
  co_return "not cancelled";
}

// A coroutine that waits with its buffer in its frame.
inline Coroutine<> read_for_ever(Stream& stream) {
  std::array<char, 64> buffer;
  co_await boost::asio::async_read(stream, boost::asio::buffer(buffer), aio::use_coroutine);
}

}  // namespace plait::test
