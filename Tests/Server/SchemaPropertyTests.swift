import HTTP
import JSON
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// The description is as strict as the server: what its schemas allow is never refused for its shape, and what they
/// don't allow is always refused.
@Suite("Schemas and the server agree", .timeLimit(.minutes(15)), .inTurn)
struct SchemaPropertyTests {
  /// Codes of a request that has the wrong shape. A cursor and a selection are opaque: no schema can tell those apart
  /// that the server has made.
  private static let shapeCodes: Set<String> = [
    ServerErrorCode.bodyMalformed, ServerErrorCode.memberUnknown, ServerErrorCode.memberMissing,
    ServerErrorCode.memberInvalid, ServerErrorCode.parameterUnknown, ServerErrorCode.parameterInvalid,
    ServerErrorCode.headerInvalid, ServerErrorCode.sagaIDMalformed, ServerErrorCode.operationIDMalformed,
    EngineErrorCode.sagaReasonMissing, HTTPErrorCode.emptyBody, HTTPErrorCode.badRequest,
    HTTPErrorCode.unsupportedMediaType, HTTPErrorCode.notFound,
  ]

  /// A request of one operation, and what the description doesn't allow of it.
  private struct Sample {
    var target = ""
    var headers: HTTPHeaders = [:]
    var body: JSON?
    var violations: [String] = []
  }

  private struct Maker {
    let description: APIDescription
    var sampler: SchemaSampler
    let saga: String

    init(_ description: APIDescription, seed: UInt64, saga: String) {
      self.description = description
      self.saga = saga
      sampler = SchemaSampler(random: SeededRandom(seed: seed), validator: description.validator)
    }

    mutating func sample(_ operation: APIDescription.Operation) -> Sample {
      var sample = Sample()
      var path = operation.pattern
      var query: [String] = []
      for parameter in (operation.json["parameters"]?.arrayValue ?? []).map(resolved) {
        let name = parameter["name"]?.stringValue ?? ""
        let schema = parameter["schema"] ?? true
        switch parameter["in"]?.stringValue {
        case "path":
          let (texts, violations) = parameterValue(name, schema, isNeeded: true)
          path = path.replacing("{\(name)}", with: (texts.first ?? "x").percentEncoded)
          sample.violations += violations
        case "query":
          guard sampler.below(4) == 0 else { continue }
          let (texts, violations) = parameterValue(name, schema, isNeeded: false)
          query += texts.map { "\(name)=\($0.percentEncoded)" }
          sample.violations += violations
        default:
          guard sampler.below(4) == 0 else { continue }
          let (texts, violations) = parameterValue(name, schema, isNeeded: false)
          // A header is trimmed on its way, and can't hold everything.
          guard let text = texts.first, text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }),
            text.first != " ", text.last != " "
          else { continue }
          sample.headers.add(name, text)
          sample.violations += violations
        }
      }
      if sampler.below(40) == 0 {
        query.append("surely-unknown=1")
        sample.violations.append("an unknown parameter")
      }
      sample.target = path + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
      if let schema = operation.json["requestBody"]?["content"]?["application/json"]?["schema"] {
        sample.headers.add("Content-Type", "application/json")
        let body = sampler.value(schema)
        sample.body = body
        sample.violations += description.validator.violations(of: body, against: schema)
      }
      return sample
    }

    private func resolved(_ parameter: JSON) -> JSON {
      parameter["$ref"]?.stringValue.map(description.validator.resolve) ?? parameter
    }

    /// Returns the texts of a parameter as they are sent, and the violations that its schema finds in their values.
    private mutating func parameterValue(
      _ name: String, _ schema: JSON, isNeeded: Bool
    ) -> (texts: [String], violations: [String]) {
      let resolvedSchema = schema["$ref"]?.stringValue.map(description.validator.resolve) ?? schema
      if name == "id", sampler.below(8) > 0 { return ([saga], []) }
      if resolvedSchema["type"]?.stringValue == "array" {
        let texts = (0...sampler.below(2)).map { _ in one(resolvedSchema["items"] ?? true, isNeeded: isNeeded) }
        // An empty list, or one with commas, can't be distinguished from a text.
        return (texts.map(\.text), texts.flatMap(\.violations))
      }
      let made = one(resolvedSchema, isNeeded: isNeeded)
      return ([made.text], made.violations)
    }

    private mutating func one(_ schema: JSON, isNeeded: Bool) -> (text: String, violations: [String]) {
      var text: String
      repeat {
        let value = sampler.value(schema)
        text = value.stringValue ?? value.text()
        // A path has no empty segment; a list of words with commas is several values.
      } while (isNeeded && (text.isEmpty || text.contains("/"))) || text.contains(",")
      let resolved = schema["$ref"]?.stringValue.map(description.validator.resolve) ?? schema
      let read: JSON =
        switch resolved["type"]?.stringValue {
        case "integer": Int(text).map { String($0) == text ? .number(JSONNumber($0)) : .string(text) } ?? .string(text)
        case "boolean": text == "true" ? true : text == "false" ? false : .string(text)
        default: .string(text)
        }
      return (text, description.validator.violations(of: read, against: schema))
    }
  }

  private func check(_ api: TestAPI, saga: String, seed: UInt64, rounds: Int) async throws {
    let description = try APIDescription()
    var maker = Maker(description, seed: seed, saga: saga)
    var counts = (allowed: 0, refused: 0)
    for operation in description.operations {
      // A stream has no end.
      if operation.pattern == "/v1/events" { continue }
      for _ in 0..<rounds {
        let sample = maker.sample(operation)
        let bytes = sample.body?.bytes() ?? []
        let answer = try await api.send(operation.method, sample.target, headers: sample.headers, bytes: bytes)
        let shown =
          "seed \(seed): \(operation.method) \(sample.target) \(sample.headers) \(sample.body?.text().prefix(600) ?? "")"
        #expect(answer.status < 500, "\(shown)")
        if sample.violations.isEmpty {
          counts.allowed += 1
          // A schema can't refuse search words without a letter or digit, or timestamps in the wrong order.
          let isPast =
            answer.json["detail"]?.stringValue.map { detail in
              [
                "letter or digit", "more than 8 words", "must be later than", "contradicts status",
                "goes without version", "or the same as", "a blank", "can't be seen", "PEM",
              ]
              .contains { detail.contains($0) }
            } ?? false
          let isRefused = answer.status >= 400 && Self.shapeCodes.contains(answer.code ?? "")
          #expect(!isRefused || isPast, "allowed, but \(answer.json.text().prefix(600)) for \(shown)")
        } else {
          counts.refused += 1
          #expect(
            (400..<500).contains(answer.status),
            "\(sample.violations), but \(answer.status) for \(shown)")
        }
      }
    }
    #expect(counts.allowed > counts.refused / 2 && counts.refused > counts.allowed / 8, "\(counts)")
  }

  @Test(
    "A request is refused for its shape exactly when its schema does not allow it",
    arguments: [1, 2] as [UInt64])
  func agree(seed: UInt64) async throws {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    let saga = try engine.start("store-sample").description
    try await TestAPI.run(.router, engine: engine, kafka: FakeKafka(), notices: FakeNotices()) {
      try await check($0, saga: saga, seed: seed, rounds: 40)
    }
  }
}
