// The other of two translation units that include all of plait; see odr_1.cpp.
#include <plait/plait.hpp>

plait::Future<int> submit_in_the_other_unit(plait::Executor& executor);

plait::Future<int> submit_in_the_other_unit(plait::Executor& executor) {
  return executor.submit([] { return 22; });
}
