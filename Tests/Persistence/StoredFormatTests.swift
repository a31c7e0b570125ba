import Persistence
import TestSupport
import Testing
import Values

/// Values that are stored: they never change.
@Suite("The stored format", .timeLimit(.minutes(15)), .inTurn)
struct StoredFormatTests {
  private let stream = UniqueID(high: 0x019C_8A5E_7B1C_7D2E, low: 0x8F3A_0123_4567_89AB)

  @Test("A stream's shard")
  func shardOfStream() {
    #expect(Shard.of(stream, count: 64) == 25)
    #expect(Shard.of(stream, count: 5) == 4)
    #expect(Shard.of(stream, count: 1) == 0)
  }

  @Test("A start key's shard")
  func shardOfKey() {
    #expect(Shard.ofKey("sample-processing", "order-7", count: 64) == 45)
    #expect(Shard.ofKey("ab", "c", count: 1_000) != Shard.ofKey("a", "bc", count: 1_000))
  }

  @Test("Streams with the same timestamp spread over all shards")
  func spread() {
    var random = SeededRandom(seed: 7)
    var counts = [Int](repeating: 0, count: 64)
    for _ in 0..<6_400 {
      let id = UniqueID.version7(at: Timestamp(milliseconds: 1_772_352_000_000), random: (random.next(), random.next()))
      counts[Shard.of(id, count: 64)] += 1
    }
    #expect(counts.allSatisfy { (50...150).contains($0) }, "\(counts)")
  }

  @Test("An event's hash")
  func hash() {
    let hash = EventHash.next(
      after: EventHash.start, stream: stream, version: 1, type: "sample.registered", data: Array("{\"a\":1}".utf8),
      meta: Array("{}".utf8), recordedAt: Timestamp(milliseconds: 1_772_352_000_000))
    let expected = "83a877cc81a8c49fa4f6e2ce7c107c475b6baf4dcffbc452e4280e48112b439d"
    let digits = hash.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(digits == expected)
  }

  @Test("A link of a shard's chain")
  func chain() {
    let hash = Digest.bytes(hexadecimal: "83a877cc81a8c49fa4f6e2ce7c107c475b6baf4dcffbc452e4280e48112b439d") ?? []
    let first = EventChain.next(after: EventChain.start, shard: 25, position: 1, hash: hash)
    let second = EventChain.next(after: first, shard: 25, position: 2, hash: hash)
    #expect(Digest.hexadecimal(first) == "b8d74053047322c24075d7d539ad72fa5e09ed131ddc39d895d5f99d07f7123b")
    #expect(Digest.hexadecimal(second) == "54bc27a9353096588ef8cc17c9fd0b855add985ca06fb1e37e1742c99412c138")
  }

  @Test("A stream's month")
  func month() throws {
    let last = UniqueID.version7(at: Timestamp(milliseconds: 1_772_323_199_999), random: (0, 0))
    let first = UniqueID.version7(at: Timestamp(milliseconds: 1_772_323_200_000), random: (0, 0))
    #expect(try StreamMonth.of(last) == 202_602)
    #expect(try StreamMonth.of(first) == 202_603)
    #expect(throws: StoreError.self) { try StreamMonth.of(.derived(from: "a name")) }
  }
}
