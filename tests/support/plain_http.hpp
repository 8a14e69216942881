// A blocking HTTP/1.1 client for tests: one connection to a server on loopback, one request after another.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <map>
#include <string>
#include <string_view>

#include "zcdp/base/ascii.hpp"

namespace zcdp::test {

struct PlainAnswer {
    int status = 0;
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string body;
};

class PlainHttp {
  public:
    PlainHttp(uint16_t port, std::string token) : token_(std::move(token)) {
        socket_.connect({boost::asio::ip::make_address("127.0.0.1"), port});
        socket_.set_option(boost::asio::ip::tcp::no_delay(true));
    }
    /// Throws when the connection ends before the answer does.
    PlainAnswer ask(std::string_view method, std::string_view target, std::string_view body = {}) {
        std::string head(method);
        head.append(" ").append(target).append(" HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ").append(token_);
        head.append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
        boost::asio::write(socket_, boost::asio::buffer(head));
        boost::asio::write(socket_, boost::asio::buffer(body));
        PlainAnswer answer = read_head();
        const auto chunked = answer.headers.find("transfer-encoding");
        answer.body = chunked != answer.headers.end() ? read_chunks() : read(length_of(answer));
        return answer;
    }

  private:
    static size_t length_of(const PlainAnswer& answer) {
        const auto at = answer.headers.find("content-length");
        return at == answer.headers.end() ? 0 : std::stoul(at->second);
    }
    PlainAnswer read_head() {
        PlainAnswer answer;
        std::string line = read_line();
        answer.status = std::stoi(line.substr(line.find(' ') + 1));
        while (!(line = read_line()).empty()) {
            std::string name = line.substr(0, line.find(':'));
            for (char& c : name) c = to_lower(c);
            answer.headers[name] = line.substr(line.find(':') + 2);
        }
        return answer;
    }
    std::string read_line() {
        const size_t length = boost::asio::read_until(socket_, boost::asio::dynamic_buffer(got_), "\r\n");
        std::string line = got_.substr(0, length - 2);
        got_.erase(0, length);
        return line;
    }
    std::string read(size_t bytes) {
        if (got_.size() < bytes)
            boost::asio::read(socket_, boost::asio::dynamic_buffer(got_),
                              boost::asio::transfer_exactly(bytes - got_.size()));
        std::string read = got_.substr(0, bytes);
        got_.erase(0, bytes);
        return read;
    }
    std::string read_chunks() {
        std::string body;
        while (true) {
            const size_t bytes = std::stoul(read_line(), nullptr, 16);
            body += read(bytes);
            read_line();
            if (bytes == 0) return body;
        }
    }

    const std::string token_;
    boost::asio::io_context context_;
    boost::asio::ip::tcp::socket socket_{context_};
    std::string got_;
};

}  // namespace zcdp::test
