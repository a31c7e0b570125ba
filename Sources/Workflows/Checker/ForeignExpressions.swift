import JSON

/// Finds texts that look like an expression of another language. The engine would send them as they are.
enum ForeignExpressions {
  private static let roots = ["input", "steps", "saga", "signal", "item"]

  /// Returns what is wrong with a string of a template; nil when nothing is.
  /// - Parameter literals: the parts of the string outside `${…}`.
  static func mistake(in literals: [String], isWhole: Bool, isPath: Bool) -> String? {
    for literal in literals {
      if holds(literal, "{{", "}}") { return "{{…}} is only text here: write ${…}" }
      if holds(literal, "#{", "}") { return "#{…} is only text here: write ${…}" }
      if holds(literal, "<%", "%>") { return "<%…%> is only text here: write ${…}" }
      if let root = roots.first(where: { holds(literal, "$(\($0).", ")") }) {
        return "$(\(root).…) is only text here: write ${\(root).…}"
      }
      if let root = roots.first(where: { holds(literal, "{\($0).", "}") }) {
        return "{\(root).…} is only text here: write ${\(root).…}"
      }
    }
    if literals.contains(where: { $0.drop(while: \.isWhitespace).hasPrefix("??") }), !isWhole {
      return "?? is only text here: write it inside the braces, as ${input.x ?? 0}"
    }
    if literals.contains(where: { $0.hasSuffix("\\") }), !isWhole {
      return "the backslash is sent, and ${…} has its meaning: write $${ for a plain ${"
    }
    if isPath,
      let root = roots.first(where: { root in
        literals.contains { $0.contains("/$\(root).") || $0.contains("/$.\(root).") }
      })
    {
      return "this is only text: write ${\(root).…}"
    }
    if isPath, let name = literals.lazy.compactMap(parameter).first {
      return "/:\(name) is only text here: write ${…}, as ${input.\(name)}"
    }
    guard isWhole, literals.count == 1 else { return nil }
    let text = literals[0]
    if let query = bareQuery(text) { return "\(query) is only text here: write ${\(query)}" }
    if let root = roots.first(where: { text.hasPrefix("$\($0).") || text.hasPrefix("$\($0)[") }) {
      return "this is only text: write ${\(root).…}"
    }
    if text.utf8.starts(with: "$.".utf8) || text.utf8.starts(with: "$['".utf8) {
      return "a query alone is only text: write ${\(text.prefix(100))}"
    }
    // A context, as $context.x or $$.Execution.Id of other engines.
    if text.utf8.first == UInt8(ascii: "$"), isQuery(text.dropFirst()) {
      return "this is only text: write ${…} with input, steps or saga, as ${saga.id}"
    }
    if text.utf8.starts(with: "States.".utf8), text.hasSuffix(")") {
      return "this is only text: write ${…}; texts are joined by writing them together, as ${input.a}-${input.b}"
    }
    return nil
  }

  /// Returns the query of a text that is nothing else, as `input.barcode`, also between the signs of other languages, as
  /// `%input.barcode%` and `[[input.barcode]]`.
  private static func bareQuery(_ text: String) -> String? {
    guard text.utf8.count <= 200 else { return nil }
    let inner = text.drop { "%@<[ ".contains($0) }
    let query = String(inner.prefix { !"% >]".contains($0) || ($0 == "]" && inner.contains("[")) })
    guard inner.dropFirst(query.count).allSatisfy({ "%>] ".contains($0) }) else { return nil }
    let parts = query.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count > 1, ["input", "steps", "saga", "item"].contains(parts[0]), parts.allSatisfy(isName) else {
      return nil
    }
    return query
  }

  /// Returns true for a name or a `$`, a dot and another name: `context.x`, `$.Execution`.
  private static func isQuery(_ text: Substring) -> Bool {
    let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2 else { return false }
    return (parts[0] == "$" || isName(parts[0])) && isName(parts[1])
  }

  private static func isName(_ text: Substring) -> Bool {
    guard let first = text.unicodeScalars.first, first.properties.isAlphabetic || first == "_" else { return false }
    return text.unicodeScalars.allSatisfy {
      $0.properties.isAlphabetic || $0 == "_" || ("0"..."9").contains($0) || $0 == "[" || $0 == "]"
    }
  }

  /// Returns what is wrong with a member's name; nil when nothing is.
  static func mistake(inName name: String) -> String? {
    if name.utf8.count > 2, name.hasSuffix(".$") {
      return "\"\(name)\" is sent with its .$: name it \"\(name.dropLast(2))\" and write ${…} as its value"
    }
    if holds(name, "${", "}") { return "a member's name is sent as it is: ${…} has a meaning only in values" }
    return nil
  }

  private static func holds(_ text: String, _ opening: String, _ closing: String) -> Bool {
    guard let start = text.firstRange(of: opening) else { return false }
    return text[start.upperBound...].contains(closing)
  }

  /// Returns the name in a segment `:name` of a path.
  private static func parameter(in text: String) -> String? {
    text.split(separator: "/").first { segment in
      guard segment.utf8.first == UInt8(ascii: ":"), let first = segment.dropFirst().unicodeScalars.first else {
        return false
      }
      return first.properties.isAlphabetic
    }.map { String($0.dropFirst()) }
  }
}

extension ActionReader {
  /// Warns of every string and name of a value that looks like an expression of another language.
  func warnOfForeignExpressions(in json: JSON, at pointer: JSONPointer, isPath: Bool = false) {
    switch json {
    case .null, .bool, .number: break
    case .string(let text):
      guard let parts = try? TextPart.parts(of: text) else { return }
      let literals = parts.compactMap { if case .literal(let literal) = $0 { literal } else { nil } }
      // An escape, `$${`, shows that the author knows the language.
      guard !text.contains("$${") else { return }
      if let mistake = ForeignExpressions.mistake(in: literals, isWhole: parts.count == 1, isPath: isPath) {
        report.warning(WorkflowErrorCode.foreignExpression, mistake, at: pointer)
      }
    case .array(let values):
      for (index, value) in values.enumerated() { warnOfForeignExpressions(in: value, at: pointer.appending(index)) }
    case .object(let members):
      for (name, value) in members {
        let place = pointer.appending(name)
        if let mistake = ForeignExpressions.mistake(inName: name) {
          report.warning(WorkflowErrorCode.foreignExpression, mistake, at: place, .name)
        }
        warnOfForeignExpressions(in: value, at: place)
      }
    }
  }
}
