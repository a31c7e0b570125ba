import JSON
import TestSupport
import Testing
import Values

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

@Suite("The schemas of the events agree with the code", .timeLimit(.minutes(15)), .inTurn)
struct EventSchemaTests {
  static let renew = "Run RENEW_COPIES=1 swift test --filter EventSchemaTests"

  @Test("Every type has its schema, and every schema its type")
  func files() throws {
    let names = try Repository.names(in: EventSchemas.folder, ending: ".json")
    #expect(Set(names) == Set(EventSchemas.keys.map { "\($0).json" } + [EventSchemas.unionName]))
    for key in EventSchemas.keys { #expect(EventSchemas.files[key] != nil, "\(key).json can't be read") }
  }

  @Test("Every kind has samples of its own", arguments: SagaEvent.kinds.map { $0.typeName })
  func samples(kind: String) {
    let samples = EventSamples.of(kind)
    #expect(samples.count >= 2)
    #expect(samples.allSatisfy { $0.typeName == kind })
  }

  @Test("The schemas allow every event that the code writes", arguments: EventSamples.all)
  func allowed(event: SagaEvent) throws {
    #expect(EventSchemas.violations(of: event) == [])
    #expect(SchemaValidator(document: EventSchemas.union()).violations(of: event.data) == [])
    #expect(try SagaEvent(type: event.typeName, schema: SagaEvent.schema, data: event.data) == event)
  }

  @Test("The first sample of a kind has every member, the second none that may be absent", arguments: EventSchemas.keys)
  func coverage(key: String) throws {
    let schema = try #require(EventSchemas.files[key])
    let kind = String(key.split(separator: ".")[0])
    let samples = EventSamples.of(kind).map(\.data)
    #expect(Self.absent(in: samples[0], schema, schema) == [], "the first sample lacks them")
    #expect(Self.optional(in: samples[1], schema, schema) == [], "the second sample has them")
  }

  @Test("A schema refuses a member that is removed from it, wherever the member is", arguments: EventSchemas.keys)
  func closed(key: String) throws {
    let schema = try #require(EventSchemas.files[key])
    let kind = String(key.split(separator: ".")[0])
    let full = EventSamples.of(kind)[0].data
    let variants = Self.variants(of: schema)
    #expect(!variants.isEmpty)
    for (name, variant) in variants {
      #expect(try !SchemaValidator(document: variant).accepts(full), "without \(name) the schema still accepts it")
    }
  }

  @Test("Decoder and schema require the same members", arguments: EventSamples.all)
  func required(event: SagaEvent) throws {
    let key = EventSchemas.key(event.typeName, SagaEvent.schema)
    let schema = try #require(EventSchemas.files[key])
    for (name, less) in Self.less(event.data, schema, schema) {
      // A plain schema can't say that the output belongs to one of the resolutions.
      if event.what is OperatorResolved, name == "output" { continue }
      let decoded = try? SagaEvent(type: event.typeName, schema: SagaEvent.schema, data: less)
      #expect(EventSchemas.violations(of: less, key: key).isEmpty == (decoded != nil), "\(key) without \(name)")
    }
  }

  @Test("The enumerations of the schemas have the values of the code")
  func words() throws {
    func words(_ type: String, _ pointer: String) throws -> Set<String> {
      let schema = try #require(EventSchemas.files[EventSchemas.key(type, SagaEvent.schema)])
      let found = SchemaValidator(document: schema).resolve(pointer)["enum"]?.arrayValue ?? []
      return Set(found.compactMap(\.stringValue))
    }
    for type in [
      "attemptStarted", "attemptFailed", "attemptNotMade", "stepProgressed", "answerIgnored", "operatorRetried",
      "stepOverdue",
    ] {
      #expect(try words(type, "#/properties/phase") == Set(StepPhase.allCases.map(\.rawValue)))
    }
    #expect(try words("stepFailed", "#/properties/outcome") == Set(RoundOutcome.allCases.map(\.rawValue)))
    #expect(try words("stepFailed", "#/properties/consequence") == Set(FailureConsequence.allCases.map(\.rawValue)))
    #expect(try words("answerIgnored", "#/properties/why") == Set(IgnoredAnswer.Why.allCases.map(\.rawValue)))
    #expect(try words("stepOverdue", "#/properties/basis") == Set(ExpectedTime.Basis.allCases.map(\.rawValue)))
    #expect(try words("undoSucceeded", "#/properties/how") == Set(UndoSuccess.allCases.map(\.rawValue)))
    #expect(
      try words("turnedBack", "#/$defs/turnBack/properties/cause") == Set(TurnBack.Cause.allCases.map(\.rawValue)))
    let resolutions = [Resolution.happened(output: .null), .didNotHappen, .undone].map(\.word)
    #expect(try words("operatorResolved", "#/properties/resolution") == Set(resolutions))
  }

