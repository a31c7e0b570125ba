import JSON
import TestSupport
import Testing
import Wire

@testable import saga

@Suite("Wide sagas on the command line", .timeLimit(.minutes(15)), .inTurn)
struct WideSagaTests {
  private static let wells = "ABCDEFGH".flatMap { row in (1...12).map { "\(row)\($0)" } }

  private static func step(_ id: String, _ status: String, after: [String], _ more: KeyValuePairs<String, JSON> = [:])
    -> JSON
  {
    var step =
      Sample.step([
        "id": .string(id), "status": .string(status), "dependsOn": .array(after.map(JSON.string)),
        "action": ["kind": "http"],
      ]).objectValue ?? [:]
    if status != "pending" { step["startedAt"] = "2026-03-01T08:15:31.000Z" }
    if ["succeeded", "failed"].contains(status) { step["endedAt"] = "2026-03-01T08:15:40.000Z" }
    for (name, value) in more { step[name] = value }
    return .object(step)
  }

  /// A plate: 90 wells are done, 5 run, and 1 has failed.
  private static var plate: [JSON] {
    let failure: JSON = ["error": ["code": "http.422", "message": "the well is empty", "outcome": "failed"]]
    let measured = wells.enumerated().map { index, well in
      let status = index < 90 ? "succeeded" : index < 95 ? "running" : "failed"
      return step(
        "p1_\(well)", status, after: ["seal"], index == 95 ? ["error": failure["error"] ?? .null, "attempt": 3] : [:])
    }
    return [step("seal", "succeeded", after: [])] + measured
      + [step("report", "pending", after: wells.map { "p1_\($0)" })]
  }

  private func drawing(_ steps: [JSON], unfolded: Bool = false, pastEvent: Int? = nil, next: [JSON] = []) throws
    -> [String]
  {
    let why: JSON = ["kind": "running", "sentence": "The saga is running.", "next": .array(next)]
    let saga = try Sample.response(["steps": .array(steps), "why": why])
    return SagaDrawing(saga: saga, now: Golden.now, style: .plain, isUnfolded: unfolded, pastEvent: pastEvent).lines()
  }

  @Test("Many steps that do the same have one line with their counts, and below it those that failed")
  func plate() throws {
    try Golden.expect(drawing(Self.plate).map { $0 + "\n" }.joined(), is: "show-plate")
  }

