// How values become bytes and back: archives of cereal's, which walks the types.
#pragma once

#include <algorithm>
#include <boost/pfr.hpp>
#include <cereal/cereal.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/bitset.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/complex.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/forward_list.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/queue.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/stack.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>
#include <filesystem>
#include <span>
#include <type_traits>

#include <plait/executors/detail/payload.hpp>

namespace plait::detail {

/// Writes values into a payload. Both sides run the same program, so nothing describes the types.
class FrameWriter final
    : public cereal::OutputArchive<FrameWriter, cereal::AllowEmptyClassElision> {
 public:
  explicit FrameWriter(Payload& payload) : OutputArchive(this), payload_(payload) {}
  Payload& payload() noexcept { return payload_; }

 private:
  Payload& payload_;
};

/// Reads what a FrameWriter wrote.
class FrameReader final : public cereal::InputArchive<FrameReader, cereal::AllowEmptyClassElision> {
 public:
  explicit FrameReader(ByteSource& source) : InputArchive(this), source_(source) {}
  ByteSource& source() noexcept { return source_; }

 private:
  ByteSource& source_;
};

}  // namespace plait::detail

// Which writer belongs to which reader: cereal asks for enums, and for types with save_minimal().
CEREAL_SETUP_ARCHIVE_TRAITS(plait::detail::FrameReader, plait::detail::FrameWriter)

namespace plait::detail {

// -- what cereal asks of an archive; found by argument-dependent lookup

template <class T>
  requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(FrameWriter& out, const T& value) {
  out.payload().append(&value, sizeof value);
}
template <class T>
  requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(FrameReader& in, T& value) {
  in.source().read(&value, sizeof value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(FrameWriter& out, cereal::NameValuePair<T>& pair) {
  out(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(FrameReader& in, cereal::NameValuePair<T>& pair) {
  in(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(FrameWriter& out, cereal::SizeTag<T>& tag) {
  out(tag.size);
}
/// @throws SerializationError
[[noreturn]] void throw_wrong_length();
void check_size(std::size_t elements, const ByteSource& source);
/// @throws SerializationError where bytes were left behind
void check_all_read(const ByteSource& source);
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(FrameReader& in, cereal::SizeTag<T>& tag) {
  in(tag.size);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(FrameWriter& out, const cereal::BinaryData<T>& data) {
  out.payload().append(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(FrameReader& in, cereal::BinaryData<T>& data) {
  in.source().read(data.data, static_cast<std::size_t>(data.size));
}
inline void CEREAL_SAVE_FUNCTION_NAME(FrameWriter& out, const std::filesystem::path& path) {
  out(path.native());
}
inline void CEREAL_LOAD_FUNCTION_NAME(FrameReader& in, std::filesystem::path& path) {
  std::string native;
  in(native);
  path = std::move(native);
}

// -- aggregates

}  // namespace plait::detail

/// Archives that know nothing of aggregates, to ask cereal what it can do by itself.
namespace plait::probe {
class Writer final : public cereal::OutputArchive<Writer, cereal::AllowEmptyClassElision> {};
class Reader final : public cereal::InputArchive<Reader, cereal::AllowEmptyClassElision> {};
}  // namespace plait::probe

CEREAL_SETUP_ARCHIVE_TRAITS(plait::probe::Reader, plait::probe::Writer)

namespace plait::detail {

/// An aggregate of which cereal knows nothing: its members travel one after the other.
template <class T>
concept PlainAggregate =
    std::is_aggregate_v<T> && std::is_class_v<T> &&
    cereal::traits::detail::count_output_serializers<T, probe::Writer>::value == 0 &&
    cereal::traits::detail::count_input_serializers<T, probe::Reader>::value == 0;

template <PlainAggregate T>
void CEREAL_SAVE_FUNCTION_NAME(FrameWriter& out, const T& value) {
  boost::pfr::for_each_field(value, [&](const auto& field) { out(field); });
}
template <PlainAggregate T>
void CEREAL_LOAD_FUNCTION_NAME(FrameReader& in, T& value) {
  boost::pfr::for_each_field(value, [&](auto& field) { in(field); });
}

// -- what a call consists of

/// Bytes side by side that are worth sending from where they lie.
template <class T>
inline constexpr bool is_bulk = false;
template <class T, class Allocator>
inline constexpr bool is_bulk<std::vector<T, Allocator>> =
    std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;
template <class Char, class Traits, class Allocator>
inline constexpr bool is_bulk<std::basic_string<Char, Traits, Allocator>> = true;

/// Writes one whole argument or result, which lives until it was sent.
template <class T>
void write_value(FrameWriter& out, const T& value) {
  if constexpr (is_bulk<T>) {
    const std::size_t size = value.size() * sizeof(typename T::value_type);
    out(static_cast<std::uint64_t>(value.size()));
    if (size >= bulk_size) {
      out.payload().refer(value.data(), size);
    } else {
      out.payload().append(value.data(), size);
    }
  } else {
    out(value);
  }
}
/// Room for `size` elements that are to come.
template <class T>
void reserve_bulk(T& value, std::uint64_t size) {
  value.reserve(size);
  prefer_huge_pages(value.data(), size * sizeof(typename T::value_type));
}
/// The next elements of `value`, which is to have `size` in the end, as bytes to be read into.
/// Little by little: what was just cleared is still in the cache.
template <class T>
std::span<char> next_bulk(T& value, std::uint64_t size) {
  using Element = typename T::value_type;
  static constexpr std::size_t at_a_time = 4 * bulk_size / sizeof(Element);
  const std::size_t before = value.size();
  value.resize(std::min<std::size_t>(size, before + at_a_time));
  // SAFETY: the bytes of arithmetic elements, as write_value() has sent them.
  return {reinterpret_cast<char*>(value.data() + before),
          (value.size() - before) * sizeof(Element)};
}

/// Reads what write_value() wrote.
template <class T>
void read_value(FrameReader& in, T& value) {
  if constexpr (is_bulk<T>) {
    std::uint64_t size = 0;
    in(size);
    check_size(size * sizeof(typename T::value_type), in.source());
    reserve_bulk(value, size);
    while (value.size() < size) {
      const std::span<char> bytes = next_bulk(value, size);
      in.source().read(bytes.data(), bytes.size());
    }
  } else {
    in(value);
  }
}

}  // namespace plait::detail
