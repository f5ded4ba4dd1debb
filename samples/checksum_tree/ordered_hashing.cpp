// The sliding window of futures.
#include "ordered_hashing.hpp"

#include <chrono>
#include <utility>

namespace checksum_tree {
namespace {

// Files in flight. While one worker hashes a large file at the window's front, the others have this
// many small ones to go on with. All together they take about 3 MB.
constexpr std::size_t window_size = 8'192;

// How long a wait may last before Ctrl-C and the progress bar are looked at.
constexpr std::chrono::milliseconds tick_interval{50};

}  // namespace

OrderedHashing::OrderedHashing(const Options& options, FileHasher hasher, Session& session)
    : hasher_(hasher), session_(session), workers_(options.jobs, options.processes) {}

OrderedHashing::~OrderedHashing() {
  // cancel() would let a worker finish the gigabytes it is in the middle of; request_stop() also
  // reaches its stop_token.
  for (const auto& file : window_) file.request_stop();
  if (!window_.empty()) workers_.kill_processes();
  for (const auto& file : window_) {
    file.wait();
    if (!file.cancelled()) static_cast<void>(file.exception());  // that its worker was killed
  }
}

bool OrderedHashing::run(const Next& next, const Emit& emit) {
  bool has_more = true;
  while (!is_interrupted() && (has_more || !window_.empty())) {
    has_more = has_more && fill(next);
    emit_finished(emit);
    session_.output.flush();
    session_.console.tick();
    wait_for_some();
  }
  session_.output.flush();
  return !is_interrupted();
}

// Submits until the window is full. False: there are no more files.
bool OrderedHashing::fill(const Next& next) {
  while (window_.size() < window_size && !is_interrupted()) {
    std::optional<Entry> entry = next();
    if (!entry) return false;
    //! [submit]
    plait::Executor& place = workers_.place_for(*entry);  // of threads or of processes
    window_.push_back(place.submit(plait::remote<&hash_file>, hasher_, std::move(*entry)));
    //! [submit]
    session_.console.tick();
  }
  return true;
}

void OrderedHashing::emit_finished(const Emit& emit) {
  while (!window_.empty() && window_.front().done()) {
    HashedFile file = window_.front().take();
    window_.pop_front();
    if (!file.counted) {
      session_.done.bytes += file.bytes;
      ++session_.done.files;
    }
    emit(std::move(file));
  }
}

// Waits for the file in the middle of the window rather than for the first: so this thread wakes
// once for thousands of small files and takes no time from the workers. Where the middle is done
// and the first is not, that is a large file, worth a wake-up of its own.
void OrderedHashing::wait_for_some() const {
  if (window_.empty()) return;
  const auto& middle = window_[window_.size() / 2];
  const auto& awaited = middle.done() ? window_.front() : middle;
  awaited.wait_for(tick_interval);
}

}  // namespace checksum_tree
