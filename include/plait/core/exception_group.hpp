// Several errors thrown as one, for code that runs several pieces of work.
#pragma once

#include <exception>
#include <string>
#include <vector>

#include <plait/core/errors.hpp>

namespace plait {

/// Several unrelated errors that happened together; what() lists the text of each.
///
/// **Python:** ExceptionGroup.
class ExceptionGroup : public Error {
 public:
  /// A group with the headline `msg` and its members; std::invalid_argument where there are none.
  ExceptionGroup(std::string msg, std::vector<std::exception_ptr> errors);

  /// The members, in the order in which they happened.
  const std::vector<std::exception_ptr>& exceptions() const noexcept { return errors_; }

 private:
  std::vector<std::exception_ptr> errors_;
};

}  // namespace plait
