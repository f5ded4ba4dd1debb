// TLS over another transport.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <plait/io/transport.hpp>

namespace plait::detail {

class FdTransport;
class LoopCore;

/// Which side of a TLS connection this is.
struct TlsSide {
  bool is_server = false;
  std::string host{};  ///< of a client: the server's name, which its certificate has to bear
};

/// Makes TLS of what `below` carries: `protocol` is told of the connection after the handshake,
/// `on_handshake` before that, with an error if it has failed. `context` is a
/// boost::asio::ssl::context. @throws RuntimeError where plait was built without TLS
std::shared_ptr<aio::Transport> start_tls(LoopCore& core, const std::shared_ptr<FdTransport>& below,
                                          std::shared_ptr<void> context, TlsSide side,
                                          std::shared_ptr<aio::Protocol> protocol,
                                          std::function<void(std::exception_ptr)> on_handshake,
                                          std::function<void()> on_lost);

}  // namespace plait::detail
