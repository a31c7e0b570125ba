import Persistence
import TestSupport
import Testing
import Values

@Suite("A store agrees with a model of a few lines", .timeLimit(.minutes(15)), .inTurn)
struct RandomOperationTests {
  /// The expected results of appends, kept in dictionaries.
  struct Model {
    struct Stream {
      var appendIDs: [UniqueID] = []
      var positions: [Int64] = []
    }
    var streams: [UniqueID: Stream] = [:]
    var heads: [Int: Int64] = [:]
    var claims: [String: UniqueID] = [:]
    var open: Set<UniqueID> = []

    enum Answer: Equatable {
      case appended(Appended)
      case conflict(Int)
      case taken(UniqueID)
    }

    mutating func append(_ append: Append, shard: Int) -> Answer {
      var stream = streams[append.stream] ?? Stream()
      let actual = stream.appendIDs.count
      if actual != append.expectedVersion {
        guard actual >= append.lastVersion, stream.appendIDs[append.expectedVersion] == append.appendID else {
          return .conflict(actual)
        }
        return .appended(
          Appended(version: append.lastVersion, position: stream.positions[append.lastVersion - 1], repeated: true))
      }
      for release in append.releases {
        if let holder = claims[release.value], holder != append.stream { return .taken(holder) }
      }
      for claim in append.claims where !append.releases.contains(claim.name) {
        if let holder = claims[claim.value] { return .taken(holder) }
      }
      for release in append.releases { claims[release.value] = nil }
      for claim in append.claims { claims[claim.value] = append.stream }
      for _ in append.events {
        heads[shard, default: 0] += 1
        stream.appendIDs.append(append.appendID)
        stream.positions.append(heads[shard, default: 0])
      }
      streams[append.stream] = stream
      switch append.open {
      case .opened, .awake, .sleeping: open.insert(append.stream)
      case .closed: open.remove(append.stream)
      case nil: break
      }
      return .appended(
        Appended(version: append.lastVersion, position: heads[shard, default: 0], repeated: false))
    }
  }

  @Test(
    "Store and model agree over random appends, repeats, claims and reopenings",
    arguments: StoreKind.tested, [1, 2, 3] as [UInt64])
  func random(kind: StoreKind, seed: UInt64) async throws {
    try await withPlace(kind) { place in
      var random = SeededRandom(seed: seed)
      var store = try await place.open()
      var model = Model()
      let streams = (0..<8).map { _ in place.newID() }
      var sent: [Append] = []
      for step in 0..<300 {
        func roll(_ sides: Int) -> Int { Int(random.next() % UInt64(sides)) }
        if StoreKind.durable.contains(kind), roll(60) == 0 {
          await store.close()
          store = try await place.open()
        }
        let stream = streams[roll(streams.count)]
        var append: Append
        if roll(5) == 0, !sent.isEmpty {
          append = sent[roll(sent.count)]
        } else {
          let version = model.streams[stream]?.appendIDs.count ?? 0
          append = place.append(stream, at: max(0, version + (roll(6) == 0 ? roll(3) - 1 : 0)), count: 1 + roll(3))
          if roll(3) == 0 { append.claims = [NewClaim(scope: "s", value: "\(roll(4))")] }
          if roll(3) == 0 { append.releases = [ClaimName(scope: "s", value: "\(roll(4))")] }
          append.open = [.opened, .awake, .sleeping(until: nil), .closed, nil][roll(5)]
        }
        sent.append(append)
        let expected = model.append(append, shard: store.shard(of: append.stream))
        let answer: Model.Answer
        do throws(StoreError) {
          answer = .appended(try await store.append(append))
        } catch {
          switch error.kind {
          case .versionConflict(let actual): answer = .conflict(actual)
          case .claimTaken(let claim): answer = .taken(claim.stream)
          default: throw error
          }
        }
        try #require(answer == expected, "seed \(seed), step \(step)")
      }
      for (stream, kept) in model.streams {
        let events = try await store.read(stream, after: 0, limit: 9_999)
        #expect(events.map(\.appendID) == kept.appendIDs)
        #expect(events.map(\.position) == kept.positions)
        #expect(try await store.verify(stream) == .intact(version: kept.appendIDs.count))
      }
      for shard in 0..<4 { #expect(try await store.head(shard: shard) == model.heads[shard, default: 0]) }
      for value in 0..<4 {
        #expect(try await store.claim(scope: "s", value: "\(value)")?.stream == model.claims["\(value)"])
      }
      #expect(try await store.openStreams(shard: nil, after: nil, limit: 99).map(\.stream) == model.open.sorted())
      await store.close()
    }
  }
}
