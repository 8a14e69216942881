#include "zcdp/datastore/wire.hpp"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include <utility>

#include "zcdp/api/codec.hpp"
#include "zcdp/base/json_parse.hpp"
#include "zcdp/base/percent.hpp"

namespace zcdp::datastore {
namespace {

constexpr unsigned kDepthMost = 8;

/// An Item as JSON has it. Its kind is a word there.
struct ItemForm {
    Item item;
    std::string kind = {};
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("key", self.item.key), field("name", self.item.name), field("is_directory", self.item.is_directory);
        field("kind", self.kind), field("version", self.item.version), field("versions", self.item.versions);
        field("size_bytes", self.item.size_bytes), field("files", self.item.files);
        field("snapshot", self.item.snapshot), field("modified_unix_s", self.item.modified_unix_s);
        field("expires_unix_s", self.item.expires_unix_s);
    }
};

struct PageForm {
    std::vector<ItemForm> items;
    std::string next;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("items", self.items), field("next", self.next);
    }
};

struct IntentForm {
    UploadIntent intent;
    std::string kind = {};
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("kind", self.kind), field("files", self.intent.files), field("bytes", self.intent.bytes);
        field("snapshot", self.intent.snapshot), field("if_version", self.intent.if_version);
        field("force", self.intent.force);
    }
};

struct BegunForm {
    UploadBegun begun;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("upload", self.begun.upload), field("present", self.begun.present), field("version", self.begun.version);
    }
};

struct CommittedForm {
    Committed committed;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("key", self.committed.key), field("version", self.committed.version);
        field("snapshot", self.committed.snapshot), field("unchanged", self.committed.unchanged);
    }
};

struct ErrorForm {
    std::string kind, what, object, hint;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("kind", self.kind), field("what", self.what), field("object", self.object), field("hint", self.hint);
    }
};

struct AnswerForm {
    ErrorForm error;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("error", self.error);
    }
};

template <class Form>
std::string text_of_form(const Form& form) {
    return boost::json::serialize(api::to_json(form));
}

template <class Form>
Result<Form> form_of(std::string_view text, ErrorKind otherwise, const char* what) {
    const auto value = parse_json(text, kDepthMost);
    if (!value || !value->is_object()) return Error(otherwise, "is no JSON object", what);
    auto form = api::from_json<Form>(*value);
    if (!form) return Error(otherwise, form.error().what(), what);
    return form;
}

ItemForm form_of_item(const Item& item) { return {item, item.version > 0 ? std::string(name_of(item.kind)) : ""}; }

Result<Item> item_of_form(ItemForm form) {
    const auto kind = parse_key_kind(form.kind);
    if (!kind && !form.item.is_directory) return Error(ErrorKind::corrupt, "has a kind that there is not", "an item");
    form.item.kind = kind.value_or(KeyKind::tree);
    return std::move(form.item);
}

/// The kinds of errors that travel, and the status that each is answered with.
constexpr std::pair<ErrorKind, int> kStatus[] = {
    {ErrorKind::failed, 500},         {ErrorKind::usage, 400},     {ErrorKind::refused, 422},
    {ErrorKind::not_found, 404},      {ErrorKind::denied, 403},    {ErrorKind::no_space, 507},
    {ErrorKind::source_changed, 409}, {ErrorKind::corrupt, 400},   {ErrorKind::timeout, 504},
    {ErrorKind::unreachable, 502},    {ErrorKind::throttled, 429}, {ErrorKind::busy, 503},
};

ErrorKind kind_of_status(int status) {
    switch (status) {
        case 401: return ErrorKind::denied;
        case 408: return ErrorKind::timeout;
        case 410: return ErrorKind::not_found;
        case 412: return ErrorKind::source_changed;
        case 413: return ErrorKind::no_space;
        case 400: return ErrorKind::refused;
        default: break;
    }
    for (const auto& [kind, code] : kStatus)
        if (code == status) return kind;
    return ErrorKind::failed;
}

}  // namespace

std::string_view name_of(KeyKind kind) { return kind == KeyKind::tree ? "tree" : "file"; }

std::optional<KeyKind> parse_key_kind(std::string_view name) {
    for (const KeyKind kind : {KeyKind::tree, KeyKind::file})
        if (name_of(kind) == name) return kind;
    return std::nullopt;
}

std::string Item::json() const { return text_of_form(form_of_item(*this)); }

Result<Item> parse_item(std::string_view json) {
    ZCDP_TRY(ItemForm form, form_of<ItemForm>(json, ErrorKind::corrupt, "an item"));
    return item_of_form(std::move(form));
}

std::string ItemPage::json() const {
    PageForm form;
    for (const Item& item : items) form.items.push_back(form_of_item(item));
    form.next = next;
    return text_of_form(form);
}

Result<ItemPage> parse_item_page(std::string_view json) {
    ZCDP_TRY(PageForm form, form_of<PageForm>(json, ErrorKind::corrupt, "a page of items"));
    ItemPage page;
    for (ItemForm& item : form.items) {
        ZCDP_TRY(Item read, item_of_form(std::move(item)));
        page.items.push_back(std::move(read));
    }
    page.next = std::move(form.next);
    return page;
}

std::string UploadIntent::json() const { return text_of_form(IntentForm{*this, std::string(name_of(kind))}); }

Result<UploadIntent> parse_upload_intent(std::string_view json) {
    ZCDP_TRY(IntentForm form, form_of<IntentForm>(json, ErrorKind::refused, "an upload"));
    const auto kind = parse_key_kind(form.kind);
    if (!kind) return Error(ErrorKind::refused, "is of no kind that there is", "an upload");
    form.intent.kind = *kind;
    return std::move(form.intent);
}

std::string UploadBegun::json() const { return text_of_form(BegunForm{*this}); }

Result<UploadBegun> parse_upload_begun(std::string_view json) {
    ZCDP_TRY(BegunForm form, form_of<BegunForm>(json, ErrorKind::corrupt, "an upload"));
    return std::move(form.begun);
}

std::string Committed::json() const { return text_of_form(CommittedForm{*this}); }

Result<Committed> parse_committed(std::string_view json) {
    ZCDP_TRY(CommittedForm form, form_of<CommittedForm>(json, ErrorKind::corrupt, "a version"));
    return std::move(form.committed);
}

std::string error_json(const Error& error) {
    // Names from outside may be any bytes; JSON is UTF-8.
    return text_of_form(AnswerForm{{std::string(name(error.kind())), printable(error.what()), printable(error.object()),
                                    printable(error.hint())}});
}

Error parse_error(int status, std::string_view body) {
    auto form = form_of<AnswerForm>(body, ErrorKind::failed, "an answer");
    if (!form || form->error.what.empty())
        return Error(kind_of_status(status), fmt::format("the data store answered {}", status));
    ErrorKind kind = kind_of_status(status);
    for (const auto& [known, code] : kStatus)
        if (name(known) == form->error.kind) kind = known;
    return Error(kind, form->error.what, form->error.object, form->error.hint);
}

int status_of(ErrorKind kind) {
    for (const auto& [known, code] : kStatus)
        if (known == kind) return code;
    return 500;
}

std::string target_of(std::string_view verb, std::string_view key, std::string_view query) {
    std::string target = fmt::format("/v1/{}/", verb);
    append_uri_encoded(target, key, /*keep_slash=*/true);
    if (!query.empty()) target.append("?").append(query);
    return target;
}

}  // namespace zcdp::datastore
