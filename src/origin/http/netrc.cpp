#include "src/origin/http/netrc.hpp"

#include <algorithm>

#include "zcdp/base/ascii.hpp"

namespace zcdp::origin::http {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

class Words {
  public:
    explicit Words(std::string_view text) : rest_(text) {
        if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
    }
    /// The next keyword: comments before it are passed over. Nothing at the end.
    std::optional<std::string> keyword() {
        while (skip_blanks() && rest_[0] == '#') skip_line();
        return value();
    }
    std::optional<std::string> value() {
        if (!skip_blanks()) return std::nullopt;
        return rest_[0] == '"' ? quoted() : plain();
    }
    /// A macro's body.
    void skip_paragraph() {
        while (!rest_.empty()) {
            const bool blank = rest_[0] == '\n' || rest_.starts_with("\r\n");
            skip_line();
            if (blank) return;
        }
    }
    void skip_line() { rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size() - 1) + 1); }

  private:
    bool skip_blanks() {
        rest_.remove_prefix(
            static_cast<size_t>(std::find_if_not(rest_.begin(), rest_.end(), is_blank) - rest_.begin()));
        return !rest_.empty();
    }
    std::string plain() {
        const auto end = static_cast<size_t>(std::find_if(rest_.begin(), rest_.end(), is_blank) - rest_.begin());
        std::string out(rest_.substr(0, end));
        rest_.remove_prefix(end);
        return out;
    }
    std::string quoted() {
        std::string out;
        rest_.remove_prefix(1);
        while (!rest_.empty() && rest_[0] != '"') {
            if (rest_[0] == '\\' && rest_.size() > 1) {
                const char c = rest_[1];
                out += c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
                rest_.remove_prefix(2);
                continue;
            }
            out += rest_[0];
            rest_.remove_prefix(1);
        }
        if (!rest_.empty()) rest_.remove_prefix(1);
        return out;
    }
    std::string_view rest_;
};

}  // namespace

std::optional<Login> netrc_login(std::string_view text, std::string_view host) {
    Words words(text);
    std::optional<Login> found;  // of the machine whose lines are being read, if it is the one
    bool ours = false;
    while (auto word = words.keyword()) {
        if (*word == "machine" || *word == "default") {
            if (ours) return found;
            const auto name = *word == "machine" ? words.value() : std::optional<std::string>(host);
            ours = name && equal_ignoring_case(*name, host);
            if (ours) found.emplace();
        } else if (*word == "macdef") {
            words.skip_line();
            words.skip_paragraph();
        } else if (*word == "login" || *word == "password" || *word == "account") {
            const auto value = words.value();
            if (ours && value && *word == "login") found->user = *value;
            if (ours && value && *word == "password") found->password = *value;
        }
    }
    return found;
}

}  // namespace zcdp::origin::http
