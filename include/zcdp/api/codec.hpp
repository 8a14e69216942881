// Between C++ structs and JSON. A struct lists its fields once, in `fields()`; reading, writing and the comparison with
// the CRD's schema (tests/unit/api/crd_schema_test.cpp) all walk that one list, so they cannot drift apart.
//
// Reading: unknown members are passed over (only the fields in use are kept), null is absent, a value of a wrong kind
// is an error that names its path. Writing: what is empty, zero or false is left out; an optional that is set never is.
// Pure.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/api/word.hpp"
#include "zcdp/base/error.hpp"

namespace zcdp::api {

namespace json = boost::json;

/// A struct with `template <class Self, class F> static void fields(Self& self, F&& field)`.
template <class T>
concept Described = requires(T& t) { T::fields(t, [](const char*, auto&) {}); };

/// "3" or "All": a number or a word (x-kubernetes-int-or-string), kept as text.
struct IntOrString {
    std::string text;
    bool operator==(const IntOrString&) const = default;
};

/// Reads values into structs; the first thing that is wrong stays in error().
class JsonReader {
  public:
    template <class T>
    bool read(const json::value& from, T& to);
    bool failed() const { return !error_.empty(); }
    const std::string& error() const { return error_; }

  private:
    template <class T>
    bool read_array(const json::value& from, std::vector<T>& to);
    bool mismatch(const char* wanted);
    std::string path_, error_;
};

template <class T>
json::value to_json(const T& from);  ///< members that are absent (is_absent) are left out

/// The struct in `value`. Errors: refused, with the path of what is wrong.
template <class T>
Result<T> from_json(const json::value& value) {
    T out;
    JsonReader reader;
    if (!reader.read(value, out)) return Error(ErrorKind::refused, reader.error());
    return out;
}

inline bool JsonReader::mismatch(const char* wanted) {
    if (error_.empty()) error_ = (path_.empty() ? std::string("the value") : path_) + " is not " + wanted;
    return false;
}

template <class T>
bool JsonReader::read_array(const json::value& from, std::vector<T>& to) {
    const json::array* array = from.if_array();
    if (!array) return mismatch("a list");
    to.clear();
    to.reserve(array->size());
    for (const json::value& element : *array)
        if (!read(element, to.emplace_back())) return false;
    return true;
}

template <class T>
bool JsonReader::read(const json::value& from, T& to) {
    if (from.is_null()) return true;
    if constexpr (std::same_as<T, std::string>) {
        const json::string* text = from.if_string();
        if (!text) return mismatch("text");
        to.assign(text->data(), text->size());
        return true;
    } else if constexpr (IsWord<T>) {
        const json::string* text = from.if_string();
        if (!text) return mismatch("text");
        to = T::parse(std::string_view(text->data(), text->size()));
        return true;
    } else if constexpr (std::same_as<T, bool>) {
        if (!from.is_bool()) return mismatch("true or false");
        to = from.get_bool();
        return true;
    } else if constexpr (std::integral<T>) {
        boost::system::error_code code;
        const T number = from.to_number<T>(code);
        if (code) return mismatch("a whole number");
        to = number;
        return true;
    } else if constexpr (std::same_as<T, IntOrString>) {
        if (from.is_int64()) to.text = std::to_string(from.get_int64());
        else if (from.is_string()) to.text = std::string(from.get_string());
        else return mismatch("a number or text");
        return true;
    } else if constexpr (std::same_as<T, json::value>) {
        to = from;
        return true;
    } else if constexpr (requires { typename T::mapped_type; }) {
        const json::object* object = from.if_object();
        if (!object) return mismatch("a map");
        to.clear();
        for (const auto& member : *object)
            if (!read(member.value(), to[std::string(member.key())])) return false;
        return true;
    } else if constexpr (Described<T>) {
        const json::object* object = from.if_object();
        if (!object) return mismatch("an object");
        bool good = true;
        T::fields(to, [&](const char* name, auto& member) {
            if (!good) return;
            const json::value* value = object->if_contains(name);
            if (!value) return;
            const size_t length = path_.size();
            path_.append(path_.empty() ? "" : ".").append(name);
            good = read(*value, member);
            path_.resize(length);
        });
        return good;
    } else if constexpr (requires {
                             to.emplace();
                             to.has_value();
                         }) {
        return read(from, to.emplace());
    } else {
        return read_array(from, to);
    }
}

/// The first member of `object` that T has no field for; "" when there is none.
template <Described T>
std::string unknown_member(const json::object& object) {
    T known;
    for (const auto& member : object) {
        bool found = false;
        T::fields(known, [&](const char* name, auto&) { found = found || member.key() == name; });
        if (!found) return std::string(member.key());
    }
    return "";
}

template <class T>
bool is_absent(const T& value) {  // whether a field with this value is left out
    if constexpr (std::integral<T>) return value == T{};
    else if constexpr (std::same_as<T, IntOrString>) return value.text.empty();
    else if constexpr (std::same_as<T, json::value>) return value.is_null();
    else if constexpr (Described<T>) return false;
    else if constexpr (requires { value.has_value(); }) return !value.has_value();
    else return value.empty();
}

template <class T>
json::value to_json(const T& from) {
    if constexpr (std::same_as<T, std::string>) {
        return json::value(from);
    } else if constexpr (IsWord<T>) {
        return json::value(from.text());
    } else if constexpr (std::integral<T>) {
        return json::value(from);
    } else if constexpr (std::same_as<T, json::value>) {
        return from;
    } else if constexpr (std::same_as<T, IntOrString>) {
        const bool digits = !from.text.empty() && from.text.size() <= 18 &&
                            from.text.find_first_not_of("0123456789") == std::string::npos;
        const bool number = digits && (from.text.size() == 1 || from.text[0] != '0');
        return number ? json::value(std::stoll(from.text)) : json::value(from.text);
    } else if constexpr (Described<T>) {
        json::object out;
        T::fields(from, [&](const char* name, const auto& member) {
            if (is_absent(member)) return;
            json::value value = to_json(member);
            const json::object* object = value.if_object();
            // A struct of which nothing is set is left out; an optional one that is set stays, empty as it is.
            if (object && object->empty() && Described<std::remove_cvref_t<decltype(member)>>) return;
            out.emplace(name, std::move(value));
        });
        return out;
    } else if constexpr (requires { typename T::mapped_type; }) {
        json::object out;
        for (const auto& [key, value] : from) out.emplace(key, to_json(value));
        return out;
    } else if constexpr (requires { from.has_value(); }) {
        return to_json(*from);
    } else {
        json::array out;
        for (const auto& element : from) out.push_back(to_json(element));
        return out;
    }
}

}  // namespace zcdp::api
