// One of two translation units that include all of plait: linked together, they share one library.
#include <plait/plait.hpp>

#include <cstdlib>

plait::Future<int> submit_in_the_other_unit(plait::Executor& executor);

int main() {
  plait::InlineExecutor executor;
  const auto ours = executor.submit([] { return 20; });
  const auto theirs = submit_in_the_other_unit(executor);
  return ours.result() + theirs.result() == 42 ? EXIT_SUCCESS : EXIT_FAILURE;
}