  @Test("Every schema has a description", arguments: EventSchemas.keys)
  func described(key: String) throws {
    let schema = try #require(EventSchemas.files[key])
    #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
    #expect(schema["title"]?.stringValue?.isEmpty == false && schema["description"]?.stringValue?.isEmpty == false)
    for (name, member) in schema["properties"]?.objectValue ?? [:] {
      #expect(member["description"]?.stringValue?.isEmpty == false, "\(name) is not described")
    }
  }

  @Test("The example in docs/schemas.md is valid")
  func example() throws {
    let page = String(decoding: try Repository.bytes("docs/schemas.md"), as: UTF8.self)
    let block = try #require(page.firstMatch(of: /```json\n(.*?)\n```/.dotMatchesNewlines()))
    let data = try JSON(parsing: String(block.1))
    #expect(EventSchemas.violations(of: data, key: "stepSucceeded.v1") == [])
    #expect(try SagaEvent(type: "stepSucceeded", schema: 1, data: data).data == data)
  }

  @Test("The union consists of the single schemas, and the engine registers it")
  func copies() throws {
    #expect(EventSchemas.conflicts() == [])
    let union = EventSchemas.union()
    let text = union.text(.pretty) + "\n"
    let path = "\(EventSchemas.folder)/\(EventSchemas.unionName)"
    if Repository.renewsCopies {
      try Repository.write(text, to: path)
    } else {
      #expect(String(decoding: try Repository.bytes(path), as: UTF8.self) == text, "\(Self.renew)")
      #expect(try JSON(parsing: SagaEventSchema.json) == union, "The program carries another schema")
    }
  }
}

// MARK: Walking a schema

extension EventSchemaTests {
  private static func resolved(_ schema: JSON, _ root: JSON) -> JSON {
    schema["$ref"]?.stringValue.map(SchemaValidator(document: root).resolve) ?? schema
  }

  /// Members of a schema that a value doesn't have.
  private static func absent(in value: JSON, _ schema: JSON, _ root: JSON) -> [String] {
    (resolved(schema, root)["properties"]?.objectValue ?? [:]).flatMap { name, inner in
      value[name].map { absent(in: $0, inner, root).map { "\(name)/\($0)" } } ?? [name]
    }
  }

  /// Members of a value that its schema doesn't require.
  private static func optional(in value: JSON, _ schema: JSON, _ root: JSON) -> [String] {
    let schema = resolved(schema, root)
    let required = Set((schema["required"]?.arrayValue ?? []).compactMap(\.stringValue))
    return (schema["properties"]?.objectValue ?? [:]).flatMap { name, inner -> [String] in
      guard let member = value[name] else { return [] }
      return required.contains(name) ? optional(in: member, inner, root).map { "\(name)/\($0)" } : [name]
    }
  }

  /// The value without one member, for every member that its schema describes, at any depth.
  private static func less(_ value: JSON, _ schema: JSON, _ root: JSON) -> [(String, JSON)] {
    guard let members = value.objectValue else { return [] }
    return (resolved(schema, root)["properties"]?.objectValue ?? [:]).flatMap { name, inner -> [(String, JSON)] in
      guard let member = members[name] else { return [] }
      func with(_ new: JSON?) -> JSON {
        var changed = members
        changed[name] = new
        return .object(changed)
      }
      return [(name, with(nil))] + less(member, inner, root).map { ("\(name)/\($0.0)", with($0.1)) }
    }
  }

  /// The schema without one of the members that it knows, for every member at any depth.
  private static func variants(of schema: JSON) -> [(String, JSON)] {
    guard let keywords = schema.objectValue else { return [] }
    return ["properties", "$defs"].flatMap { keyword -> [(String, JSON)] in
      guard let members = keywords[keyword]?.objectValue else { return [] }
      func with(_ name: String, _ new: JSON?) -> JSON {
        var changed = members
        changed[name] = new
        var schema = keywords
        schema[keyword] = .object(changed)
        return .object(schema)
      }
      return members.flatMap { name, inner in
        (keyword == "properties" ? [(name, with(name, nil))] : [])
          + variants(of: inner).map { ("\(name)/\($0.0)", with(name, $0.1)) }
      }
    }
  }
}
