#include "zcdp/store/lock_holder.hpp"

namespace zcdp::store {
namespace {

constexpr std::string_view kSocketField = "socket=";
/// How a zcdp before the field ended the name. An agent's name ends so to this day: such a zcdp looks for it, and takes
/// what follows as the socket, up to the end of the file. That is why the name stands last.
constexpr std::string_view kOldMark = ", socket ";

}  // namespace

std::string lock_text(const LockHolder& holder) {
    return holder.socket.empty() ? holder.name : std::string(kSocketField) + holder.socket + "\n" + holder.name;
}

LockHolder parse_lock(std::string_view text) {
    LockHolder out;
    const size_t line_end = text.find('\n');
    if (text.starts_with(kSocketField) && line_end != text.npos) {
        out.socket = text.substr(kSocketField.size(), line_end - kSocketField.size());
        out.name = text.substr(line_end + 1);
        return out;
    }
    out.name = text;
    if (const size_t mark = text.find(kOldMark); mark != text.npos) out.socket = text.substr(mark + kOldMark.size());
    return out;
}

}  // namespace zcdp::store
