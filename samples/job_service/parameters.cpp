// Numbers out of a query string, checked.
#include "parameters.hpp"

#include <algorithm>
#include <charconv>

#include "http_message.hpp"

namespace job_service {

Parameters::Parameters(std::string_view query) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    const std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
    values_[std::string(pair.substr(0, equals))] = std::string(value);
  }
}

long long Parameters::number(const std::string& name, long long lowest, long long highest) const {
  const std::string wanted = name + " must be a whole number from " + std::to_string(lowest) +
                             " to " + std::to_string(highest);
  const auto found = values_.find(name);
  if (found == values_.end()) {
    throw HttpError(http::status::bad_request, wanted + ", but there is no " + name);
  }
  const std::string& text = found->second;
  const char* const end = text.data() + text.size();
  long long number = 0;
  const auto [parsed_to, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || parsed_to != end || number < lowest || number > highest) {
    throw HttpError(http::status::bad_request, wanted + ", not '" + text + "'");
  }
  return number;
}

}  // namespace job_service
