// The memory that a pool shares with a worker.
#include "executors/process/call_claims.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <new>
#include <system_error>

namespace plait::detail {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

namespace {

PrivateFd make_memory(off_t size) {
  const PrivateFd low(::memfd_create("plait-claims", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Sealed: a worker that made it shorter would end this process with SIGBUS.
  if (!low || ::ftruncate(low.get(), size) != 0 ||
      ::fcntl(low.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    throw std::system_error(errno, std::generic_category(), "memfd_create()");
  }
  return PrivateFd::copy_of(low.get());
}

}  // namespace

CallClaims::CallClaims() : fd_(make_memory(sizeof *word_)) {
  map();
  if (!word_) throw std::system_error(errno, std::generic_category(), "mmap()");
  ::new (static_cast<void*>(word_)) std::atomic<std::uint64_t>(0);
}

CallClaims::CallClaims(int fd) noexcept : fd_(fd) {
  map();
  if (!word_) std::_Exit(1);
  close_fd();
}

CallClaims::~CallClaims() {
  if (word_) ::munmap(word_, sizeof *word_);
}

void CallClaims::map() noexcept {
  void* const memory =
      ::mmap(nullptr, sizeof *word_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (memory != MAP_FAILED) word_ = static_cast<std::atomic<std::uint64_t>*>(memory);
}

bool CallClaims::claim(std::uint32_t epoch) noexcept {
  std::uint64_t seen = word_->load();
  do {
    if (seen >> 32 != epoch) return false;
    // The count wraps round within its half.
  } while (!word_->compare_exchange_weak(
      seen, (seen & ~std::uint64_t{UINT32_MAX}) | static_cast<std::uint32_t>(seen + 1)));
  return true;
}

}  // namespace plait::detail
