// Which address the next connection goes to, and when one is avoided.
#include "src/net/client/address_book.hpp"

#include "tests/support/doctest.hpp"

using namespace zcdp::net;

namespace {

constexpr uint64_t kMs = 1'000'000, kS = 1000 * kMs;

struct Fixture {
    std::shared_ptr<AddressNotes> notes = std::make_shared<AddressNotes>();
    AddressBook book{notes};
    std::vector<boost::asio::ip::tcp::endpoint> endpoints;
    std::vector<std::shared_ptr<Address>> all;
    uint64_t now = kS;

    Fixture() {
        for (const char* text : {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"})
            endpoints.emplace_back(boost::asio::ip::make_address(text), 80);
        book.set(endpoints);
        for (int i = 0; i < 4; ++i) all.push_back(open());
    }
    /// A connection more.
    std::shared_ptr<Address> open() {
        auto address = book.next(now, {});
        ++address->connections;
        return address;
    }
    void answers(Address& address, int count, double ms) {
        for (int i = 0; i < count; ++i) book.answered(address, ms, now);
    }
    void others_answer(int count, double ms) {
        for (size_t i = 1; i < all.size(); ++i) answers(*all[i], count, ms);
    }
    /// How many of 40 connections come to the first address.
    int share() {
        int count = 0;
        for (int i = 0; i < 40; ++i) count += open() == all[0];
        return count;
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "connections spread evenly over addresses that serve alike") {
    for (const auto& address : all) answers(*address, 20, 30);
    CHECK(share() == 10);
}

TEST_CASE_FIXTURE(
    Fixture, "an address whose answers come late three times in a row is avoided, one that is late at times is not") {
    others_answer(10, 20);
    for (int i = 0; i < 10; ++i) answers(*all[0], 2, 1000), answers(*all[0], 1, 20);
    CHECK_FALSE(all[0]->avoided);
    answers(*all[0], 3, 1000);
    CHECK(all[0]->avoided);
    CHECK(share() == 0);
}

TEST_CASE_FIXTURE(Fixture, "where all answer late, or late by little, none is avoided") {
    others_answer(10, 1000);
    answers(*all[0], 10, 1200);
    CHECK_FALSE(all[0]->avoided);
    others_answer(100, 1);
    answers(*all[0], 10, 90);
    CHECK_FALSE(all[0]->avoided);
}

TEST_CASE_FIXTURE(
    Fixture,
    "an avoided address is tried by one connection at a time, ever less often, and taken back when it serves well") {
    others_answer(10, 20);
    answers(*all[0], 3, 1000);
    CHECK_FALSE(book.wants_connection(now));
    now += kS;
    CHECK(book.wants_connection(now));
    CHECK(share() == 1);
    book.answered(*all[0], 1000, now);
    book.finished(*all[0]);
    CHECK(all[0]->avoided);
    now += kS;
    CHECK_FALSE(book.wants_connection(now));
    now += kS;
    CHECK(open() == all[0]);
    book.answered(*all[0], 20, now);
    CHECK(all[0]->avoided);
    book.finished(*all[0]);
    CHECK_FALSE(all[0]->avoided);
}

TEST_CASE_FIXTURE(Fixture,
                  "an address whose bodies come at less than two fifths of another's rate is avoided, and what is left "
                  "of them moved") {
    for (int i = 0; i < 100; ++i) {
        for (size_t a = 1; a < 4; ++a) book.body_came(*all[a], 1 << 20, 20 * kMs, now);
        book.body_came(*all[0], 64 << 10, 30 * kMs, now);
    }
    CHECK(all[0]->avoided);
    CHECK(all[0]->slow_body);
    now += kS;
    CHECK(open() == all[0]);
    CHECK_FALSE(all[0]->slow_body);
    book.finished(*all[0]);
    CHECK(all[0]->avoided);  // that was a short answer
    book.body_came(*all[0], 8 << 20, 160 * kMs, now);
    book.finished(*all[0]);
    CHECK_FALSE(all[0]->avoided);
}

TEST_CASE_FIXTURE(Fixture, "a rate is no reason where all are slow, or where it is high") {
    for (int i = 0; i < 100; ++i)
        for (size_t a = 0; a < 4; ++a) book.body_came(*all[a], 64 << 10, (60 - 10 * a) * kMs, now);
    CHECK_FALSE(all[0]->avoided);
    for (int i = 0; i < 1000; ++i) {
        book.body_came(*all[1], 1 << 20, 0, now);
        book.body_came(*all[0], 1 << 20, 100 * kMs, now);
    }
    CHECK_FALSE(all[0]->avoided);
}

TEST_CASE_FIXTURE(Fixture, "one stall within a body says little, however long it was") {
    for (int i = 0; i < 100; ++i) book.body_came(*all[1], 1 << 20, 0, now);
    for (int i = 0; i < 4; ++i) book.body_came(*all[0], 100, 30 * kS, now);
    CHECK_FALSE(all[0]->avoided);
}

TEST_CASE_FIXTURE(Fixture, "an address is silent when it answers nobody while each of the others does") {
    answers(*all[0], 1, 20);
    const auto watch = book.watch(*all[0]);
    CHECK_FALSE(book.silent(*all[0], watch, 10'000));
    others_answer(7, 20);
    CHECK_FALSE(book.silent(*all[0], watch, 10'000));
    others_answer(1, 20);
    CHECK(book.silent(*all[0], watch, 500));
    answers(*all[0], 1, 20);
    CHECK_FALSE(book.silent(*all[0], watch, 500));
}

TEST_CASE_FIXTURE(Fixture, "one that never answered is silent as soon as it is late") {
    const auto watch = book.watch(*all[0]);
    answers(*all[1], 1, 100);
    CHECK_FALSE(book.silent(*all[0], watch, 350));
    CHECK(book.silent(*all[0], watch, 450));
    book.gave_up(*all[0], now);
    CHECK(all[0]->avoided);
}

TEST_CASE_FIXTURE(Fixture, "the last address is never avoided") {
    for (const auto& address : all) book.failed(*address, now);
    CHECK_FALSE(all[3]->avoided);
    CHECK(open() == all[3]);
    CHECK_FALSE(book.silent(*all[3], book.watch(*all[3]), 100'000));
}

TEST_CASE_FIXTURE(Fixture, "every address is tried before a connection is given up, the avoided ones last") {
    book.failed(*all[1], now);
    std::vector<std::shared_ptr<Address>> tried;
    while (const auto next = book.next(now, tried)) tried.push_back(next);
    CHECK(tried.size() == 4);
    CHECK(tried.back() == all[1]);
}

TEST_CASE_FIXTURE(Fixture, "after a request that stalled the next connections go elsewhere, for a while") {
    book.stalled(*all[0], now);
    CHECK(share() == 0);
    now += 6 * kS;
    CHECK(open() == all[0]);
}

TEST_CASE("a long answer makes curious about addresses that were never tried, each once") {
    AddressBook book;
    const auto ip = [](const char* text) {
        return boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address(text), 80);
    };
    book.set(std::vector{ip("10.0.0.1"), ip("10.0.0.2")});
    const auto first = book.next(kS, {});
    book.answered(*first, 100, kS);
    CHECK_FALSE(book.wants_connection(kS));
    book.answered(*first, 1000, kS);
    CHECK(book.wants_connection(kS));
    CHECK(book.next(kS, {}) != first);
    book.answered(*first, 1000, kS);
    CHECK_FALSE(book.wants_connection(kS));
}

TEST_CASE_FIXTURE(Fixture, "addresses come and go with the name; what is known stays, and other clients know it too") {
    book.failed(*all[0], now);
    book.set(std::span(endpoints).first(2));
    CHECK(book.size() == 2);
    CHECK(book.next(now, {}) == all[1]);
    book.failed(*all[2], now);  // of a connection that is still there
    book.answered(*all[2], 5, now);
    CHECK(book.next(now, {}) == all[1]);
    AddressBook other(notes);
    other.set(std::span(endpoints).first(2));
    CHECK(other.next(now, {})->endpoint == all[1]->endpoint);
    CHECK(other.wants_connection(now + kS));
    other.set(std::span(endpoints).first(1));
    CHECK_FALSE(other.wants_connection(now + kS));
}
