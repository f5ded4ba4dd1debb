// Standard output, in whole lines only.
#pragma once

#include <string>
#include <string_view>

namespace checksum_tree {

class Console;

/// Collects lines and writes them in blocks that end with a line.
///
/// A block is at most PIPE_BUF bytes (or one longer line), which a pipe takes whole or not at all:
/// wherever the program is stopped, its reader has whole lines.
class Output {
 public:
  /// `console` removes its progress bar before a line is shown on the same terminal.
  explicit Output(Console& console);

  /// Takes one line, without its newline. Throws std::system_error where writing fails.
  void add_line(std::string_view line);
  /// Writes what was collected. Throws std::system_error where that fails.
  void flush();
  /// Writes what was collected and closes standard output: some file systems report a full disk
  /// only then. Throws std::system_error.
  void close();

 private:
  Console* console_;
  bool is_terminal_;
  std::string lines_{};
};

}  // namespace checksum_tree
