// A place in the program's code, as another process of the same program finds it.
#pragma once

#include <cstdint>

namespace plait::detail {

/// Module and offset: where the module lies in memory differs from process to process.
struct CodeAddress {
  std::uint64_t module = 0;  ///< a hash of the build id of the program or shared library
  std::uint64_t offset = 0;  ///< from where that begins
};

/// Runs in: any thread. @throws SerializationError where `code` is in no module
CodeAddress address_of_code(const void* code);
/// Runs in: any thread. Null: this process has no such module loaded.
const void* code_at(const CodeAddress& address);

/// As above, for functions.
template <class R, class... A>
CodeAddress address_of_function(R (*function)(A...)) {
  // SAFETY: POSIX lets the address of a function be kept in a pointer to an object, and back.
  return address_of_code(reinterpret_cast<const void*>(function));
}
template <class Function>
Function* function_at(const CodeAddress& address) {
  // SAFETY: as above; who named the address knows the type.
  return reinterpret_cast<Function*>(const_cast<void*>(code_at(address)));
}

}  // namespace plait::detail
