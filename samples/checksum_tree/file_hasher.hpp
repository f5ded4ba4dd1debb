// The job that a pool runs once a file: open it, read it to its end, give its checksum.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <utility>

#include "descriptor.hpp"
#include "digest.hpp"

namespace checksum_tree {

/// One file to hash.
struct Entry {
  std::string path;
  std::string expected{};  ///< the checksum it should have; empty where it is not yet known
};

/// What became of an Entry.
struct HashedFile {
  Entry entry;
  std::string checksum{};  ///< hexadecimal; empty where there is a problem
  std::string problem{};   ///< why the file could not be read
  std::uint64_t bytes = 0;
  bool counted = false;  ///< whether the hasher's counter has it
};

/// What was done so far, or is there to do. Written by the threads that work, read by the progress
/// bar.
struct Work {
  std::atomic<std::uint64_t> files{0};
  std::atomic<std::uint64_t> bytes{0};
};

/// What a path that is a symbolic link, or `-`, stands for.
enum class Names {
  of_tree,  ///< the thing itself, which is then no regular file: a problem
  of_list,  ///< the file behind the link, or standard input: what `sha256sum -c` reads
};

/// Hashes files; one object serves all workers at once.
class FileHasher {
 public:
  /// `done` counts what is read in this process, and must outlive the jobs.
  FileHasher(const DigestType& type, Names names, Work& done);
  /// For serialize().
  FileHasher() = default;

  /// Hashes `entry`'s file. An unreadable file is a result with a `problem`.
  ///
  /// **Cancellation:** looks at `stop` before every block and throws plait::CancelledError, so that
  /// a request takes effect within a fraction of a millisecond however large the file is.
  HashedFile operator()(const std::stop_token& stop, Entry entry) const;

  /// How it travels to another process: the counter stays here.
  template <class Archive>
  void serialize(Archive& archive) {
    archive(algorithm_, is_of_list_);
  }

 private:
  void hash(int fd, const std::stop_token& stop, HashedFile& result) const;
  Descriptor open_file(const std::string& path) const;

  std::size_t algorithm_ = 0;  // which of algorithms(): a handle of OpenSSL's could not travel
  bool is_of_list_ = false;    // else of a tree
  Work* done_ = nullptr;
};

//! [job]
/// What is submitted: remote<&hash_file> runs in threads and in processes alike.
inline HashedFile hash_file(const std::stop_token& stop, const FileHasher& hasher, Entry entry) {
  return hasher(stop, std::move(entry));
}
//! [job]

}  // namespace checksum_tree
