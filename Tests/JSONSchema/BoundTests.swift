import JSON
import JSONSchema
import Runtime
import TestSupport
import Testing

@Suite("Compiling and validating is bounded", .timeLimit(.minutes(15)), .inTurn)
struct BoundTests {
  /// Runs on a thread with the stack that the engine's threads have.
  private static func onPool<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await Task(executorPreference: WorkPool.requests) { try body() }.value
  }

  private static func limit(
    _ schema: JSON, _ value: JSON, _ budget: SchemaBudget = .standard
  ) async throws -> SchemaBudgetExceeded.Limit? {
    try await onPool {
      let schema = try JSONSchema(schema)
      var limits: [SchemaBudgetExceeded.Limit?] = []
      for isCollecting in [true, false] {
        do {
          _ =
            isCollecting
            ? try schema.validate(value, budget: budget).isValid : try schema.accepts(value, budget: budget)
          limits.append(nil)
        } catch let error as SchemaBudgetExceeded {
          limits.append(error.limit)
          #expect(error.code == SchemaErrorCode.budget)
        }
      }
      return limits[0] ?? limits[1]
    }
  }

  /// The work that grows without end is cut off earlier than the engine would do it.
  private static let small = SchemaBudget(steps: 1_000_000)

  @Test("a reference that leads back to itself on the same value ends")
  func loop() async throws {
    let schema: JSON = ["anyOf": [["type": "string"], ["$ref": "#"]]]
    #expect(try await Self.limit(schema, 1) == .depth)
    #expect(try await Self.limit(schema, "a") == nil)
  }

  @Test("alternatives that multiply end")
  func exponential() async throws {
    var definitions: JSONObject = [:]
    for level in 0..<60 {
      let next: JSON = ["$ref": .string("#/$defs/n\(level + 1)")]
      definitions["n\(level)"] = ["anyOf": [next, next]]
    }
    definitions["n60"] = false
    #expect(try await Self.limit(["$ref": "#/$defs/n0", "$defs": .object(definitions)], 1, Self.small) == .steps)
  }

  @Test("equal elements are found in linear time, also among numbers that a Double can't tell apart")
  func unique() async throws {
    let values = try JSON(
      parsing: "[" + (0..<100_000).map { "1.00000000000000000000\($0 + 100_000)" }.joined(separator: ",") + "]")
    #expect(try await Self.limit(["uniqueItems": true], values) == nil)
  }

  @Test("a value that is nested as deep as a JSON text may be is validated")
  func deep() async throws {
    var value: JSON = []
    for _ in 0..<200 { value = [value] }
    #expect(try await Self.limit(["type": "array", "items": ["$ref": "#"]], value) == nil)
    #expect(
      try await Self.limit(["allOf": [["allOf": [["allOf": [["items": ["$ref": "#"]]]]]]]], value) == .depth)
  }

  @Test("a schema that is nested too deep, or is too large, is refused", arguments: [false, true])
  func large(_ isDeep: Bool) async throws {
    let findings = try await Self.onPool {
      var schema: JSON = true
      if isDeep {
        for _ in 0..<200 { schema = ["not": schema] }
      } else {
        schema = ["allOf": .array(Array(repeating: true, count: 50_001))]
      }
      return JSONSchema.compile(schema).findings
    }
    #expect(findings.map(\.code) == [SchemaErrorCode.tooLarge])
  }

  @Test("patterns that are too large together are refused")
  func patterns() {
    let patterns = JSONObject((0..<20).map { ("^a{\($0 + 15_000)}$", true) })
    #expect(
      JSONSchema.compile(["patternProperties": .object(patterns)]).findings.map(\.code) == [SchemaErrorCode.tooLarge])
  }

  @Test("a large pattern on a large text ends")
  func longText() async throws {
    let text = JSON.string(String(repeating: "a", count: 1_000_000))
    #expect(try await Self.limit(["pattern": "(a?){900}b"], text, Self.small) == .steps)
  }

  @Test("a multiple of a number with many digits ends")
  func digits() async throws {
    let number = try JSON(parsing: "0." + String(repeating: "7", count: 200_000))
    let divisor = try JSON(parsing: "0." + String(repeating: "3", count: 100_000))
    #expect(try await Self.limit(["multipleOf": divisor], number) == .steps)
  }
}
