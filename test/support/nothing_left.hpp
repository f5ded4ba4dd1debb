// What a case about processes checks in the end.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>

#include "process_probe.hpp"

namespace plait::test {

// The fixture of a case that leaves no child and no descriptor.
class NothingLeft {
 public:
  ~NothingLeft() {
    CHECK_FALSE(has_children());
    // What other threads have open for a moment does not count.
    eventually([this] { return descriptor_count() == descriptors_; });
    CHECK(descriptor_count() == descriptors_);
  }

 private:
  std::size_t descriptors_ = descriptor_count();
};

}  // namespace plait::test
