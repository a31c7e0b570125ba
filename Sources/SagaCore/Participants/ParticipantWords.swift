import JSON
import Values

/// A participant's message about a failure, for operators to read.
///
/// Participants use many shapes: problem details (RFC 9457), `{"error": …}`, `{"errors": […]}`, a SOAP fault, a page of
/// HTML, plain text. The first message that is found counts. A body of unknown shape is shown unchanged.
enum ParticipantWords {
  /// The most Unicode scalars that are kept, because they are stored and shown for years.
  static let longest = ParticipantText.longest
  /// The most bytes of a body that are searched.
  private static let mostBytes = 256 << 10

  /// Returns the message in an answer, on one line and cut to `longest`; nil when it has none.
  static func of(_ answer: HTTPAnswer) -> String? {
    let type = MediaType(answer.contentType)
    let read = answer.body.count > mostBytes ? Array(answer.body.prefix(mostBytes)) : answer.body
    guard let text = AnswerText.forPeople(read, charset: type.charset) else {
      return "\(answer.body.count) bytes" + (type.name.isEmpty ? "" : " of \(type.name)") + " that are not text"
    }
    let body = text.trimmed
    if !body.isEmpty { return of(body, type) }
    // The status line of HTTP/1 has room for a message.
    let reason = ParticipantText.oneLine(answer.reason)
    let isStandard = reason.lowercased() == HTTPStatus.phrase(answer.status).lowercased()
    return reason.isEmpty || isStandard || reason.count < 4 ? nil : reason
  }

  private static func of(_ body: String, _ type: MediaType) -> String? {
    if body.hasPrefix("{") || body.hasPrefix("[") || body.hasPrefix("\"") || type.isJSON,
      let json = try? JSON(parsing: body)
    {
      if isEmpty(json) { return nil }
      if let words = of(json) { return words }
    } else if type.isHTML || MarkupWords.isHTML(body) {
      return filled(ParticipantText.oneLine(MarkupWords.ofHTML(body)))
    } else if type.isXML || body.hasPrefix("<?xml") || (body.hasPrefix("<") && body.hasSuffix(">")) {
      if let words = filled(ParticipantText.oneLine(MarkupWords.ofXML(body))) { return words }
    } else if type.isForm, let words = ofForm(body) {
      return words
    }
    return filled(ParticipantText.oneLine(body))
  }

  // MARK: JSON

  /// The members that contain a message, the best first. Names are compared without case, `_` and `-`.
  private static let names = [
    "faultstring", "detail", "message", "errormessage", "errordescription", "errormsg", "msg", "usermessage",
    "developermessage", "exceptionmessage", "issue", "issues", "diagnostics", "reason", "description", "explanation",
    "errors", "error", "err", "fault", "exception", "failure", "failures", "violations", "details", "messages", "title",
    "text", "info", "statustext", "statusmessage", "statusdescription", "cause", "value", "data", "result",
  ]
  /// The members that may contain messages by field name: `{"errors": {"Barcode": ["It is required."]}}`.
  private static let namesOfFields = [
    "errors", "violations", "fielderrors", "validationerrors", "details", "detail", "data", "error",
  ]

  /// Returns the message in a body, or nil when no known member contains one.
  static func of(_ json: JSON) -> String? {
    var search = Search()
    return search.words(json, depth: 0).flatMap { filled(ParticipantText.oneLine($0)) }
  }

  /// A search of a body. It stops after a number of values, because a body may be large and is searched several times.
  private struct Search {
    private var left = 2_000
    private static let deepest = 8
    private static let mostMembers = 200

    mutating func words(_ json: JSON, depth: Int) -> String? {
      guard depth < Self.deepest, left > 0 else { return nil }
      left -= 1
      switch json {
      case .string(let text): return filled(text.trimmed)
      case .array(let values):
        var all: [String] = []
        for value in values.prefix(5) {
          if let said = words(value, depth: depth + 1) { all.append(said) }
        }
        return all.isEmpty ? nil : all.joined(separator: "; ")
      case .object(let members): return words(members, depth: depth)
      case .null, .bool, .number: return nil
      }
    }

    private mutating func words(_ members: JSONObject, depth: Int) -> String? {
      var known: [String: JSON] = [:]
      for (name, value) in members.prefix(Self.mostMembers) {
        let key = name.lowercased().filter { $0 != "_" && $0 != "-" }
        if known[key] == nil { known[key] = value }
      }
      for name in names {
        guard let value = known[name] else { continue }
        let found = words(value, depth: depth + 1) ?? (name == "errors" ? wordsOfFields(value, depth: depth + 1) : nil)
        guard var said = found else { continue }
        // ASP.NET says in its title that the request is wrong, and in `errors` how. FHIR has one text for users, and
        // one for the developers who repair it.
        if name == "diagnostics", let details = known["details"], let first = words(details, depth: depth + 1) {
          said = "\(first): \(said)"
        } else if name == "errors", let title = known["title"], let first = words(title, depth: depth + 1) {
          said = "\(first) \(said)"
        }
        return place(known).map { "\($0): \(said)" } ?? said
      }
      for name in namesOfFields {
        if let value = known[name], let said = wordsOfFields(value, depth: depth + 1) { return said }
      }
      // It is usually a word like "error" beside better messages.
      return known["status"].flatMap { words($0, depth: depth + 1) }
    }

    private mutating func wordsOfFields(_ value: JSON, depth: Int) -> String? {
      guard case .object(let members) = value else { return nil }
      var all: [String] = []
      for (name, value) in members.prefix(Self.mostMembers) where all.count < 5 {
        if let said = words(value, depth: depth + 1) { all.append("\(name): \(said)") }
      }
      return all.isEmpty ? nil : all.joined(separator: "; ")
    }
  }

  /// Returns the part of the request that a validation error is about, if the error names it.
  private static func place(_ known: [String: JSON]) -> String? {
    if case .array(let parts)? = known["loc"] {
      return filled(parts.prefix(10).map { $0.stringValue ?? $0.text() }.joined(separator: "."))
    }
    let named = ["field", "property", "pointer", "propertypath"].lazy.compactMap { known[$0]?.stringValue }.first
    return (named ?? known["source"]?["pointer"]?.stringValue).flatMap(filled)
  }

  private static func isEmpty(_ json: JSON) -> Bool {
    switch json {
    case .null: true
    case .string(let text): text.trimmed.isEmpty
    case .array(let values): values.isEmpty
    case .object(let members): members.isEmpty
    case .bool, .number: false
    }
  }

  // MARK: Forms

  private static func ofForm(_ body: String) -> String? {
    var members = JSONObject()
    for pair in body.split(separator: "&").prefix(50) {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      members[decoded(parts[0])] = .string(decoded(parts[1]))
    }
    return of(.object(members))
  }

  private static func decoded(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "+") {
        bytes.append(0x20)
      } else if byte == UInt8(ascii: "%"), rest.count > 1,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return AnswerText.forPeople(bytes, charset: nil) ?? ""
  }

  private static func filled(_ text: String) -> String? { text.isEmpty ? nil : text }
}
