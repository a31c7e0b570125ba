import Foundation
import JSON
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("sample-processing-kafka, command by command", .timeLimit(.minutes(15)), .inTurn)
struct WorkflowTests {
  @Test("The laboratory takes every command of the workflow, and every undo leaves nothing behind")
  func commands() async throws {
    let bench = LabKafkaBench(try await LabBench())
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("workflows/sample-processing-kafka.json")
    let workflow = try JSON(parsing: Array(try Data(contentsOf: file)))
    let steps = try #require(workflow["steps"]?.arrayValue)
    #expect(steps.count == 6)
    for step in steps { try await take(step["kafka"], of: step, undo: false, bench) }
    let summary = try await bench.lab.send("GET", "/lab/summary").body
    #expect(summary["samplesByStatus"] == ["validated": 1] && summary["positionsByStatus"] == ["stored": 1])
    #expect(summary["runsByStatus"] == ["scheduled": 1] && summary["messagesByStatus"] == ["sent": 1])
    for step in steps.reversed() where step["compensation"] != "none" {
      try await take(step["compensation"]?["kafka"], of: step, undo: true, bench)
    }
    let after = try await bench.lab.send("GET", "/lab/summary").body
    #expect(after["samplesByStatus"] == ["voided": 1] && after["positions"] == [])
    #expect(after["runsByStatus"] == ["cancelled": 1])
    await bench.lab.participants.close()
  }

  private func take(_ action: JSON?, of step: JSON, undo: Bool, _ bench: LabKafkaBench) async throws {
    let service = try #require(action?["service"]?.stringValue.flatMap { LabService(rawValue: $0) })
    let command = try #require(action?["command"]?.stringValue)
    let key = "saga/\(step["id"]?.stringValue ?? "")/1"
    let message = bench.message(
      service, command, rendered(try #require(action?["body"])), key: undo ? "\(key)/undo" : key,
      compensates: undo ? key : nil)
    let reply = try await bench.ask(message)
    #expect(reply.outcome == "succeeded", "\(service).\(command): \(reply.body.text())")
  }

  /// The body with a value for each `${…}`: the input of a tube, an id for each step.
  private func rendered(_ body: JSON) -> JSON {
    let input = LabBench.tube("TS-1")
    var members = body.objectValue ?? [:]
    for (name, value) in body.objectValue ?? [:] {
      guard let text = value.stringValue, text.hasPrefix("${"), text.hasSuffix("}"), !text.dropFirst().contains("$")
      else { continue }
      let words = text.dropFirst(2).dropLast().split(separator: ".").map(String.init)
      members[name] =
        words[0] == "input"
        ? input[words[1]] ?? "WGS-30x" : .string(UniqueID.named(words[1]).description)
    }
    return .object(members)
  }
}
