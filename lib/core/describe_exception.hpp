// Names and texts of exceptions and types for messages.
#pragma once

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <typeinfo>

namespace plait::detail {

/// "type: text" of whatever was thrown.
std::string describe_exception(const std::exception_ptr& error);

/// The type as the source spells it.
std::string demangle(const std::type_info& type);

}  // namespace plait::detail
