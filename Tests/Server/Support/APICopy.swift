import JSON

/// Writes the description into the Swift file that the server answers `/openapi.json` from.
enum APICopy {
  static let path = "Sources/Server/OpenAPI/OpenAPIText.swift"

  /// One line for each path, parameter and schema, so that a change reads well.
  static func swift(_ document: JSON) -> String {
    let body = members(document) { name, value in
      switch name {
      case "paths": object(value)
      case "components": "{\n" + members(value) { _, group in object(group) } + "\n}"
      default: value.text()
      }
    }
    let lines = "{\n\(body)\n}".split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
    return """
      /// What `/openapi.json` answers: `docs/schema/openapi.json`, so that the server needs no file beside it.
      /// A test holds the two together and, with RENEW_COPIES=1 in its environment, writes this file again.
      enum OpenAPIText {
        static let json = #\"""
      \(lines)
          \"""#
      }

      """
  }

  private static func object(_ value: JSON) -> String {
    "{\n" + members(value) { _, member in member.text() } + "\n}"
  }

  private static func members(_ value: JSON, _ write: (String, JSON) -> String) -> String {
    (value.objectValue ?? [:]).map { "\(JSON.string($0.name).text()):\(write($0.name, $0.value))" }
      .joined(separator: ",\n")
  }
}
