import JSON
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@testable import Rehearsal

@Suite("Undos by a signal and by a child in virtual time", .timeLimit(.minutes(15)), .inTurn)
struct UndoActionTests {
  private static let take = #"""
    { "id": "take", "http": { "service": "s", "method": "PUT", "path": "/take" },
      "compensation": { "signal": { "name": "binned", "accept": "$.signal.ok == true" }, "timeout": "2h" } }
    """#
  private static let pool = #"""
    { "id": "pool", "http": { "service": "s", "method": "PUT", "path": "/pool" },
      "compensation": { "workflow": { "name": "unpool", "input": { "key": "${steps.pool.key}" } },
        "retry": { "maxAttempts": 2, "initialInterval": "1s", "jitter": 0 } } }
    """#
  private static let close = #"""
    { "id": "close", "http": { "service": "s", "method": "PUT", "path": "/close" }, "compensation": "none",
      "retry": { "maxAttempts": 1 } }
    """#
  private static let workflow = Small.workflow([take, pool, close].joined(separator: ", "))

  // MARK: Exploration

  @Test("The exploration plays the signal that never comes or is refused, and each end of the child")
  func explore() throws {
    let exploration = try Explorer(try definition(Self.workflow)).explore()
    #expect(exploration.gaps == [])
    func names(_ step: String) -> Set<String> {
      Set(exploration.runs.flatMap(\.faults).filter { $0.step == step && $0.phase == .undo }.map(\.name))
    }
    #expect(names("take") == ["undoSignalNever", "undoSignalRefused"])
    #expect(
      names("pool") == [
        "undoFailsThenSucceeds", "undoFails", "undoChildAbandoned", "undoCrashBeforeRecord", "undoCrashAfterRecord",
      ])
    func end(_ step: String, _ kind: Fault.Kind) -> Invariant.End? {
      exploration.runs.first { $0.faults == [Fault(step, kind)] }?.end
    }
    for kind in [Fault.Kind.undoSignalNever, .undoSignalRefused] { #expect(end("take", kind) == .stuck) }
    #expect(end("pool", .undoFails(times: 1)) == .compensated)
    #expect(end("pool", .undoFailsForGood) == .stuck && end("pool", .undoAbandoned) == .stuck)
    #expect(end("pool", .undoCrashes(beforeRecord: true)) == .compensated)
    let failed = try #require(exploration.runs.first { $0.faults == [Fault("close", .fails)] })
    #expect(failed.end == .compensated && failed.undone == ["pool", "take"] && failed.inEffect == [])
    let never = try #require(exploration.runs.first { $0.faults == [Fault("take", .undoSignalNever)] })
    #expect(never.stuckOn == [ExploredRun.StuckStep(step: "take", phase: .undo)] && never.inEffect == ["take"])
  }

  @Test("A made signal has the values that the condition of the undo compares it with")
  func comparisons() throws {
    let take = Self.take.replacing(
      "$.signal.ok == true", with: "$.signal.tube == $.input.tube && $.signal.place == $.steps.find.output.place")
    let find = #"{ "id": "find", "http": { "service": "s", "method": "GET", "path": "/places" } }"#
    let text = Small.workflow([find, take, Self.close].joined(separator: ", "))
    let exploration = try Explorer(try definition(text)).explore()
    let failed = try #require(exploration.runs.first { $0.faults == [Fault("close", .fails)] })
    #expect(failed.end == .compensated && failed.undone == ["take"])
  }

  @Test("A child whose wait has a timeout may end too late")
  func late() throws {
    let pool = Self.pool.replacing(#""retry""#, with: #""timeout": "1h", "retry""#)
    let exploration = try Explorer(try definition(Small.workflow([pool, Self.close].joined(separator: ", ")))).explore()
    let runs = exploration.runs.filter { run in
      run.faults.contains { [.undoTimesOut(happened: true), .undoTimesOut(happened: false)].contains($0.kind) }
    }
    #expect(runs.map(\.end) == [.stuck, .stuck])
  }

  // MARK: Cases

  private static let answers = #""answers": { "*": { "status": 201 }, "close": { "status": 409 } }"#
  private static let confirmed = #"{ "name": "binned", "body": { "ok": true }, "after": "10m" }"#

  /// The members of a case without its name, and what it shows of it.
  static let cases: [(String, [String])] = [
    (
      """
      \(answers), "undo": { "pool": { "output": null, "after": "3h" } }, "signals": [\(confirmed)],
      "expect": { "status": "compensated", "undone": ["pool", "take"], "remains": [], "takes": "> 3h" }
      """, []
    ),
    (
      """
      \(answers), "undo": { "pool": { "output": null } },
      "signals": [{ "name": "binned", "body": { "ok": false }, "refused": "signal.refused" }],
      "expect": { "status": "stuck", "steps": { "take": { "status": "undoFailed", "error": "signal.timeout" } } }
      """, []
    ),
    (
      """
      \(answers), "undo": { "pool": [{ "fail": { "code": "LASER" } }, { "output": null }] },
      "signals": [\(confirmed)],
      "expect": { "status": "compensated", "steps": { "pool": { "status": "undone", "undoAttempts": 2 } } }
      """, []
    ),
    (
      """
      \(answers), "undo": { "pool": { "unknown": { "code": "LASER" } } },
      "expect": { "status": "stuck", "remains": ["pool", "take"],
        "steps": { "pool": { "status": "undoFailed", "error": "child.abandoned" } } }
      """, []
    ),
    (
      """
      \(answers), "undo": { "pool": { "output": null } }, "expect": { "status": "compensated" }
      """, ["status: expected compensated, seen stuck: take [signal.timeout]"]
    ),
  ]

  @Test("A case answers the child of an undo, and sends its signal", arguments: cases)
  func plays(_ members: String, _ said: [String]) throws {
    let result = try CaseBench.play(members, workflow: Self.workflow, defaults: "{}")
    #expect(result.said == said)
  }

  @Test("An answer for an undo that waits for a signal is a mistake")
  func mistake() throws {
    let text = """
      { "workflow": "w.json", "cases": [ { "name": "a case", "undo": { "take": { "status": 204 } },
        "expect": { "status": "completed" } } ] }
      """
    let findings = try CaseBench.check(text, workflow: Self.workflow).findings
    #expect(
      findings.contains { $0.message.contains("it waits for a signal: write it into \"signals\"") }, "\(findings)")
  }

  @Test("The coverage lists the refused signal of an undo, and finds it")
  func coverage() throws {
    var coverage = Coverage(of: try definition(Self.workflow))
    #expect(
      coverage.points.filter { $0.step == "take" && $0.path.kind == .undos }.map(\.words) == [
        "take is undone", "the undo of take fails for good", "the undo of take refuses a signal",
      ])
    let result = try CaseBench.play(Self.cases[1].0, workflow: Self.workflow, defaults: "{}")
    coverage.note(try #require(result.run))
    #expect(
      coverage.missed.filter { $0.path.kind == .undos }.map(\.words) == [
        "take is undone", "the undo of pool fails for good",
      ])
  }
}
