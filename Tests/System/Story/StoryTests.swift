import Foundation
import JSON
import TestSupport
import Testing
import Values

@Suite(
  "A night shift: storage breaks, and an operator retries the sagas that failed because of it", .serialized,
  .timeLimit(.minutes(15)), .inTurn)
struct StoryTests {
  @Test("Over REST")
  func rest() async throws { try await Story.run { RESTOperator($0) } }

  @Test("On the command line")
  func commandLine() async throws { try await Story.run { CommandLineOperator($0) } }

  @Test("In the console")
  func console() async throws {
    let browser = try Chromium()
    let result: Result<Void, any Error>
    do {
      result = .success(try await Story.run { try await ConsoleOperator($0, browser) })
    } catch {
      result = .failure(error)
    }
    await browser.quit()
    try result.get()
  }
}

/// The operator's work, over any interface.
protocol StoryOperator: Sendable {
  /// The stuck sagas that the storage service broke, as they are found, each with why.
  func findStuck() async throws -> [String: String]
  /// Previews a retry of them all.
  /// - Returns: how many sagas would take it, how many would refuse it, and the selection.
  func previewRetry() async throws -> (takes: Int, refuses: Int, selection: String)
  /// Does it, ten a second.
  /// - Returns: the operation, once it is through.
  func runRetry(selection: String, reason: String) async throws -> String
  /// Says of a stuck undo that it was done by hand.
  func resolve(_ saga: String, step: String, reason: String) async throws
}

/// 500 tubes, of which 37 can't be sequenced, so that their sagas turn back; and no robot takes a tube out of its place.
struct Story {
  static let sagas = 500
  static let turning = 37
  /// Of those, so many are not taken out even when the service is back.
  static let stubborn = 2
  static let person = "night-shift"

  let site: Site
  let lab: SagaProcess
  let engine: SagaProcess

