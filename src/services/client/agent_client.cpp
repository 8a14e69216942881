// HTTP over the agent's unix socket, with Beast's blocking calls: the peer is on this machine and sends a line at least
// every second while it works.
#include "zcdp/services/agent_client.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "zcdp/api/agent.hpp"
#include "zcdp/services/agent_wire.hpp"
#include "zcdp/store/lock_holder.hpp"

namespace zcdp::services {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Socket = asio::local::stream_protocol::socket;

constexpr size_t kHolderMax = 4096, kPieceBytes = 64 << 10;

Error away(const std::string& socket, const error_code& code) {
    return Error(ErrorKind::unreachable, "the agent does not answer (" + code.message() + ")", socket,
                 "is it running? kubectl -n zcdp-system get pods -l app=zcdp-agent");
}

Result<> send(Socket& connection, const std::string& socket, const std::string& target, const std::string& body) {
    error_code code;
    connection.connect(asio::local::stream_protocol::endpoint(socket), code);
    if (code == boost::system::errc::permission_denied)
        return Error(ErrorKind::denied, "only root and the agent's group may ask the agent", socket);
    if (code) return away(socket, code);
    http::request<http::string_body> request(http::verb::post, target, 11);
    request.set(http::field::host, "agent");
    request.set(http::field::content_type, "application/json");
    request.body() = body;
    request.prepare_payload();
    http::write(connection, request, code);
    if (code) return away(socket, code);
    return {};
}

/// An agent from before /v2/sync says that there is no such path.
Error too_old(const std::string& socket) {
    return Error(ErrorKind::usage, "the agent that owns this store is older than this zcdp, and cannot do this", socket,
                 "upgrade the agent, add --no-store, or choose another --store");
}

Error refused(const std::string& body) {
    error_code code;
    const auto value = boost::json::parse(body, code);
    if (!code)
        if (const auto wire = api::from_json<api::WireError>(value); wire && !wire->what.empty())
            return api::from_wire(*wire);
    return Error(ErrorKind::failed, "the agent's answer cannot be read");
}

/// Handles the lines that are whole; the last one ends the sync.
Result<std::optional<sync::SyncReport>> take_lines(std::string& pending, sync::Progress& progress) {
    size_t begin = 0;
    for (size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
        error_code code;
        const auto value = boost::json::parse(std::string_view(pending).substr(begin, end - begin), code);
        if (code) return Error(ErrorKind::failed, "the agent's answer cannot be read");
        ZCDP_TRY(const auto line, api::from_json<api::SyncLine>(value));
        if (line.error) return api::from_wire(*line.error);
        if (line.result) return std::optional(from_wire(*line.result));
        if (line.progress) follow(*line.progress, progress);
    }
    pending.erase(0, begin);
    return std::optional<sync::SyncReport>();
}

}  // namespace

std::optional<std::string> agent_socket(const std::string& store_root, Fs& fs) {
    const auto holder = read_file(fs, AT_FDCWD, (store_root + "/lock").c_str(), kHolderMax);
    if (!holder) return std::nullopt;
    std::string path = store::parse_lock(*holder).socket;
    return !path.empty() && ::access(path.c_str(), F_OK) == 0 ? std::optional(std::move(path)) : std::nullopt;
}

Result<std::string> ask_agent(const std::string& socket, const std::string& target, const std::string& body) {
    asio::io_context loop;
    Socket connection(loop);
    ZCDP_CHECK(send(connection, socket, target, body));
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> answer;
    error_code code;
    http::read(connection, buffer, answer, code);
    if (code) return away(socket, code);
    if (answer.result_int() != 200) return refused(answer.body());
    return std::move(answer.body());
}

Result<sync::SyncReport> sync_by_agent(const std::string& socket, const sync::SyncOptions& options,
                                       const origin::OriginOptions& origin, sync::Progress& progress,
                                       std::stop_token stop, const WithTree& with_tree) {
    const api::SyncRequest request = to_wire(SyncOrder{options, origin, with_tree != nullptr});
    asio::io_context loop;
    Socket connection(loop);
    ZCDP_CHECK(send(connection, socket, sync_target(request), boost::json::serialize(api::to_json(request))));
    boost::beast::flat_buffer buffer;
    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    error_code code;
    http::read_header(connection, buffer, parser, code);
    if (code) return away(socket, code);
    std::string pending, piece(kPieceBytes, '\0');
    // The agent says something every half second only: a stop does not wait for that.
    const std::stop_callback on_stop(stop, [&connection] { ::shutdown(connection.native_handle(), SHUT_RDWR); });
    while (!parser.is_done()) {
        if (stop.stop_requested())
            return Error(ErrorKind::interrupted, "stopped; the agent stops, too", options.source,
                         "run the same command again");
        parser.get().body() = {piece.data(), piece.size(), true};
        // Some of it, not all that the piece could hold: a line is acted upon when it comes.
        http::read_some(connection, buffer, parser, code);
        if (code == http::error::need_buffer) code = {};
        if (code && stop.stop_requested()) continue;
        if (code) return away(socket, code);
        pending.append(piece.data(), piece.size() - parser.get().body().size);
        if (parser.get().result_int() != 200) continue;
        ZCDP_TRY(auto report, take_lines(pending, progress));
        if (!report) continue;
        if (with_tree) ZCDP_CHECK(with_tree(*report));  // the connection is what holds the tree
        return std::move(*report);
    }
    if (parser.get().result_int() == 404 && sync_target(request) != "/v1/sync") return too_old(socket);
    if (parser.get().result_int() != 200) return refused(pending);
    return Error(ErrorKind::unreachable, "the agent went away in the middle", socket, "run the same command again");
}

}  // namespace zcdp::services
