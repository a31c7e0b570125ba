public import JSON

/// One difference between two versions of a workflow.
public struct Change: Sendable, Hashable {
  /// The part that differs, as `timeout` or `http.body.barcode`.
  public let part: String
  /// The value in the first version; nil when it has none.
  public let before: JSON?
  /// The value in the second version; nil when it has none.
  public let after: JSON?
  /// The difference in words.
  public let text: String

  /// - Parameter says: the words behind the name of the part; nil gives the two values.
  init(_ part: String, _ before: JSON?, _ after: JSON?, says: String? = nil) {
    self.part = part
    self.before = before
    self.after = after
    let words =
      switch (before, after) {
      case (let before?, let after?): "\(Self.shown(before)) → \(Self.shown(after))"
      case (nil, let after?): "added: \(Self.shown(after))"
      case (let before?, nil): "removed: \(Self.shown(before))"
      case (nil, nil): "changed"
      }
    text = "\(part): \(says ?? words)"
  }

  /// The most characters of a value in words.
  private static let longest = 160

  private static func shown(_ value: JSON) -> String {
    let text = value.text()
    return text.unicodeScalars.count <= longest
      ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(longest))) + "…"
  }

  /// The difference as JSON. `before` and `after` are left out when there is no such value.
  public var json: JSON {
    var members: JSONObject = ["part": .string(part)]
    members["before"] = before
    members["after"] = after
    members["text"] = .string(text)
    return .object(members)
  }
}

/// Finds the differences of two values, member by member.
struct ValueDifference {
  private(set) var changes: [Change] = []

  /// - Parameter part: the name of the two values.
  mutating func compare(_ before: JSON?, _ after: JSON?, as part: String) {
    switch (before, after) {
    case (nil, nil): break
    case (.object(let before)?, .object(let after)?): compare(before, after, as: part)
    case (.array(let before)?, .array(let after)?):
      for index in 0..<max(before.count, after.count) {
        compare(
          before.indices.contains(index) ? before[index] : nil, after.indices.contains(index) ? after[index] : nil,
          as: "\(part)[\(index)]")
      }
    default:
      if before != after { changes.append(Change(part, before, after)) }
    }
  }

  /// - Parameter omitted: names that are not compared.
  mutating func compare(_ before: JSONObject, _ after: JSONObject, as part: String, without omitted: Set<String> = []) {
    for name in before.keys + after.keys.filter({ before[$0] == nil }) where !omitted.contains(name) {
      compare(before[name], after[name], as: Self.member(name, of: part))
    }
  }

  /// Returns `part.name`, or `part["a name"]` for a name that a query must quote.
  static func member(_ name: String, of part: String) -> String {
    let isPlain =
      !name.isEmpty && name.unicodeScalars.allSatisfy { $0 == "_" || $0 == "-" || $0 == "$" || $0.isPlain }
    guard isPlain else { return "\(part)[\(JSON.string(name).text())]" }
    return part.isEmpty ? name : "\(part).\(name)"
  }
}

extension Unicode.Scalar {
  /// Whether the scalar is an ASCII letter or digit.
  fileprivate var isPlain: Bool { isASCII && (properties.isAlphabetic || properties.numericType != nil) }
}
