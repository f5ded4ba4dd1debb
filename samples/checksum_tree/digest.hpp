// The checksum algorithms of the program, and one computation with OpenSSL's EVP interface.
#pragma once

#include <openssl/evp.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace checksum_tree {

/// One algorithm under its three names.
struct Algorithm {
  std::string_view option;  ///< what `--algorithm` takes
  const char* openssl;      ///< what EVP calls it
  std::string_view tag;     ///< what stands before the name in a BSD line, `SHA256 (name) = ...`
};

/// All algorithms, in the order in which the help lists them.
std::span<const Algorithm> algorithms();

/// The algorithm whose option is `name`, letter case aside; null where there is none.
const Algorithm* find_algorithm(std::string_view name);

/// An algorithm's implementation, looked up once and then shared by all threads.
class DigestType {
 public:
  /// Throws std::runtime_error where this OpenSSL does not offer the algorithm.
  explicit DigestType(const Algorithm& algorithm);

  /// The handle that EVP functions take.
  const EVP_MD* get() const { return type_.get(); }
  /// The algorithm that this implements.
  const Algorithm& algorithm() const { return *algorithm_; }
  /// The length of a checksum in hexadecimal digits.
  std::size_t hex_size() const;

 private:
  std::shared_ptr<EVP_MD> type_;
  const Algorithm* algorithm_;
};

/// One running computation; start() makes it ready for the next file, without an allocation.
class Digest {
 public:
  /// Makes an idle computation; start() comes first.
  Digest();

  /// Forgets what was fed and begins anew.
  void start(const DigestType& type);
  /// Feeds the next bytes of the file.
  void update(std::span<const std::byte> bytes);
  /// Ends the computation: the checksum in small hexadecimal digits.
  std::string finish();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace checksum_tree
