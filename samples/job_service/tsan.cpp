// Compiled with ThreadSanitizer only: what it is told is what the tests tell it.
#include "../../test/support/tsan_suppressions.hpp"
