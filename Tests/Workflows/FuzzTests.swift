import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("The checker with random broken files", .timeLimit(.minutes(15)), .inTurn)
struct FuzzTests {
  /// A linear congruential generator (Knuth's constants): the same seed gives the same files.
  struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state ^ state >> 33) &* 0xFF51_AFD7_ED55_8CCD
    }
    mutating func below(_ count: Int) -> Int { count > 0 ? Int(next() >> 33) % count : 0 }
    mutating func pick<Element>(_ values: [Element]) -> Element { values[below(values.count)] }
  }

  static let snippets = [
    "{", "}", "[", "]", "\"", "\\", ",", ":", "${", "$${", "}", "\\ud800", "\\u0000", "null", "1e999", "-0", "..", "\n",
    "${steps.notify.output}", "[?@.a", "é", "🧬",
  ]
  static let values: [JSON] = [
    .null, true, 0, -1, 1.5, "", "none", "9d", "P", "${input.x}", "${", "${steps.notify.output}", "$..*", "$.a == 1",
    [],
    [[]], ["a", "a"], [:], ["http": [:]], ["kafka": ["service": "samples", "command": "create"]],
    ["delay": ["for": "1s"]], ["notify"], "2xx", "\u{0}", "createSample",
  ]

  @Test("A file with broken bytes gives either a definition or an error", arguments: 0..<4)
  func bytes(seed: Int) throws {
    var dice = Dice(state: UInt64(seed))
    let file = try Repository.bytes("workflows/sample-processing.json")
    for _ in 0..<40 {
      var bytes = file
      for _ in 0...dice.below(3) {
        let place = dice.below(bytes.count)
        let end = min(bytes.count, place + 1 + dice.below(12))
        switch dice.below(5) {
        case 0: bytes[place] = UInt8(dice.below(256))
        case 1: bytes.removeSubrange(place..<end)
        case 2: bytes.insert(contentsOf: dice.pick(Self.snippets).utf8, at: place)
        case 3: bytes.insert(contentsOf: bytes[place..<end], at: dice.below(bytes.count))
        default: bytes.replaceSubrange(place..<end, with: dice.pick(Self.snippets).utf8)
        }
      }
      examine(bytes, "seed \(seed)")
    }
  }

  @Test("A file with a broken structure gives either a definition or an error", arguments: 0..<4)
  func structure(seed: Int) throws {
    var dice = Dice(state: UInt64(1_000 + seed))
    let file = try JSON(parsing: try Repository.bytes("workflows/sample-processing.json"))
    for _ in 0..<40 {
      var json = file
      for _ in 0...dice.below(3) { json = Self.changed(json, &dice) }
      examine(json.bytes(), "seed \(seed)")
    }
  }

  private func examine(_ bytes: [UInt8], _ what: Comment) {
    let result = WorkflowChecker.check(bytes)
    #expect((result.definition == nil) == !result.errors.isEmpty, what)
    #expect(result.findings.allSatisfy { $0.place != nil && !$0.message.isEmpty }, what)
    guard let definition = result.definition else { return }
    let again = WorkflowChecker.check(definition.source.bytes(.pretty))
    #expect(again.definition == definition, what)
    #expect(again.findings.map(\.message) == result.findings.map(\.message), what)
  }

  /// Walks down a random path and changes the value at its end.
  private static func changed(_ json: JSON, _ dice: inout Dice) -> JSON {
    switch json {
    case .object(var members) where !members.isEmpty && dice.below(6) != 0:
      let (name, value) = members[members.startIndex + dice.below(members.count)]
      switch dice.below(12) {
      case 0: members[name] = nil
      case 1: members[name + "s"] = value
      case 2: members[dice.pick(["http", "kafka", "delay", "when", "retry", "compensation", "pivot", "zzz"])] = value
      default: members[name] = changed(value, &dice)
      }
      return .object(members)
    case .array(var values) where !values.isEmpty && dice.below(6) != 0:
      let index = dice.below(values.count)
      switch dice.below(8) {
      case 0: values.remove(at: index)
      case 1: values.append(values[index])
      case 2: values.swapAt(index, dice.below(values.count))
      default: values[index] = changed(values[index], &dice)
      }
      return .array(values)
    default: return dice.pick(Self.values)
    }
  }
}