  /// - Parameter comes: the operator, once something is stuck.
  static func run(_ comes: (Story) async throws -> any StoryOperator) async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--fault", "sequencing.schedule:fail,match=TURN-*", "--fault", "storage.remove:fail=ROBOT_DOWN")
    let engine = try await site.startEngine(lab: lab)
    let story = Story(site: site, lab: lab, engine: engine)
    let result: Result<Void, any Error>
    do { result = .success(try await story.tell(comes)) } catch { result = .failure(error) }
    _ = await engine.stop()
    _ = await lab.stop()
    await site.close()
    try result.get()
  }

  private func tell(_ comes: (Story) async throws -> any StoryOperator) async throws {
    // 1. 500 sagas; 37 turn back, and hang on an undo that fails for good.
    let all = try await startAll()
    let hanging = all.filter { $0.value }.map(\.key)
    try await settled(["completed": Self.sagas - Self.turning, "stuck": Self.turning])

    // 2. The operator filters, and each says why.
    let person = try await comes(self)
    let stuck = try await person.findStuck()
    #expect(Set(stuck.keys) == Set(hanging))
    #expect(stuck.values.allSatisfy { $0.contains("ROBOT_DOWN") }, "\(stuck.first?.value ?? "none")")

    // 3. A preview of a retry shows exactly 37, and changes nothing.
    let preview = try await person.previewRetry()
    #expect(preview.takes == Self.turning && preview.refuses == 0)
    try await settled(["completed": Self.sagas - Self.turning, "stuck": Self.turning])

    // 4. The service works again, except for two tubes; the retry is run.
    let mended: JSON = ["faults": [.string("storage.remove:fail=LID_FROZEN,times=\(Self.stubborn)")]]
    #expect(try await site.call("PUT", "\(lab.url)/lab/faults", body: mended).status < 300)
    let operation = try await person.runRetry(selection: preview.selection, reason: "the robot arm is back")
    let end = try await site.call("GET", "\(engine.url)/v1/operations/\(operation)").body
    #expect(end["status"] == "finished" && end["done"] == .int(Self.turning))
    #expect(end["refused"] == 0 && end["left"] == 0 && end["rate"] == 10)
    try checkPace(end)
    try await settled([
      "completed": Self.sagas - Self.turning, "compensated": Self.turning - Self.stubborn, "stuck": Self.stubborn,
    ])

    // 5. What is still stuck is done by hand, and said so.
    let rest = try await person.findStuck()
    #expect(rest.count == Self.stubborn && rest.values.allSatisfy { $0.contains("LID_FROZEN") })
    for saga in rest.keys {
      try await takeOut(saga)
      try await person.resolve(saga, step: "storeSample", reason: "taken out by hand")
    }
    try await settled(["completed": Self.sagas - Self.turning, "compensated": Self.turning])

    // 6. The auditor finds every act, and lists and histories tell the same.
    try await checkAudit(operation, hanging, resolved: Array(rest.keys))
    try await checkAgreement(all.map(\.key))
  }

  // MARK: The laboratory's day

  /// - Returns: each saga, and whether it will turn back.
  private func startAll() async throws -> [String: Bool] {
    try await withThrowingTaskGroup(of: (String, Bool).self) { group in
      var started: [String: Bool] = [:]
      for number in 0..<Self.sagas {
        if number >= 8, let (id, turns) = try await group.next() { started[id] = turns }
        // Spread over the day.
        let turns = number * Self.turning / Self.sagas != (number + 1) * Self.turning / Self.sagas
        group.addTask { (try await self.start(number, turns: turns), turns) }
      }
      for try await (id, turns) in group { started[id] = turns }
      #expect(started.count == Self.sagas && started.values.filter { $0 }.count == Self.turning)
      return started
    }
  }

  private func start(_ number: Int, turns: Bool) async throws -> String {
    var tube = Site.tube(number).objectValue ?? [:]
    tube["barcode"] = .string("\(turns ? "TURN" : "TUBE")-\(number)")
    let answer = try await site.call(
      "POST", "\(engine.url)/v1/workflows/sample-processing/sagas", body: ["input": .object(tube)],
      headers: ["Idempotency-Key": "tube-\(number)"])
    return try #require(answer.body["id"]?.stringValue)
  }

  /// Waits until there are exactly so many sagas in each status; fails once nothing moves and there are not.
  private func settled(_ wanted: [String: Int]) async throws {
    var quiet = 0
    while true {
      let stats = try await site.call("GET", "\(engine.url)/v1/stats").body
      let sagas = stats["sagas"]?.objectValue ?? [:]
      let counts = Dictionary(uniqueKeysWithValues: sagas.map { ($0.name, $0.value.intValue ?? 0) }).filter {
        $0.value > 0
      }
      if counts == wanted { return }
      let isMoving = counts["running"] != nil || counts["compensating"] != nil || stats["lists"]?["lagEvents"] != 0
      quiet = isMoving ? 0 : quiet + 1
      try #require(quiet < 100, "\(counts) instead of \(wanted)")
    }
  }

  /// At ten a second 37 sagas take 3.6 s, and not less.
  private func checkPace(_ operation: JSON) throws {
    let began = try #require(operation["startedAt"]?.stringValue.flatMap { Timestamp($0) })
    let ended = try #require(operation["endedAt"]?.stringValue.flatMap { Timestamp($0) })
    #expect(ended - began >= .milliseconds(100 * (Self.turning - 1)))
  }

  /// A person goes to the freezer, and tells the storage service.
  private func takeOut(_ saga: String) async throws {
    let steps = try await site.call("GET", "\(engine.url)/v1/sagas/\(saga)").body["steps"]?.arrayValue ?? []
    let place = steps.first { $0["id"] == "allocateStorage" }?["output"]?["id"]?.stringValue
    let answer = try await site.call(
      "DELETE", "\(lab.url)/storage/allocations/\(try #require(place))/content",
      headers: ["Idempotency-Key": "by-hand-\(saga)"])
    #expect(answer.status < 300, "\(answer.body.text())")
  }

  // MARK: The auditor

  private func checkAudit(_ operation: String, _ hanging: [String], resolved: [String]) async throws {
    var acts: [JSON] = []
    var cursor: String?
    repeat {
      let page = try await site.call(
        "GET",
        "\(engine.url)/v1/audit?actor=\(Self.person)&limit=200" + (cursor.map { "&cursor=\($0)" } ?? "")
      ).body
      acts += page["acts"]?.arrayValue ?? []
      cursor = page["next"]?.stringValue
    } while cursor != nil
    let retries = acts.filter { $0["verb"] == "retry" }
    #expect(Set(retries.compactMap { $0["saga"]?.stringValue }) == Set(hanging) && retries.count == Self.turning)
    #expect(retries.allSatisfy { $0["reason"] == "the robot arm is back" })
    #expect(retries.allSatisfy { $0["from"] == .string("operation \(operation)") })
    #expect(retries.allSatisfy { $0["before"]?["saga"] == "stuck" })
    let resolves = acts.filter { $0["verb"] == "resolve" }
    #expect(resolves.compactMap { $0["saga"]?.stringValue }.sorted() == resolved.sorted())
    #expect(resolves.allSatisfy { $0["reason"] == "taken out by hand" && $0["step"] == "storeSample" })
    #expect(acts.filter { $0["operation"] == .string(operation) }.map { $0["verb"] } == ["operation"])
    #expect(acts.count == Self.turning + Self.stubborn + 1)
    let walked = try await site.call("POST", "\(engine.url)/v1/audit/verify", body: [:]).body
    #expect(walked["intact"] == true, "\(walked.text())")
  }

  /// Each saga's line in the list says what its own events say.
  private func checkAgreement(_ ids: [String]) async throws {
    var lines: [String: JSON] = [:]
    var cursor: String?
    repeat {
      let page = try await site.call(
        "GET", "\(engine.url)/v1/sagas?limit=200" + (cursor.map { "&cursor=\($0)" } ?? "")
      ).body
      for line in page["sagas"]?.arrayValue ?? [] { lines[line["id"]?.stringValue ?? ""] = line }
      cursor = page["next"]?.stringValue
    } while cursor != nil
    #expect(Set(lines.keys) == Set(ids))
    let ends: [JSON: JSON] = ["sagaCompleted": "completed", "sagaCompensated": "compensated"]
    for id in ids {
      let history = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events?limit=1000").body["events"]
      let last = try #require(history?.arrayValue?.last)
      let line = try #require(lines[id])
      #expect(line["status"] == ends[last["type"] ?? .null], "\(id)")
      #expect(line["endedAt"] == last["data"]?["at"] && line["updatedAt"] == last["data"]?["at"], "\(id)")
      let now = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)").body
      for member in ["status", "startedAt", "endedAt", "workflow", "version"] {
        #expect(line[member] == now[member], "\(member) of \(id)")
      }
    }
  }
}
