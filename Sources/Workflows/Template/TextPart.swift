import JSON

/// A part of a string that may contain `${…}`.
enum TextPart: Sendable {
  case literal(String)
  case expression(Expression)
}

/// One `${…}` expression.
package struct Expression: Sendable {
  /// The expression as the file writes it, without `${` and `}`.
  let text: String
  package let path: JSONPath
  /// The start of the query in its string, in scalars, minus the length of the added prefix. Add it to a place inside
  /// the query to get the place in the string.
  package let offset: Int

  /// Returns the one value that the query finds.
  func value(in document: JSON, _ meter: Meter) throws(ExpressionError) -> JSON {
    let values: [JSON]
    do {
      values = try path.values(in: document, atMost: 2, meter)
    } catch {
      throw exceeded(error)
    }
    guard let value = values.first else {
      if let output = UnreadOutput(readBy: path.referencedQueries.first?.leadingTokens ?? [], in: document) {
        throw output.error(of: "${\(text)}")
      }
      throw ExpressionError(
        code: WorkflowErrorCode.expressionEmpty, message: "${\(text)} finds nothing in the document", query: text
      )
    }
    guard values.count == 1 else {
      throw ExpressionError(
        code: WorkflowErrorCode.expressionMany,
        message: "${\(text)} finds several values where one is needed", query: text)
    }
    return value
  }

  /// Returns the error for a query that needed more than the rendering's budget.
  func exceeded(_ exceeded: BudgetExceeded) -> ExpressionError {
    ExpressionError(code: exceeded.code, message: "${\(text)}: \(exceeded.message)", query: text)
  }

  /// Returns the text form of the value.
  func renderedText(in document: JSON, _ meter: Meter) throws(ExpressionError) -> String {
    let value = try value(in: document, meter)
    switch value {
    case .string(let text): return text
    case .bool(let isTrue): return isTrue ? "true" : "false"
    case .number(let number): return number.text
    case .null, .array, .object:
      let kind = value.kind
      throw ExpressionError(
        code: WorkflowErrorCode.expressionNotText,
        message: "${\(text)} finds \(kind == "null" ? "null" : "an \(kind)"), which can't be part of a text",
        query: text)
    }
  }
}

extension TextPart {
  /// Splits a string into parts. `$${` is an escape for a plain `${`.
  static func parts(of text: String) throws(TemplateError) -> [TextPart] {
    let scalars = Array(text.unicodeScalars)
    var parts: [TextPart] = []
    var literal = String.UnicodeScalarView()
    var position = 0
    func starts(_ signs: String) -> Bool { scalars[position...].starts(with: signs.unicodeScalars) }
    while position < scalars.count {
      if starts("$${") {
        literal.append(contentsOf: "${".unicodeScalars)
        position += 3
      } else if starts("${") {
        if !literal.isEmpty { parts.append(.literal(String(literal))) }
        literal = String.UnicodeScalarView()
        guard let end = closingBrace(in: scalars, from: position + 2) else {
          throw TemplateError(
            code: WorkflowErrorCode.templateUnclosed,
            message: "this ${ has no closing } (a plain ${ is written $${)", pointer: .root, offset: position)
        }
        parts.append(.expression(try expression(in: scalars, from: position + 2, to: end)))
        position = end + 1
      } else {
        literal.append(scalars[position])
        position += 1
      }
    }
    if !literal.isEmpty || parts.isEmpty { parts.append(.literal(String(literal))) }
    return parts
  }

  /// Returns the first `}` outside quotes that does not close a brace opened inside the query.
  private static func closingBrace(in scalars: [Unicode.Scalar], from start: Int) -> Int? {
    var quote: Unicode.Scalar?
    var nesting = 0
    var position = start
    while position < scalars.count {
      let scalar = scalars[position]
      if let open = quote {
        if scalar == "\\" { position += 1 } else if scalar == open { quote = nil }
      } else {
        switch scalar {
        case "'", "\"": quote = scalar
        case "{": nesting += 1
        case "}" where nesting == 0: return position
        case "}": nesting -= 1
        default: break
        }
      }
      position += 1
    }
    return nil
  }

  private static func expression(
    in scalars: [Unicode.Scalar], from start: Int, to end: Int
  ) throws(TemplateError) -> Expression {
    var start = start
    var last = end
    func isBlank(_ scalar: Unicode.Scalar) -> Bool {
      scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r"
    }
    while start < last, isBlank(scalars[start]) { start += 1 }
    while last > start, isBlank(scalars[last - 1]) { last -= 1 }
    guard let first = scalars[start..<last].first else {
      throw TemplateError(
        code: WorkflowErrorCode.templateEmpty, message: "${} holds no query: write one, as ${input.barcode}",
        pointer: .root, offset: start)
    }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars[start..<last])
    let text = String(view)
    let lead = first == "$" ? "" : first == "[" ? "$" : "$."
    let offset = start - lead.unicodeScalars.count
    do {
      return Expression(text: text, path: try JSONPath(lead + text), offset: offset)
    } catch {
      throw TemplateError(
        code: error.code, message: error.message, pointer: .root, offset: min(max(start, offset + error.at), end))
    }
  }
}
