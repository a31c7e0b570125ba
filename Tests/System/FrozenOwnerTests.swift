import Foundation
import JSON
import TestSupport
import Testing
import Values

@Suite("An engine that was frozen while another took its store", .serialized, .timeLimit(.minutes(15)), .apart)
struct FrozenOwnerTests {
  @Test("A thawed engine serves nothing old and holds no partition; it works again when the store is free")
  func thawed() async throws {
    try #require(Site.hasPostgres, "No Postgres: run the tests with scripts/with-postgres in front")
    let site = try await KafkaSite(store: .postgres, workflow: FailoverTests.workflow)
    let first = try await site.startEngine()
    let started = try await site.call("POST", "\(first.url)/v1/workflows/w/sagas", body: ["input": [:]])
    let id = try #require(started.body["id"]?.stringValue)

    // 1. The process is frozen until the server has ended its sessions, as a server does with silent ones.
    try await first.freeze()
    try await site.site.endSessions()
    let second = try await site.startEngine()
    let signal = try await site.call("POST", "\(second.url)/v1/sagas/\(id)/signals/go", body: .null)
    #expect(signal.status == 200, "\(signal.body.text())")
    try await eventually("the saga has ended") {
      try await site.call("GET", "\(second.url)/v1/sagas/\(id)").body["status"] == "completed"
    }

    // 2. Thawed. Whatever it answers, it is nothing old.
    first.thaw()
    let thawed = ContinuousClock.now
    while ContinuousClock.now - thawed < .seconds(15) {
      guard let answer = try? await site.call("GET", "\(first.url)/v1/sagas/\(id)") else { continue }
      #expect(answer.status == 503 || answer.body["status"] == "completed", "old: \(answer.body.text())")
      guard let ready = try? await site.call("GET", "\(first.url)/readyz") else { continue }
      // It notices with its next beat, which comes every two seconds.
      #expect(ready.status == 503 || ContinuousClock.now - thawed < .seconds(10), "\(ready.body.text())")
      if ready.body["code"] == "store.notOwner", first.said.contains("waits until it is free") { break }
    }
    try await eventually("it says why it waits", within: .seconds(20)) {
      guard let ready = try? await site.call("GET", "\(first.url)/readyz") else { return false }
      return ready.status == 503 && ready.body["code"] == "store.notOwner"
    }

    // 3. It holds no partition: every command reaches the one that owns the store.
    let lines = (0..<40).map { number in
      let command: JSON = ["command": "start", "workflow": "w", "input": [:], "key": .string("c\(number)")]
      return "k\(number)|\(command.text())"
    }
    try await Kcat.send(lines, to: site.topic("commands"), at: site.broker.brokers)
    try await site.until("all commands were taken", second, within: .seconds(60)) { $0 >= 41 }

    // 4. The other one goes; the first is of use again, and knows all.
    #expect(await second.stop() == 0)
    try await eventually("it is ready", within: .seconds(30)) {
      (try? await site.call("GET", "\(first.url)/readyz"))?.status == 200
    }
    #expect(try await site.call("GET", "\(first.url)/v1/sagas/\(id)").body["status"] == "completed")
    let again = try await site.call("POST", "\(first.url)/v1/workflows/w/sagas", body: ["input": [:]])
    #expect(again.status == 201)
    #expect(await first.stop() == 0, "\(first.said)")
    await site.close()
  }
}
