// How the misuse of a generator is told.
#include <plait/core/generator.hpp>

#include <stdexcept>

#include <plait/core/errors.hpp>

namespace plait::detail {

void throw_generator_executing() { throw RuntimeError("generator already executing"); }

void throw_generator_ignored_exit() {
  throw RuntimeError(
      "generator ignored GeneratorExit: after close() its body may return or throw, but not yield");
}

std::exception_ptr make_ignored_exit_error() {
  try {
    throw_generator_ignored_exit();
  } catch (...) {
    return std::current_exception();
  }
}

void throw_generator_no_value() {
  throw InvalidStateError(
      "the generator has not returned: it has not ended, was closed, or ended with an exception");
}

void throw_generator_send(bool just_started) {
  throw std::invalid_argument(
      just_started ? "can't send a value to a just-started generator: call next() first"
                   : "next() has nothing to send where the body waits for a value: call send()");
}

std::exception_ptr make_generator_exit() { return std::make_exception_ptr(GeneratorExit()); }

bool is_generator_exit(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const GeneratorExit&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace plait::detail
