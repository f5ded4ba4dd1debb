// Each route is a coroutine that reads its parameters, awaits its job, and says how it went.
#include "service.hpp"

#include <string_view>
#include <utility>

#include <boost/json/serialize.hpp>

#include "page.hpp"

namespace job_service {
namespace {

constexpr char json_type[] = "application/json";

Response json_response(const boost::json::object& body) {
  Response response = make_response(json_type, boost::json::serialize(body) + "\n");
  response.set(http::field::cache_control, "no-store");
  return response;
}

}  // namespace

Service::Service(const Options& options, const std::filesystem::path& database)
    : queries_(database, options.query_workers, options.queue_limit, options.job),
      tiles_(options.tile_workers, options.queue_limit, options.job),
      routes_{{"/", {&Service::page}},
              {"/query", {&Service::query}},
              {"/render", {&Service::render}},
              {"/crash", {&Service::crash}},
              {"/stats", {&Service::stats}}} {}

plait::Coroutine<Response> Service::answer(const Request& request) {
  const std::string_view target(request.target().data(), request.target().size());
  const std::string_view path = target.substr(0, target.find('?'));
  const auto found = routes_.find(path);
  if (found == routes_.end()) {
    throw HttpError(http::status::not_found, "there is no such page; see /");
  }
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    throw HttpError(http::status::method_not_allowed, "GET and HEAD are what there is",
                    http::field::allow, "GET, HEAD");
  }
  Route& route = found->second;
  const Stopwatch stopwatch(route.latency);
  Parameters parameters(path == target ? "" : target.substr(path.size() + 1));
  try {
    co_return co_await (this->*route.answer)(std::move(parameters));
  } catch (const plait::TimeoutError&) {
    throw HttpError(http::status::gateway_timeout, "the job took too long and was stopped");
  } catch (const plait::WorkerDied& death) {
    throw HttpError(http::status::bad_gateway, death.what());
  }
}

plait::Coroutine<Response> Service::page(Parameters) {
  co_return make_response("text/html; charset=utf-8", std::string(page_html));
}

plait::Coroutine<Response> Service::query(Parameters parameters) {
  const auto customer = static_cast<int>(parameters.number("customer", 0, customers - 1));
  const Turnover turnover = co_await queries_.turnover(customer);
  co_return json_response(
      {{"customer", customer}, {"orders", turnover.orders}, {"cents", turnover.cents}});
}

plait::Coroutine<Response> Service::render(Parameters parameters) {
  const auto zoom = static_cast<int>(parameters.number("zoom", 0, deepest_zoom));
  const long long last = (1LL << zoom) - 1;
  const Tile tile{zoom, parameters.number("x", 0, last), parameters.number("y", 0, last)};
  co_return make_response("image/png", co_await tiles_.render(tile));
}

plait::Coroutine<Response> Service::crash(Parameters) {
  co_return make_response("text/plain", co_await tiles_.crash());
}

plait::Coroutine<Response> Service::stats(Parameters) {
  boost::json::object routes;
  for (const auto& [path, route] : routes_) routes[path] = route.latency.stats();
  const boost::json::object pools{{"queries", queries_.stats()}, {"tiles", tiles_.stats()}};
  co_return json_response({{"pools", pools}, {"routes", routes}});
}

}  // namespace job_service
