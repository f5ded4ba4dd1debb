// The heart of the program: many files at once on a pool, their results in order.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <plait/futures.hpp>

#include "file_hasher.hpp"
#include "options.hpp"
#include "session.hpp"
#include "workers.hpp"

namespace checksum_tree {

/// Hashes a stream of files in parallel.
///
/// A window of futures slides over the stream: new files are submitted at its back, and results
/// leave at its front once they are done. So results come in the order of the files whatever the
/// workers finish first, and memory holds the window, not the tree.
class OrderedHashing {
 public:
  /// Gives the next file to hash; nothing at the end.
  using Next = std::function<std::optional<Entry>()>;
  /// Takes one result.
  using Emit = std::function<void(HashedFile)>;

  /// The options say where the files are hashed, and how many at a time.
  OrderedHashing(const Options& options, FileHasher hasher, Session& session);
  /// Drops what has not started, stops what runs, and waits for that.
  ~OrderedHashing();
  OrderedHashing(const OrderedHashing&) = delete;
  OrderedHashing& operator=(const OrderedHashing&) = delete;

  /// Hashes all files that `next` gives and hands each result to `emit`, in the same order. Both
  /// are called in this thread; errors that they throw pass through.
  /// @returns false where the user interrupted it
  bool run(const Next& next, const Emit& emit);

 private:
  bool fill(const Next& next);
  void emit_finished(const Emit& emit);
  void wait_for_some() const;
  bool is_interrupted() const { return session_.interrupt.token().stop_requested(); }

  FileHasher hasher_;
  Session& session_;
  std::deque<plait::Future<HashedFile>> window_{};
  Workers workers_;  // last, so that its threads end before what their jobs use
};

}  // namespace checksum_tree
