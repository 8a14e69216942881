// An enum that JSON spells as words. C++ code compares values; the text is the codec's, and a person's.
//
// A word that this zcdp does not know, of a newer version or of somebody else, is kept as it was written: it equals no
// value, and goes back into JSON unchanged. Thread rule: a value.
#pragma once

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>

namespace zcdp::api {

/// Specialised beside each enum: `static constexpr std::string_view words[]`, in the order of its values. The first
/// value is `none` and its word is "", which JSON leaves out; the last is `other`, and has no word.
template <class E>
struct Spelling;

template <class E>
class Word {
  public:
    using Value = E;

    Word() = default;
    Word(E value) : value_(value) {}  // NOLINT: an enum's value is such a word
    /// The word of a text: always something, see above.
    static Word parse(std::string_view text) {
        Word out;
        size_t at = 0;
        while (at < std::size(Spelling<E>::words) && Spelling<E>::words[at] != text) ++at;
        out.value_ = static_cast<E>(at);
        if (out.value_ == E::other) out.other_ = text;
        return out;
    }

    E value() const { return value_; }
    bool empty() const { return value_ == E{}; }
    std::string_view text() const {
        return value_ == E::other ? std::string_view(other_) : Spelling<E>::words[static_cast<size_t>(value_)];
    }
    std::string str() const { return std::string(text()); }

    bool operator==(const Word&) const = default;
    bool operator==(E value) const { return value_ == value; }

  private:
    static_assert(static_cast<size_t>(E::other) == std::size(Spelling<E>::words), "each value but `other` has a word");
    E value_ = E{};
    std::string other_;
};

/// Whether T is a Word of some enum.
template <class T>
concept IsWord = requires { typename T::Value; } && std::is_same_v<T, Word<typename T::Value>>;

}  // namespace zcdp::api
