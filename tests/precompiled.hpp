// src/precompiled.hpp for unit tests.
#pragma once

#include <doctest/doctest.h>

#include "src/precompiled.hpp"
