// The owner of states that threads end of which plait knows nothing: it can do nothing for them.
#include <plait/core/detail/outside_owner.hpp>

#include <limits>

namespace plait::detail {
namespace {

class OutsideOwner final : public JobOwner {
 public:
  bool help(FutureState&) override { return false; }
  void check_wait(const FutureState&) const override {}
  void job_cancelled(FutureState&) noexcept override {}
  bool interrupt(FutureState&) noexcept override { return true; }
  void interruption_over() noexcept override {}
  std::size_t worker_limit() const noexcept override {
    return std::numeric_limits<std::size_t>::max();
  }
};

}  // namespace

JobOwner& outside_owner() noexcept {
  static constinit OutsideOwner owner;
  return owner;
}

}  // namespace plait::detail
