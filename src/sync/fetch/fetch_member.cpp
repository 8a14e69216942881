// Short files from a member of the swarm: one answer has all of a piece's, one after the other. They are read as one,
// and hashed and staged on the disk pool in one go.
#include <algorithm>

#include "src/sync/fetch/fetcher.hpp"
#include "zcdp/base/faults.hpp"
#include "zcdp/swarm/peer_client.hpp"

namespace zcdp::sync {
namespace {

std::vector<Digest> digests_of(const std::vector<SpoolEntry>& files, std::span<const std::byte> content) {
    std::vector<std::span<const std::byte>> contents;
    for (size_t i = 0, at = 0; i < files.size(); at += files[i].entry.size_bytes, ++i)
        contents.push_back(content.subspan(at, files[i].entry.size_bytes));
    std::vector<Digest> digests;
    for (const Sha256Bytes& bytes : hash_each(contents)) digests.push_back({DigestKind::sha256, bytes});
    return digests;
}

}  // namespace

Task<Result<>> Fetcher::fetch_member_run(MemberRun run) {
    uint64_t size_bytes = 0;
    for (const SpoolEntry& file : run.files) size_bytes += file.entry.size_bytes;
    const transfer::Buffer buffer = co_await member_buffers_.acquire(size_bytes);
    const auto content = buffer.bytes().first(size_bytes);
    const auto claim = co_await read_member_run(run.from, content);
    std::optional<Error> theirs;
    Result<> kept;
    if (claim) kept = co_await offload(job_.disk, [&] { return keep_member_run(run, *claim, content, theirs); });
    else theirs = claim.error();
    if (theirs) {
        job_.feeder.not_received(run.from.piece, std::move(*theirs));
        co_return Result<>();
    }
    ZCDP_CO_CHECK(std::move(kept));
    job_.objects_received += run.files.size(), job_.bytes_received += size_bytes;
    job_.progress.objects_done += run.files.size(), job_.progress.bytes_done += size_bytes;
    job_.progress.bytes_received += size_bytes;
    co_return Result<>();
}

/// The claim that the bytes come with.
Task<Result<std::string>> Fetcher::read_member_run(FromMember from, std::span<std::byte> into) {
    swarm::PeerClient client(*members_, job_.swarm, job_.pieces);
    ZCDP_CO_TRY(auto answer, co_await client.piece(from.member, from.piece, into.size()));
    for (size_t filled = 0; filled < into.size();) {
        ZCDP_CO_TRY(const size_t got, co_await answer.body->read_some(into.subspan(filled)));
        if (got == 0) co_return Error(ErrorKind::unreachable, "the body ended early", answer.body->peer());
        filled += got;
    }
    co_return std::move(answer.claim);
}

/// On the disk pool.
Result<> Fetcher::keep_member_run(const MemberRun& run, const std::string& claim, std::span<const std::byte> content,
                                  std::optional<Error>& theirs) {
    const std::vector<Digest> digests = digests_of(run.files, content);
    const auto passed_on = judge(run.from.piece, claim, swarm::digest_of_run(digests));
    if (!passed_on) {
        theirs = passed_on.error();
        return {};
    }
    ZCDP_CHECK(job_.feeder.vouched(run.from.piece, *passed_on));
    return stage_member_run(run.files, digests, content);
}

/// The claim to pass the piece on with, once it is what the snapshot has, or, where nobody knows that yet, what
/// somebody of the swarm has signed; "": this node vouches for it. Errors: corrupt; those of the disk.
Result<std::string> Fetcher::judge(uint64_t piece, const std::string& claim, const swarm::PieceDigest& digest) const {
    ZCDP_TRY(const auto proven, job_.feeder.proven(piece));
    if (proven && *proven != digest && !faults::broken("manifest-piece"))
        return Error(ErrorKind::corrupt, "sent other bytes of a piece than the snapshot has", "a peer");
    const auto claimed = job_.peers->identity()->read(claim, job_.swarm, piece);
    if (claimed && claimed->digest == digest) return claim;
    if (proven) return std::string();
    if (!claimed) return claimed.error();
    if (faults::broken("piece-digest")) return claim;
    return Error(ErrorKind::corrupt, "sent other bytes of a piece than " + claimed->by + " has signed", "a peer");
}

Result<> Fetcher::stage_member_run(const std::vector<SpoolEntry>& files, const std::vector<Digest>& digests,
                                   std::span<const std::byte> content) {
    for (size_t i = 0, at = 0; i < files.size(); ++i) {
        const origin::Entry& entry = files[i].entry;
        const auto part = content.subspan(at, entry.size_bytes);
        if (auto staged = job_.incoming.stage({digests[i], entry.size_bytes, entry.executable}, part); !staged)
            return std::move(staged).error().about(job_.name(entry.path));
        job_.committer.add({job_.key(entry.path), entry.tag, entry.size_bytes, digests[i]});
        at += entry.size_bytes;
    }
    return {};
}

}  // namespace zcdp::sync
