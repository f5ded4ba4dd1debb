// The table of algorithms and the calls into OpenSSL.
#include "digest.hpp"

#include <strings.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace checksum_tree {
namespace {

constexpr std::array table{
    Algorithm{"sha256", "SHA2-256", "SHA256"},
    Algorithm{"sha1", "SHA1", "SHA1"},
    Algorithm{"md5", "MD5", "MD5"},
    Algorithm{"sha224", "SHA2-224", "SHA224"},
    Algorithm{"sha384", "SHA2-384", "SHA384"},
    Algorithm{"sha512", "SHA2-512", "SHA512"},
    Algorithm{"sha3-256", "SHA3-256", "SHA3-256"},
    Algorithm{"sha3-512", "SHA3-512", "SHA3-512"},
    Algorithm{"blake2b", "BLAKE2B-512", "BLAKE2b"},
};

void require(int ok, const char* call) {
  if (ok != 1) throw std::runtime_error(std::string("OpenSSL refuses ") + call);
}

}  // namespace

std::span<const Algorithm> algorithms() { return table; }

const Algorithm* find_algorithm(std::string_view name) {
  const auto same_name = [name](const Algorithm& algorithm) {
    return name.size() == algorithm.option.size() &&
           strncasecmp(name.data(), algorithm.option.data(), name.size()) == 0;
  };
  const auto found = std::ranges::find_if(table, same_name);
  return found == table.end() ? nullptr : &*found;
}

DigestType::DigestType(const Algorithm& algorithm)
    : type_(EVP_MD_fetch(nullptr, algorithm.openssl, nullptr), EVP_MD_free),
      algorithm_(&algorithm) {
  if (!type_) {
    throw std::runtime_error("this system's OpenSSL does not offer " +
                             std::string(algorithm.option));
  }
}

std::size_t DigestType::hex_size() const {
  return 2 * static_cast<std::size_t>(EVP_MD_get_size(type_.get()));
}

Digest::Digest() : context_(EVP_MD_CTX_new()) {
  if (!context_) throw std::bad_alloc();
}

void Digest::start(const DigestType& type) {
  require(EVP_DigestInit_ex2(context_.get(), type.get(), nullptr), "to start a checksum");
}

void Digest::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()), "more bytes");
}

std::string Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> value;
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(context_.get(), value.data(), &size), "to end a checksum");
  std::string hex;
  hex.reserve(2 * size);
  for (const unsigned char byte : std::span(value).first(size)) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

}  // namespace checksum_tree
