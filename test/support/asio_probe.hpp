// What tests of the bridge to Asio share: an operation of their own, a context that runs.
#pragma once

#include <thread>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

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

}  // namespace plait::test
