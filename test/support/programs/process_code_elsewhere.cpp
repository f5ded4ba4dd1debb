// The other translation unit of process_code.
#include "process_code.hpp"

namespace plait::test {
namespace {

int twin() { return 15; }
struct Twin {
  int operator()() const { return 25; }
};
struct AddTo {
  int first = 35;
  int operator()(int second) const { return first + second; }
};
auto make_twin() {
  return [] { return 45; };
}
const auto twin_lambda = [] { return 55; };
template <int number>
int twin_template() {
  return number + twin();
}

}  // namespace

std::string run_twins_elsewhere(ProcessPoolExecutor& pool) {
  std::string results;
  for (const auto& future :
       {pool.submit(twin), pool.submit(remote<twin>), pool.submit(Twin()), pool.submit(AddTo(), 1),
        pool.submit(make_twin()), pool.submit(+make_twin()), pool.submit(twin_lambda),
        pool.submit(twin_template<2>), pool.submit([] { return 65; })}) {
    results += std::to_string(future.result()) + " ";
  }
  return results;
}

}  // namespace plait::test
