// doctest, and how it prints a Result that is not what a test wants.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "zcdp/base/error.hpp"

namespace doctest {

template <class T>
struct StringMaker<boost::system::result<T, zcdp::Error>> {
    static String convert(const boost::system::result<T, zcdp::Error>& result) {
        if (result) return "a value";
        const std::string text =
            "error (" + std::string(zcdp::name(result.error().kind())) + "): " + result.error().line();
        return text.c_str();
    }
};

template <class T>
struct StringMaker<boost::system::result<T>> {
    static String convert(const boost::system::result<T>& result) {
        return result ? String("a value") : String(("error: " + result.error().message()).c_str());
    }
};

}  // namespace doctest
