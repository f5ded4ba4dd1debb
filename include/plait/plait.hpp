// All of plait.
#pragma once

#include <plait/aio.hpp>
#include <plait/futures.hpp>
