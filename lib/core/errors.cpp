// The errors that need more than a constructor inherited from std::runtime_error.
#include <boost/thread/exceptions.hpp>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/detail/future_state.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/exception_group.hpp>

#include "core/describe_exception.hpp"

namespace plait {

CancelledError::CancelledError() = default;

CancelledError::CancelledError(std::string msg) : message_(std::move(msg)) {}

const char* CancelledError::what() const noexcept {
  return message_.empty() ? "cancelled" : message_.c_str();
}

namespace {

std::string join_messages(std::string msg, const std::vector<std::exception_ptr>& errors) {
  if (errors.empty()) {
    throw std::invalid_argument("ExceptionGroup needs at least one error: throw an Error instead");
  }
  msg += " (" + std::to_string(errors.size()) + (errors.size() == 1 ? " error" : " errors");
  for (const auto& error : errors) msg += "; " + detail::describe_exception(error);
  return msg + ")";
}

}  // namespace

ExceptionGroup::ExceptionGroup(std::string msg, std::vector<std::exception_ptr> errors)
    : Error(join_messages(std::move(msg), errors)), errors_(std::move(errors)) {}

}  // namespace plait

namespace plait::detail {

std::exception_ptr capture_exception() noexcept {
  try {
    throw;
  } catch (const boost::thread_interrupted&) {
    return std::make_exception_ptr(CancelledError("interrupted by request_stop()"));
  } catch (...) {
    return std::current_exception();
  }
}

std::string describe_exception(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return demangle(typeid(e)) + ": " + e.what();
  } catch (const CancelledError& e) {
    return std::string("plait::CancelledError: ") + e.what();
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return "exception of type " + (type ? demangle(*type) : "unknown");
  }
}

std::string demangle(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : type.name();
}

void throw_no_state(const char* member) {
  throw InvalidStateError(std::string(member) +
                          " called on a Future without a state: it was default-constructed or "
                          "moved from. Use the one that submit() or get_future() returned.");
}

void throw_timeout(const char* what) {
  throw TimeoutError(std::string(what) +
                     " was not done within the timeout; the work goes on. Wait longer, or end it "
                     "with cancel() or request_stop().");
}

}  // namespace plait::detail
