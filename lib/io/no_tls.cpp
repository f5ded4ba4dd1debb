// For builds without OpenSSL.
#include <plait/core/errors.hpp>

#include "io/tls_transport.hpp"

namespace plait::detail {

std::shared_ptr<aio::Transport> start_tls(LoopCore&, const std::shared_ptr<FdTransport>&,
                                          std::shared_ptr<void>, TlsSide,
                                          std::shared_ptr<aio::Protocol>,
                                          std::function<void(std::exception_ptr)>,
                                          std::function<void()>) {
  throw RuntimeError("plait was built without TLS: build it with OpenSSL and -Dtls=enabled");
}

}  // namespace plait::detail
