// Everything that goes to standard error: messages, and on a terminal a progress bar.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <plait/futures.hpp>
#include <stop_token>
#include <string_view>

#include "file_hasher.hpp"

namespace checksum_tree {

/// Adds up in `total` what there is to do, until `stop` is requested.
using CountWork = std::function<void(std::stop_token stop, Work& total)>;

/// Writes messages, and draws a bar where standard error is a terminal. For one thread.
class Console {
 public:
  /// `done` is what the bar shows.
  explicit Console(const Work& done);
  /// Ends the counting and removes the bar.
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Shows "checksum_tree: " and `message`, as a line.
  void say(std::string_view message);

  /// Where a bar is drawn, runs `count` beside the work, so that the bar can tell the time left.
  void count_in_background(CountWork count);
  /// Draws the bar anew where a tenth of a second has passed; else costs one look at the clock.
  void tick();
  /// Removes the bar, until the next tick() that draws.
  void erase_bar();

 private:
  void draw(plait::Clock::duration elapsed);

  const Work& done_;
  const bool has_bar_;
  bool is_drawn_ = false;
  const plait::Clock::time_point started_ = plait::Clock::now();
  plait::Clock::time_point next_draw_ = started_;
  Work total_{};
  std::unique_ptr<plait::ThreadPoolExecutor> counter_{};  // one thread, only for a bar
  plait::Future<void> counted_{};
};

}  // namespace checksum_tree
