import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import Server

@Suite("The live stream", .timeLimit(.minutes(15)), .inTurn)
struct LiveTests {
  @Test("A client gets a greeting, and then every event when it is committed")
  func tells() async throws {
    try await LiveSite.run { site in
      let stream = try site.stream()
      let head = await stream.head()
      #expect(head[0].contains(" 200 "))
      #expect(head.contains("Content-Type: text/event-stream"))
      #expect(head.contains("Cache-Control: no-store"))
      #expect(await stream.next()?.event == "hello")
      let id = try await site.saga("sample-processing", events: 3, status: "stuck")
      let told = await stream.sagas(3).map(\.json)
      #expect(told.map { $0["version"] } == [1, 2, 3])
      #expect(told.allSatisfy { $0["id"] == .string(id.description) && $0["workflow"] == "sample-processing" })
      #expect(told.allSatisfy { $0["status"] == "stuck" && $0["at"] != nil })
      #expect(told.map { $0["type"] } == ["sagaStarted", "attemptStarted", "attemptStarted"])
      #expect(told.map { $0["step"] } == [nil, "s1", "s2"])
    }
  }

  @Test("A client that returns with an id gets exactly the missed events, then new ones", arguments: [1, 7, 60])
  func resumes(after count: Int) async throws {
    try await LiveSite.run { site in
      let (first, _) = try await site.joined()
      for _ in 0..<20 { try await site.saga(events: 3) }
      let seen = await first.sagas(count)
      let last = try #require(seen.last?.id)
      first.hangUp()
      for _ in 0..<10 { try await site.saga(events: 2) }
      // All messages once, as a client gets them that has missed none.
      func name(_ message: EventStream.Message) -> String {
        "\(message.json["id"]?.stringValue ?? "")/\(message.json["version"]?.intValue ?? 0)"
      }
      let (second, hello) = try await site.joined(last: last)
      #expect(hello?.event == "hello")
      let missed = await second.sagas(60 - count + 20)
      let live = try await site.saga(events: 2)
      let after = await second.sagas(2)
      let all = (seen + missed + after).map(name)
      #expect(all.count == 82)
      #expect(Set(all).count == 82)
      #expect(after.map(name) == ["\(live)/1", "\(live)/2"])
      // And in order, saga by saga.
      let versions = Dictionary(grouping: seen + missed) { $0.json["id"]?.stringValue ?? "" }
        .mapValues { $0.compactMap { $0.json["version"]?.intValue } }
      #expect(versions.values.allSatisfy { $0 == Array(1...$0.count) })
    }
  }

