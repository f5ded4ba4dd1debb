// What a loop closes before it is closed itself.
#pragma once

#include <plait/loop/detail/waiter_list.hpp>

namespace plait::detail {

/// Something of the operating system's that belongs to a loop. Loop thread only.
class LoopResource : public WaiterLink {
 public:
  /// The loop is being closed: nothing of its selector may be used after this.
  virtual void loop_closing() noexcept = 0;

 protected:
  ~LoopResource() = default;
};

}  // namespace plait::detail
