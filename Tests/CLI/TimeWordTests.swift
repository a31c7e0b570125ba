import JSON
import TestSupport
import Testing
import Values

@testable import saga

@Suite("A time on the command line", .timeLimit(.minutes(15)), .inTurn)
struct TimeWordTests {
  /// The present is 2026-03-01T08:15:45Z.
  @Test(
    "is so long ago, a day, or a time in UTC or in its zone",
    arguments: [
      ("1h", "2026-03-01T07:15:45.000Z"), ("2d", "2026-02-27T08:15:45.000Z"), ("now", "2026-03-01T08:15:45.000Z"),
      ("today", "2026-03-01T00:00:00.000Z"), ("yesterday", "2026-02-28T00:00:00.000Z"),
      ("2026-11-29", "2026-11-29T00:00:00.000Z"), ("2026-11-29T10:00", "2026-11-29T10:00:00.000Z"),
      ("2026-11-29 10:00", "2026-11-29T10:00:00.000Z"), ("2026-11-29T10:00:30", "2026-11-29T10:00:30.000Z"),
      ("2026-11-29T10:00Z", "2026-11-29T10:00:00.000Z"), ("2026-11-29T10:00+01:00", "2026-11-29T09:00:00.000Z"),
      ("2026-11-29T10:00:30.5-02:00", "2026-11-29T12:00:30.500Z"),
    ])
  func times(_ text: String, _ time: String) {
    #expect(TimeWord.time(text, now: Golden.now)?.description == time)
  }

  @Test(
    "of another form is none",
    arguments: ["", "noon", "2026-13-01", "2026-11-29T", "2026-11-29T10", "2026-11-29T25:00", "-1h", "1 h", "11:00"])
  func others(_ text: String) { #expect(TimeWord.time(text, now: Golden.now) == nil) }

  @Test("is sent in UTC by list, watch and audit", arguments: ["list", "watch", "audit"])
  func sent(_ command: String) async {
    let empty = command == "audit" ? "acts" : "sagas"
    let tool = TestTool(answers: [.json([empty: []])])
    let rounds = command == "watch" ? ["--rounds", "1"] : []
    let result = await tool.run([command, "--since", "1h", "--until", "2026-03-01T09:00+01:00"] + rounds)
    #expect(result.status == .success, "\(result.complaint)")
    let names = command == "audit" ? ["from", "to"] : ["startedAfter", "startedBefore"]
    let url = tool.requests.first?.url ?? ""
    #expect(url.contains("\(names[0])=2026-03-01T07%3A15%3A45.000Z"), "\(url)")
    #expect(url.contains("\(names[1])=2026-03-01T08%3A00%3A00.000Z"), "\(url)")
  }

  @Test(
    "is refused with its code, before a request, when it is not a time",
    arguments: ["since", "until", "ended-after"])
  func refused(_ option: String) async {
    let tool = TestTool()
    let result = await tool.run("list", "--\(option)", "noon")
    #expect(result.status == .usage)
    #expect(result.complaint.contains("wants a time as 1h (an hour ago), today, yesterday"), "\(result.complaint)")
    #expect(result.complaint.contains("See `saga help cli.timeInvalid`."))
    #expect(tool.requests.isEmpty)
  }

  @Test("of a preview is a fixed time in the command that the preview prints")
  func preview() async throws {
    let tool = TestTool()
    _ = await tool.run("ops", "preview", "retry", "--stuck", "--since", "1h")
    let filter = tool.requests.first?.request.json?["filter"]
    #expect(filter?["startedAfter"] == "2026-03-01T07:15:45.000Z", "\(tool.requests)")
  }

  @Test("of extend may lack its zone; then it is in UTC")
  func extend() async throws {
    let tool = TestTool(answers: [.json(try Golden.saga("running"))])
    let id = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"
    _ = await tool.run("extend", id, "--until", "2026-03-01T18:00", "--reason", "r")
    #expect(tool.requests.first?.request.json?["until"] == "2026-03-01T18:00:00.000Z")
    let refused = await TestTool().run("extend", id, "--until", "noon", "--reason", "r")
    #expect(refused.complaint.contains("cli.timeInvalid"))
  }
}
