// The bytes of a call or a result on their way to another process, and back.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace plait::detail {

/// From this size on it pays to send bytes from where they lie, and to receive them into their
/// place.
inline constexpr std::size_t bulk_size = 64UL * 1024;

/// Says that this fresh memory will be filled to its end: a large part of what large values cost is
/// the kernel's work for each page.
void prefer_huge_pages(const void* memory, std::size_t size) noexcept;

/// Bytes to be sent: most of them copied, large ones only referred to.
class Payload {
 public:
  void append(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    size_ += size;
  }
  /// As append(), but `data` has to live until it was sent.
  void refer(const void* data, std::size_t size) {
    references_.push_back({bytes_.size(), {static_cast<const char*>(data), size}});
    size_ += size;
  }
  std::size_t size() const noexcept { return size_; }
  /// Calls visit(std::string_view) for the pieces, in order.
  template <class Visit>
  void for_each_piece(Visit visit) const {
    std::size_t begin = 0;
    for (const Reference& reference : references_) {
      if (reference.place > begin) {
        visit(std::string_view(bytes_).substr(begin, reference.place - begin));
      }
      visit(reference.bytes);
      begin = reference.place;
    }
    if (bytes_.size() > begin) visit(std::string_view(bytes_).substr(begin));
  }

 private:
  struct Reference {
    std::size_t place;  // how many of bytes_ come before
    std::string_view bytes;
  };

  std::string bytes_;
  std::vector<Reference> references_;
  std::size_t size_ = 0;
};

/// Where received bytes are read from: a buffer, and perhaps what follows it.
class ByteSource {
 public:
  /// Nothing but these bytes, which have to live as long.
  explicit ByteSource(std::string_view bytes) noexcept
      : next_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// @throws SerializationError where there are fewer
  void read(void* to, std::size_t size) {
    if (size <= static_cast<std::size_t>(end_ - next_)) [[likely]] {
      std::memcpy(to, next_, size);
      next_ += size;
    } else {
      read_more(to, size);
    }
  }
  /// How many bytes there may still be at most; what claims to be longer is garbage.
  virtual std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - next_); }

 protected:
  ~ByteSource() = default;
  virtual void read_more(void* to, std::size_t size);

  const char* next_;
  const char* end_;
};

/// A ByteSource that is all there.
class BufferedBytes final : public ByteSource {
 public:
  using ByteSource::ByteSource;
};

}  // namespace plait::detail
