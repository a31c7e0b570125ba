import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("A shard's tail gives a follower each event once, in order", .timeLimit(.minutes(15)), .inTurn)
struct ShardTailTests {
  private static func events(_ positions: ClosedRange<Int64>) -> [StoredEvent] {
    positions.map { position in
      StoredEvent(
        stream: .version7(at: Timestamp(milliseconds: 1), random: (0, UInt64(position))), version: 1, shard: 3,
        position: position, type: "sample.moved", data: [], meta: [],
        appendID: .version7(at: Timestamp(milliseconds: 1), random: (1, UInt64(position))), hash: [], chain: nil,
        recordedAt: Timestamp(milliseconds: position))
    }
  }

  private static func run(_ positions: ClosedRange<Int64>, isCut: Bool = false) -> CommittedRun {
    CommittedRun(shard: 3, events: events(positions), isCut: isCut)
  }

  @Test("A tail that knows its head reads nothing when it is there, and up to the head when it is behind")
  func beginning() {
    #expect(ShardTail(shard: 3, after: 42, head: 42).isAtEnd)
    var tail = ShardTail(shard: 3, after: 40, head: 42)
    #expect(tail.needsRead && tail.next == 41)
    tail.read(Self.events(41...42), limit: 100)
    #expect(tail.takeAll().map(\.position) == [41, 42] && tail.isAtEnd && tail.next == 43)
  }

  @Test("A tail that doesn't know its head reads until a page is short")
  func unknownHead() {
    var tail = ShardTail(shard: 3, after: 0)
    #expect(tail.needsRead)
    tail.read(Self.events(1...3), limit: 3)
    #expect(tail.takeAll().count == 3 && tail.needsRead)
    tail.read([], limit: 3)
    #expect(tail.isAtEnd)
    tail.grew()
    #expect(tail.needsRead)
  }

  @Test("Events of the feed are taken once, also when runs overlap or repeat")
  func overlap() {
    var tail = ShardTail(shard: 3, after: 0, head: 0)
    tail.commit(Self.run(1...3))
    tail.commit(Self.run(2...5))
    #expect(tail.take()?.position == 1)
    tail.commit(Self.run(1...4))
    #expect(tail.takeAll().map(\.position) == [2, 3, 4, 5] && tail.isAtEnd && tail.head == 5)
  }

  @Test("A gap in the feed is read from the tail, and the buffered events before it are taken first")
  func gap() {
    var tail = ShardTail(shard: 3, after: 0, head: 0)
    tail.commit(Self.run(1...2))
    tail.commit(Self.run(5...6))
    #expect(tail.takeAll().map(\.position) == [1, 2] && tail.needsRead && tail.head == 6)
    tail.read(Self.events(3...6), limit: 100)
    #expect(tail.takeAll().map(\.position) == [3, 4, 5, 6] && tail.isAtEnd)
  }

  @Test("A cut run and a full buffer leave the rest to the tail")
  func cut() {
    var tail = ShardTail(shard: 3, after: 0, head: 0)
    tail.commit(Self.run(1...1, isCut: true))
    #expect(tail.take()?.position == 1 && tail.needsRead && tail.head == 1)
    tail.read([], limit: 100)
    tail.commit(Self.run(2...9), keeping: 3)
    #expect(tail.takeAll().map(\.position) == [2, 3, 4] && tail.needsRead && !tail.hasMore)
  }

  @Test("A page from before the next event gives only what is left of it; a page after a gap gives nothing")
  func pages() {
    var tail = ShardTail(shard: 3, after: 2, head: 6)
    tail.read(Self.events(1...4), limit: 4)
    #expect(tail.takeAll().map(\.position) == [3, 4])
    tail.read(Self.events(6...6), limit: 4)
    #expect(tail.buffer.isEmpty && tail.next == 5)
  }

  @Test("A restart continues after an earlier or a later position, and forgets nothing that was committed")
  func restart() {
    var tail = ShardTail(shard: 3, after: 0, head: 0)
    tail.commit(Self.run(1...4))
    _ = tail.takeAll()
    tail.restart(after: 1)
    #expect(tail.needsRead && tail.next == 2 && tail.head == 4)
    tail.restart(after: 4)
    #expect(tail.isAtEnd)
  }
}

@Suite("A follower's checkpoints", .timeLimit(.minutes(15)), .inTurn)
struct FollowerCheckpointsTests {
  @Test("They are stored under the follower's name, and read again at its next start", arguments: StoreKind.tested)
  func move(kind: StoreKind) async throws {
    try await withStore(kind) { store, _ in
      let checkpoints = FollowerCheckpoints(of: "pager", in: store)
      try await checkpoints.load()
      try await checkpoints.move(to: [0: 3, 2: 7])
      try await checkpoints.move(to: [0: 3, 2: 2])
      #expect((0..<4).map { checkpoints[$0] } == [3, 0, 2, 0])
      #expect(try await store.checkpoint("pager", shard: 2) == 2)
      let document = Document(collection: "pages", id: "a", sort: "a", data: [])
      try await checkpoints.store([document], at: 1, to: 5)
      try await checkpoints.store([document], at: 0)
      let later = FollowerCheckpoints(of: "pager", in: store)
      try await later.load()
      #expect((0..<4).map { later[$0] } == [3, 5, 2, 0])
      #expect(try await store.document(collection: "pages", id: "a") != nil)
    }
  }

  @Test("After a refused write they are read again, so that the next write succeeds", arguments: StoreKind.tested)
  func conflict(kind: StoreKind) async throws {
    try await withStore(kind) { store, _ in
      let (one, other) = (FollowerCheckpoints(of: "pager", in: store), FollowerCheckpoints(of: "pager", in: store))
      try await other.move(to: [0: 9])
      #expect(await refusal { () async throws(StoreError) in try await one.move(to: [0: 3]) } != nil)
      #expect(one[0] == 9)
      try await one.move(to: [0: 10])
      #expect(await refusal { () async throws(StoreError) in try await other.store([], at: 0, to: 12) } != nil)
      #expect(other[0] == 10)
    }
  }
}

@Suite("A stream is read page by page", .timeLimit(.minutes(15)), .inTurn)
struct EventPagesTests {
  @Test("The pages have every event once, from any version up to any other", arguments: StoreKind.tested)
  func ranges(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let stream = place.newID()
      _ = try await store.append(place.append(stream, count: 100))
      for (after, last) in [(0, Int.max), (0, 100), (0, 33), (10, 90), (99, 100), (100, .max), (50, 20)] {
        var pages = store.pages(of: stream, after: after, upTo: last)
        var versions: [Int] = []
        while let page = try await pages.next() { versions += page.map(\.version) }
        let end = min(last, 100)
        #expect(versions == (after < end ? Array(after + 1...end) : []))
        #expect(pages.version == (versions.last ?? after))
      }
    }
  }

  @Test("The pages get smaller when the events are large")
  func sizes() {
    func page(_ bytes: Int) -> [StoredEvent] {
      let id = UniqueID.version7(at: Timestamp(milliseconds: 1), random: (0, 0))
      return [
        StoredEvent(
          stream: id, version: 1, shard: 0, position: 1, type: "large", data: [UInt8](repeating: 0, count: bytes),
          meta: [], appendID: id, hash: [], chain: nil, recordedAt: Timestamp(milliseconds: 1))
      ]
    }
    var size = PageSize()
    size.note(page(6 << 20))
    #expect(size.count == 1)
    size.note(page(100))
    #expect(size.count == 500)
  }
}
