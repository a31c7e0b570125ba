import Persistence
import TestSupport
import Testing
import Values

@Suite("Many append at once", .timeLimit(.minutes(15)), .inTurn)
struct ConcurrencyTests {
  @Test("Exactly one of many appends to the same version succeeds", arguments: StoreKind.tested)
  func oneWinner(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let stream = place.newID()
      for version in 0..<5 {
        let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
          for _ in 0..<20 {
            let append = place.append(stream, at: version, count: 1)
            group.addTask {
              do throws(StoreError) {
                return try await !store.append(append).repeated
              } catch {
                #expect(error.kind == .versionConflict(actual: version + 1))
                return false
              }
            }
          }
          return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(wins == 1)
      }
      #expect(try await store.read(stream, after: 0, limit: 99).map(\.version) == Array(1...5))
    }
  }

  @Test("Exactly one of many streams that claim the same value gets it", arguments: StoreKind.tested)
  func oneClaimant(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let appends = (0..<20).map { _ in
        place.append(place.newID(), claims: [NewClaim(scope: "lane", value: "L1")])
      }
      let winners = try await withThrowingTaskGroup(of: UniqueID?.self) { group in
        for append in appends {
          group.addTask {
            do throws(StoreError) {
              _ = try await store.append(append)
              return append.stream
            } catch {
              guard case .claimTaken = error.kind else { throw error }
              return nil
            }
          }
        }
        return try await group.reduce(into: [UniqueID]()) { winners, winner in
          if let winner { winners.append(winner) }
        }
      }
      #expect(winners.count == 1)
      #expect(try await store.claim(scope: "lane", value: "L1")?.stream == winners.first)
    }
  }

  @Test("A refused append does not affect concurrent appends", arguments: StoreKind.tested)
  func refusedAmongGood(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let taken = place.newID()
      let claim = NewClaim(scope: "barcode", value: "taken")
      _ = try await store.append(place.append(taken, claims: [claim]))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<100 {
          let append: Append
          switch number % 4 {
          case 0: append = place.append(taken, count: 2)
          case 1: append = place.append(place.newID(), count: 2, claims: [claim], open: .opened)
          default: append = place.append(place.newID(), count: 2, open: .closed)
          }
          group.addTask {
            do throws(StoreError) {
              _ = try await store.append(append)
              #expect(number % 4 > 1)
            } catch {
              switch error.kind {
              case .versionConflict: #expect(number % 4 == 0)
              case .claimTaken: #expect(number % 4 == 1)
              default: throw error
              }
            }
          }
        }
        try await group.waitForAll()
      }
      let shards = try await store.everything()
      for events in shards { #expect(events.map(\.position) == (0..<events.count).map { Int64($0 + 1) }) }
      #expect(shards.joined().count == 101)
      #expect(try await store.openStreams(shard: nil, after: nil, limit: 9).isEmpty)
    }
  }

  @Test("Positions are contiguous, and a reader of the tail misses nothing", arguments: StoreKind.tested)
  func tailIsComplete(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let tasks = 50
      let appendsEach = 20
      let total = tasks * appendsEach
      // They read while the writers write.
      let seen = try await withThrowingTaskGroup(of: [[StoredEvent]]?.self) { group in
        for _ in 0..<3 {
          let hints = store.committed()
          group.addTask { try await follow(store, from: hints, until: total) }
        }
        for _ in 0..<tasks {
          let stream = place.newID()
          group.addTask {
            for version in 0..<appendsEach { _ = try await store.append(place.append(stream, at: version)) }
            return nil
          }
        }
        return try await group.reduce(into: [[[StoredEvent]]]()) { seen, shards in
          if let shards { seen.append(shards) }
        }
      }
      #expect(seen.count == 3)
      for shards in seen {
        #expect(shards.joined().count == total)
        for events in shards {
          #expect(events.map(\.position) == (0..<events.count).map { Int64($0 + 1) })
          for history in Dictionary(grouping: events, by: \.stream).values {
            #expect(history.map(\.version) == Array(1...appendsEach))
          }
        }
      }
    }
  }

  /// Follows all shards, woken by hints alone, until `total` events have been seen.
  private func follow(_ store: any EventStore, from hints: CommitHints, until total: Int) async throws
    -> [[StoredEvent]]
  {
    var seen: [[StoredEvent]] = Array(repeating: [], count: store.shardCount)
    var count = 0
    for await shards in hints {
      for shard in shards {
        while true {
          let page = try await store.tail(shard: shard, after: seen[shard].last?.position ?? 0, limit: 13)
          if page.isEmpty { break }
          seen[shard] += page
          count += page.count
        }
      }
      if count >= total { break }
    }
    return seen
  }
}
