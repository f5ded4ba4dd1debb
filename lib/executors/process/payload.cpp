// What is wrong with bytes that cannot be read.
#include <plait/executors/detail/payload.hpp>

#include <sys/mman.h>

#include <cstdint>
#include <stdexcept>

#include <plait/core/errors.hpp>
#include <plait/executors/detail/frame_archive.hpp>
#include <plait/executors/detail/worker_initializer.hpp>

namespace plait::detail {

void prefer_huge_pages(const void* memory, std::size_t size) noexcept {
  static constexpr std::uintptr_t huge_page = 2UL
                                              << 20;  // of most machines; a multiple of any page
  // SAFETY: only the address counts.
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (begin + huge_page - 1) / huge_page * huge_page;
  const std::uintptr_t end = (begin + size) / huge_page * huge_page;
  // A wish: where the kernel has none, nothing is lost.
  if (first < end) (void)::madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
}

void ByteSource::read_more(void*, std::size_t) {
  throw SerializationError(
      "there are fewer bytes than the type reads: do its save() and load() agree?");
}

void check_size(std::size_t size, const ByteSource& source) {
  if (size > source.remaining()) throw_wrong_length();
}

void throw_wrong_length() {
  throw SerializationError(
      "a length does not fit what came: do save() and load() of a type agree?");
}

void check_all_read(const ByteSource& source) {
  if (source.remaining() == 0) return;
  throw SerializationError(
      "more bytes came than the types have read: do save() and load() of a type agree?");
}

void WorkerInitializer::take(const std::function<void()>& fn) {
  if (!fn) return;
  const auto* const function = fn.target<void (*)()>();
  if (!function) {
    throw std::invalid_argument(
        "ProcessPoolOptions::initializer holds a std::function of what cannot travel: give a "
        "function or a captureless lambda itself");
  }
  function_ = *function;
}

}  // namespace plait::detail
