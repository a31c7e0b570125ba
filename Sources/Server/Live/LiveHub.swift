import HTTP
import JSON
import Persistence
import Runtime
import Values

/// Follows the store once for all clients of the live stream.
///
/// It begins with the first client. Committed events come straight from the writer. If a position is missing, the hub
/// reads the tail. The id of each message is the client's cursor after it, over all shards.
actor LiveHub {
  struct Configuration: Sendable {
    var mostClients = 1_000
    /// A client that has missed more events must start again.
    var furthestBehind: Int64 = 10_000
    var beatEvery = Duration.seconds(15)
    /// The most events in memory between two reads of the feed.
    var feedLimit = 4_096
  }

  private static let pageSize = 500

  private let reader: LiveReader
  private let configuration: Configuration
  private let environment: Environment
  private let log: Log
  private var cursor = LiveCursor(positions: [])
  private var tails: [ShardTail] = []
  private var clients: [Int: LiveClient] = [:]
  private var nextID = 0
  private var beginning: Task<Void, any Error>?
  private var following: [Task<Void, Never>] = []
  private var isClosed = false

  init(
    store: any EventStore, configuration: Configuration = .init(), environment: Environment, log: Log = .silent
  ) {
    reader = LiveReader(store: store)
    self.configuration = configuration
    self.environment = environment
    self.log = log
  }

  /// The number of clients.
  var count: Int { clients.count }

  /// Returns the stream of a new client.
  /// - Parameters:
  ///   - last: the `Last-Event-ID` that the client sent.
  ///   - isAllowed: whether the client may still read. It is asked before each message, and its false ends the stream.
  func join(
    _ filter: LiveFilter, after last: String?, while isAllowed: @escaping @Sendable () -> Bool = { true }
  ) async throws -> AsyncStream<[UInt8]> {
    try requireRoom()
    try await begin()
    // Actors are reentrant: meanwhile the hub may have been closed, or may be full.
    try requireRoom()
    let client = try newClient(filter, after: last, while: isAllowed)
    nextID += 1
    let id = nextID
    clients[id] = client
    return AsyncStream {
      let bytes = await client.next()
      if bytes == nil { await self.leave(id) }
      return bytes
    } onCancel: {
      client.leave()
      Task { await self.leave(id) }
    }
  }

  private func requireRoom() throws(Problem) {
    guard !isClosed else {
      throw Refusals.problem(HTTPErrorCode.shuttingDown, "The server is shutting down. Try again later.")
    }
    guard clients.count < configuration.mostClients else {
      throw Refusals.problem(
        ServerErrorCode.liveFull, "There are \(clients.count) clients of the live stream, and no room for more.")
    }
  }

  private func newClient(
    _ filter: LiveFilter, after last: String?, while isAllowed: @escaping @Sendable () -> Bool
  ) throws(Problem) -> LiveClient {
    func client(_ first: [UInt8], _ backlog: LiveBacklog? = nil) -> LiveClient {
      LiveClient(filter: filter, first: first, backlog: backlog, while: isAllowed)
    }
    func hello(_ id: String?) -> [UInt8] {
      // Browsers wait for this time before they reconnect.
      Array("retry: 1000\n".utf8)
        + LiveMessage.bytes(event: "hello", data: ["at": .string(environment.now().description)], id: id)
    }
    guard let last else { return client(hello(cursor.text)) }
    guard let place = LiveCursor(last, shards: cursor.positions.count) else {
      throw Problem(
        Fault(
          ServerErrorCode.headerInvalid,
          "The header Last-Event-ID is not an id of this stream. Send it unchanged, or leave it out.",
          header: "Last-Event-ID"))
    }
    guard let missed = place.distance(to: cursor), missed <= configuration.furthestBehind else {
      let why = "You missed more events than the server sends again. Fetch everything that you show again."
      let reset = LiveMessage.bytes(
        event: "reset", data: ["code": .string(ServerErrorCode.liveTooFarBehind), "message": .string(why)],
        id: cursor.text)
      return client(hello(nil) + reset)
    }
    return client(hello(nil), LiveBacklog(reader: reader, cursor: place, until: cursor))
  }

  private func leave(_ id: Int) { clients[id] = nil }

  /// Ends all streams and refuses new clients.
  func close() {
    isClosed = true
    beginning?.cancel()
    for task in following { task.cancel() }
    for client in clients.values {
      client.end(LiveMessage.dropped(HTTPErrorCode.shuttingDown, "The server is shutting down."))
    }
    clients = [:]
  }

  // MARK: Following

  private func begin() async throws {
    if let beginning { return try await beginning.value }
    let task = Task { try await self.follow() }
    beginning = task
    do {
      try await task.value
    } catch {
      // The next client tries again.
      beginning = nil
      throw error
    }
  }

  private func follow() async throws {
    // 1. First the feed, then the position of every shard: one of the two has every event that is committed in between.
    let feed = reader.store.committedEvents(limit: configuration.feedLimit)
    var heads: [Int64] = []
    for shard in 0..<reader.store.shardCount { heads.append(try await reader.store.head(shard: shard)) }
    guard !isClosed else { return }
    cursor = LiveCursor(positions: heads)
    tails = heads.enumerated().map { ShardTail(shard: $0, after: $1, head: $1) }
    // 2. One task sends events, another keeps the streams alive.
    following = [
      Task { for await _ in feed.wakes { await self.tell(feed.take()) } },
      Task { [environment, configuration] in
        while true {
          do {
            try await environment.sleep(for: configuration.beatEvery)
          } catch {
            return
          }
          self.beat()
        }
      },
    ]
  }

  private func tell(_ runs: [CommittedRun]) async {
    for run in runs where cursor.positions.indices.contains(run.shard) {
      do {
        tails[run.shard].commit(run)
        try await catchUp(run.shard)
      } catch {
        // Nothing is lost: the next run of the shard finds the gap and reads the tail.
        tails[run.shard].restart(after: cursor.positions[run.shard])
        log.warning("The live stream is behind and will catch up", ("shard", "\(run.shard)"), ("error", "\(error)"))
      }
    }
  }

  /// Sends all events of a shard that are known to be committed.
  private func catchUp(_ shard: Int) async throws {
    while true {
      if tails[shard].needsRead {
        let page = try await reader.store.tail(shard: shard, after: tails[shard].next - 1, limit: Self.pageSize)
        tails[shard].read(page, limit: Self.pageSize)
      }
      let events = Array(tails[shard].takeAll())
      if events.isEmpty { return }
      try await send(events, of: shard)
    }
  }

  private func send(_ stored: [StoredEvent], of shard: Int) async throws {
    let events = try await reader.events(stored)
    for (stored, event) in zip(stored, events) {
      cursor.positions[shard] = stored.position
      guard let event, !clients.isEmpty else { continue }
      let message = LiveMessage.bytes(event: "saga", data: event.json, id: cursor.text)
      push(message) { $0.lets(event) }
    }
  }

  private func beat() {
    if clients.isEmpty { return }
    push(LiveMessage.beat(id: cursor.text)) { _ in true }
  }

  private func push(_ message: [UInt8], to wanted: (LiveFilter) -> Bool) {
    for (id, client) in clients where wanted(client.filter) {
      if !client.push(message) { clients[id] = nil }
    }
  }
}
