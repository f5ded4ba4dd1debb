// Makes an exception type of one's own come back from worker processes as itself.
#pragma once

#include <concepts>
#include <exception>
#include <string>
#include <utility>

#include <plait/executors/detail/frame_archive.hpp>
#include <plait/executors/detail/remote_error.hpp>

namespace plait {

/// From then on an E that is thrown in a worker process is thrown as an E where its result is
/// asked for, and is a RemoteInfo, too.
///
/// To be called at namespace scope, as workers do not run main(): to make a constant of what it
/// returns is the shortest way. An E that can be made of a std::string is made of its what(); any
/// other travels as arguments do. The standard library's exceptions and plait's need no
/// registration. **Python:** none; there exceptions are pickled. **Threads:** any. Always returns
/// true.
template <class E>
  requires std::derived_from<E, std::exception> &&
           (std::constructible_from<E, std::string> || std::default_initializable<E>)
bool register_exception() {
  detail::ErrorType how;
  if constexpr (std::constructible_from<E, std::string>) {
    how.encode = [](const void*, detail::Payload&) {};
    how.rebuild = [](detail::RemoteErrorText text, detail::ByteSource&,
                     const std::exception_ptr& nested) {
      E error(text.what);
      return detail::make_error(detail::Rebuilt<E>(std::move(error), std::move(text)), nested);
    };
  } else {
    how.encode = [](const void* error, detail::Payload& payload) {
      detail::FrameWriter out(payload);
      out(*static_cast<const E*>(error));
    };
    how.rebuild = [](detail::RemoteErrorText text, detail::ByteSource& source,
                     const std::exception_ptr& nested) {
      E error;
      detail::FrameReader in(source);
      in(error);
      return detail::make_error(detail::Rebuilt<E>(std::move(error), std::move(text)), nested);
    };
  }
  detail::register_error_type(typeid(E), how);
  return true;
}

}  // namespace plait
