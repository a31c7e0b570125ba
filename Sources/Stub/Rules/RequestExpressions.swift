import JSON
import Values
import Workflows

/// Reads the expressions of a rule, and checks that they read what a request has.
struct RequestExpressions: ExpressionReading {
  let report: Report
  /// The names in the rule's path; nil when the path is not known.
  let names: [String]?

  func text(_ text: String, at pointer: JSONPointer) -> TextTemplate? {
    guard sent(.string(text), at: pointer) != nil else { return nil }
    return try? TextTemplate(text)
  }

  /// Reads what is sent. Reports every mistake in it, and texts in the language of other stub servers.
  func sent(_ json: JSON, at pointer: JSONPointer) -> Template? {
    noteForeign(json, at: pointer)
    return template(json, at: pointer)
  }

  /// Reports texts in the language of other stub servers, which would be sent as they are. `$${` is the escape of `${`,
  /// and shows that the author knows the language.
  private func noteForeign(_ json: JSON, at pointer: JSONPointer) {
    switch json {
    case .null, .bool, .number: break
    case .string(let text):
      guard let start = text.firstRange(of: "{{"), text[start.upperBound...].contains("}}"), !text.contains("$${")
      else { return }
      report.error(StubErrorCode.rulesInvalid, "{{…}} is only text here: write ${…}", at: pointer)
    case .array(let values):
      for (index, value) in values.enumerated() { noteForeign(value, at: pointer.appending(index)) }
    case .object(let members):
      for (name, value) in members { noteForeign(value, at: pointer.appending(name)) }
    }
  }

  func check(_ queries: [ReferencedQuery], at pointer: JSONPointer, offset: Int) {
    for query in queries {
      let read = QueryRead(query)
      func error(_ token: Int, _ message: String, among names: [String]) {
        let name = read.name(token) ?? ""
        report.error(
          StubErrorCode.rulesInvalid, message, at: pointer, .inside(max(0, offset + read.offsets[token])),
          near: NearNames.nearest(to: name, among: names))
      }
      guard !read.tokens.isEmpty else { continue }
      guard let root = read.name(0), root == "request" else {
        error(
          0, "a rule reads only the request: write request.body, or $.request.body in a condition", among: ["request"])
        continue
      }
      guard read.tokens.count > 1 else { continue }
      guard let member = read.name(1), StubCall.members.contains(member) else {
        error(1, "a request has \(StubCall.members.joined(separator: ", "))", among: StubCall.members)
        continue
      }
      guard let name = read.name(2) else { continue }
      if member == "params", let names, !names.contains(name) {
        let known = names.isEmpty ? "the path has no name in braces" : "the path has \(names.joined(separator: ", "))"
        error(2, "there is no \"\(name)\": \(known)", among: names)
      }
      if member == "headers", name != name.lowercased() {
        error(2, "the names of headers are in lower case here: \(name.lowercased())", among: [])
      }
    }
  }
}