  @Test("--all draws each, without a graph of 96 columns")
  func unfolded() throws {
    let lines = try drawing(Self.plate, unfolded: true)
    for well in Self.wells { #expect(lines.contains { $0.contains("p1_\(well) ") }, "\(well)") }
    for line in lines { #expect(line.count <= 80, "\(line)") }
  }

  @Test("Two plates, and chains side by side, have a line for each kind of step")
  func kinds() throws {
    let two =
      Self.wells.map { Self.step("p1_\($0)", "running", after: []) }
      + Self.wells.map { Self.step("p2_\($0)", "pending", after: []) }
    let names = SiblingFold.folding(try Sample.response(["steps": .array(two)]).steps).map(\.name)
    #expect(names == ["p1_*", "p2_*"])
    let chains = (1...12).flatMap { number in
      [
        Self.step("w\(number)_mix", "succeeded", after: []),
        Self.step("w\(number)_read", "running", after: ["w\(number)_mix"]),
      ]
    }
    let folds = SiblingFold.folding(try Sample.response(["steps": .array(chains)]).steps)
    #expect(folds.map(\.name) == ["w*_mix", "w*_read"] && folds.allSatisfy { $0.steps.count == 12 })
  }

  @Test("Up to eight siblings, a chain of 300 steps, and a pivot among wells keep their own lines")
  func others() throws {
    let few = (1...8).map { Self.step("w\($0)", "running", after: []) }
    #expect(SiblingFold.folding(try Sample.response(["steps": .array(few)]).steps).count == 8)
    let chain = (0..<300).map { Self.step("s\($0)", "pending", after: $0 == 0 ? [] : ["s\($0 - 1)"]) }
    #expect(SiblingFold.folding(try Sample.response(["steps": .array(chain)]).steps).map(\.steps.count).max() == 1)
    let mixed = (1...12).map { Self.step("w\($0)", "running", after: [], ["pivot": .bool($0 == 5)]) }
    #expect(
      SiblingFold.folding(try Sample.response(["steps": .array(mixed)]).steps).map(\.steps.count).sorted() == [1, 11])
  }

  @Test("A state of the past says so and names no commands")
  func past() async throws {
    let option: JSON = ["verb": "retry", "purpose": "Do it.", "command": "saga retry X"]
    #expect(try drawing(Self.plate, next: [option]).last == "  saga retry X")
    let lines = try drawing(Self.plate, pastEvent: 12, next: [option])
    #expect(!lines.contains { $0.contains("saga retry") } && lines.contains("  as it was after event 12"))
    let tool = TestTool(answers: [.json(try Golden.saga("stuck"))])
    let output = await tool.run("show", Sample.id, "--version", "12").output
    #expect(tool.requests.count == 1 && tool.requests[0].url.hasSuffix("?version=12"))
    #expect(!output.contains("What to do next") && output.contains("as it was after event 12"))
  }

  @Test("A list and a drawing show the key of a saga; in a list a title comes before it")
  func keys() async throws {
    let keyed = Sample.summary(["key": "ORD-7"])
    let titled = Sample.summary(["key": "ORD-8", "title": "Tube TS-8"])
    let list = await TestTool(answers: [.json(["sagas": [keyed, titled]])]).run("list").output
    #expect(list.contains("\n  ORD-7\n") && list.contains("\n  Tube TS-8\n") && !list.contains("ORD-8"), "\(list)")
    let lines = SagaDrawing(saga: try Sample.response(["key": "ORD-7"]), now: Golden.now, style: .plain).lines()
    #expect(lines.contains("  key          ORD-7"), "\(lines)")
  }

  @Test("Of many commands ten are shown, and --all shows the others")
  func commands() async throws {
    let next = (0..<96).map { index -> JSON in
      ["verb": "retry", "purpose": "Try \(index).", "command": "saga retry ID --step w\(index)"] as JSON
    }
    let lines = try drawing(Self.plate, next: next)
    #expect(lines.count { $0.hasPrefix("  saga retry") } == 10)
    #expect(lines.last == "  … and 86 more commands: saga why \(Sample.id) --all")
    let saga = Sample.saga(["why": ["kind": "stuck", "sentence": "It is stuck.", "next": .array(next)]])
    let short = await TestTool(answers: [.json(saga)]).run("why", Sample.id).output
    #expect(short.hasSuffix("… and 86 more commands: saga why \(Sample.id) --all\n") && !short.contains("--step w10"))
    #expect(await TestTool(answers: [.json(saga)]).run("why", Sample.id, "--all").output.contains("--step w95"))
  }

  @Test("A timeline has a line for a pause of an hour or more in which nothing happened")
  func gaps() throws {
    func span(_ step: String, _ from: String, _ to: String) -> JSON {
      [
        "step": .string(step), "phase": "forward", "kind": "attempt", "attempt": 1, "from": .string(from),
        "to": .string(to), "outcome": "succeeded",
      ]
    }
    let timeline: JSON = [
      "start": "2026-03-01T08:00:00.000Z", "end": "2026-03-04T10:30:00.000Z",
      "spans": [
        span("a", "2026-03-01T08:00:00.000Z", "2026-03-01T08:30:00.000Z"),
        span("b", "2026-03-01T09:29:59.000Z", "2026-03-01T09:30:00.000Z"),
        span("c", "2026-03-04T10:30:00.000Z", "2026-03-04T10:30:00.000Z"),
      ],
      "marks": [],
    ]
    let lines = TimelineLines(style: .plain).lines(of: try EngineAnswer(timeline).read())
    #expect(lines.count == 5 && lines[0] == "from 2026-03-01 08:00:00 UTC", "\(lines)")
    #expect(lines[3] == "        ⋮  3d 01h without an event", "\(lines)")
  }
}
