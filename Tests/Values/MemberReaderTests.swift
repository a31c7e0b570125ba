import JSON
import TestSupport
import Testing
import Values

private struct Wrong: MemberError, Equatable {
  let text: String
  init(_ member: String, of owner: String, wanted: String) { text = "\(owner).\(member): \(wanted)" }
}

@Suite("Typed members of an object", .timeLimit(.minutes(15)), .inTurn)
struct MemberReaderTests {
  private static let json: JSON = [
    "name": "tube", "count": 3, "on": true, "at": "2026-03-01T08:15:30.000Z", "none": .null, "tags": ["a", "b"],
    "mixed": ["a", 1],
  ]
  private let reader = MemberReader<Wrong>(json, of: "rack")

  @Test("Each member is read with its type")
  func types() throws {
    #expect(try reader.string("name") == "tube" && reader.int("count") == 3 && reader.bool("on"))
    #expect(try reader.timestamp("at") == Timestamp("2026-03-01T08:15:30Z"))
    #expect(try reader.strings("tags") == ["a", "b"])
    #expect(try reader.value("none") == .null)
  }

  @Test("A member that is missing, null or of another type is an error that names it")
  func wrong() {
    func error(_ body: () throws -> Void) -> String? { #expect(throws: Wrong.self, performing: body)?.text }
    #expect(error { _ = try reader.string("count") } == "rack.count: a string")
    #expect(error { _ = try reader.int("none") } == "rack.none: an integer")
    #expect(error { _ = try reader.id("name") } == "rack.name: an id")
    #expect(error { _ = try reader.strings("mixed") } == "rack.mixed: a list of strings")
    #expect(error { _ = try reader.value("other") } == "rack.other: a JSON value")
    #expect(error { _ = try reader.optionalInt("name") } == "rack.name: an integer")
  }

  @Test("An optional member may be missing or null")
  func optional() throws {
    #expect(try reader.optionalInt("other") == nil && reader.optionalInt("none") == nil)
    #expect(try reader.optionalInt("count") == 3 && reader.optionalTimestamp("other") == nil)
  }
}

/// Words a mistake as `/pointer what (near)`.
private struct Collector: MistakeCollector {
  let json: JSON
  var mistakes: [String] = []

  func member(_ name: String) -> JSON? { json[name] }
  mutating func noteMissing(_ name: String) { mistakes.append("/\(name) is missing") }
  mutating func noteWrong(_ pointer: JSONPointer, _ what: String, nearName: String?) {
    mistakes.append("\(pointer) \(what)" + (nearName.map { " (\($0))" } ?? ""))
  }
}

@Suite("All mistakes of an object", .timeLimit(.minutes(15)), .inTurn)
struct MistakeCollectorTests {
  @Test("Right members are read, and nothing is noted")
  func right() {
    var body = Collector(json: ["name": "tube", "count": 1, "share": 0.5, "on": false, "kind": "b", "tags": ["x"]])
    #expect(body.text("name", isRequired: true) == "tube" && body.integer("count", from: 1) == 1)
    #expect(body.number("share", in: 0...1) == 0.5 && body.flag("on") == false)
    #expect(body.choice("kind", of: ["a", "b"]) == "b" && body.texts("tags", count: 1, length: 1) == ["x"])
    #expect(body.text("other") == nil && body.texts("others", count: 1, length: 1) == nil)
    #expect(body.mistakes.isEmpty)
  }

  @Test("Every wrong member is noted once, with what it must be")
  func wrong() {
    var body = Collector(
      json: ["name": "", "count": 0, "share": 2, "on": "yes", "kind": "retri", "tags": ["ok", 1], "many": ["a", "b"]])
    _ = body.text("name", isRequired: true, atMost: 5)
    _ = body.integer("count", from: 1)
    _ = body.number("share", in: 0...1)
    _ = body.flag("on")
    _ = body.choice("kind", of: ["retry", "skip"])
    #expect(body.texts("tags", count: 2, length: 3) == ["ok"])
    _ = body.texts("many", count: 1, length: 3)
    _ = body.value("input", isRequired: true)
    #expect(
      body.mistakes == [
        "/name must be a string of 1 to 5 characters", "/count must be an integer from 1",
        "/share must be a number from 0.0 to 1.0", "/on must be true or false",
        "/kind must be one of retry, skip (retry)", "/tags/1 must be a string of 1 to 3 characters",
        "/many must be an array of at most 1 strings", "/input is missing",
      ])
  }
}
