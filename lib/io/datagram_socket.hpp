// Datagrams over a descriptor.
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include <plait/core/detail/context_state.hpp>
#include <plait/io/datagrams.hpp>
#include <plait/loop/detail/loop_core.hpp>

#include "io/addresses.hpp"
#include "io/fd_watch.hpp"

namespace plait::detail {

/// See FdTransport, whose life this has, too.
class DatagramSocket final : public aio::DatagramTransport {
 public:
  /// @throws std::system_error
  DatagramSocket(LoopCore& core, OwnedFd fd);

  /// Begins: connection_made(), then receiving.
  void start(std::shared_ptr<aio::DatagramProtocol> protocol);

  void sendto(std::string_view data, const std::string& to) override;
  std::size_t get_write_buffer_size() const noexcept override { return unsent_size_; }
  void close() override;
  void abort() override { lose(); }
  bool is_closing() const noexcept override { return stage_ != Stage::open; }
  std::string peername() const override { return peername_; }
  std::string sockname() const override { return sockname_; }

 private:
  enum class Stage { open, closing, lost };
  struct Datagram {
    std::string data;
    SocketAddress to;  // of size 0: to the only other side
  };

  std::shared_ptr<DatagramSocket> self() {
    return std::static_pointer_cast<DatagramSocket>(shared_from_this());
  }
  void forget_protocol() noexcept;
  void watch_reads();
  void on_readable();
  bool receive();
  void watch_writes();
  void on_writable();
  bool send(std::string_view data, const SocketAddress& to);
  template <class Call>
  void call_protocol(Call call);
  void lose();

  const std::shared_ptr<LoopCore> core_;
  FdWatch watch_;
  const std::string peername_;
  const std::string sockname_;
  Stage stage_ = Stage::open;
  std::deque<Datagram> unsent_;
  std::size_t unsent_size_ = 0;
  bool writing_paused_ = false;
  std::shared_ptr<aio::DatagramProtocol> protocol_;  // null: not started, or lost
  ContextRef context_ = share_context();             // what callbacks see
};

}  // namespace plait::detail
