// How the end of a future, a cancellation and the end of an Asio context find each other.
#include <plait/bridge/detail/asio_wait.hpp>

namespace plait::detail {
namespace {

// Lives in a context, and so learns of its end.
class AsioWaitService final : public boost::asio::execution_context::service {
 public:
  using key_type = AsioWaitService;  // NOLINT(readability-identifier-naming): Asio's name
  static boost::asio::execution_context::id id;

  explicit AsioWaitService(boost::asio::execution_context& context) : service(context) {}
  const std::shared_ptr<AsioWaitList>& list() const noexcept { return list_; }

 private:
  void shutdown() noexcept override { list_->shut_down(); }

  const std::shared_ptr<AsioWaitList> list_ = std::make_shared<AsioWaitList>();
};

boost::asio::execution_context::id AsioWaitService::id;

}  // namespace

std::shared_ptr<AsioWaitList> waits_of(boost::asio::execution_context& context) {
  return boost::asio::use_service<AsioWaitService>(context).list();
}

// ---------------------------------------------------------------- the list

bool AsioWaitList::add(AsioWaitBase& wait) noexcept {
  const std::lock_guard lock(mutex_);
  if (shut_down_) return false;
  wait.next_ = first_;
  if (first_) first_->previous_ = &wait;
  first_ = &wait;
  return true;
}

void AsioWaitList::remove(AsioWaitBase& wait) noexcept {
  if (wait.next_) wait.next_->previous_ = wait.previous_;
  (wait.previous_ ? wait.previous_->next_ : first_) = wait.next_;
}

void AsioWaitList::future_done(AsioWaitBase& wait) noexcept {
  const auto keep = wait.list_;  // the wait may go first
  {
    const std::lock_guard lock(mutex_);
    if (!shut_down_) {
      remove(wait);
      return wait.post_handler();
    }
    if (!std::exchange(wait.half_gone_, true)) return;
  }
  delete &wait;
}

// The handlers are destroyed without the mutex: what they own is the user's.
void AsioWaitList::shut_down() noexcept {
  AsioWaitBase* wait = nullptr;
  {
    const std::lock_guard lock(mutex_);
    shut_down_ = true;
    wait = std::exchange(first_, nullptr);
  }
  while (wait) {
    AsioWaitBase& ended = *std::exchange(wait, wait->next_);
    ended.drop_handler();
    bool alone = ended.state_.remove_waiter(ended);
    if (!alone) {
      const std::lock_guard lock(mutex_);
      alone = std::exchange(ended.half_gone_, true);
    }
    if (alone) delete &ended;
  }
}

// ---------------------------------------------------------------- one wait

void AsioWaitBase::start() noexcept {
  if (!list_->add(*this)) {
    delete this;  // an operation that is started while its context ends
  } else if (!state_.add_waiter(*this)) {
    notify(state_);
  }
}

// As a task that is cancelled: what can be cancelled ends, and then the wait; work that runs is
// asked to stop, and not waited for.
void AsioWaitBase::cancel() noexcept {
  if (!state_.done() && state_.cancel()) return;
  state_.request_stop();
  if (!state_.remove_waiter(*this)) return;  // it is done, and the handler is posted
  cancelled_ = true;
  list_->future_done(*this);
}

}  // namespace plait::detail
