// Where plait reports what nobody can catch.
#include <plait/core/log.hpp>

#include <cstdio>
#include <memory>

#include "core/mutex.hpp"

namespace plait {
namespace {

using Handler = std::function<void(LogLevel, std::string_view)>;

struct HandlerSlot {
  detail::Mutex mutex;
  std::shared_ptr<const Handler> handler PLAIT_TSA(guarded_by(mutex));
};

HandlerSlot& handler_slot() {
  static HandlerSlot& slot = *new HandlerSlot;  // never destroyed: workers may outlive main
  return slot;
}

void write_to_standard_error(LogLevel level, std::string_view text) {
  if (level == LogLevel::debug) return;
  static constexpr const char* names[] = {"debug", "warning", "error"};
  std::fprintf(stderr, "plait %s: %.*s\n", names[static_cast<int>(level)],
               static_cast<int>(text.size()), text.data());
}

}  // namespace

void set_log_handler(std::function<void(LogLevel, std::string_view)> handler) {
  auto replaced = handler ? std::make_shared<const Handler>(std::move(handler)) : nullptr;
  HandlerSlot& slot = handler_slot();
  detail::MutexLock lock(slot.mutex);
  slot.handler.swap(replaced);
}

namespace detail {

void log(LogLevel level, std::string_view text) noexcept {
  try {
    std::shared_ptr<const Handler> handler;
    {
      MutexLock lock(handler_slot().mutex);
      handler = handler_slot().handler;
    }
    if (handler) {
      (*handler)(level, text);
    } else {
      write_to_standard_error(level, text);
    }
  } catch (...) {
    write_to_standard_error(level, text);
  }
}

}  // namespace detail
}  // namespace plait
