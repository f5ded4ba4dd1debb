// Exceptions on their way back from another process.
#pragma once

#include <concepts>
#include <exception>
#include <string>
#include <typeinfo>

#include <plait/executors/detail/payload.hpp>
#include <plait/executors/worker_errors.hpp>

namespace plait::detail {

/// What is known of an exception that was thrown in another process.
struct RemoteErrorText {
  std::string type_name;  ///< as the source spells it
  std::string what;
  int pid = 0;
};

/// An E that was thrown in another process, with what() of there.
template <class E>
class Rebuilt : public E, public RemoteInfo {
 public:
  Rebuilt(E error, RemoteErrorText text) : E(std::move(error)), text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.what.c_str(); }
  std::string type_name() const override { return text_.type_name; }
  int pid() const override { return text_.pid; }

 private:
  RemoteErrorText text_;
};

/// How an exception of one type travels.
struct ErrorType {
  /// Writes what the type holds beyond what().
  void (*encode)(const void* error, Payload& payload);
  /// What `throw` would throw here. `nested`: of throw_with_nested(); null: none.
  std::exception_ptr (*rebuild)(RemoteErrorText text, ByteSource& source,
                                const std::exception_ptr& nested);
};
/// Runs in: any thread. The last registration of a type counts.
void register_error_type(const std::type_info& type, const ErrorType& how);

/// Throws `error`, with `nested` in it if there is one, and catches it.
template <class E>
std::exception_ptr make_error(E error, const std::exception_ptr& nested) {
  if (!nested) return std::make_exception_ptr(std::move(error));
  try {
    std::rethrow_exception(nested);
  } catch (...) {
    try {
      std::throw_with_nested(std::move(error));
    } catch (...) {
      return std::current_exception();
    }
  }
}

/// Runs in: the worker. Writes `error` with all that is nested in it.
void encode_error(const std::exception_ptr& error, Payload& payload);
/// Runs in: the pool's process.
std::exception_ptr decode_error(ByteSource& source);

}  // namespace plait::detail
