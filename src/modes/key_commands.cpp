// zcdp ls | stat | history | rm: what the data store has, and taking it away.
#include <fmt/core.h>

#include "src/modes/data_store_flags.hpp"
#include "src/modes/signals.hpp"
#include "src/modes/streams.hpp"
#include "zcdp/base/json.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/datastore/key.hpp"

namespace zcdp::modes {
namespace {

using datastore::Item;
using datastore::KeyArgument;

struct Flags {
    DataStoreFlags store;
    std::string key;
    std::vector<std::string> keys;
    bool is_long = false, recursive = false, by_prefix = false;
};

/// Whom to ask, and until when.
struct Asking {
    const datastore::ServerAccess& access;
    Machine machine;
    std::stop_token stop;
};
using Question = std::function<Result<>(const Asking& asking, const Flags& flags)>;

int ask(Context& context, const Flags& flags, const Question& question) {
    const StopOnSignal on_signal;
    Logger log = context.logger();
    const Machine machine = context.machine(log);
    const auto access = server_access(flags.store, machine);
    if (!access) return report(access.error(), flags.store.json);
    const auto done = question({*access, machine, on_signal.token()}, flags);
    return done ? 0 : report(done.error(), flags.store.json);
}

std::string json_of(const Item& item) {
    JsonObject out;
    out.add("name", item.name).add("key", item.key).add("is_directory", item.is_directory).add("locale", "store");
    if (item.version == 0) return out.str();
    out.add("kind", datastore::name_of(item.kind)).add("version", item.version).add("versions", item.versions);
    out.add("size_bytes", item.size_bytes).add("files", item.files).add("snapshot", item.snapshot);
    out.add("modified", iso8601(item.modified_unix_s));
    if (item.expires_unix_s > 0) out.add("expires", iso8601(item.expires_unix_s));
    return out.str();
}

constexpr const char* kLine = "{:>10} {:>8}  {:<21}{}\n";

void print_line(const Item& item, const std::string& name) {
    if (item.version == 0) fmt::print(kLine, "-", "-", "-", printable(name));
    else fmt::print(kLine, format_size(item.size_bytes), item.version, iso8601(item.modified_unix_s), printable(name));
}

void print_item(const Item& item, const Flags& flags) {
    const std::string name = item.name + (item.is_directory ? "/" : "");
    if (flags.store.json) fmt::print("{}\n", json_of(item));
    else if (flags.is_long) print_line(item, name);
    else fmt::print("{}\n", printable(name));
}

Error versions_have_no_folder(const std::string& written) {
    return Error(ErrorKind::usage, "names a version, which nothing lies below", written, "zcdp history shows versions");
}

/// A key that nothing lies below is shown itself.
Result<> list(const Asking& asking, const Flags& flags) {
    ZCDP_TRY(const KeyArgument prefix, datastore::parse_key(flags.key));
    if (prefix.version > 0) return versions_have_no_folder(flags.key);
    bool any = false;
    const auto show = [&](const Item& item) -> Result<> {
        if (!any && flags.is_long && !flags.store.json) fmt::print(kLine, "SIZE", "VERSION", "MODIFIED", "NAME");
        any = true;
        print_item(item, flags);
        return {};
    };
    ZCDP_CHECK(datastore::list(asking.access, asking.machine, prefix.key, flags.recursive, show, asking.stop));
    if (any) return {};
    if (prefix.key.empty()) {
        if (!flags.store.json) say("the data store has no key yet\n");
        return {};
    }
    if (prefix.inside) return Error(ErrorKind::not_found, "no key lies below it", flags.key);
    ZCDP_TRY(Item item, datastore::stat(asking.access, asking.machine, prefix.key, 0, asking.stop));
    return show(item);
}

Result<KeyArgument> parse_one_key(const std::string& written) {
    ZCDP_TRY(KeyArgument key, datastore::parse_key(written));
    if (key.inside)
        return Error(ErrorKind::usage, "names what is below a key", written, "leave the slash at the end away");
    return key;
}

Result<> stat(const Asking& asking, const Flags& flags) {
    ZCDP_TRY(const KeyArgument key, parse_one_key(flags.key));
    ZCDP_TRY(const Item item, datastore::stat(asking.access, asking.machine, key.key, key.version, asking.stop));
    if (flags.store.json) {
        fmt::print("{}\n", json_of(item));
        return {};
    }
    fmt::print("key       {}\n", printable(item.key));
    if (item.version == 0) {
        fmt::print("kind      a folder of keys\n");
        return {};
    }
    fmt::print("kind      {}\nversion   {} ({} kept)\nsize      {} ({} bytes)\nfiles     {}\nsnapshot  {}\n",
               datastore::name_of(item.kind), item.version, item.versions, format_size(item.size_bytes),
               item.size_bytes, format_count(item.files), item.snapshot);
    fmt::print("modified  {}\n", iso8601(item.modified_unix_s));
    if (item.expires_unix_s > 0) fmt::print("expires   {}\n", iso8601(item.expires_unix_s));
    return {};
}

Result<> history(const Asking& asking, const Flags& flags) {
    ZCDP_TRY(const KeyArgument key, parse_one_key(flags.key));
    if (key.version > 0) return versions_have_no_folder(flags.key);
    ZCDP_TRY(const auto versions, datastore::history(asking.access, asking.machine, key.key, asking.stop));
    if (!flags.store.json) fmt::print(kLine, "SIZE", "VERSION", "MODIFIED", "SNAPSHOT");
    for (const Item& item : versions) {
        if (flags.store.json) fmt::print("{}\n", json_of(item));
        else print_line(item, item.snapshot);
    }
    return {};
}

/// All whose keys begin with the text, and what lies below them.
Result<uint64_t> remove_by_prefix(const Asking& asking, const std::string& written) {
    ZCDP_TRY(const KeyArgument key, datastore::parse_key(written));
    if (key.key.empty())
        return Error(ErrorKind::usage, "would remove every key", written, "name the beginning of the keys");
    if (key.version > 0) return versions_have_no_folder(written);
    const std::string beginning = key.key + (key.inside ? "/" : "");
    const size_t slash = beginning.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : beginning.substr(0, slash);
    std::vector<std::string> found;
    const auto take = [&](const Item& item) -> Result<> {
        if (item.key.starts_with(beginning) && (found.empty() || found.back() != item.key)) found.push_back(item.key);
        return {};
    };
    ZCDP_CHECK(datastore::list(asking.access, asking.machine, folder, false, take, asking.stop));
    uint64_t removed = 0;
    for (const std::string& one : found) {
        const auto gone = datastore::remove(asking.access, asking.machine, one, true, asking.stop);
        if (gone) removed += *gone;
        else if (gone.error().kind() != ErrorKind::not_found) return gone.error();
    }
    if (removed == 0) return Error(ErrorKind::not_found, "no key begins so", written);
    return removed;
}

Result<uint64_t> remove_key(const Asking& asking, const Flags& flags, const std::string& written) {
    ZCDP_TRY(const KeyArgument key, datastore::parse_key(written));
    if (key.version > 0)
        return Error(ErrorKind::usage, "names a version, and only whole keys are removed", written,
                     "leave @" + std::to_string(key.version) + " away");
    if (key.key.empty()) return Error(ErrorKind::usage, "would remove every key", written, "name the keys");
    if (key.inside && !flags.recursive)
        return Error(ErrorKind::usage, "names all that is below a key", written, "give -r to remove all of it");
    return datastore::remove(asking.access, asking.machine, key.key, flags.recursive, asking.stop);
}

/// All of them, also behind one that cannot be removed. The first error is what the command ends with.
Result<> remove(const Asking& asking, const Flags& flags) {
    uint64_t removed = 0;
    std::optional<Error> first;
    for (const std::string& key : flags.keys) {
        auto gone = flags.by_prefix ? remove_by_prefix(asking, key) : remove_key(asking, flags, key);
        if (gone) removed += *gone;
        else if (!first) first = std::move(gone).error();
        else (void)report(gone.error());
        if (asking.stop.stop_requested()) break;
    }
    const bool all_failed = first && removed == 0;
    if (all_failed) return std::move(*first);
    if (flags.store.json) fmt::print("{}\n", JsonObject().add("removed", removed).str());
    else say("removed {} key{}\n", format_count(removed), removed == 1 ? "" : "s");
    return first ? Result<>(std::move(*first)) : Result<>();
}

Command add(Command program, Action& action, const std::shared_ptr<Flags>& flags, const char* name, const char* help,
            Question question) {
    Command command = program.add_command(name, help);
    command.on_parsed([flags, &action, question = std::move(question)] {
        action = [flags, question](Context& context) { return ask(context, *flags, question); };
    });
    return command;
}

}  // namespace

void add_ls(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command command = add(program, action, flags, "ls", "list the keys of the data store", list);
    command.add_option("PREFIX", flags->key, "what lies below it; a folder of keys ends in '/'");
    command.add_flag("-l,--long", flags->is_long, "with size, version and time");
    command.add_flag("-r,--recursive", flags->recursive, "also what lies below its folders, as whole keys");
    add_data_store_flags(command, flags->store);
}

void add_stat(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command command = add(program, action, flags, "stat", "all about one key of the data store", stat);
    command.add_option("KEY", flags->key, "a key, or KEY@VERSION").required();
    add_data_store_flags(command, flags->store);
}

void add_history(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command command = add(program, action, flags, "history", "the versions of a key that are kept", history);
    command.add_option("KEY", flags->key, "a key").required();
    add_data_store_flags(command, flags->store);
}

void add_rm(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command command =
        add(program, action, flags, "rm", "remove keys from the data store, with all their versions", remove);
    command.add_option("KEY", flags->keys, "a key").required();
    command.add_flag("-r,--recursive", flags->recursive, "also all keys below it");
    command.add_flag("-p,--prefix", flags->by_prefix, "KEY is a beginning: all keys that begin so, and all below them");
    add_data_store_flags(command, flags->store);
}

}  // namespace zcdp::modes
