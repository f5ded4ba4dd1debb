// What ThreadSanitizer is told not to report: for the file of each test program that has main().
#pragma once

#if defined(__SANITIZE_THREAD__)
// libstdc++ is not built with the sanitizer, so it does not see how the counter within an
// exception_ptr orders the last use of an exception before its destruction. Nothing of plait's own
// is suppressed.
extern "C" const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n"
         "race:std::runtime_error::~runtime_error\n"
         "race:std::logic_error::~logic_error\n";
}
#endif
