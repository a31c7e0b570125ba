import JSON
import TestSupport
import Testing
import Wire

@testable import saga

@Suite("saga tasks", .timeLimit(.minutes(15)), .inTurn)
struct TaskCommandTests {
  private static let saga = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"
  private static let tasks: JSON = [
    "queues": [
      ["queue": "cleaner", "waiting": 1, "taken": 0, "workersWaiting": 0],
      ["queue": "robot", "waiting": 0, "taken": 1, "workersWaiting": 1, "lastAskedAt": "2026-03-01T08:00:00.000Z"],
    ],
    "tasks": [
      [
        "id": .string("\(saga).load.1.2"), "queue": "robot", "saga": .string(saga), "step": "load", "phase": "forward",
        "attempt": 2, "status": "taken", "offeredAt": "2026-03-01T08:00:00.000Z",
        "deadline": "2026-03-01T09:00:00.000Z", "worker": "robot-2", "takenAt": "2026-03-01T08:00:01.000Z",
        "heartbeatAt": "2026-03-01T08:00:11.000Z", "leaseUntil": "2026-03-01T08:00:41.000Z",
        "progress": "column 3 of 12",
      ],
      [
        "id": .string("\(saga).load.1.1.undo"), "queue": "cleaner", "saga": .string(saga), "step": "load",
        "phase": "undo", "attempt": 1, "status": "waiting", "offeredAt": "2026-03-01T08:00:00.000Z",
        "deadline": "2026-03-01T09:00:00.000Z",
      ],
    ],
    "more": 3,
  ]

  @Test("draws the queues, and the tasks with their workers, in 80 columns")
  func drawing() async throws {
    let tool = TestTool(answers: [.json(Self.tasks)])
    let result = await tool.run("tasks", "robot", "--limit", "2")
    #expect(result.status == .success, "\(result.complaint)")
    #expect(tool.requests[0].url.hasSuffix("/v1/tasks?queue=robot&limit=2"))
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines[0].hasPrefix("cleaner              1 waiting, 0 with workers, no worker has asked yet"))
    #expect(lines[1].hasPrefix("robot                0 waiting, 1 with workers, 1 worker waits, last asked"))
    #expect(lines.contains { $0.hasPrefix("▸ taken") && $0.hasSuffix("load, try 2") })
    #expect(lines.contains { $0.hasPrefix("· waiting") && $0.hasSuffix("undo of load") })
    let words = lines.map { String($0.drop { $0 == " " }) }.joined(separator: " ")
    #expect(words.contains("worker robot-2 since") && words.contains("column 3 of 12"))
    #expect(result.output.contains("And 3 more: --limit, at most 1000"))
    #expect(lines.allSatisfy { $0.count <= 80 }, "\(result.output)")
  }

  @Test("names the saga of a task by its title, or by its key, before the id")
  func names() async throws {
    for (name, text) in [("title", "Tube TS-7"), ("sagaKey", "tube-7")] {
      var page = Self.tasks.objectValue ?? [:]
      page["tasks"] = .array(
        (Self.tasks["tasks"]?.arrayValue ?? []).map { task in
          var members = task.objectValue ?? [:]
          members[name] = .string(text)
          return .object(members)
        })
      let output = await TestTool(answers: [.json(.object(page))]).run("tasks").output
      #expect(output.contains("    \(text), saga \(Self.saga)"), "\(output)")
      #expect(output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(output)")
    }
  }

  @Test("says that there is nothing, and prints the API's JSON for programs")
  func empty() async throws {
    let none: JSON = ["queues": [], "tasks": [], "more": 0]
    #expect(
      await TestTool(answers: [.json(none)]).run("tasks").output
        == "No tasks, and no worker has asked for one.\n")
    let json = await TestTool(answers: [.json(Self.tasks)]).run("tasks", "--json")
    #expect(try JSON(parsing: json.output) == Self.tasks)
  }
}
