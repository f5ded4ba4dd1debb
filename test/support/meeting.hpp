// Two threads that begin each round together.
#pragma once

#include <atomic>
#include <thread>

namespace plait::test {

class Meeting {
 public:
  void arrive() {
    const int before = arrived_.fetch_add(1);
    const int wanted = (before / 2 + 1) * 2;
    while (arrived_.load() < wanted) std::this_thread::yield();
  }

 private:
  std::atomic<int> arrived_{0};
};

}  // namespace plait::test
