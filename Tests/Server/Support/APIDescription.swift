import Foundation
import HTTP
import JSON
import TestSupport

@testable import Server

/// `docs/schema/openapi.json`, as the tests hold the server to it.
struct APIDescription {
  let document: JSON
  /// Holds the answers of this server to the description: they have no member that the description does not name. The
  /// file itself allows more, so that a client that was generated from it reads the answers of later servers.
  let answers: SchemaValidator
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  static let file = root.appending(path: "docs/schema/openapi.json")

  init() throws {
    document = try JSON(parsing: [UInt8](Data(contentsOf: Self.file)))
    answers = SchemaValidator(document: Self.closed(document))
  }

  private static func closed(_ document: JSON) -> JSON {
    let schemas = (document["components"]?["schemas"]?.objectValue ?? [:]).map { name, schema -> (String, JSON) in
      guard var members = schema.objectValue, members["properties"] != nil, members["additionalProperties"] == nil
      else { return (name, schema) }
      members["additionalProperties"] = false
      return (name, .object(members))
    }
    var whole = document.objectValue ?? [:]
    var components = whole["components"]?.objectValue ?? [:]
    components["schemas"] = .object(JSONObject(schemas))
    whole["components"] = .object(components)
    return .object(whole)
  }

  /// The names of the schemas that a part of the description leads to.
  func schemas(from part: JSON) -> Set<String> {
    var found: Set<String> = []
    func follow(_ value: JSON) {
      if let reference = value["$ref"]?.stringValue, let name = reference.split(separator: "/").last {
        if found.insert(String(name)).inserted { follow(validator.resolve(reference)) }
      }
      for member in value.objectValue ?? [:] { follow(member.value) }
      for element in value.arrayValue ?? [] { follow(element) }
    }
    follow(part)
    return found
  }

  /// A member of an answer, or a parameter, that has a newer name.
  struct OlderName: Hashable {
    /// The schema of the member, or the name of the operation.
    let owner: String
    let older: String
    /// As the description of the older name says.
    let newer: String?
    /// Whether the owner has the newer name, too.
    let isReplaced: Bool
  }

  /// Every name that the description calls deprecated.
  var olderNames: [OlderName] {
    func found(_ owner: String, _ all: [(name: String, json: JSON)]) -> [OlderName] {
      all.filter { $0.json["deprecated"] == true }.map { older in
        let text = older.json["description"]?.stringValue ?? ""
        let newer = text.firstMatch(of: /The older name of `([A-Za-z]+)`/).map { String($0.1) }
        return OlderName(
          owner: owner, older: older.name, newer: newer, isReplaced: all.contains { $0.name == newer })
      }
    }
    let members = (document["components"]?["schemas"]?.objectValue ?? [:]).flatMap { name, schema in
      found(name, (schema["properties"]?.objectValue ?? [:]).map { (name: $0, json: $1) })
    }
    let parameters = operations.flatMap { operation in
      found(
        operation.json["operationId"]?.stringValue ?? "",
        (operation.json["parameters"]?.arrayValue ?? []).map { (name: $0["name"]?.stringValue ?? "", json: $0) })
    }
    return members + parameters
  }

  struct Operation {
    let method: String
    let pattern: String
    let json: JSON

    var name: String { "\(method) \(pattern)" }
    var responses: JSONObject { json["responses"]?.objectValue ?? [:] }
    var problemCodes: [(status: Int, code: String)] {
      responses.flatMap { status, response in
        (response["x-problem-codes"]?.arrayValue ?? []).map { (Int(status) ?? 0, $0.stringValue ?? "") }
      }
    }
  }

  var operations: [Operation] {
    (document["paths"]?.objectValue ?? [:]).flatMap { pattern, methods in
      (methods.objectValue ?? [:]).map { method, json in
        Operation(method: method.uppercased(), pattern: pattern, json: json)
      }
    }
  }

  var validator: SchemaValidator { SchemaValidator(document: document) }

  /// The operation's parameters of one kind: `query`, `path`, `header`.
  func parameters(of operation: Operation, in kind: String) -> [String] {
    (operation.json["parameters"]?.arrayValue ?? [])
      .map { parameter in parameter["$ref"]?.stringValue.map(validator.resolve) ?? parameter }
      .filter { $0["in"]?.stringValue == kind }.compactMap { $0["name"]?.stringValue }
  }

  /// The operation that a request means, the more literal pattern first.
  func operation(_ method: String, path: String) -> Operation? {
    let segments = path.split(separator: "/", omittingEmptySubsequences: false)
    let fitting = operations.filter { operation in
      let pattern = operation.pattern.split(separator: "/", omittingEmptySubsequences: false)
      return pattern.count == segments.count
        && zip(pattern, segments).allSatisfy { $0 == $1 || ($0.hasPrefix("{") && !$1.isEmpty) }
    }
    // The path is the more literal pattern's, for every method.
    let least = fitting.map { $0.pattern.count { $0 == "{" } }.min()
    return fitting.first { $0.method == method && $0.pattern.count { $0 == "{" } == least }
  }

  /// Returns the parts of an answer that the description doesn't allow.
  func violations(_ method: String, path: String, _ answer: Answer) -> [String] {
    let problem: JSON = ["$ref": "#/components/schemas/Problem"]
    // The pages beside the API are described nowhere.
    if answer.status < 400, path == "/" || ["/console/", "/errors", "/schema/"].contains(where: path.hasPrefix) {
      return []
    }
    guard let operation = operation(method, path: path) else {
      // No operation: what is left is 404, 405 or a request that could not be read.
      return answer.status >= 400
        ? answers.violations(of: answer.json, against: problem) : ["answered by no operation"]
    }
    // The description's introduction has these codes.
    if let code = answer.code, Refusals.anyRequest[code] == answer.status {
      return answers.violations(of: answer.json, against: problem)
    }
    guard let response = operation.responses["\(answer.status)"] else {
      return ["\(operation.name): \(answer.status) \(answer.json["code"]?.stringValue ?? "") is not described"]
    }
    guard let (type, content) = response["content"]?.objectValue?.first else { return ["no content described"] }
    let body: JSON = type.hasPrefix("text/") ? .string(String(decoding: answer.bytes, as: UTF8.self)) : answer.json
    var found = answers.violations(of: body, against: content["schema"] ?? .null)
    if answer.contentType != type { found.append("\(answer.contentType ?? "no type") instead of \(type)") }
    if let codes = response["x-problem-codes"]?.arrayValue, let code = answer.json["code"], !codes.contains(code) {
      found.append("\(code.text()) is not described for \(answer.status)")
    }
    for header in response["headers"]?.objectValue?.keys ?? [] where answer.headers[header] == nil {
      found.append("lacks the header \(header)")
    }
    return found.map { "\(operation.name) \(answer.status): \($0)" }
  }
}
