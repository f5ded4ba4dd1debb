// For builds without OpenSSL.
#include <plait/core/errors.hpp>

#include "io/fd_transport.hpp"
#include "io/tls_transport.hpp"

namespace plait::detail {
namespace {

[[noreturn]] void refuse() {
  throw RuntimeError("plait was built without TLS: build it with OpenSSL and -Dtls=enabled");
}

}  // namespace

std::shared_ptr<aio::Transport> begin_tls(LoopCore&, const std::shared_ptr<FdTransport>&,
                                          std::shared_ptr<void>, const TlsSide&,
                                          std::shared_ptr<aio::Protocol>, OnHandshake,
                                          std::function<void()>) {
  refuse();
}

std::shared_ptr<aio::Transport> upgrade_to_tls(
    LoopCore&, const std::shared_ptr<aio::Transport>&, std::shared_ptr<void>, const TlsSide&,
    std::shared_ptr<aio::Protocol>, OnHandshake,
    const std::function<std::string(const std::shared_ptr<aio::Transport>&)>&) {
  refuse();
}

}  // namespace plait::detail
