// Built several times with numbers of its own: where the number is even, other functions lie at the
// same places.
#include "process_library.hpp"

#if PROCESS_LIBRARY_NUMBER % 2 == 0
extern "C" int process_library_two() { return 10 * PROCESS_LIBRARY_NUMBER + 2; }
extern "C" int process_library_one() { return 10 * PROCESS_LIBRARY_NUMBER + 1; }
#else
extern "C" int process_library_one() { return 10 * PROCESS_LIBRARY_NUMBER + 1; }
extern "C" int process_library_two() { return 10 * PROCESS_LIBRARY_NUMBER + 2; }
#endif
