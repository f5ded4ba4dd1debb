// The part of a request's target behind the question mark.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace job_service {

// `name=value` pairs. All values here are whole numbers, so nothing needs percent-decoding.
class Parameters {
 public:
  explicit Parameters(std::string_view query);

  // @throws HttpError that says what is wrong with it: 400
  long long number(const std::string& name, long long lowest, long long highest) const;

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace job_service
