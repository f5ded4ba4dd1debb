// Boost.JSON itself, which is compiled here instead of linked.
#include <boost/json/src.hpp>