  @Test("Events that happen while missed events are sent follow them without a gap")
  func resumesWhileBusy() async throws {
    try await LiveSite.run { site in
      let (_, hello) = try await site.joined()
      let start = try #require(hello?.id)
      for _ in 0..<100 { try await site.saga(events: 5) }
      async let more: Void = {
        for _ in 0..<100 { try await site.saga(events: 5) }
      }()
      let (stream, _) = try await site.joined(last: start)
      try await more
      let all = await stream.sagas(1_000)
      #expect(
        Set(all.map { "\($0.json["id"]?.stringValue ?? "")/\($0.json["version"]?.intValue ?? 0)" }).count == 1_000)
    }
  }

  @Test("A filtered stream has only matching events, and its cursor moves with all events")
  func filters() async throws {
    try await LiveSite.run { site in
      let (stream, hello) = try await site.joined("?workflow=a&status=stuck")
      try await site.saga("b", status: "stuck")
      try await site.saga("a", status: "running")
      let wanted = try await site.saga("a", status: "stuck")
      let told = await stream.sagas(1)
      #expect(told.first?.json["id"] == .string(wanted.description))
      // Of several statuses, any.
      let (several, _) = try await site.joined("?workflow=a&status=stuck,completed")
      try await site.saga("b", status: "stuck")
      try await site.saga("a", status: "compensated")
      let ended = try await site.saga("a", status: "completed")
      #expect(await several.sagas(1).first?.json["id"] == .string(ended.description))
      await site.clock.waitForSleepers { !$0.isEmpty }
      site.clock.advance(by: .seconds(15))
      let beat = await stream.next()
      #expect(beat?.event == "")
      #expect(beat?.id != nil && beat?.id != told.first?.id && beat?.id != hello?.id)
      let (one, _) = try await site.joined("?saga=\(wanted)")
      try await site.saga("a", status: "stuck")
      _ = try await site.store.append(
        Append(
          stream: wanted, expectedVersion: 1, events: [NewEvent(type: "sagaAbandoned", data: Array("{}".utf8))],
          appendID: Environment.system.newID()))
      #expect(await one.sagas(1).first?.json["type"] == "sagaAbandoned")
    }
  }

  @Test("A client that missed too much, or comes from another store, gets a reset")
  func resets() async throws {
    var configuration = LiveHub.Configuration()
    configuration.furthestBehind = 5
    try await LiveSite.run(configuration) { site in
      let (first, hello) = try await site.joined()
      let start = try #require(hello?.id)
      for _ in 0..<6 { try await site.saga() }
      // The hub has come so far, too.
      #expect(await first.sagas(6).count == 6)
      let ahead = LiveCursor(positions: Array(repeating: 1_000, count: 8)).text
      for id in [start, ahead] {
        let (stream, _) = try await site.joined(last: id)
        let reset = await stream.next()
        #expect(reset?.event == "reset")
        #expect(reset?.json["code"] == "live.tooFarBehind")
        #expect(reset?.id != nil)
      }
    }
  }

  @Test("An invalid id is refused", arguments: ["x", "AAAA", "!!!!", "gICAgICAgICAgIA"])
  func badID(_ id: String) async throws {
    try await LiveSite.run { site in
      let stream = try site.stream(last: id)
      #expect(await stream.head()[0].contains(" 400 "))
    }
  }

  @Test("200 clients get the same messages")
  func manyClients() async throws {
    try await LiveSite.run { site in
      var streams: [EventStream] = []
      for _ in 0..<200 { streams.append(try await site.joined().0) }
      #expect(await site.hub.count == 200)
      for _ in 0..<10 { try await site.saga(events: 2) }
      let first = await streams[0].sagas(20)
      for stream in streams.dropFirst() { #expect(await stream.sagas(20) == first) }
    }
  }

  @Test("A heartbeat detects that a client has hung up")
  func hangUps() async throws {
    try await LiveSite.run { site in
      let (kept, _) = try await site.joined()
      for _ in 0..<20 { try await site.joined().0.hangUp() }
      while await site.hub.count > 1 {
        await site.clock.waitForSleepers { !$0.isEmpty }
        site.clock.advance(by: .seconds(15))
      }
      try await site.saga()
      #expect(await kept.sagas(1).count == 1)
    }
  }

  @Test("A client over the limit gets a 503")
  func full() async throws {
    var configuration = LiveHub.Configuration()
    configuration.mostClients = 2
    try await LiveSite.run(configuration) { site in
      let kept = [try await site.joined(), try await site.joined()]
      let third = try site.stream()
      #expect(await third.head()[0].contains(" 503 "))
      #expect(kept.count == 2)
    }
  }

  @Test("A client that reads nothing is disconnected with a reason, and buffers at most one mebibyte")
  func slow() async throws {
    let client = LiveClient(filter: LiveFilter(), first: Array("hello".utf8), backlog: nil)
    let message = [UInt8](repeating: 65, count: 1_000)
    var taken = 0
    while client.push(message) {
      taken += 1
      try #require(taken < 2_000)
    }
    #expect(taken == (LiveClient.mostWaiting - 5) / 1_000)
    let last = try #require(await client.next())
    #expect(String(decoding: last, as: UTF8.self).contains("live.slow"))
    #expect(await client.next() == nil)
  }

  /// Between a long message that no longer fits what is handed on at once and a short one behind it that would.
  @Test("Waiting messages of any length are passed on in order, each once", arguments: [1, 2, 3])
  func order(seed: UInt64) async throws {
    let client = LiveClient(filter: LiveFilter(), first: [], backlog: nil)
    var random = SeededRandom(seed: seed)
    var sent: [UInt8] = []
    while sent.count < 900_000 {
      let dots = Int.random(in: 0...3_000, using: &random)
      let message = Array("\(sent.count) ".utf8) + [UInt8](repeating: 46, count: dots)
      try #require(client.push(message))
      sent += message
    }
    client.end(Array("end".utf8))
    var got: [UInt8] = []
    while let bytes = await client.next() { got += bytes }
    // Compared outside: a megabyte of difference takes a minute to print.
    let isWhole = got == sent + Array("end".utf8)
    #expect(isWhole)
  }

  @Test("Stopping ends every stream at once with the reason")
  func stops() async throws {
    try await LiveSite.run { site in
      let (stream, _) = try await site.joined()
      await site.stop()
      let last = await stream.next()
      #expect(last?.event == "dropped")
      #expect(last?.json["code"] == "http.shuttingDown")
      #expect(await stream.next() == nil)
    }
  }

  @Test("A cursor is parsed as it was written", arguments: [0, 1, 127, 128, 16_384, Int64.max])
  func cursors(_ position: Int64) {
    let cursor = LiveCursor(positions: [position, 0, position])
    #expect(LiveCursor(cursor.text, shards: 3) == cursor)
    #expect(LiveCursor(cursor.text, shards: 2) == nil)
    #expect(LiveCursor(cursor.text + "A", shards: 3) == nil)
  }
}
