import JSON
import TestSupport

@testable import SagaCore
@testable import WorkflowEngine

/// The schemas in `docs/schema/events/`, and what is made of them.
enum EventSchemas {
  static let folder = "docs/schema/events"
  static let unionName = "saga-event.v1.json"

  /// Every type in every version up to today's, in the order of the types.
  static let keys: [String] = SagaEvent.kinds.flatMap { kind in
    (1...SagaEvent.schema).map { key(kind.typeName, $0) }
  }

  static func key(_ type: String, _ version: Int) -> String { "\(type).v\(version)" }

  /// The schemas by key; one whose file can't be read is missing here, and a test says so.
  static let files: [String: JSON] = keys.reduce(into: [:]) { files, key in
    files[key] = try? JSON(parsing: Repository.bytes("\(folder)/\(key).json"))
  }

  private static let validators = files.mapValues(SchemaValidator.init(document:))

  /// Returns the violations of an event against the current schema of its type.
  static func violations(of event: SagaEvent) -> [String] {
    violations(of: event.data, key: key(event.typeName, SagaEvent.schema))
  }

  static func violations(of data: JSON, key: String) -> [String] {
    validators[key]?.violations(of: data) ?? ["\(folder)/\(key).json can't be read"]
  }

  // MARK: The union

  /// One schema of all: every single one under its key, and once whatever they share.
  static func union() -> JSON {
    var definitions = JSONObject()
    var shared = JSONObject()
    for key in keys {
      guard var single = files[key]?.objectValue else { continue }
      for (name, definition) in single["$defs"]?.objectValue ?? [:] { shared[name] = definition }
      single["$defs"] = nil
      single["$schema"] = nil
      definitions[key] = .object(single)
    }
    let references = definitions.map { JSON.object(["$ref": "#/$defs/\($0.name)"]) }
    for (name, definition) in shared { definitions[name] = definition }
    return [
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "Saga event",
      "description":
        "Something that happened to a saga, of any type. What type it is stands beside it: in the message's header ce_type.",
      "anyOf": .array(references),
      "$defs": .object(definitions),
    ]
  }

  /// Two files that say different things under one name.
  static func conflicts() -> [String] {
    var seen: [String: (key: String, definition: JSON)] = [:]
    var conflicts: [String] = []
    for key in keys {
      for (name, definition) in files[key]?["$defs"]?.objectValue ?? [:] {
        if let first = seen[name], first.definition != definition {
          conflicts.append("\(name) is one thing in \(first.key) and another in \(key)")
        } else {
          seen[name] = (key, definition)
        }
      }
    }
    return conflicts
  }
}
