// All of plait.
#pragma once

#include <plait/futures.hpp>
