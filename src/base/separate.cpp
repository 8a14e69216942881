// The translation unit that holds the compiled parts of header-only libraries (separate_net.cpp: those of the network),
// and the templates that src/precompiled.hpp says are instantiated somewhere.
#include <fmt/format-inl.h>

#include <boost/json/src.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

// What <fmt/format.h> declares and its own library would hold; Debian has that as a shared one only.
FMT_BEGIN_NAMESPACE
namespace detail {
template FMT_API auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto thousands_sep_impl(locale_ref) -> thousands_sep_result<wchar_t>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
template FMT_API auto decimal_point_impl(locale_ref) -> wchar_t;
}  // namespace detail
FMT_END_NAMESPACE

template class std::vector<std::string>;
template class std::map<std::string, std::string>;
template class std::set<std::string>;
